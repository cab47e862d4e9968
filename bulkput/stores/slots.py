"""Slots for requests in flight: a semaphore whose size may change while it is used."""

import asyncio
from collections import deque
from types import TracebackType


class Slots:
    """`async with slots:` holds one of `limit`; who finds none waits, first come first served.

    A smaller limit takes nothing from those who hold a slot: it is reached as they leave.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.had_to_wait = False
        """Somebody found no slot; whoever wants to know from when on sets it back."""

    @property
    def limit(self) -> int:
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit
        self._admit()

    async def __aenter__(self) -> None:
        if self._held < self._limit and not self._waiting:
            self._held += 1
            return
        self.had_to_wait = True
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the slot had been given, just now
                self._leave()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        self._held -= 1
        if self._waiting:
            self._admit()

    def _admit(self) -> None:
        while self._waiting and self._held < self._limit:
            turn = self._waiting.popleft()
            if not turn.done():  # not cancelled meanwhile
                self._held += 1
                turn.set_result(None)
