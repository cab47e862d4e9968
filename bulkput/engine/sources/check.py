"""Looks at the sources before anything is sent: in a thread, with a deadline."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from bulkput.engine.stop import Stop
from bulkput.errors import Stopped
from bulkput.payload.readers import Readers

T = TypeVar("T")


class SourceCheck:
    """`await check(function, ...)` calls a blocking function in a thread of its own and returns its result.

    Even the first `stat` may hang, if a source lies on a mount whose server does not answer. Raises SourceGone if the
    function takes longer than `patience_s`, and Stopped if the run is stopped before it returns.
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
                # `wait` does not raise the error of `looking`, nor its cancellation: both are handled below.
                await asyncio.wait((looking,))
        finally:
            readers.close()
        if looking.cancelled():
            raise Stopped
        return looking.result()
