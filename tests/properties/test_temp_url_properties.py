"""What is signed is what a Swift checks, whatever the names; and no URL is anything but a destination or an error."""

import base64
import hmac
from urllib.parse import parse_qs, unquote, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import UsageError
from bulkput.policy.temp_url import DIGESTS, Place, Wish, parse, sign
from bulkput.stores.base import Destination
from bulkput.verb_options import SignatureDigest

PUT = Wish(method="PUT", expires_s=1)
METHODS = ["PUT", "GET", "HEAD", "POST", "DELETE"]
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
places = st.builds(
    Place,
    storage_url=st.sampled_from(["https://h/v1/AUTH_a", "http://h:8080/swift/v1/AUTH_t%24u", "https://h/swift/v1"]),
    container=names.filter(lambda name: bool(name) and "/" not in name and not name.startswith("AUTH_")),
    name=names,
)
wishes = st.builds(
    Wish,
    method=st.sampled_from(METHODS),
    expires_s=st.integers(0, 253_402_300_799),
    is_object=st.booleans(),
    ip_range=st.none() | st.sampled_from(["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"]),
)
odd = st.lists(st.characters() | st.sampled_from(list("/?#%@:&=+\udc80")), max_size=9).map("".join)


def is_valid(url: str, method: str, key: str, object_name: str) -> bool:
    """Checks a request for an object, as Swift's documentation of temporary URLs describes it."""
    parts = urlsplit(url)
    query = parse_qs(parts.query, keep_blank_values=True, strict_parsing=True)
    base = unquote(parts.path)[: len(unquote(parts.path)) - len(object_name)]
    path = base + object_name
    if (prefix := query.get("temp_url_prefix")) is not None:
        if not object_name.startswith(prefix[0]):
            return False
        path = f"prefix:{base}{prefix[0]}"
    lines = [method, query["temp_url_expires"][0], path]
    if (addresses := query.get("temp_url_ip_range")) is not None:
        lines.insert(0, f"ip={addresses[0]}")
    algorithm, _, encoded = query["temp_url_sig"][0].rpartition(":")
    if algorithm:
        mac = base64.urlsafe_b64decode(encoded + "==")
    else:
        mac, algorithm = bytes.fromhex(encoded), {40: "sha1", 64: "sha256"}[len(encoded)]
    return hmac.compare_digest(mac, hmac.digest(key.encode(), "\n".join(lines).encode(), algorithm))


@given(places, wishes, names, st.sampled_from(DIGESTS))
def test_a_signed_url_is_valid_for_its_method_key_and_path(
    place: Place, wish: Wish, key: str, digest: SignatureDigest
) -> None:
    """It is not for another method or key. Read again, it is the same."""
    made = sign(place, wish, key, digest)
    assert is_valid(made.url, wish.method, key, place.name)
    assert not is_valid(made.url, "PATCH", key, place.name)
    assert not is_valid(made.url, wish.method, key + "x", place.name)
    assert made.url.isascii() and made.url.isprintable() and " " not in made.url
    assert parse(made.url) == made


@given(places, names, names)
def test_a_signature_of_a_prefix_is_valid_for_every_object_below_it(place: Place, below: str, key: str) -> None:
    """The query of the URL goes with each object's own path, as an upload sends it."""
    query = sign(place, PUT, key, "sha256").query
    inside = place.named(place.name + below)
    path = sign(inside, PUT, key, "sha256").url.partition("?")[0]
    assert is_valid(f"{path}?{query}", "PUT", key, inside.name)
    if place.name:
        outside = place.named("\x7f" + inside.name[1:]) if place.name[0] != "\x7f" else place.named("x")
        path = sign(outside, PUT, key, "sha256").url.partition("?")[0]
        assert not is_valid(f"{path}?{query}", "PUT", key, outside.name)


@given(odd, odd)
def test_any_text_is_a_temporary_url_or_a_usage_error_that_does_not_repeat_the_query(path: str, query: str) -> None:
    """A URL that is accepted has a text without its signature."""
    secret = "5ecre7" * 7
    url = f"https://h/v1/a/{path}?temp_url_sig={secret}&temp_url_expires=1{query}"
    try:
        shown = str(Destination.parse(url))
    except UsageError as error:
        shown = str(error)
    assert secret not in shown
