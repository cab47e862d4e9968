"""The first looks at the sources, before anything is sent: are they there, are they files, may they hang?"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from bulkput.engine.stop import Stop
from bulkput.errors import Stopped
from bulkput.payload.readers import Readers

T = TypeVar("T")


class Look:
    """`await look(function, ...)`: its result, by a thread, and with a deadline: already the first `stat` may be one of
    a mount whose server is away.

    Raises SourceGone when it takes too long, and Stopped when the run is stopped meanwhile.
    """

    def __init__(self, roots: list[bytes], stop: Stop, *, patience_s: float) -> None:
        self._path = roots[0] if len(roots) == 1 else b"one of the sources"
        self._stop = stop
        self._patience_s = patience_s

    async def __call__(self, function: Callable[..., T], *arguments: Any) -> T:
        readers = Readers(1, patience_s=self._patience_s, most_stuck=1)
        looking = readers.run(self._path, function, *arguments)
        self._stop.wake(lambda: _cancel(looking))
        try:
            await asyncio.wait((looking,))  # which leaves it to us what its cancellation means
        finally:
            readers.close()
        if looking.cancelled():
            raise Stopped
        return looking.result()


def _cancel(looking: "asyncio.Future[Any]") -> None:
    looking.cancel()
