"""A source's blocking iterator, run in a thread of its own and handed to the event loop in small batches."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor

from bulkput.model import Found

_BATCH = 512
_BATCH_S = 0.02
"""A batch is handed over when it is full or this old: the first file leaves at once, and a slow disk's stat calls
do not keep what they have found."""


async def scan(source: Iterator[Found]) -> AsyncGenerator[Found]:
    """The items of `source`. At most one batch is held; nothing is read ahead of the consumer but that."""
    loop = asyncio.get_running_loop()
    executor = ThreadPoolExecutor(1, thread_name_prefix="bulkput-scan")
    try:
        while batch := await loop.run_in_executor(executor, _batch, source):
            for found in batch:
                yield found
    finally:
        executor.shutdown(wait=False)


def _batch(source: Iterator[Found]) -> list[Found]:
    batch: list[Found] = []
    until = time.monotonic() + _BATCH_S
    for found in source:
        batch.append(found)
        if len(batch) >= _BATCH or time.monotonic() > until:
            break
    return batch
