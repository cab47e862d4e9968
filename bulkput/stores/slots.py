"""Slots for requests in flight: a semaphore whose size may change while it is used."""

import asyncio
from collections import deque


class Slots:
    """Up to `limit` slots. Callers that find no free slot wait, first come first served.

    Not a context manager: entering and leaving one would be two coroutines for each request.

    A lower limit revokes no slot that is held: it is reached as holders leave.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.had_to_wait = False
        """Whether `take` was called. The reader resets it to start a new measurement."""

    @property
    def limit(self) -> int:
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit
        self._admit()

    def take_at_once(self) -> bool:
        """Take a slot if one is free and no caller is waiting. Give it back with `leave`."""
        if self._held < self._limit and not self._waiting:
            self._held += 1
            return True
        return False

    async def take(self) -> None:
        """Wait for a slot, after `take_at_once` has returned False in the same turn of the event loop: only a holder
        that leaves grants it. Give it back with `leave`."""
        self.had_to_wait = True
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the slot was granted just before the cancellation
                self.leave()
            raise

    def leave(self) -> None:
        self._held -= 1
        if self._waiting:
            self._admit()

    def _admit(self) -> None:
        while self._waiting and self._held < self._limit:
            turn = self._waiting.popleft()
            if not turn.done():  # not cancelled while it waited
                self._held += 1
                turn.set_result(None)
