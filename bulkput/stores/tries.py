"""The one place where failed attempts are made again, as `policy/retry.py` decides."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from random import random
from typing import Protocol, TypeVar

from bulkput import events as ev
from bulkput.activity import Attempt, doing
from bulkput.errors import StoreError
from bulkput.events import Emit
from bulkput.options import RetryOptions
from bulkput.policy.retry import next_delay_s, retries_of

T = TypeVar("T")


class Brake(Protocol):
    """What stops a run; a store that is wrapped without one is never stopped."""

    def check(self) -> None:
        """Raises Stopped when the run is being stopped."""

    async def pause(self, delay_s: float) -> bool:
        """Wait so many seconds; False when the run is being stopped meanwhile: then there is no further attempt."""


class NoBrake:
    """Nothing stops it."""

    def check(self) -> None:
        pass

    async def pause(self, delay_s: float) -> bool:
        await asyncio.sleep(delay_s)
        return True


class Tries:
    """Makes calls again that failed, until they succeed or that is pointless."""

    def __init__(self, options: RetryOptions, emit: Emit, brake: Brake) -> None:
        self._options = options
        self._emit = emit
        self._brake = brake
        self.has_worked = False
        """Some object is stored. Until then the cause of a failure is likelier to be there for good."""

    async def __call__(
        self,
        call: Callable[[], Awaitable[T]],
        *,
        is_first: bool = False,
        attempt: int = 1,
        spent_s: float = 0.0,
    ) -> T:
        """`call()` until it succeeds or gives up. `is_first`: nothing of this run has worked yet, so fewer tries.

        `attempt` and `spent_s` go on from attempts that were made before.
        """
        while True:
            began_s = time.monotonic()
            try:
                with doing(Attempt(attempt)):
                    return await call()
            except StoreError as error:
                spent_s += _took_s(error, began_s)
                spent_s = await self.wait_or_give_up(error, attempt, spent_s, is_first=is_first)
            attempt += 1

    async def wait_or_give_up(
        self, error: StoreError, attempt: int, spent_s: float, *, is_first: bool = False
    ) -> float:
        """Returns when attempt `attempt + 1` is due. Raises `error` when there is none.

        `spent_s` is what attempts and pauses have taken; what is returned includes the pause that was made.
        """
        options = self._options
        error.attempts, error.elapsed_s = attempt, spent_s
        retries = retries_of(error, options, is_login=is_first, has_worked=self.has_worked)
        delay_s = next_delay_s(
            error, attempt=attempt, elapsed_s=spent_s, options=options, random=random, retries=retries
        )
        if delay_s is None:
            raise error
        self._emit(ev.Retrying(error, attempt, delay_s))
        with doing(Attempt(attempt)), doing(f"pausing {delay_s:.1f} s before attempt {attempt + 1}"):
            goes_on = await self._brake.pause(delay_s)
        if not goes_on:
            raise error
        return spent_s + delay_s

    def unbraked(self) -> "Tries":
        """The same for what has to be done although the run is being stopped."""
        return Tries(self._options, self._emit, NoBrake())


def _took_s(error: StoreError, began_s: float) -> float:
    """How long an attempt took that failed: without its wait for a slot, where that is known."""
    return error.took_s if error.took_s is not None else time.monotonic() - began_s
