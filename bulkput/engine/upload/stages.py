"""Sends the files of `last` after all others, stage by stage.

    found ──stage 0──────────────────────────> pipeline ──all stored?──┐
      └────stages 1, 2, ...──> wait on disk ──────────────> pipeline <─┘ no: held back, and reported as skipped

A stage begins when every file before it has its final outcome. If one has failed, no later file is sent: readers keep
the pages that they had, and these link to nothing that is missing.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from contextlib import aclosing
from typing import Protocol

from bulkput.model import Found, Reason, Skip, SourceFile
from bulkput.policy.order import Order
from bulkput.sources.waiting import Waiting

_BATCH = 1_000
"""Files that wait in memory before they are written."""


class Run(Protocol):
    """`Pipeline.run`."""

    async def __call__(self, source: AsyncIterable[Found], *, is_last: bool) -> None: ...


class Stages:
    """Stands between what is found and the pipeline. Close it at the end."""

    def __init__(
        self,
        order: Order,
        run: Run,
        has_failed: Callable[[], bool],
        room: Callable[[], Awaitable[None]],
        *,
        batch: int = _BATCH,
    ) -> None:
        """`has_failed`: whether any file has failed so far. `room` is awaited before each batch of a later stage
        (back-pressure), since no scan awaits it there. `batch` files at most wait in memory, in each stage."""
        self._batch = batch
        self._room = room
        self._order = order
        self._run = run
        self._has_failed = has_failed
        self._waiting = [Waiting() for _ in order.stages]
        """By the number of the stage; nothing waits for stage 0."""
        self._batches: list[list[SourceFile]] = [[] for _ in order.stages]

    async def run(self, found: AsyncIterable[Found]) -> None:
        """Send everything that `found` yields, in its order. Raises like `Pipeline.run`, and UsageError if TMPDIR is
        full."""
        last = self._order.stages[-1]
        async with aclosing(self._first(found)) as first:
            await self._run(first, is_last=False)
        for stage in self._order.stages[1:]:
            async with aclosing(self._of(stage)) as files:
                await self._run(files, is_last=stage == last)

    async def _first(self, found: AsyncIterable[Found]) -> AsyncGenerator[Found, None]:
        async for each in found:
            if not isinstance(each, SourceFile) or each.is_directory or not (stage := self._order.stage(each.name)):
                yield each
                continue
            self._batches[stage].append(each)
            if len(self._batches[stage]) >= self._batch:
                await self._write(stage)
        for stage in self._order.stages:
            await self._write(stage)

    async def _of(self, stage: int) -> AsyncGenerator[Found, None]:
        is_held_back = self._has_failed()
        batches = self._waiting[stage].batches(self._batch)
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            await self._room()
            for file in batch:
                yield Skip(file.path, file.name, Reason.HELD_BACK) if is_held_back else file

    async def _write(self, stage: int) -> None:
        batch, self._batches[stage] = self._batches[stage], []
        if batch:
            await asyncio.to_thread(self._waiting[stage].add, batch)

    def close(self) -> None:
        for waiting in self._waiting:
            waiting.close()
