"""S3's formats, for every value; botocore and an XML parser are the judges."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from unittest.mock import patch
from urllib.parse import quote
from xml.etree import ElementTree

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import StoreError
from bulkput.model import ObjectHeaders, RemoteObject
from bulkput.policy.etag import md5_of
from bulkput.policy.s3_proof import Proves, proves
from bulkput.stores.s3.errors import code_of, error_of
from bulkput.stores.s3.sign import EMPTY_SHA256, Keys, Signer
from bulkput.stores.s3.wire_format import (
    can_be_named,
    complete_request,
    delete_request,
    described,
    left_of,
    meta_of,
    page,
    query_of,
    render,
)
from bulkput.transport.base import Answer

TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30) | st.sampled_from(
    ["a b", "a+b", "a%2Bb", "//a", "a/../b", "./a", "?a=b&c", "#", "é", "～", "😀", "a~b", "a\nb", "*'()!", "a\x7fb"]
)
VALUES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S"), include_characters=" "), max_size=30)
"""White space other than spaces is left out: botocore signs it otherwise (`sign.py`)."""
NAMES = st.from_regex(r"(x-amz-meta-|X-Amz-|Content-|)[A-Za-z0-9_-]{1,12}", fullmatch=True).filter(
    lambda name: (
        name.lower() not in ("host", "expect", "user-agent", "authorization", "date", "transfer-encoding")
        and not name.lower().startswith(("x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amzn-"))
    )
)
FIELDS = st.dictionaries(NAMES, VALUES, max_size=6).filter(
    lambda fields: len({name.lower() for name in fields}) == len(fields)
)
QUERIES = st.dictionaries(st.from_regex(r"[a-zA-Z0-9_]{1,10}", fullmatch=True), TEXTS, max_size=4)
MD5 = st.from_regex(r"[0-9a-f]{32}", fullmatch=True)


@contextmanager
def botocore_at(moment: datetime) -> Iterator[None]:
    with patch.object(botocore.auth, "get_current_datetime", lambda: moment):
        yield


@given(
    method=st.sampled_from(["PUT", "GET", "POST", "DELETE", "HEAD"]),
    host=st.sampled_from(["127.0.0.1:9000", "b.s3.eu-west-1.amazonaws.com", "[::1]:8080", "s3.example.org"]),
    key=KEYS,
    query=QUERIES,
    fields=FIELDS,
    keys=st.builds(Keys, st.from_regex(r"[A-Z0-9]{4,20}", fullmatch=True), TEXTS, st.none() | VALUES.filter(str.strip)),
    region=st.sampled_from(["us-east-1", "cn-north-1", "auto", "default"]),
    service=st.sampled_from(["s3", "s3express"]),
    moment=st.datetimes(datetime(1980, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),
)
def test_a_signature_is_that_of_botocore(
    method: str,
    host: str,
    key: str,
    query: dict[str, str],
    fields: dict[str, str],
    keys: Keys,
    region: str,
    service: str,
    moment: datetime,
) -> None:
    """Over plain HTTP, for any name, fields, query, keys, region and time."""
    path, text = f"/bucket/{quote(key, safe='/~')}", query_of(**query)
    ours = Signer(keys, region, service).signed(
        (method, host, path, text), fields, EMPTY_SHA256, moment.replace(microsecond=0).timestamp()
    )
    request = AWSRequest(method, f"http://{host}{path}" + (f"?{text}" if text else ""), headers=dict(fields))
    with botocore_at(moment):
        botocore.auth.S3SigV4Auth(Credentials(keys.access_key, keys.secret, keys.token), service, region).add_auth(
            request
        )
    assert ours["Authorization"] == request.headers["Authorization"]
    assert {name.lower(): value for name, value in ours.items()} == {
        name.lower(): value for name, value in request.headers.items()
    }


@given(st.binary(max_size=300), st.integers(200, 599), st.sampled_from([b"", b"<Error><Code>", b"<Error>", b"<html>"]))
def test_no_body_of_a_refusal_makes_reading_it_fail(body: bytes, status: int, begin: bytes) -> None:
    """It is an error of one line in any case."""
    answer = Answer(status, "Reason", {"Retry-After": body[:9].decode("latin-1")}, begin + body)
    error = error_of("put", "key", answer, sent_md5="0" * 32)
    assert isinstance(error, StoreError)
    assert str(error).isprintable()
    assert code_of(answer).isascii()


@given(TEXTS, TEXTS, TEXTS)
def test_any_text_in_an_error_document_stays_on_one_line(code: str, message: str, region: str) -> None:
    """A store's message may have anything in it."""
    root = ElementTree.Element("Error")
    for tag, text in (("Code", code), ("Message", message), ("Region", region)):
        ElementTree.SubElement(root, tag).text = text
    answer = Answer(400, "Bad Request", {}, ElementTree.tostring(root, "utf-8"))
    assert str(error_of("put", "key", answer)).isprintable()


@given(st.lists(KEYS, min_size=1, max_size=20, unique=True))
def test_a_list_of_names_to_delete_has_each_name_as_it_is(keys: list[str]) -> None:
    """As an XML parser reads it, line ends too. Names that XML cannot have are known before."""
    named = [key for key in keys if can_be_named(key)]
    root = ElementTree.fromstring(delete_request(named))
    space = "{http://s3.amazonaws.com/doc/2006-03-01/}"
    assert [each.findtext(f"{space}Key") for each in root.iter(f"{space}Object")] == named
    assert root.findtext(f"{space}Quiet") == "true"


@given(st.text(max_size=10))
def test_a_name_that_xml_cannot_have_is_known(key: str) -> None:
    """A parser of XML is the judge; it knows nothing of lone surrogates, which no name has."""
    try:
        ElementTree.fromstring(delete_request([key]))
        can_be = True
    except (ElementTree.ParseError, UnicodeEncodeError):
        can_be = False
    assert can_be_named(key) or not can_be
    if not any("\ud800" <= character <= "\udfff" for character in key):
        assert can_be_named(key) == can_be


@given(st.lists(st.tuples(KEYS, st.sampled_from(["AccessDenied", "InternalError"])), max_size=5))
def test_what_a_store_has_not_deleted_is_read_with_its_reason(rows: list[tuple[str, str]]) -> None:
    """Its names are in XML."""
    rows = [(key, code) for key, code in rows if can_be_named(key) and "\r" not in key]
    root = ElementTree.Element("DeleteResult", xmlns="http://s3.amazonaws.com/doc/2006-03-01/")
    for key, code in rows:
        error = ElementTree.SubElement(root, "Error")
        ElementTree.SubElement(error, "Key").text = key
        ElementTree.SubElement(error, "Code").text = code
    assert left_of(ElementTree.tostring(root, "utf-8"), "delete", "k") == tuple(rows)


@given(
    st.lists(st.tuples(st.integers(1, 10_000), MD5, st.sampled_from(["", "x-amz-checksum-sha256=a+/="])), max_size=5)
)
def test_a_completion_names_each_part(parts: list[tuple[int, str, str]]) -> None:
    """An XML parser is the judge."""
    root = ElementTree.fromstring(complete_request(parts))
    space = "{http://s3.amazonaws.com/doc/2006-03-01/}"
    assert [
        (
            int(each.findtext(f"{space}PartNumber") or ""),
            (each.findtext(f"{space}ETag") or "").strip('"'),
            each.findtext(f"{space}ChecksumSHA256"),
        )
        for each in root.iter(f"{space}Part")
    ] == [(number, etag, checksum.partition("=")[2] or None) for number, etag, checksum in parts]


@given(
    st.lists(st.tuples(KEYS, st.booleans()), max_size=20, unique_by=lambda row: row[0]),
    st.sampled_from(["%20", "+"]),
    st.none() | KEYS.filter(can_be_named).filter(lambda key: "\r" not in key),
)
def test_a_page_of_a_listing_has_all_names_in_the_order_of_their_bytes(
    rows: list[tuple[str, bool]], space: str, token: str | None
) -> None:
    """Objects and prefixes, in both ways in which stores escape a space."""
    root = ElementTree.Element("ListBucketResult", xmlns="http://s3.amazonaws.com/doc/2006-03-01/")
    for key, is_prefix in sorted(rows, key=lambda row: row[0].encode()):
        row = ElementTree.SubElement(root, "CommonPrefixes" if is_prefix else "Contents")
        ElementTree.SubElement(row, "Prefix" if is_prefix else "Key").text = quote(key, safe="/").replace("%20", space)
    ElementTree.SubElement(root, "EncodingType").text = "url"
    ElementTree.SubElement(root, "IsTruncated").text = "true" if token is not None else "false"
    if token is not None:
        ElementTree.SubElement(root, "NextContinuationToken").text = token
    found = page(ElementTree.tostring(root, "utf-8"), "list", "b")
    shown = [(row.name, not isinstance(row, RemoteObject)) for row in found.rows]
    assert shown == sorted(rows, key=lambda row: row[0].encode())
    assert found.token == token


@given(st.binary(max_size=200))
def test_no_answer_makes_the_reading_of_a_listing_fail_otherwise_than_by_its_error(body: bytes) -> None:
    """There may be anything at the address."""
    for each in (page, left_of):
        for begin in (b"", b"<ListBucketResult>", b"<DeleteResult>", b"<html>"):
            try:
                each(begin + body, "list", "b")
            except StoreError as error:
                assert str(error).isprintable()


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc",), include_characters="\t\x85"), max_size=40))
def test_metadata_comes_back_as_it_was_sent(value: str) -> None:
    """White space at the ends too, which HTTP would drop. All servers sign the field alike."""
    sent = render(ObjectHeaders(meta=(("Title", value),)), str)["x-amz-meta-title"]
    assert sent == sent.strip()
    assert not any(character.isspace() and character != " " for character in sent)
    if "=?" not in value:
        assert meta_of({"X-Amz-Meta-Title": sent}) == (("title", value),)


@given(
    st.from_regex(
        r"=\?(utf|UTF)-8\?[bBqQ]\?[ -~]{0,20}(\?=)?( =\?[a-z0-9-]{1,6}\?[bq]\?[ -~]{0,9}\?=)?", fullmatch=True
    )
)
def test_metadata_that_is_encoded_wrongly_is_shown_as_it_is(value: str) -> None:
    """Whoever has put the object may have sent anything."""
    assert isinstance(meta_of({"x-amz-meta-a": value})[0][1], str)


@given(
    st.dictionaries(
        st.sampled_from(["Content-Length", "ETag", "Last-Modified", "Content-Encoding", "x-amz-meta-a"]), TEXTS
    )
)
def test_any_answer_to_a_head_is_described(headers: dict[str, str]) -> None:
    """Fields that are no numbers and no dates are left out."""
    assert described("key", headers).name == "key"


@given(
    etag=st.none() | MD5 | st.from_regex(r"[0-9a-f]{32}-[0-9]{1,4}", fullmatch=True) | TEXTS,
    md5=MD5,
    is_opaque=st.booleans(),
    sent=st.none() | st.sampled_from(["a", "b"]),
    returned=st.none() | st.sampled_from(["a", "b"]),
    is_checked=st.booleans(),
    is_right=st.booleans(),
)
def test_an_answer_proves_bytes_only_by_their_own_digest(
    etag: str | None,
    md5: str,
    *,
    is_opaque: bool,
    sent: str | None,
    returned: str | None,
    is_checked: bool,
    is_right: bool,
) -> None:
    """The MD5 as ETag, or the checksum that was sent; and another digest never passes for what was checked."""
    told = f'"{md5}"' if is_right else etag
    found = proves(told, md5, is_opaque=is_opaque, sent=sent, returned=returned, is_checked=is_checked)
    match found:
        case Proves.BYTES:
            assert md5_of(told) == md5 or (is_opaque and sent is not None and sent == returned)
        case Proves.CHECKED:
            assert is_opaque and is_checked and None in (sent, returned)
        case Proves.NOTHING:
            assert is_opaque and not is_checked and None in (sent, returned)
        case Proves.OTHERS:
            assert not is_opaque or (None not in (sent, returned) and sent != returned)
    if is_right:
        assert found is Proves.BYTES
