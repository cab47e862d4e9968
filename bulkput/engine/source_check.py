"""The first look at the sources, before anything is sent, in a thread and with a deadline."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from bulkput.engine.stop import Stop
from bulkput.errors import Stopped
from bulkput.payload.readers import Readers

T = TypeVar("T")


class SourceCheck:
    """`await check(function, ...)` calls a blocking function in a thread of its own and gives its result.

    Already the first `stat` may be one of a mount whose server does not answer. Raises SourceGone when the function
    takes longer than `patience_s`, and Stopped when the run is stopped meanwhile.
    """

    def __init__(self, roots: list[bytes], stop: Stop, *, patience_s: float) -> None:
        self._path = roots[0] if len(roots) == 1 else b"one of the sources"
        self._stop = stop
        self._patience_s = patience_s

    async def __call__(self, function: Callable[..., T], *arguments: Any) -> T:
        readers = Readers(1, patience_s=self._patience_s, most_stuck=1)
        looking = readers.run(self._path, function, *arguments)
        try:
            with self._stop.waking(looking.cancel):
                await asyncio.wait((looking,))  # it does not raise what `looking` raises, nor its cancellation
        finally:
            readers.close()
        if looking.cancelled():
            raise Stopped
        return looking.result()
