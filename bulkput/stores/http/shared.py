"""Merges concurrent calls: all callers that need the same outcome share one call."""

import asyncio
from collections.abc import Awaitable, Callable

from bulkput.errors import StoreError


class SharedCall:
    """A caller that arrives during a call gets the outcome of that call, including a failure: workers do not wait for
    an unreachable server one after the other. A caller that arrives after a failure makes a new call."""

    def __init__(self) -> None:
        self._flight: asyncio.Future[StoreError | None] | None = None

    async def run(self, call: Callable[[], Awaitable[None]], key: str) -> None:
        """Return when `call`, or the call in progress, has succeeded. Raises its StoreError, with `key` as its key."""
        while (flight := self._flight) is not None:
            await asyncio.wait((flight,))
            if flight.cancelled():  # its caller was cancelled, so another caller makes the call
                continue
            if (error := flight.result()) is not None:
                raise error.about(key)
            return
        flight = self._flight = asyncio.get_running_loop().create_future()
        try:
            await call()
            flight.set_result(None)
        except StoreError as error:
            flight.set_result(error)
            raise
        finally:
            flight.cancel()  # no effect if it has a result
            self._flight = None
