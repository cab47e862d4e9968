"""The store, as bulkput calls it: every blocking call in a thread, every OSError as a StoreError."""

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import TypeVar

from bulkput.errors import (
    Denied,
    Exists,
    IntegrityError,
    NotFound,
    QuotaExceeded,
    StoreError,
    StoreGone,
    TooLarge,
    Unavailable,
    UsageError,
)
from bulkput.model import Body, Limits, ObjectHeaders, Prefix, RemoteObject, Stored
from bulkput.stores.base import Destination, StoreContext
from bulkput.stores.powers import Powers, Refusal
from bulkput_file.container import Container, Draft, Found, WrongBytesError
from bulkput_file.kept import merged, to_keep
from bulkput_file.listing import Listing
from bulkput_file.names import CUT, file_name

ROOT = "FILE_STORE_ROOT"
_PAGE = 500
"""Rows of a listing that one visit to a thread gives."""
_THREADS = 32
"""A call waits for the disk for most of its time."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS: dict[int, type[StoreError]] = {
    errno.ENOENT: NotFound,
    errno.ENOTDIR: NotFound,
    errno.EEXIST: Exists,
    errno.EACCES: Denied,
    errno.EPERM: Denied,
    errno.EROFS: Denied,
    errno.ENOSPC: QuotaExceeded,
    errno.EDQUOT: QuotaExceeded,
    errno.ENAMETOOLONG: TooLarge,
    errno.EFBIG: TooLarge,
    errno.EIO: Unavailable,
    errno.ESTALE: Unavailable,
    errno.EMFILE: Unavailable,
    errno.ENFILE: Unavailable,
}
"""What an error of the operating system means; any other fails that object only."""

T = TypeVar("T")


def open_store(destination: Destination, context: StoreContext) -> "FileStore":
    """The entry point. Raises UsageError for what the store cannot do, before anything is sent."""
    if context.storage_policy is not None:
        raise UsageError("`storage_policy` is for Swift only; file:// has none")
    if context.headers.expires_in_s is not None:
        raise UsageError("file:// has no expiry: leave out `headers.expires_in_s`, also in `rules`")
    root = context.environ.get(ROOT)
    if not root:
        raise UsageError(
            f"file://{destination.root} is a directory below {ROOT}, which is not set: {ROOT}=/srv makes it"
            f" /srv/{file_name(destination.root.encode())}"
        )
    if len(destination.root.encode()) >= CUT:
        raise UsageError(f"container {destination.root!r} has more than {CUT - 1} bytes")
    if not os.path.isabs(root):  # relative to where? A journal, or another run, may begin elsewhere
        raise UsageError(f"{ROOT} is an absolute path, not {root!r}")
    return FileStore(os.path.normpath(root), destination.root)


class FileStore:
    limits = Limits(max_object_bytes=2**63 - 1)
    keeps_metadata = True

    def __init__(self, root: str, container: str) -> None:
        self.place = root
        self.was_made = False
        self._name = container
        self._container = self._named(container)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="bulkput-file")

    @property
    def powers(self) -> Powers:
        return Powers(
            get=self.get, get_once=self.get, describe=self.describe, copy=self.copy, refuses_existing=self._refuses
        )

    async def prepare(self) -> None:
        container = self._container
        if not await self._run("prepare", self._name, os.path.isdir, self.place):
            raise StoreGone("prepare", self._name, f"{ROOT}={self.place} is no directory: make it, or correct {ROOT}")
        self.was_made |= await self._run("prepare", self._name, container.make)
        if await self._run("prepare", self._name, container.folds_case):
            await self.undo_prepare()
            why = f"{self.place} takes the names 'a' and 'A' for one, and would mix up objects: use another disk"
            raise StoreGone("prepare", self._name, why)

    async def undo_prepare(self) -> None:
        if self.was_made:
            await self._run("undo", self._name, self._container.remove_if_empty)

    async def put(self, key: str, body: Body, headers: ObjectHeaders) -> Stored:
        if body.data is not None:
            return await self._run("put", key, self._put_whole, key, body.data, body.md5, headers)
        draft = Draft(self._container)
        try:
            async with aclosing(body.chunks()) as chunks:
                async for chunk in chunks:
                    await self._run("put", key, draft.write, chunk)
            finish = partial(draft.finish, md5=body.md5, size=body.size, only_new=headers.only_new)
            await self._run("put", key, finish, key, to_keep(headers))
        except WrongBytesError as error:
            raise IntegrityError("put", key, str(error), expected=body.md5, actual=draft.md5) from None
        finally:
            await self._run("put", key, draft.discard)
        return Stored(key, draft.size, draft.md5, None)

    def _put_whole(self, key: str, data: bytes, md5: str | None, headers: ObjectHeaders) -> Stored:
        """A small object, in one visit to a thread."""
        draft = Draft(self._container)
        try:
            draft.write(data)
            draft.finish(key, to_keep(headers), md5=md5, size=len(data), only_new=headers.only_new)
        except WrongBytesError as error:
            raise IntegrityError("put", key, str(error), expected=md5, actual=draft.md5) from None
        finally:
            draft.discard()
        return Stored(key, draft.size, draft.md5, None)

    async def list(
        self, prefix: str, *, delimiter: str | None = None, start_after: str | None = None
    ) -> AsyncGenerator[RemoteObject | Prefix, None]:
        items = iter(Listing(self._container.path, prefix, delimiter, start_after))
        while (page := await self._run("list", self._name, self._page, items)) is not None:
            for item in page:
                yield item

    def _page(self, items: Iterator[str | Prefix]) -> Sequence[RemoteObject | Prefix] | None:
        """None at the end. A page is empty if all its objects have been removed in the meantime."""
        names = tuple(islice(items, _PAGE))
        if not names:
            return None
        page = list[RemoteObject | Prefix]()
        for item in names:
            if isinstance(item, Prefix):
                page.append(item)
            elif (found := self._container.find(item)) is not None:
                page.append(_row(item, found))
        return page

    async def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            await self._run("delete", key, self._container.remove, key)

    async def stat(self, key: str) -> RemoteObject | None:
        found = await self._run("stat", key, self._container.find, key)
        return _row(key, found) if found is not None else None

    async def describe(self, key: str) -> tuple[RemoteObject, ObjectHeaders] | None:
        found = await self._run("stat", key, self._container.find, key)
        if found is None:
            return None
        return _row(key, found), found.kept.headers if found.kept is not None else ObjectHeaders()

    async def get(self, key: str) -> AsyncGenerator[bytes, None]:
        pieces = self._container.read(key)
        md5, expected = hashlib.md5(usedforsecurity=False), None
        try:
            while (piece := await self._run("get", key, next, pieces, None)) is not None:
                expected = piece[1]
                await self._run("get", key, md5.update, piece[0])
                yield piece[0]
        finally:
            await self._run("get", key, pieces.close)
        if expected not in (None, md5.hexdigest()):
            raise IntegrityError("get", key, f"the bytes have the MD5 {md5.hexdigest()}, not {expected}")

    async def copy(self, source: str, container: str, key: str, headers: ObjectHeaders, size: int) -> Stored:
        """By reading and writing: a hard link would share the mtime, which belongs to one object alone."""
        return await self._run("copy", key, self._copy, source, self._named(container), key, headers)

    def _copy(self, source: str, there: Container, key: str, headers: ObjectHeaders) -> Stored:
        found = self._container.find(source)
        if found is None or not there.exists():
            raise NotFound("copy", key, f"there is no object {source!r}" if found is None else "there is no container")
        old = found.kept.headers if found.kept is not None else ObjectHeaders()
        draft = Draft(there)
        expected = None
        try:
            for piece, md5 in self._container.read(source):
                draft.write(piece)
                expected = md5
            new = to_keep(merged(old, headers))
            draft.finish(key, new, md5=expected, size=None, only_new=headers.only_new)
        except WrongBytesError as error:
            raise IntegrityError("copy", key, str(error), expected=expected, actual=draft.md5) from None
        finally:
            draft.discard()
        return Stored(key, draft.size, draft.md5, None)

    async def _refuses(self) -> Refusal:
        return Refusal.ALWAYS

    async def ask_limits(self) -> Limits:
        return self.limits

    async def aclose(self) -> None:
        self._threads.shutdown(wait=False)

    def _named(self, container: str) -> Container:
        return Container(os.path.join(self.place, file_name(container.encode())))

    async def _run(self, operation: str, key: str, call: Callable[..., T], *arguments: object) -> T:
        """Call in a thread. Raises StoreError for an OSError. A call that is cancelled is awaited all the same: what
        follows must not run beside it."""
        running = asyncio.get_running_loop().run_in_executor(self._threads, partial(call, *arguments))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait((running,))
            if not running.cancelled():
                running.exception()  # else asyncio says that nobody has looked at it
            raise
        except OSError as error:
            raise _store_error(operation, key, error) from error


def _row(name: str, found: Found) -> RemoteObject:
    stored = (_EPOCH + timedelta(microseconds=found.mtime_ns // 1000)).isoformat()
    if found.kept is None:
        return RemoteObject(name, found.size, None, None, stored)
    kept, headers = found.kept, found.kept.headers
    return RemoteObject(
        name, kept.size, kept.md5, headers.content_type, stored, encoding=headers.encoding, meta=headers.meta
    )


def _store_error(operation: str, key: str, error: OSError) -> StoreError:
    kind = _KINDS.get(error.errno or 0, StoreError)
    return kind(operation, key, error.strerror or str(error))
