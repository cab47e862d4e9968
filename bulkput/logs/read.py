"""Reads logs from files, directories and containers, in blocks of whole lines, and folds them into groups.

The event loop and its threads read several logs at once. One thread at a time adds their lines to the groups, and no
log is read more than two blocks ahead of that. So memory depends neither on the number of logs nor on their length.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, TypeVar

from bulkput.errors import SourceError, StoreError, UsageError, name_text
from bulkput.logs.groups import Groups
from bulkput.logs.parse import Parser
from bulkput.logs.paths import container_of_log
from bulkput.model import Found, RemoteObject, SourceFile
from bulkput.options import WalkOptions
from bulkput.payload.body import source_error
from bulkput.payload.inflate import DamagedGzip, Inflate
from bulkput.record import frozen
from bulkput.sources.walk import Walk
from bulkput.stores.base import Store
from bulkput.stores.powers import Get

T = TypeVar("T")
LOGS = ".CDN_ACCESS_LOGS"
"""The container into which Cloud Files puts the logs of an account."""
_READ = 1024 * 1024
"""Bytes read from a file at a time."""
_BLOCK = 2 * 1024 * 1024
"""Bytes of lines that are parsed as a whole: a tenth faster than 512 KiB, and as fast as 4 MiB."""
_LONGEST = 2 * 1024 * 1024
"""Bytes. A longer line is cut here and counts as bad: otherwise a file without line ends would fill the memory."""
_AT_ONCE = 4
"""Logs read at the same time: enough to hide the latency of a store while one thread groups lines."""


class Log(Protocol):
    """One log. Messages show `name`; it may begin with the container whose log it is, see `container_of_log`."""

    @property
    def name(self) -> str: ...

    def blocks(self) -> AsyncGenerator[bytes, None]:
        """Yield whole lines. Raises SourceError or StoreError, possibly after some blocks."""


@dataclass(slots=True)
class Totals:
    """Counts of logs and lines."""

    logs: int = 0
    lines: int = 0
    bad_lines: int = 0
    failed: int = 0
    """Logs that could not be read to their end."""


def file_blocks(path: str | bytes | os.PathLike[str]) -> Iterator[bytes]:
    """Yield the lines of a file, plain or gzip, in blocks. Raises SourceError, possibly after some blocks."""
    name = os.fsencode(path)
    lines = _Lines()
    try:
        with open(name, "rb", buffering=0) as file:
            while data := file.read(_READ):
                yield from lines.feed(data)
        yield from lines.end()
    except OSError as error:
        raise source_error(name, error) from error
    except DamagedGzip as error:
        raise SourceError(name, "unreadable", str(error)) from None


@frozen
class FileLog:
    """A file on disk."""

    path: bytes

    @property
    def name(self) -> str:
        return name_text(self.path)

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        async with aclosing(_in_thread(file_blocks(self.path))) as blocks:
            async for block in blocks:
                yield block


@frozen
class StoredLog:
    """An object in a store."""

    get: Get
    name: str

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        lines = _Lines()
        try:
            async with aclosing(self.get(self.name)) as content:
                async for data in content:
                    async with aclosing(_in_thread(lines.feed(data))) as blocks:
                        async for block in blocks:
                            yield block
            for block in lines.end():
                yield block
        except DamagedGzip as error:
            raise StoreError("get", self.name, str(error)) from None


def local_logs(path: bytes, on_other: Callable[[Found], None]) -> Iterator[Log]:
    """Yield the file, or all files below the directory. `on_other` gets the entries that are not readable files."""
    if not os.path.isdir(path):
        yield FileLog(path)
        return
    for found in Walk(path, WalkOptions()):
        if isinstance(found, SourceFile):
            yield FileLog(found.path)
        else:
            on_other(found)


async def stored_logs(store: Store, prefix: str) -> AsyncGenerator[Log, None]:
    """Yield all objects whose names begin with `prefix`, but empty ones. Raises UsageError, StoreError."""
    get = store.powers.get
    if get is None:
        raise UsageError(
            "logs are read from files, directories, and stores that can read objects, which this one cannot"
        )
    async with aclosing(store.list(prefix)) as listing:
        async for item in listing:
            if isinstance(item, RemoteObject) and item.bytes != 0:
                yield StoredLog(get, item.name)


async def fold(
    logs: AsyncIterator[Log],
    groups: Groups,
    *,
    container: str | None = None,
    on_error: Callable[[SourceError | StoreError], None] | None = None,
    on_bad_line: Callable[[str, str], None] | None = None,
) -> Totals:
    """Read all logs and add their lines to `groups`.

    `container` is the container whose logs they are; None: the name of each log may say it. If a log fails, the lines
    before the error count. Raises the errors of `logs`, and errors that stop a run.
    """
    folding = _Folding(groups, container, on_error or (lambda _: None), on_bad_line)
    next_log = asyncio.Lock()

    async def work() -> None:
        while True:
            async with next_log:
                log = await anext(logs, None)
            if log is None:
                return
            await folding.read(log)

    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(_AT_ONCE):
                tasks.create_task(work())
    except* (SourceError, StoreError, UsageError) as errors:
        raise errors.exceptions[0] from None
    return folding.totals


class _Folding:
    """Reads logs into groups, and counts."""

    def __init__(
        self,
        groups: Groups,
        container: str | None,
        on_error: Callable[[SourceError | StoreError], None],
        on_bad_line: Callable[[str, str], None] | None,
    ) -> None:
        self.totals = Totals()
        self._groups = groups
        self._container = container
        self._on_error = on_error
        self._on_bad_line = on_bad_line
        self._one_at_a_time = asyncio.Lock()

    async def read(self, log: Log) -> None:
        """Raises SourceError and StoreError if they stop a run."""
        container = self._container or container_of_log(log.name)
        on_bad_line = self._on_bad_line
        parser = Parser(None if on_bad_line is None else lambda line: on_bad_line(log.name, line))
        self.totals.logs += 1
        try:
            async with aclosing(log.blocks()) as blocks:
                await _overlapped(blocks, lambda block: self._add(parser, container, block))
        except (SourceError, StoreError) as error:
            if error.stops_run:
                raise
            self.totals.failed += 1
            self._on_error(error)
        finally:
            self.totals.bad_lines += parser.bad_lines

    async def _add(self, parser: Parser, container: str | None, block: bytes) -> None:
        def add() -> None:
            for lines in parser(block):
                self._groups.add(lines, container)
                self.totals.lines += len(lines)

        async with self._one_at_a_time:
            await asyncio.to_thread(add)


async def _overlapped(items: AsyncIterator[T], act: Callable[[T], Awaitable[None]]) -> None:
    """`act` on the items one after the other, and fetch the next item meanwhile."""
    acting: asyncio.Future[None] | None = None
    try:
        async for item in items:
            if acting is not None:
                await acting
            acting = asyncio.ensure_future(act(item))
    finally:
        if acting is not None:
            await acting


async def _in_thread(items: Iterator[T]) -> AsyncGenerator[T, None]:
    """Iterate in a thread: the iterator blocks, the event loop must not."""
    while (item := await asyncio.to_thread(next, items, None)) is not None:
        yield item


class _Lines:
    """Turns pieces of a log, plain or gzip, into blocks of whole lines."""

    def __init__(self) -> None:
        self._inflate = Inflate()
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Raises DamagedGzip, after the whole lines before the damage."""
        try:
            for piece in self._inflate.feed(data):
                self._parts.append(piece)
                self._size += len(piece)
                if self._size >= _BLOCK:
                    yield from self._blocks()
        except DamagedGzip:
            yield from self._whole_lines()
            raise

    def end(self) -> Iterator[bytes]:
        """Yield the rest; adds a line end if the last line has none. Raises DamagedGzip as `feed` does."""
        try:
            self._parts.append(self._inflate.end())
        except DamagedGzip:
            yield from self._whole_lines()
            raise
        if rest := b"".join(self._parts):
            yield rest if rest.endswith(b"\n") else rest + b"\n"

    def _whole_lines(self) -> Iterator[bytes]:
        held = b"".join(self._parts)
        if end := held.rfind(b"\n") + 1:
            yield held[:end]

    def _blocks(self) -> Iterator[bytes]:
        held = b"".join(self._parts)
        start = 0
        while len(held) - start >= _BLOCK:
            end = held.rfind(b"\n", start, start + _BLOCK) + 1 or held.find(b"\n", start, start + _LONGEST) + 1
            if end:
                yield held[start:end]
            elif len(held) - start < _LONGEST:
                break
            else:
                end = start + _LONGEST
                yield held[start:end] + b"\n"
            start = end
        self._parts, self._size = [held[start:]], len(held) - start


def one_by_one(items: Iterable[T]) -> AsyncGenerator[T, None]:
    """Make an iterator that may block, such as `local_logs`, asynchronous for `fold`."""
    return _in_thread(iter(items))
