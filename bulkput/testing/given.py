"""What the suite is made of: the store to test, names and bodies, and what the class of a store declares."""

import hashlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import fields
from typing import TypeVar

import pytest

from bulkput.errors import SourceError, StoreError
from bulkput.model import ObjectHeaders, RemoteObject
from bulkput.options import RetryOptions, WireOptions
from bulkput.policy.skip import stored_ns
from bulkput.record import frozen
from bulkput.stores.base import Destination, Store, StoreContext, open_destination
from bulkput.stores.powers import Powers
from bulkput.stores.tries import NoBrake, Tries
from bulkput.transport.route import open_transport

POWERS = tuple(each.name for each in fields(Powers) if each.default is None and each.name != "left_out")
"""The names of all powers. `left_out` is none: only a store made of several containers has it."""

HOSTILE_NAMES = (
    "with spaces in it.txt",
    "hash#and?query&and=more;semicolon+plus%percent%2fescaped",
    "quotes\"and'single`back\\slash",
    "new\nline\rreturn\ttab",
    "./leading-dot-slash",
    "inside/../dotdot",
    "double//slash///triple",
    "/leading-slash",
    "trailing-slash/",
    "..",
    "emoji-🚀-ünïcödé-日本語",
    "e\u0301 combining",
    "@:[]{}|^~!$*(),<>",
    "a" * 1024,
    "é" * 512,
    "HTTP/1.1\r\nX-Injected: yes",
)


@frozen
class Target:
    """A store to test, which is empty: its URL, its environment variables, and `see`, a function that reads an object
    without bulkput. `see` runs in a thread and gives the stored bytes, or None if there is no object of that name. So
    does `make`, which makes a container, for stores whose `prepare` makes none."""

    url: str
    environ: Mapping[str, str]
    see: Callable[[str], bytes | None]
    make: Callable[[str], None] | None = None


@frozen
class Pieces:
    """A body that streams the given pieces; `failure` is raised in place of the last one."""

    pieces: tuple[bytes, ...]
    knows_size: bool = True
    claimed_md5: str | None = None
    failure: SourceError | None = None
    data: bytes | None = None

    @property
    def size(self) -> int | None:
        return sum(map(len, self.pieces)) if self.knows_size else None

    @property
    def length_hint(self) -> int:
        return sum(map(len, self.pieces))

    @property
    def md5(self) -> str | None:
        return self.claimed_md5

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        for piece in self.pieces[:-1] if self.failure else self.pieces:
            yield piece
        if self.failure is not None:
            raise self.failure


def whole(content: bytes, *, md5: str | None = None) -> Pieces:
    """Gives a small body that is held in memory, with its MD5."""
    return Pieces((content,), claimed_md5=md5 or hashlib.md5(content).hexdigest(), data=content)


HEADERS = ObjectHeaders(content_type="text/x-contract", mtime_ns=1_600_000_000_123_456_789)
ONCE = RetryOptions(retries=0)

CLOCKS_NS = 600 * 1_000_000_000
"""Most that the clocks of the store and of this machine may differ."""


class StoreTests:
    """What a store declares to the suite, so that its file shows what is not tested."""

    pytestmark = pytest.mark.asyncio

    lists = True
    makes_container = True
    """False: `prepare` makes nothing, because the URL names a place that needs no making."""
    keeps_metadata = True
    """`Store.keeps_metadata`. If False, nothing but the bytes and perhaps the type is read back."""
    expires = True
    """False: the store has no expiry. It then refuses `headers.expires_in_s` when it is opened."""
    proves_bytes = True
    """False: the store gives no ETag that proves the stored bytes (plain HTTP)."""
    powers = frozenset(POWERS) - {"make_directory", "check_removable", "unfinished", "part_sizes", "rehearse"}
    """The fields of `Store.powers` that are not None."""
    copies = True
    """False: the store has the power to copy, but this server refuses COPY."""
    removes_many = True
    """False: the store has the power to bulk-delete, but this server refuses it."""
    takes_encoding = True
    """False: the server refuses Content-Encoding."""
    requests_per_object = 1
    max_large_name_bytes = 1024
    """The longest name that an object in parts may have in any case; a longer one may be refused."""
    min_part_bytes = 1
    """The size of the smallest part of a large object but for its last."""
    shows_large = True
    """False: an object that was sent in parts looks like any other, since its parts are no objects."""
    takes_any_name = True
    """False: names with empty, `.` or `..` parts mean other paths, so the store refuses them before any request."""

    @pytest.fixture
    def target(self) -> Target:
        raise AssertionError("a subclass says which store")

    def assert_plain(self, row: RemoteObject | None, key: str, content: bytes) -> None:
        """The row is that of a plain object: its name, size, MD5, and the time at which it was stored, which is now."""
        assert row is not None
        assert (row.name, row.bytes) == (key, len(content))
        assert row.large is row.link is row.below is None, "it is no large object and no link"
        if self.proves_bytes:
            assert row.hash == hashlib.md5(content).hexdigest()
        if row.last_modified is not None:
            stored = stored_ns(row)
            assert stored is not None, "the time is ISO 8601"
            assert abs(stored - time.time_ns()) < CLOCKS_NS, "the time is that of the upload, in UTC"


T = TypeVar("T")


def power(of_store: T | None) -> T:
    """Gives the power, or skips the test if the store lacks it (the class states this in `StoreTests.powers`)."""
    if of_store is None:
        pytest.skip("this store has no such power")
    return of_store


def powers_of(store: Store) -> frozenset[str]:
    return frozenset(name for name in POWERS if getattr(store.powers, name) is not None)


@asynccontextmanager
async def bare_store(target: Target) -> AsyncIterator[Store]:
    """Opens the store without any wrapper."""
    wire, tries = WireOptions(), Tries(ONCE, lambda _event: None, NoBrake())
    async with aclosing(open_transport(wire, user_agent="contract")) as transport:
        context = StoreContext(environ=target.environ, wire=wire, transport=transport, again=tries)
        async with aclosing(await open_destination(Destination.parse(target.url), context)) as store:
            yield store


async def answer_of(call: Callable[[], Awaitable[object]]) -> object:
    """Gives the result of `call`, or the type of the StoreError that it raises."""
    try:
        return await call()
    except StoreError as error:
        return type(error)
