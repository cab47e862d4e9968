"""What may be shown: bulkput/config/secrets.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.config.secrets import field_shown, has_login, login_variables, shown, without_login

NAMES = st.from_regex(r"(ST|OS|AWS|BULKPUT_HTTP)_[A-Z_]{1,20}", fullmatch=True)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ST_KEY", "testing", "***"),
        ("ST_USER", "test:tester", "test:tester"),
        ("ST_AUTH", "https://me:secret@h/auth", "https://***@h/auth"),
        ("OS_PASSWORD", "x", "***"),
        ("OS_AUTH_TOKEN", "x", "***"),
        ("OS_APPLICATION_CREDENTIAL_SECRET", "x", "***"),
        ("OS_APPLICATION_CREDENTIAL_ID", "abc", "abc"),
        ("OS_PROJECT_NAME", "p", "p"),
        ("OS_USER_DOMAIN_NAME", "Default", "Default"),
        ("OS_PROJECT_DOMAIN_ID", "default", "default"),
        ("OS_CLOUD", "work", "work"),
        ("OS_WHAT_COMES_NEXT", "x", "***"),
        ("OS_USERNAME_PASSWORD", "x", "***"),
        ("BULKPUT_HTTP_TOKEN_A_B", "x", "***"),
        ("BULKPUT_HTTP_USER_A_B", "me", "me"),
        ("BULKPUT_HTTP_PASSWORD", "x", "***"),
        ("BULKPUT_TEMPURL_KEY", "x", "***"),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE", "***MPLE"),
        ("AWS_ACCESS_KEY_ID", "test:tester", "***"),
        ("AWS_SECRET_ACCESS_KEY", "x", "***"),
        ("AWS_SESSION_TOKEN", "x", "***"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "x", "***"),
        ("AWS_PROFILE", "work", "work"),
        ("AWS_DEFAULT_REGION", "eu-west-1", "eu-west-1"),
        ("AWS_ENDPOINT_URL_S3", "https://me:secret@h", "https://***@h"),
        ("AWS_ENDPOINT_URL", "https://h", "https://h"),
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", "true"),
        ("AWS_CA_BUNDLE", "/ca.pem", "/ca.pem"),
        ("BULKPUT_S3_SSE_C_KEY", "x", "***"),
        ("https_proxy", "http://me:secret@proxy:3128", "http://***@proxy:3128"),
        ("HTTPS_PROXY", "me:secret@proxy:3128", "***@proxy:3128"),
        ("HTTPS_PROXY", "proxy:3128", "proxy:3128"),
        ("NO_PROXY", ".example.org,localhost", ".example.org,localhost"),
        ("OS_USERNAME", "me@example.org", "me@example.org"),
    ],
)
def test_only_known_variables_are_shown(name: str, value: str, expected: str) -> None:
    """Any other may be a secret's."""
    assert shown(name, value) == expected


@given(NAMES, st.sampled_from(["PASSWORD", "SECRET", "TOKEN", "KEY"]))
def test_a_variable_that_sounds_like_a_secret_is_never_shown(name: str, word: str) -> None:
    """Whatever else is in its name; a user of a host with such a name is no secret."""
    if not name.startswith("BULKPUT_HTTP_USER"):
        assert shown(f"{name}_{word}", "value") == "***"


def test_variables_about_logins_and_servers_are_found() -> None:
    """Sorted; proxies in small letters, too."""
    environ = {"ST_KEY": "k", "HOME": "/", "https_proxy": "http://p", "OS_CLOUD": "c", "BULKPUT_GZIP": "auto"}
    assert login_variables(environ) == {"OS_CLOUD": "c", "ST_KEY": "***", "https_proxy": "http://p"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("swift://c/p", "swift://c/p"),
        ("https://h/c/p?temp_url_sig=secret&temp_url_expires=1", "https://h/c/p?***"),
        ("https://me:secret@h/x", "https://***@h/x"),
        ("https://me:sec/ret@h/x", "https://***@h/x"),
        ("https://me:sec?ret@h/x?a", "https://***@h/x?***"),
        ("https://h:8080/a@b", "https://h:8080/a@b"),
        ("swift://c/a@b?c", "swift://c/a@b?c"),
        ("a@b?c", "a@b?c"),
        ("plain text", "plain text"),
    ],
)
def test_a_url_is_shown_without_login_and_query(text: str, expected: str) -> None:
    """A temporary URL's query is its signature."""
    assert without_login(text) == expected


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("me@h/", True),
        ("me:pass@h/", True),
        ("me:pa/ss@h/", True),
        ("[::1]:80/a@b", False),
        ("me@[::1]:80/", True),
        ("h/a@b", False),
        ("h:80/a@b", False),
        ("h", False),
    ],
)
def test_a_login_in_a_url_is_recognised(rest: str, expected: bool) -> None:
    """Also a password with an unescaped slash, which is then no path."""
    assert has_login(rest) is expected


@pytest.mark.parametrize(
    ("line", "as_header", "as_meta"),
    [
        ("Cache-Control: no-cache", "Cache-Control: no-cache", "Cache-Control: no-cache"),
        ("X-Object-Meta-Build: 42", "X-Object-Meta-Build: 42", "X-Object-Meta-Build: 42"),
        ("X-Object-Meta-Password: s", "X-Object-Meta-Password: ***", "X-Object-Meta-Password: ***"),
        ("X-Gate: s", "X-Gate: ***", "X-Gate: s"),
        ("x-api-key:s", "x-api-key: ***", "x-api-key: ***"),
        ("odd", "***", "odd"),
    ],
)
def test_fields_that_may_be_secrets_are_masked(line: str, as_header: str, as_meta: str) -> None:
    """By their names: a header is shown only if it describes an object."""
    assert (field_shown(line), field_shown(line, is_meta=True)) == (as_header, as_meta)
