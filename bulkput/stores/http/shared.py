"""One call for all who need its outcome at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from copy import copy

from bulkput.errors import StoreError


class SharedCall:
    """Who comes while the call is made gets its outcome, a failure included: a server that cannot be reached is not
    waited for by one worker after the other. Who comes after a failure calls anew."""

    def __init__(self) -> None:
        self._flight: asyncio.Future[StoreError | None] | None = None

    async def run(self, call: Callable[[], Awaitable[None]], key: str) -> None:
        """Returns when `call`, or another's, has succeeded. Raises its StoreError, as one about `key`."""
        while (flight := self._flight) is not None:
            await asyncio.wait((flight,))
            if flight.cancelled():  # with the one who made it: somebody else has to
                continue
            if (error := flight.result()) is not None:
                told = copy(error)
                told.key = key
                raise told
            return
        flight = self._flight = asyncio.get_running_loop().create_future()
        try:
            await call()
            flight.set_result(None)
        except StoreError as error:
            flight.set_result(error)
            raise
        finally:
            flight.cancel()  # nothing, where it has a result
            self._flight = None
