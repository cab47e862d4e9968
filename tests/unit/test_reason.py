"""What servers give as their reasons."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.stores.reason import said, why

NGINX = (
    b"<html>\r\n<head><title>%s</title></head>\r\n<body>\r\n<center><h1>%s</h1></center>\r\n"
    b"<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n"
)
WSGIDAV = (
    b"<!DOCTYPE HTML PUBLIC '-//W3C//DTD HTML 4.01//EN' 'http://www.w3.org/TR/html4/strict.dtd'>\n<html><head>\n"
    b"  <meta http-equiv='Content-Type' content='text/html; charset=utf-8'>\n  <title>%s</title>\n</head><body>\n"
    b"  <h1>%s</h1>\n  <p>%s</p>\n<hr/>\n"
    b"<a href='https://github.com/mar10/wsgidav/'>WsgiDAV/4.3.3</a> - 2026-01-02 03:04:05.678\n</body></html>"
)
SWIFT = b"<html><h1>%s</h1><p>%s</p></html>"
ARTIFACTORY = b'{\n  "errors" : [ {\n    "status" : %d,\n    "message" : "%s"\n  } ]\n}'
APACHE = (
    b'<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\n<html><head>\n<title>409 Conflict</title>\n</head><body>\n'
    b"<h1>Conflict</h1>\n<p>Cannot PUT to a collection.<br />\n</p>\n<hr>\n"
    b"<address>Apache/2.4.57 (Debian) Server at dav.example Port 80</address>\n</body></html>\n"
)
TOMCAT = (
    b'<!doctype html><html lang="en"><head><title>HTTP Status 403 \xe2\x80\x93 Forbidden</title><style type="text/css">'
    b"body {font-family:Tahoma}</style></head><body><h1>HTTP Status 403 \xe2\x80\x93 Forbidden</h1><hr class='line' />"
    b"<p><b>Type</b> Status Report</p><p><b>Description</b> The server refuses to authorize it.</p></body></html>"
)


@pytest.mark.parametrize(
    ("status", "reason", "body", "expected"),
    [
        # Swift
        (
            401,
            "Unauthorized",
            SWIFT % (b"Unauthorized", b"This server could not verify that you are authorized to access it."),
            "Unauthorized: This server could not verify that you are authorized to access it.",
        ),
        (
            403,
            "Forbidden",
            SWIFT % (b"Forbidden", b"Access was denied to this resource."),
            "Forbidden: Access was denied to this resource.",
        ),
        (
            400,
            "Bad Request",
            b"Object name length of 2000 longer than 1024",
            "Bad Request: Object name length of 2000 longer than 1024",
        ),
        (409, "Conflict", b"", "Conflict"),
        # nginx says nothing but what it is
        (413, "Request Entity Too Large", NGINX % ((b"413 Request Entity Too Large",) * 2), "Request Entity Too Large"),
        (500, "Internal Server Error", NGINX % ((b"500 Internal Server Error",) * 2), "Internal Server Error"),
        # Artifactory
        (
            403,
            "Forbidden",
            ARTIFACTORY % (403, b"Not enough permissions to overwrite artifact 'libs:a.jar' (needs DELETE)."),
            "Forbidden: Not enough permissions to overwrite artifact 'libs:a.jar' (needs DELETE).",
        ),
        (404, "", ARTIFACTORY % (404, b"File not found."), "File not found."),
        # Nexus: in the status line
        (
            400,
            "Repository does not allow updating assets: releases",
            b"<html><head><title>400 - Nexus Repository Manager</title></head></html>",
            "Repository does not allow updating assets: releases",
        ),
        # WsgiDAV
        (404, "Not Found", WSGIDAV % (b"404 Not Found", b"404 Not Found", b"404 Not Found"), "Not Found"),
        (
            409,
            "Conflict",
            WSGIDAV % (b"409 Conflict", b"409 Conflict", b"409 Conflict: PUT parent must be a &#x27;collection&#x27;"),
            "Conflict: PUT parent must be a 'collection'",
        ),
        # Apache, Tomcat
        (409, "Conflict", APACHE, "Conflict: Cannot PUT to a collection."),
        (403, "", TOMCAT, "The server refuses to authorize it."),
        # S3, SabreDAV (Nextcloud), RFC 4918
        (
            403,
            "Forbidden",
            b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied &amp; more'
            b"</Message><RequestId>tx1</RequestId></Error>",
            "Forbidden: Access Denied & more",
        ),
        (
            403,
            "Forbidden",
            b"<Error><Code>InvalidAccessKeyId</Code><RequestId>tx</RequestId></Error>",
            "Forbidden: InvalidAccessKeyId",
        ),
        (
            507,
            "Insufficient Storage",
            b'<?xml version="1.0"?><d:error xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns"><s:exception>Sabre\\DAV</s:exception>'
            b"<s:message>Insufficient space in storage, 10 required</s:message></d:error>",
            "Insufficient Storage: Insufficient space in storage, 10 required",
        ),
        (
            207,
            "Multi-Status",
            b"<D:response><D:responsedescription>gone</D:responsedescription></D:response>",
            "Multi-Status: gone",
        ),
        (
            423,
            "Locked",
            b'<D:error xmlns:D="DAV:"><D:lock-token-submitted><D:href>/a</D:href>',
            "Locked: lock-token-submitted",
        ),
        # Keystone, GitLab, Spring, RFC 9457, OAuth
        (
            401,
            "Unauthorized",
            b'{"error": {"code": 401, "message": "It requires authentication.", "title": "Unauthorized"}}',
            "Unauthorized: It requires authentication.",
        ),
        (
            403,
            "Forbidden",
            b'{"message":"403 Forbidden - Package already exists"}',
            "Forbidden - Package already exists",
        ),
        (403, "Forbidden", b'{"timestamp":1,"status":403,"error":"Forbidden","message":"","path":"/x"}', "Forbidden"),
        (
            403,
            "Forbidden",
            b'{"type":"about:blank","title":"Forbidden","detail":"No credit."}',
            "Forbidden: No credit.",
        ),
        (
            400,
            "Bad Request",
            b'{"error":"invalid_grant","error_description":"Token is not active"}',
            "Bad Request: Token is not active",
        ),
        (422, "", b'{"errors":{"checksum":"x"}}', ""),
        (500, "", b'["first", "second"]', "first"),
        # what no table knows
        (500, "", b"\nout of disks\nTraceback\n", "out of disks"),
        (500, "Internal Server Error", b"Internal Server Error\n", "Internal Server Error"),
        (500, "Oops", b"500 Internal Server Error", "Oops"),
        (403, "Forbidden", b"Forbidden: ask Ann", "Forbidden: ask Ann"),
        (403, "Forbidden", b"\xef\xbb\xbfask Ann", "Forbidden: ask Ann"),
        (403, "Forbidden", b"ask \x1b[31mAnn\x1b[0m\xe2\x80\xae", "Forbidden: ask [31mAnn [0m"),
        (403, "Forbidden", b"{ not json", "Forbidden: { not json"),
        (403, "Forbidden", b"size < 5 and > 3", "Forbidden: size < 5 and > 3"),
        (403, "Forbidden", b"<html><script>var title = 1;</script><!-- a --><style>b</style></html>", "Forbidden"),
        (403, "Forbidden", b"\x89PNG\r\n\x1a\n", "Forbidden: \ufffdPNG"),
        (403, "\x1b]0;own\x07", b"", "]0;own"),
        (999, "", b"", ""),
    ],
)
def test_a_reason_is_one_line_without_repetition(status: int, reason: str, body: bytes, expected: str) -> None:
    """The answers come from known servers."""
    assert why(status, reason, body) == expected


def test_a_reason_has_200_characters_at_most() -> None:
    """This holds for text, JSON and HTML."""
    for body in (b"x" * 10_000, b'{"message": "%s"}' % (b"x" * 9000), b"<p>%s</p>" % (b"x" * 9000)):
        assert len(said(500, "", body)) == 200


@given(
    st.integers(100, 999),
    st.text(max_size=10),
    st.binary(max_size=60) | st.text("<>p/&;{[\"':, msgae", max_size=60).map(str.encode),
)
def test_any_body_gives_a_printable_bounded_reason(status: int, reason: str, body: bytes) -> None:
    """No body raises an error."""
    text = why(status, reason, body)
    assert text.isprintable() and len(text) <= 200 + len(reason) + 2


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b"<" * 100_000, b"<a " * 30_000, b"<!--" * 30_000, b"<script>" * 12_000, b'{"message":' * 9000],
)
def test_a_body_made_to_be_slow_is_parsed_in_time(body: bytes) -> None:
    """Texts are cut before they are searched."""
    said(500, "", body)
