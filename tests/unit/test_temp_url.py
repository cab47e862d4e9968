"""Temporary URLs: read, signed, refused; and what no message about them shows."""

import re
from collections.abc import Mapping

import pytest

from bulkput.errors import UsageError
from bulkput.policy.naming import without_query
from bulkput.policy.temp_url import Place, TempUrl, Wish, from_variable, moment, parse, place_of, sign
from bulkput.stores.base import Destination
from bulkput.stores.swift.login import Token
from bulkput.stores.swift.temp_url import SignedRequests
from bulkput.verb_options import SignatureDigest, SignedMethod

SIGNATURE = "5ecre7" * 8
BASE = "https://h/v1/AUTH_a/c"
QUERY = f"temp_url_sig={SIGNATURE}&temp_url_expires=1800000000"
KEY = "a key"


def wish(method: SignedMethod = "PUT", *, is_object: bool = False, ip_range: str | None = None) -> Wish:
    return Wish(method=method, expires_s=1_800_000_000, is_object=is_object, ip_range=ip_range)


@pytest.mark.parametrize(
    ("url", "storage_url", "container", "name", "prefix"),
    [
        (f"{BASE}/p/?{QUERY}&temp_url_prefix=p/", "https://h/v1/AUTH_a", "c", "p/", "p/"),
        (f"{BASE}/p/x?{QUERY}&temp_url_prefix=p/", "https://h/v1/AUTH_a", "c", "p/x", "p/"),
        (f"{BASE}/p?{QUERY}", "https://h/v1/AUTH_a", "c", "p", None),
        (f"{BASE}/?{QUERY}&temp_url_prefix=", "https://h/v1/AUTH_a", "c", "", ""),
        (f"{BASE}?{QUERY}&temp_url_prefix=", "https://h/v1/AUTH_a", "c", "", ""),
        (f"{BASE}/a%20b/%C3%A9%3F?{QUERY}&temp_url_prefix=a+b/", "https://h/v1/AUTH_a", "c", "a b/é?", "a b/"),
        (f"{BASE}/a b/é?{QUERY}&temp_url_prefix=a b/", "https://h/v1/AUTH_a", "c", "a b/é", "a b/"),
        (f"{BASE}//x/../y?{QUERY}", "https://h/v1/AUTH_a", "c", "/x/../y", None),
        (f"HTTP://h:80/v1/x/c%2Fd/o?{QUERY}", "http://h:80/v1/x", "c/d", "o", None),
        (f"https://h/swift/v1/AUTH_t/c/v1/o?{QUERY}", "https://h/swift/v1/AUTH_t", "c", "v1/o", None),
        (f"https://h/swift/v1/c/d/o?{QUERY}", "https://h/swift/v1", "c", "d/o", None),
        (f"https://h/v1/t:u%24/c/o?{QUERY}&filename=x&inline", "https://h/v1/t:u%24", "c", "o", None),
    ],
)
def test_a_temporary_url_is_taken_apart(
    url: str, storage_url: str, container: str, name: str, prefix: str | None
) -> None:
    """The path names account, container and object. Ceph's gateway may have no account in it."""
    found = parse(url)
    assert found.place == Place(storage_url=storage_url, container=container, name=name)
    assert (found.prefix, found.signature, found.expires_s) == (prefix, SIGNATURE, 1_800_000_000)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (f"{BASE}/p?temp_url_sig={SIGNATURE}", "in quotes"),
        (f"{BASE}/p?temp_url_sig=&temp_url_expires=1&a={SIGNATURE}", "take out whatever else"),
        (f"{BASE}/p?temp_url_sig=&temp_url_expires=1", "has no temp_url_sig"),
        (f"{BASE}/p?{QUERY}&multipart-manifest=put", "take out whatever else"),
        (f"{BASE}/p?{QUERY}&temp_url_sig=x", "each once"),
        (f"{BASE}/p?{QUERY}&&temp_url_prefix=p", None),
        (f"{BASE}/p?{QUERY}&temp_url_prefix=%ff", "cannot be read"),
        (f"{BASE}/p?{QUERY}" + "&a=1" * 9, "cannot be read"),
        (f"{BASE}/p?{QUERY}#x", "%23"),
        (f"{BASE}/p?{QUERY.replace('1800000000', 'soon')}", "is no time"),
        (f"{BASE}/p?{QUERY.replace('1800000000', '9' * 40)}", "after the year 9999"),
        (f"https://h/p?{QUERY}", "no URL of Swift's"),
        (f"https://h/v1/a?{QUERY}", "no URL of Swift's"),
        (f"https://h/v1//c/o?{QUERY}", "no URL of Swift's"),
        (f"https://h/v1/a/c/o#x?{QUERY}", "no URL of Swift's"),
        (f"https://:80/v1/a/c/o?{QUERY}", "names no host"),
        (f"https://{SIGNATURE}@h/v1/a/c/o?{QUERY}", "no user and password"),
        (f"https://h/v1/a/c/%ff?{QUERY}", "not UTF-8"),
        (f"https://h/v1/a/c/\udcff?{QUERY}", "not UTF-8"),
        (f"https:/h/v1/a/c/o?{QUERY}", "did you mean https://...?"),
        (f"h/v1/a/c/o?{QUERY}", "write swift://"),
        (f"swift://c/o?{QUERY}", "begins with https://"),
        (f"swift://c/o?{QUERY}&temp_url_prefix=o", "begins with https://"),
        (f"http://h/o?sig={SIGNATURE}", "query or fragment"),
        (f"tempurl:///o?{QUERY}", "begins with https://"),
    ],
)
def test_a_url_that_cannot_be_used_is_a_usage_error_without_the_signature(url: str, says: str | None) -> None:
    """A query of a plain http URL may be a signature of another kind, and is not shown either."""
    if says is None:
        Destination.parse(url)
        return
    with pytest.raises(UsageError, match=re.escape(says)) as caught:
        Destination.parse(url)
    assert SIGNATURE not in str(caught.value)


def test_a_destination_does_not_show_its_signature_and_is_the_same_place_with_another() -> None:
    """Its text goes into journals: a new signature goes on with the same journal."""
    one, other = (
        Destination.parse(f"{BASE}/p q/?temp_url_sig={sig}&temp_url_expires={expires}&temp_url_prefix=p q/")
        for sig, expires in ((SIGNATURE, 1_800_000_000), ("f" * 40, 1_900_000_000))
    )
    assert str(one) == str(other) == f"{BASE}/p%20q/"
    assert str(Destination(one.scheme, one.root, "x/")) == f"{BASE}/x/"
    assert (one.scheme, one.root, one.prefix) == ("tempurl", f"{BASE}/", "p q/")
    assert SIGNATURE not in repr(one) + repr(one.temp_url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h/p?a=b", "https://h/p?..."),
        ("https:h?a", "https:h?..."),
        ("htp://h/p?temp_url_sig=b", "htp://h/p?..."),
        ("swift://c/p?a=b", "swift://c/p?a=b"),
        ("https://h/p", "https://h/p"),
    ],
)
def test_a_message_has_no_query_of_an_http_url(url: str, shown: str) -> None:
    """In swift://, a question mark is a character of a name."""
    assert without_query(url) == shown


@pytest.mark.parametrize(
    ("prefix", "name", "is_exact", "is_allowed"),
    [
        ("p/", "p/", False, True),
        ("p/", "p/q/", False, True),
        ("p/", "p/q", True, True),
        ("p", "pq/", False, True),
        ("", "", False, True),
        ("p/", "p", True, False),
        ("p/", "", False, False),
        ("p/", "q/", False, False),
        (None, "the/object", True, True),
        (None, "the/object.gz", True, False),
        (None, "the/object/", False, False),
        (None, "", False, False),
    ],
)
def test_a_signature_holds_for_its_prefix_or_its_object(
    prefix: str | None, name: str, is_exact: bool, is_allowed: bool
) -> None:
    """Anything else is a usage error before anything is sent."""
    place = Place(storage_url="https://h/v1/a", container="c", name="the/object")
    temp_url = TempUrl(place=place, signature=SIGNATURE, expires_s=1, prefix=prefix)
    if is_allowed:
        temp_url.check(name, is_exact=is_exact)
        return
    with pytest.raises(UsageError, match="this temporary URL is for"):
        temp_url.check(name, is_exact=is_exact)


@pytest.mark.parametrize(
    ("wanted", "digest", "signature"),
    [
        # python-swiftclient 4.11.0: generate_temp_url("/v1/AUTH_a/c/p q/", 1800000000, KEY, "PUT", absolute=True, ...)
        (wish(), "sha256", "3ba8ed3f3eaa73ad97cfac5b935b40bcf75a487986f120793f211230b08a7353"),
        (wish("GET", is_object=True), "sha1", "4cb76f51a7e416d9d65e6534036efe10835de7de"),
        (wish(ip_range="10.0.0.0/8"), "sha256", "d7709c5358f0cb5d4016f906b8ca5985a482840693c260de6027931b93ab630e"),
        (
            wish(),
            "sha512",
            "sha512:59tBkwvIqo_vpuGrQRu3YFpCvd2y6J0PQmdyLYkrZi5Yztwxy_OxNXZ016UcdN6e5-Yz8BFHgxCF0GUDdpxhjQ",
        ),
    ],
)
def test_signatures_equal_those_of_swiftclient(wanted: Wish, digest: SignatureDigest, signature: str) -> None:
    """The HMAC covers address, method, expiry and path, in this order."""
    place = Place(storage_url="https://h/v1/AUTH_a", container="c", name="p q/")
    assert sign(place, wanted, KEY, digest).signature == signature


def test_a_signed_url_is_escaped_and_needs_no_quotes_but_for_its_ampersands() -> None:
    """Parameters stand in one order; without a prefix and without a range they are left out."""
    place = Place(storage_url="https://h/v1/AUTH_a", container="c d", name="p?&#%+é'\"/")
    made = sign(place, wish(ip_range="10.0.0.0/8"), KEY, "sha1")
    name = "p%3F%26%23%25%2B%C3%A9%27%22/"
    assert made.url == (
        f"https://h/v1/AUTH_a/c%20d/{name}?temp_url_sig={made.signature}&temp_url_expires=1800000000"
        f"&temp_url_ip_range=10.0.0.0/8&temp_url_prefix={name}"
    )
    alone = sign(place, wish(is_object=True), KEY, "sha1")
    assert alone.url.partition("?")[2] == f"temp_url_sig={alone.signature}&temp_url_expires=1800000000"


@pytest.mark.parametrize(
    ("storage_url", "path"),
    [
        ("https://h/v1/AUTH_a", "/v1/AUTH_a/c/o"),
        ("https://h/swift/v1/AUTH_a", "/swift/v1/AUTH_a/c/o"),
        ("https://h/swift/v1", "/swift/v1/c/o"),
        ("https://h/v1/t%24u", "/v1/t$u/c/o"),
    ],
)
def test_the_whole_decoded_path_is_signed(storage_url: str, path: str) -> None:
    """Ceph's gateway compares that of a prefix from the root, with its own `/swift`."""
    assert Place(storage_url=storage_url, container="c", name="o").path == path


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("1800000000", 1_800_000_000), ("2027-01-15T08:00:00Z", 1_800_000_000)]
)
def test_an_expiry_is_a_unix_time_or_iso_8601(text: str, seconds: int) -> None:
    """As Swift takes both."""
    assert moment(text, what="it") == seconds


@pytest.mark.parametrize("text", ["", "1.5", "-1", "tomorrow", "2027-01-15", "2027-01-15T08:00:00", "253402300800"])
def test_another_expiry_is_a_usage_error(text: str) -> None:
    """The message has the valid forms, or the limit."""
    with pytest.raises(UsageError, match="it is no time"):
        moment(text, what="it")


GIVEN = {"BULKPUT_TEMPURL": f"{BASE}/p/?{QUERY}&temp_url_prefix=p/"}


@pytest.mark.parametrize(
    ("url", "environ", "expected"),
    [
        ("swift://c/p", {}, "swift://c/p"),
        ("tempurl:x", GIVEN, "tempurl:x"),
        ("tempurl://", GIVEN, GIVEN["BULKPUT_TEMPURL"]),
        ("TEMPURL://q/r", GIVEN, f"{BASE}/p/q/r?{QUERY}&temp_url_prefix=p/"),
        ("tempurl://a b?/", GIVEN, f"{BASE}/p/a%20b%3F/?{QUERY}&temp_url_prefix=p/"),
        ("tempurl://q", {"BULKPUT_TEMPURL": f"{BASE}?{QUERY}&temp_url_prefix="}, f"{BASE}/q?{QUERY}&temp_url_prefix="),
    ],
)
def test_tempurl_is_the_url_of_the_variable_with_names_below_it(
    url: str, environ: Mapping[str, str], expected: str
) -> None:
    """Other URLs stay as they are."""
    assert from_variable(url, environ) == expected


@pytest.mark.parametrize(
    ("url", "environ", "says"),
    [
        ("tempurl://", {}, "is not set"),
        ("tempurl://", {"BULKPUT_TEMPURL": f"https://h/{SIGNATURE}"}, "holds none"),
        ("tempurl:///x", GIVEN, "without them"),
        ("tempurl://../x", GIVEN, "without them"),
        ("tempurl://x//", GIVEN, "without them"),
        ("tempurl://x", {"BULKPUT_TEMPURL": f"{BASE}/p?{QUERY}"}, "for the object p alone"),
        ("tempurl://x", {"BULKPUT_TEMPURL": f"{BASE}/p?{QUERY}&x=y"}, "take out whatever else"),
    ],
)
def test_a_variable_that_does_not_fit_is_a_usage_error(url: str, environ: Mapping[str, str], says: str) -> None:
    """It does not show the variable's value."""
    with pytest.raises(UsageError, match=says) as caught:
        from_variable(url, environ)
    assert SIGNATURE not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "signed"), [("https://h/o", "https://h/o?q=1"), ("https://h/o?a=b", "https://h/o?a=b&q=1")]
)
def test_a_signature_is_added_to_a_query_that_is_there(url: str, signed: str) -> None:
    """A token is a header field instead, and leaves the URL alone. Both are masked."""
    assert Token("https://h", "s", query="q=1").signed(url) == signed
    assert Token("https://h", "s").signed(url) == url
    assert (Token("https://h", "s", query="q=1").fields, Token("https://h", "s").fields) == ({}, {"X-Auth-Token": "s"})
    assert Token("https://h", "s", query="q=1").hidden == {"X-Auth-Token": "s"}


@pytest.mark.parametrize(
    ("now", "says"), [(1_799_999_999, "made for another method"), (1_800_000_000, "has expired, at 2027")]
)
def test_a_refusal_says_whether_the_url_has_expired(now: int, says: str) -> None:
    """By the clock of this machine."""
    login = SignedRequests(parse(GIVEN["BULKPUT_TEMPURL"]), clock=lambda: now)
    assert says in login.cannot_renew
    assert SIGNATURE not in repr(login) + repr(login.given)


def test_the_place_of_a_url_is_found_without_a_signature() -> None:
    """`bulkput.temporary_url` signs it."""
    assert place_of("https://h/v1/a/c/p%20q") == Place(storage_url="https://h/v1/a", container="c", name="p q")
