"""A file as aiofiles opens, reads and closes it, with the threads of `readers.py` as its executor.

aiofiles is imported when a run meets its first large file: small ones are read without it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import FileIO

from bulkput.activity import doing
from bulkput.payload.ahead import ReadAhead, Started, in_time
from bulkput.payload.readers import OneFile, Readers


def load() -> None:
    """Import aiofiles; call this in a thread. `opened` then finds it loaded, and the event loop reads no modules."""
    import aiofiles  # noqa: F401, PLC0415


@asynccontextmanager
async def opened(path: bytes, opener: Callable[[str, int], int], readers: Readers) -> AsyncIterator[ReadAhead]:
    """The open file; leaving the block closes it. `opener(path, flags)` returns its descriptor.

    If the caller is cancelled while the file is opened or closed, it is closed all the same, and not left to the
    garbage collector. Raises what the opener raises, and SourceError and SourceGone like `Readers`.
    """
    import aiofiles.threadpool  # noqa: PLC0415

    executor = OneFile(path, readers)

    def close_unwanted(opening: "asyncio.Future[FileIO]") -> None:
        if not opening.cancelled() and opening.exception() is None:
            executor.submit(opening.result().close)

    async def call() -> "aiofiles.threadpool.binary.AsyncFileIO":
        return await aiofiles.open(path, "rb", buffering=0, opener=opener, executor=executor)

    opening = Started(call())
    try:
        with doing("reading"):
            await asyncio.shield(opening.future)
    except asyncio.CancelledError:
        opening.future.add_done_callback(close_unwanted)
        await in_time(opening.future)
        raise
    file = ReadAhead(await opening, executor)
    try:
        yield file
    finally:
        with doing("reading"):
            await file.close()
