"""Objects that no file is for, kept on disk until all files have been sent, and then removed."""

import asyncio
import json
import tempfile
from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import islice
from typing import IO

from bulkput import events as ev
from bulkput.engine.changes import Change, ChangeTally, Done
from bulkput.engine.pool import pool
from bulkput.engine.remove import Remover
from bulkput.engine.stop import Stop
from bulkput.errors import Stopped, StoreError
from bulkput.model import RemoteObject
from bulkput.options import UploadOptions
from bulkput.policy.retry import GiveUp
from bulkput.stores.base import Store

_BATCH = 1_000
"""Rows that wait in memory to be written."""


class Extras:
    """In a temporary file: there may be more of them than fit into memory. All its I/O is done in threads."""

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
        if self._file is None:
            self._file = tempfile.TemporaryFile(  # noqa: SIM115 - `close` closes it
                "w+", prefix="bulkput-extra-", encoding="utf-8", errors="surrogatepass"
            )
        self._file.writelines(json.dumps([row.name, row.bytes]) + "\n" for row in self._rows)
        self._rows.clear()

    def _rewind(self) -> None:
        self._write()
        if self._file is not None:
            self._file.seek(0)

    def _read(self, size: int) -> tuple[RemoteObject, ...]:
        lines = islice(self._file or (), size)
        return tuple(RemoteObject(name, count, None, None, None) for name, count in map(json.loads, lines))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


async def remove_extra(
    store: Store, extras: Extras, *, options: UploadOptions, why_not: str | None, emit: ev.Emit, stop: Stop
) -> None:
    """Remove them all; with a reason why not, none of them."""
    if not extras.count:
        return
    if why_not is not None:
        emit(ev.Kept(extras.count, why_not))
        return

    def told(change: Change) -> None:
        if change.done is Done.FAILED:
            emit(ev.Kept(1, str(change.error)))
        else:
            emit(ev.Removed(change.name, change.size, change.done is Done.WOULD))

    tally = ChangeTally(told, stop, GiveUp(options.stop))
    remover = Remover(store, tally, is_dry=options.dry_run)
    try:
        await remover.prepare()
        async with (
            pool(remover.remove, workers=options.wire.start, backlog=1) as removers,
            aclosing(extras.batches(remover.batch)) as batches,
        ):
            async for batch in batches:
                await removers.submit(batch)
    except Stopped:
        pass
    except StoreError as error:
        stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))
    if (left := extras.count - tally.done - tally.gone - tally.failed) > 0:
        emit(ev.Kept(left, "the run was stopped"))


def why_kept(extras: int, options: UploadOptions, *, files: int, failed: int, is_stopped: bool) -> str | None:
    """Why none of the extra objects is to go; None: they go. A mirror that is incomplete takes nothing away.

    | the run                                   | then              |
    |-------------------------------------------|-------------------|
    | was stopped                               | nothing goes      |
    | has failures                              | nothing goes      |
    | found no file at all                      | nothing goes      |
    | found more extra objects than are allowed | nothing goes      |
    | anything else                             | they go           |
    """
    most = options.skip.most_deleted
    if is_stopped:
        return "the run was stopped"
    if failed:
        return f"{failed} failed"
    if not files:
        return "the sources have no file"
    if most is not None and extras > most:
        return f"more than {most}: --yes removes them"
    return None
