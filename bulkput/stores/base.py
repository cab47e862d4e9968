"""The Store protocol, destinations as people write them, and the registry that finds a store for one.

A third party adds a store by installing a package with an entry point in the group `bulkput.stores`:

    [project.entry-points."bulkput.stores"]
    ftp = "bulkput_ftp:open_store"      # a StoreFactory; the name is the URL's scheme

What the store can do beyond the protocol stands in its `powers` (`powers.py`). The suite `bulkput.testing.contract`
proves the store; `docs/stores.md` has an example.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from dataclasses import field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast
from urllib.parse import quote, unquote

from bulkput.errors import UsageError, printable
from bulkput.model import Body, Limits, ObjectHeaders, Prefix, RemoteObject, Stored
from bulkput.option_types import require
from bulkput.options import HeaderOptions, LargeOptions, WireOptions
from bulkput.policy.naming import is_http_url, is_presigned, without_query
from bulkput.record import frozen
from bulkput.s3_options import S3Options
from bulkput.stores.built_in import MODULES
from bulkput.stores.powers import Powers
from bulkput.transport.base import Transport

if TYPE_CHECKING:
    from bulkput.policy.temp_url import TempUrl


class Store(Protocol):
    """A place for objects: one container, or one base URL. Safe for many concurrent calls.

    Keys are object names as text, sent unchanged; the caller has already added the prefix. Every method raises
    StoreError if the store refuses; the tree in `bulkput.errors` says which errors are retried.
    """

    @property
    def limits(self) -> Limits:
        """The limits assumed before the store is asked (`ask_limits`)."""

    @property
    def place(self) -> str:
        """The account or server that the URL does not name, without secrets. Stores with the same URL but different
        places hold different objects: a journal belongs to one place.

        `""`: the URL names the place itself (plain HTTP), or it is unknown. Then no two stores are taken for the same
        account: a move between them looks for the source under the destination's name before it removes anything."""

    @property
    def keeps_metadata(self) -> bool:
        """Whether metadata and Content-Encoding are stored with an object."""

    @property
    def powers(self) -> Powers:
        """The store's operations beyond the methods below; `Powers()` if it has none."""

    async def prepare(self) -> None:
        """Log in and make the container if it is missing. Called once, before the first `put`."""

    @property
    def was_made(self) -> bool:
        """Whether `prepare` has made the container, which was not there before."""

    async def undo_prepare(self) -> None:
        """Remove the container if this store's `prepare` made it and it is empty; else change nothing."""

    async def put(self, key: str, body: Body, headers: ObjectHeaders) -> Stored:
        """Store one object in exactly one request, replacing what was there.

        Sends every field of `headers`, except that a store without metadata drops `mtime_ns` in silence (plain HTTP has
        no field for it). A store that cannot keep metadata, an expiry or the Content-Encoding refuses them when it is
        opened (`StoreContext`): without its encoding, a compressed object is garbage to its readers. Whether a plain
        HTTP server keeps the type and other fields that it is sent is its own affair.

        Returns only if the store's answer proves the object: a 2xx after the whole body and, if the store gives MD5
        ETags, the ETag of the bytes. Raises SourceError from the body.
        """

    def list(
        self, prefix: str, *, delimiter: str | None = None, start_after: str | None = None
    ) -> AsyncGenerator[RemoteObject | Prefix, None]:
        """Yield objects below `prefix` in bytewise order of their UTF-8 names; request each page when it is needed.

        With a delimiter, names that contain it after the prefix are grouped into one Prefix each. The listing begins
        after the name `start_after`.
        """

    async def delete(self, keys: Iterable[str]) -> None:
        """Remove objects. A missing object is no error."""

    async def stat(self, key: str) -> RemoteObject | None:
        """The object's row, or None if it does not exist. Of a link the row is that of its target, time included;
        `Powers.stat_itself` gives the link's own."""

    async def ask_limits(self) -> Limits:
        """The store's own limits. Only the first call sends a request."""

    async def aclose(self) -> None: ...


@frozen
class Destination:
    """A destination URL taken apart: `root` names the container or the base URL, `prefix` begins the keys.

    In swift:// and s3://, the text after the container is an object name: nothing in it is decoded, and `?` and `#`
    are ordinary characters, as in aws-cli and s5cmd. In an http(s) URL, the directory is sent as the user wrote it;
    only the text after the last slash is decoded, because it begins an object name.

    A temporary URL of Swift's (an http(s) URL with a temp_url_sig) has the scheme `tempurl`. Its root is the URL of the
    container, with a slash at its end. Its text leaves out the signature: it is the same place, whoever signs.
    """

    scheme: str
    root: str
    prefix: str
    temp_url: "TempUrl | None" = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> "Destination":
        """Parse a destination URL. Raises UsageError, which says what is wrong and how to write the URL."""
        require(url, str, "destination")
        shown = without_query(url)
        try:
            url.encode()
        except UnicodeEncodeError:
            raise UsageError(f"destination {shown!r} is not UTF-8, as object names have to be") from None
        scheme, separator, rest = url.partition("://")
        if not separator or not scheme:
            from bulkput.policy.nearest import meant_url  # noqa: PLC0415 - for mistakes only

            meant = meant_url(url, MODULES)
            more = (
                f"did you mean {printable(meant)}?"
                if meant
                else "write swift://CONTAINER[/PREFIX], s3://BUCKET[/PREFIX] or https://HOST/PATH/"
            )
            raise UsageError(f"destination {url.partition('?')[0]!r} is no URL: {more}")
        scheme = scheme.lower()
        if scheme == "s3" and "@" in rest:
            from bulkput.policy.bucket_names import KEYS, has_keys  # noqa: PLC0415 - few names have an @

            if has_keys(rest):
                raise UsageError(KEYS)
        if is_presigned(rest.partition("?")[2]):
            raise UsageError(
                f"destination {shown!r} is a presigned URL, which is for one object and one request: write"
                " s3://BUCKET[/PREFIX], with keys in the environment, or send that file by curl"
            )
        if scheme in ("http", "https"):
            if "temp_url_sig" in rest.partition("?")[2]:
                return cls._signed(url)
            return cls(scheme, *_split_http(url, scheme, rest))
        if "?temp_url_sig=" in rest:  # else it would be the name of an object, and end up in every message
            raise UsageError(f"destination {shown!r} is a temporary URL: it begins with https:// or http://")
        root, _, prefix = rest.partition("/")
        if "{" in root or "}" in root:
            _check_range(scheme, root, shown)
        if not root and scheme != "tempurl":
            what = "bucket" if scheme == "s3" else "container"
            raise UsageError(f"destination {shown!r} names no {what}: write {scheme}://{what.upper()}[/PREFIX]")
        return cls(scheme, root, prefix)

    @classmethod
    def of_account(cls, url: str) -> "Destination | None":
        """The account of the credentials, for `swift://` and `s3://` alone, which name no container; None for any other
        URL. Its store lists containers, and nothing else."""
        scheme, separator, rest = url.partition("://")
        is_one = bool(separator) and scheme.lower() in _LISTS_CONTAINERS and rest in ("", "/")
        return cls(scheme.lower(), "", "") if is_one else None

    @property
    def is_account(self) -> bool:
        """Whether it is what `of_account` gives."""
        return not self.root and self.scheme in _LISTS_CONTAINERS

    @classmethod
    def _signed(cls, url: str) -> "Destination":
        from bulkput.policy.temp_url import parse  # noqa: PLC0415 - few destinations are

        temp_url = parse(url)
        return cls("tempurl", f"{temp_url.place.root}/", temp_url.place.name, temp_url)

    @property
    def noun(self) -> str:
        """What `root` names, in a word."""
        return "bucket" if self.scheme == "s3" else "container"

    def __str__(self) -> str:
        if "://" in self.root:
            return self.root + quote(self.prefix)
        return f"{self.scheme}://{self.root}" + (f"/{self.prefix}" if self.prefix else "")


def _check_range(scheme: str, root: str, shown: str) -> None:
    """Raises UsageError for a brace in the name of a container, unless it writes several of them."""
    from bulkput.policy.spread import spread_of  # noqa: PLC0415 - few names have a brace

    if scheme == "s3":
        raise UsageError(f"destination {shown!r} has a brace in its bucket: ranges of containers are for swift:// only")
    if scheme == "swift":
        spread_of(root)


def _split_http(url: str, scheme: str, rest: str) -> tuple[str, str]:
    """The URL of the last directory, percent-encoded as the user wrote it, and the decoded text after it."""
    authority = rest.partition("/")[0]
    if "@" in authority:
        raise UsageError(
            "a password in a URL shows in the process list: put it into ~/.netrc,"
            " or set BULKPUT_HTTP_USER and BULKPUT_HTTP_PASSWORD"
        )
    if "?" in rest or "#" in rest:
        shown = without_query(url)  # what follows may be a signature
        raise UsageError(
            f"destination {shown!r}: a query or fragment cannot be part of it; escape ? as %3F and # as %23"
        )
    if not is_http_url(f"{scheme}://{authority}"):
        raise UsageError(f"destination {url!r} names no host: write {scheme}://HOST[:PORT]/PATH/")
    directory, _, last = rest.removeprefix(authority).removeprefix("/").rpartition("/")
    try:
        name = unquote(last, errors="strict")
    except UnicodeDecodeError:
        raise UsageError(f"destination {url!r}: its path is not UTF-8") from None
    if "/" in name or name in (".", "..") or any(part in ("", ".", "..") for part in directory.split("/") if directory):
        raise UsageError(f"destination {url!r} means another path to a server: write it without //, . and ..")
    path = quote(directory, safe=_URL_PATH) + "/" if directory else ""
    return f"{scheme}://{authority}/{path}", name


_URL_PATH = "/%!$&'()*+,;=:@~"
"""Characters that stay unescaped in a path: those that RFC 3986, 3.3 allows, and `%` of the user's own escapes."""


T = TypeVar("T")


class RetryCall(Protocol):
    """`stores/tries.py:Tries`, as a store sees it."""

    async def __call__(self, call: Callable[[], Awaitable[T]], *, is_first_login: bool = False) -> T: ...


def _ignore(_why: str) -> None:
    """For callers that show no warnings."""


@frozen(kw_only=True)
class StoreContext:
    """Everything a store is made from, except its destination."""

    environ: Mapping[str, str] = field(repr=False)
    wire: WireOptions
    transport: Transport
    again: RetryCall
    """Retries a call that the store makes before any operation, such as a login."""
    warn: Callable[[str], None] = _ignore
    """Takes a sentence about something that is no failure, but probably not what the user meant."""
    storage_policy: str | None = None
    headers: HeaderOptions = field(default_factory=HeaderOptions)
    """The headers of every object, with the metadata and the shortest life of any rule. A store that cannot keep them
    refuses them before the run."""
    large: LargeOptions = LargeOptions()
    """How large objects are sent."""
    s3: S3Options = S3Options()
    """For S3 alone."""
    found: Any = field(default=None, repr=False)
    """What `configured` has found beside variables, in a form that the kind of store knows."""
    checksum_headers: bool = False
    """For plain HTTP alone: send the checksums of each object. Other stores are not opened with it."""
    encodes: bool = False
    """Whether objects will have a Content-Encoding. A store that cannot keep it refuses it before the run."""
    tag: str | None = None
    """A word that names the run, for the logs of the store. The User-Agent has it already."""
    asked_again: "Callable[[Configured], Awaitable[Configured]] | None" = field(default=None, repr=False)
    """Set if the store is opened with what another process has handed over: gives another than what the store refused.
    Raises StoreError."""
    page_rows: int | None = None
    """The most rows of a page of a listing; None: as many as the server sends."""
    destination: str | None = None
    """The root of the URL that the command writes to, if this store is only read. The destination's credentials are
    not sent to another server. None if this is the command's only store, or its destination."""


@frozen
class Configured:
    """The environment and the options with what files say. `found` is for the store, as `StoreContext.found`."""

    environ: Mapping[str, str] = field(repr=False)
    wire: WireOptions
    found: Any = field(default=None, repr=False)


StoreFactory = Callable[[Destination, StoreContext], Store]

_TAKES_CHECKSUMS = ("http", "https")
_LISTS_CONTAINERS = ("swift", "s3")
_CONFIGURED_BY = {
    "swift": ("bulkput.stores.swift.environment", "configured"),
    "s3": ("bulkput.stores.s3.credentials", "configured"),
}


async def configured(destination: Destination, environ: Mapping[str, str], wire: WireOptions) -> Configured:
    """What the files say in which users of this kind of store keep their settings; before the transport is opened,
    because they may name certificates. Raises UsageError."""
    if (built_in := _CONFIGURED_BY.get(destination.scheme)) is None:
        return Configured(environ, wire)
    module, name = built_in
    result: Configured = await getattr(import_module(module), name)(environ, wire)
    return result


async def open_destination(destination: Destination, context: StoreContext) -> Store:
    """Open the unwrapped store of a destination; sends no request.

    Raises UsageError if the scheme is unknown, its package cannot be imported, environment variables are missing, or an
    option means nothing to this kind of store.
    """
    if context.checksum_headers and destination.scheme not in _TAKES_CHECKSUMS:
        raise UsageError(
            f"`checksum_headers` is for http:// and https:// only; {destination.scheme}:// has no such fields"
        )
    if (module := MODULES.get(destination.scheme)) is not None:
        factory = cast(StoreFactory, import_module(module).open_store)
    else:
        factory = await asyncio.to_thread(_installed, destination)
    if destination.scheme == "swift" and "{" in destination.root:
        from bulkput.policy.spread import spread_of  # noqa: PLC0415 - see above
        from bulkput.stores.spread.store import open_spread  # noqa: PLC0415 - the same

        if (spread := spread_of(destination.root)) is not None:
            return open_spread(destination, spread, context, factory)
    return factory(destination, context)


def _installed(destination: Destination) -> StoreFactory:
    """The factory of another package for the scheme. Blocks: it reads the metadata of all installed packages."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - 40 ms that the built-in stores have no use for

    scheme = destination.scheme
    for entry in entry_points(group="bulkput.stores", name=scheme):
        try:
            return cast(StoreFactory, entry.load())
        except (ImportError, AttributeError) as error:
            detail = f"the store for {scheme}:// is installed as {entry.value} and cannot be loaded: {error}"
            raise UsageError(detail) from error
    schemes = (*MODULES, *sorted(entry.name for entry in entry_points(group="bulkput.stores")))
    from bulkput.policy.nearest import meant_url  # noqa: PLC0415 - for mistakes only
    from bulkput.policy.schemes import what_to_type  # noqa: PLC0415 - the same

    if (advice := what_to_type(scheme)) is not None:
        raise UsageError(f"no store for {scheme}:// is installed: {advice}")
    meant = meant_url(str(destination), schemes)
    more = f": did you mean {printable(meant)}?" if meant else ""
    known = ", ".join(f"{each}://" for each in schemes)
    raise UsageError(f"no store for {scheme}:// is installed; known are {known}{more}")
