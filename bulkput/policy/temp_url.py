"""Temporary URLs of Swift: reads them, and signs them with an account's key.

    https://HOST/v1/ACCOUNT/CONTAINER/NAME?temp_url_sig=...&temp_url_expires=...&temp_url_prefix=...

The signature is an HMAC of the method, the expiry and the path (swift/common/middleware/tempurl.py). It holds for every
object whose name begins with the prefix; without a prefix, for the object that the path names.
"""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from bulkput.errors import UsageError, printable
from bulkput.policy.naming import is_http_url, joined_prefix
from bulkput.record import frozen

if TYPE_CHECKING:
    from bulkput.verb_options import SignatureDigest, SignedMethod

DIGESTS: "tuple[SignatureDigest, ...]" = ("sha256", "sha512", "sha1")
"""From the one that is taken if the store allows it, to the one that old stores have alone."""

SIGNATURE = "temp_url_sig"
VARIABLE = "BULKPUT_TEMPURL"
"""Holds a temporary URL, which the process list then does not show."""
KEY_VARIABLE = "BULKPUT_TEMPURL_KEY"
"""Holds the key that URLs are signed with."""
_SCHEME = "tempurl://"
_KNOWN = {SIGNATURE, "temp_url_expires", "temp_url_prefix", "temp_url_ip_range", "filename", "inline"}
_ISO = "%Y-%m-%dT%H:%M:%SZ"
_LATEST_S = 253_402_300_799
"""The last second of the year 9999. No calendar has a later one."""
_SAFE = "/:-._~"


@frozen(kw_only=True)
class Place:
    """An object, or what is below a directory. `storage_url` is the URL of the account, percent-encoded."""

    storage_url: str
    container: str
    name: str

    def named(self, name: str) -> "Place":
        """Another place in the same container."""
        return replace(self, name=name)

    @property
    def root(self) -> str:
        """The URL of the container."""
        return f"{self.storage_url}/{quote(self.container, safe='')}"

    @property
    def path(self) -> str:
        """What is signed of it. Ceph's gateway checks the path of a prefix with what it has before `/v1`, Swift has
        nothing there."""
        return f"{unquote(urlsplit(self.storage_url).path)}/{self.container}/{self.name}"


@frozen(kw_only=True)
class TempUrl:
    """A temporary URL, taken apart. The signature is in no repr."""

    place: Place
    signature: str = field(repr=False)
    expires_s: int
    """Unix time."""
    prefix: str | None = None
    """The names that it holds for begin with this; None: it holds for the object of its path."""
    ip_range: str | None = None

    @property
    def query(self) -> str:
        """What signs a request."""
        parts = [f"{SIGNATURE}={quote(self.signature, safe=_SAFE)}", f"temp_url_expires={self.expires_s}"]
        if self.ip_range is not None:
            parts.append(f"temp_url_ip_range={quote(self.ip_range, safe=_SAFE)}")
        if self.prefix is not None:
            parts.append(f"temp_url_prefix={quote(self.prefix, safe=_SAFE)}")
        return "&".join(parts)

    @property
    def url(self) -> str:
        """The whole, with its signature: a secret."""
        return f"{self.place.root}/{quote(self.place.name, safe=_SAFE)}?{self.query}"

    @property
    def expiry(self) -> str:
        return datetime.fromtimestamp(self.expires_s, UTC).strftime(_ISO)

    def check(self, name: str, *, is_exact: bool) -> None:
        """Raises UsageError if the signature does not hold for the object `name`, or, if not `is_exact`, for all whose
        names begin with `name`."""
        made = f"the object {printable(name)}" if is_exact else f"objects below {printable(name) or 'its container'}"
        if self.prefix is None:
            if not is_exact or name != self.place.name:
                raise UsageError(
                    f"this temporary URL is for the object {printable(self.place.name)} alone, and cannot make {made}:"
                    " ask for one for a prefix"
                )
        elif not name.startswith(self.prefix):
            raise UsageError(
                f"this temporary URL is for names that begin with {printable(self.prefix)}, and cannot make {made}:"
                " correct its path, or ask for another"
            )


@frozen(kw_only=True)
class Wish:
    """What a temporary URL shall allow. `is_object`: one object, and not all whose names begin with its name."""

    method: "SignedMethod"
    expires_s: int
    is_object: bool = False
    digest: "SignatureDigest | None" = None
    """None: the best that the store allows."""
    ip_range: str | None = None


def sign(place: Place, wish: Wish, key: str, digest: "SignatureDigest") -> TempUrl:
    """The temporary URL for `place`. Its text equals that of `swift tempurl` but for what that leaves unescaped."""
    path = place.path if wish.is_object else f"prefix:{place.path}"
    lines = [wish.method, str(wish.expires_s), path]
    if wish.ip_range is not None:
        lines.insert(0, f"ip={wish.ip_range}")
    mac = hmac.new(key.encode("utf-8", "surrogateescape"), "\n".join(lines).encode(), digest)
    signature = mac.hexdigest()
    if digest == "sha512":  # as Swift's documentation wants it, and python-swiftclient writes it
        signature = "sha512:" + base64.urlsafe_b64encode(mac.digest()).decode().strip("=")
    return TempUrl(
        place=place,
        signature=signature,
        expires_s=wish.expires_s,
        prefix=None if wish.is_object else place.name,
        ip_range=wish.ip_range,
    )


def parse(url: str) -> TempUrl:
    """Read a temporary URL. Raises UsageError, whose text does not have the URL."""
    address, _, query = url.partition("?")
    fields = _fields(query)
    if not fields.get(SIGNATURE):
        raise UsageError(f"the temporary URL has no {SIGNATURE}: copy the whole of it")
    if "temp_url_expires" not in fields:
        raise UsageError(
            "the temporary URL has no temp_url_expires. A shell cuts a URL without quotes at its first &: put it in"
            " quotes"
        )
    return TempUrl(
        place=place_of(address),
        signature=fields[SIGNATURE],
        expires_s=moment(fields["temp_url_expires"], what="temp_url_expires"),
        prefix=fields.get("temp_url_prefix"),
        ip_range=fields.get("temp_url_ip_range"),
    )


def _fields(query: str) -> dict[str, str]:
    """The parameters of a query. A `+` is a blank, as for Swift."""
    if "#" in query:
        raise UsageError("a temporary URL ends with its query: write a # in it as %23")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=len(_KNOWN))
    except ValueError:  # its text has the query
        raise UsageError("the query of the temporary URL cannot be read: copy the whole URL, as it was made") from None
    fields = dict(pairs)
    # Swift drops what it does not know, Ceph's gateway obeys it (multipart-manifest).
    if len(fields) < len(pairs) or fields.keys() - _KNOWN:
        raise UsageError(
            f"the query of a temporary URL has {SIGNATURE}, temp_url_expires, temp_url_prefix and temp_url_ip_range,"
            " each once: take out whatever else is in it"
        )
    return fields


def place_of(address: str) -> Place:
    """What a URL without a query names. Raises UsageError, whose text has the URL if there is a host in it."""
    scheme, _, rest = address.partition("://")
    scheme, (authority, _, path) = scheme.lower(), rest.partition("/")
    if "@" in authority:
        raise UsageError("a temporary URL needs no user and password: take out what is before the @ of its host")
    if not is_http_url(f"{scheme}://{authority}"):
        raise UsageError("the URL names no host: write https://HOST/v1/ACCOUNT/CONTAINER/PREFIX")
    try:
        before, found, after = f"/{path}".partition("/v1/")
        account, _, inside = after.partition("/")
        if before.endswith("/swift") and not account.startswith("AUTH_"):
            # Ceph's gateway without `rgw swift account in url`, which is its default.
            storage, inside = f"{before}/v1", after
        else:
            storage = f"{before}/v1/{account}"
        container, _, name = inside.partition("/")
        if not (found and account and container) or "#" in name:
            raise UsageError(
                f"{address!r} is no URL of Swift's: write https://HOST/v1/ACCOUNT/CONTAINER/PREFIX, and a # as %23"
            )
        return Place(
            storage_url=f"{scheme}://{authority}{quote(unquote(storage, errors='strict'), safe=_SAFE)}",
            container=unquote(container, errors="strict"),
            name=unquote(name, errors="strict"),
        )
    except UnicodeDecodeError:
        raise UsageError(f"{address!r}: its path is not UTF-8") from None


def moment(text: str, *, what: str) -> int:
    """The Unix time of a text that is one, or ISO 8601 in UTC, as Swift takes both. Raises UsageError."""
    if text.isascii() and text.isdigit():
        seconds = int(text[:20])
    else:
        try:
            seconds = int(datetime.strptime(text, _ISO).replace(tzinfo=UTC).timestamp())
        except ValueError:
            raise UsageError(f"{what} is no time: write a Unix time, or one like 2026-12-24T18:00:00Z") from None
    if seconds > _LATEST_S:
        raise UsageError(f"{what} is no time: it is after the year 9999")
    return seconds


def from_variable(url: str, environ: Mapping[str, str]) -> str:
    """`tempurl://NAME` as the temporary URL in `BULKPUT_TEMPURL`, with NAME below it; any other URL as it is.

    Raises UsageError.
    """
    if url[: len(_SCHEME)].lower() != _SCHEME:
        return url
    given, below = environ.get(VARIABLE, "").strip(), url[len(_SCHEME) :]  # a CI's secret may end with a newline
    if SIGNATURE not in given:
        state = "holds none" if given else "is not set"
        raise UsageError(f"{_SCHEME} is the temporary URL in {VARIABLE}, which {state}")
    if not below:
        return given
    if any(part in ("", ".", "..") for part in below.removesuffix("/").split("/")):
        raise UsageError(f"{printable(url)} would put //, . or .. into the objects' names: write it without them")
    whole = parse(given)
    name = joined_prefix(whole.place.name) + below
    whole.check(name, is_exact=True)
    return replace(whole, place=whole.place.named(name)).url
