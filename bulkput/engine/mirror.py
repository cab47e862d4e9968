"""`--delete-extra`: objects that no file is for, noted while files are sent, and removed when all of these are there.

They wait in a temporary file, so that their number does not matter. A mirror that is incomplete, or of which something
is in doubt, takes nothing away at all.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from itertools import islice
from typing import IO

from bulkput import events as ev
from bulkput.engine.changes import Change, ChangeTally, Done
from bulkput.engine.pool import pool
from bulkput.engine.remove import Remover
from bulkput.engine.stop import Stop
from bulkput.errors import Stopped, StoreError, Unsupported, UsageError, printable
from bulkput.model import RemoteObject, SourceFile
from bulkput.options import UploadOptions
from bulkput.policy.retry import GiveUp
from bulkput.policy.scope import Scope
from bulkput.stores.base import Manifests, Store

_BATCH = 1_000
"""Rows that wait in memory to be written."""


def check_mirror(roots: list[bytes], options: UploadOptions, scope: Scope) -> None:
    """Blocking. Raises UsageError: --delete-extra where it would remove what it should not."""
    if options.journal is not None:
        raise UsageError("--delete-extra and --journal exclude each other: what the journal knows is not looked at")
    if options.gzip.suffixed == "some":
        raise UsageError("--delete-extra cannot tell what --gzip auto --gzip-as suffix would leave: use always")
    if not scope.is_whole:
        raise UsageError("--delete-extra wants a directory as SOURCE: what lies beside a single file is not its own")
    for root in filter(os.path.isdir, roots):
        with os.scandir(root) as entries:
            if next(entries, None) is None:
                raise UsageError(
                    f"source {printable(root)} is empty: --delete-extra would remove all that it once held;"
                    " bulkput rm -r does that on purpose"
                )


def why_kept(extras: int, most: int | None, *, doubt: str | None, failed: int, is_stopped: bool) -> str | None:
    """Why none of the extra objects is to go; None: they go.

    | the run                                   | then         |
    |-------------------------------------------|--------------|
    | was stopped                               | nothing goes |
    | has failures                              | nothing goes |
    | left something in doubt                   | nothing goes |
    | found more extra objects than are allowed | nothing goes |
    | anything else                             | they go      |
    """
    if is_stopped:
        return "the run was stopped"
    if failed:
        return f"{failed} failed"
    if doubt is not None:
        return doubt
    if most is not None and extras > most:
        return f"more than {most}: --yes removes them"
    return None


class Mirror:
    """What is known of the objects without files, and of whether they may go. Close it at the end."""

    def __init__(self, store: Store, options: UploadOptions, stop: Stop, roots: list[bytes], below: str) -> None:
        """`below` is what paths CONTAINER/OBJECT of the destination begin with."""
        self._store = store
        self._below = below
        self._options = options
        self._stop = stop
        self._unseen = list(roots)
        """Sources of which no file has been seen."""
        self._doubt: str | None = None
        self._extras = _Extras()

    def saw(self, file: SourceFile) -> None:
        """A file of one of the sources."""
        if self._unseen and not file.is_directory:
            path = file.path
            self._unseen = [root for root in self._unseen if not (path == root or _is_below(path, root))]

    def doubt(self, why: str) -> None:
        """Nothing may go."""
        self._doubt = self._doubt or why

    async def spare_segments(self, large: RemoteObject) -> None:
        """A large object stays as it is: what it is composed of must not go. Raises StoreError."""
        if large.large == "static" and isinstance(self._store, Manifests):
            try:
                paths = [segment.path for segment in await self._store.segments(large.name)]
            except Unsupported:
                paths = [None]
            if all(path is not None and not path.startswith(self._below) for path in paths):
                return
        self.doubt(f"{printable(large.name)} is a large object, whose segments may be among them")

    async def add(self, row: RemoteObject) -> None:
        """No file is for this object. Raises UsageError: TMPDIR is full."""
        await self._extras.add(row)

    async def remove(self, failed: int, emit: ev.Emit) -> None:
        """Remove them all, or say why none of them."""
        extras, options = self._extras, self._options
        if not extras.count:
            return
        if self._unseen:
            self.doubt(f"source {printable(self._unseen[0])} has no file")
        most, is_stopped = options.skip.most_deleted, self._stop.is_pulled
        why_not = why_kept(extras.count, most, doubt=self._doubt, failed=failed, is_stopped=is_stopped)
        if why_not is not None and options.dry_run:
            await self._tell_all(emit)  # what that is about
        if why_not is not None:
            emit(ev.Kept(extras.count, why_not))
            return

        def told(change: Change) -> None:
            if change.done is Done.FAILED:
                emit(ev.Kept(1, str(change.error)))
            else:
                emit(ev.Removed(change.name, change.size, change.done is Done.WOULD))

        tally = ChangeTally(told, self._stop, GiveUp(options.stop))
        await self._remove_all(Remover(self._store, tally, workers=options.wire.start, is_dry=options.dry_run))
        if (left := extras.count - tally.done - tally.gone - tally.failed) > 0:
            emit(ev.Kept(left, "the run was stopped"))

    async def _tell_all(self, emit: ev.Emit) -> None:
        async with aclosing(self._extras.batches(_BATCH)) as batches:
            async for batch in batches:
                for row in batch:
                    emit(ev.Removed(row.name, row.bytes, is_dry=True))

    async def _remove_all(self, remover: Remover) -> None:
        try:
            await remover.prepare()
            async with (
                pool(remover.remove, workers=self._options.wire.start, backlog=1) as removers,
                aclosing(self._extras.batches(remover.batch)) as batches,
            ):
                async for batch in batches:
                    await removers.submit(batch)
        except Stopped:
            pass
        except StoreError as error:
            self._stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))

    def close(self) -> None:
        self._extras.close()


class _Extras:
    """Rows of a listing in a temporary file. Its I/O is done in threads; UsageError where it has no room."""

    def __init__(self) -> None:
        self._file: IO[str] | None = None
        self._rows: list[RemoteObject] = []
        self.count = 0

    async def add(self, row: RemoteObject) -> None:
        self._rows.append(row)
        self.count += 1
        if len(self._rows) >= _BATCH:
            await asyncio.to_thread(self._write)

    async def batches(self, size: int) -> AsyncGenerator[tuple[RemoteObject, ...], None]:
        """All of them, `size` at a time."""
        await asyncio.to_thread(self._rewind)
        while batch := await asyncio.to_thread(self._read, size):
            yield batch

    def _write(self) -> None:
        with _room():
            if self._file is None:
                self._file = tempfile.TemporaryFile(  # noqa: SIM115 - `close` closes it
                    "w+", prefix="bulkput-extra-", encoding="utf-8", errors="surrogatepass"
                )
            self._file.writelines(json.dumps([row.name, row.bytes]) + "\n" for row in self._rows)
            self._rows.clear()

    def _rewind(self) -> None:
        self._write()
        if self._file is not None:
            with _room():
                self._file.seek(0)

    def _read(self, size: int) -> tuple[RemoteObject, ...]:
        lines = islice(self._file or (), size)
        return tuple(RemoteObject(name, count, None, None, None) for name, count in map(json.loads, lines))

    def close(self) -> None:
        if self._file is not None:
            with _room():
                self._file.close()


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = f"the names of objects without files cannot be kept: {error.strerror}: set TMPDIR to where there is room"
        raise UsageError(why) from None


def _is_below(path: bytes, root: bytes) -> bool:
    return path.startswith(root if root.endswith(b"/") else root + b"/")
