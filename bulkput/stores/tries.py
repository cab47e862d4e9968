"""Retries failed calls. `policy/retry.py` decides whether and when; every pause before a retry is made here.

`wrappers.py` uses it for all operations of a store, and a store for calls of its own, such as its login.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from bulkput import events as ev
from bulkput.activity import Attempt, doing
from bulkput.errors import StoreError
from bulkput.events import Emit
from bulkput.options import RetryOptions
from bulkput.policy.retry import next_delay_s, retries_of

T = TypeVar("T")


class Brake(Protocol):
    """Stops a run: it refuses new attempts and interrupts pauses."""

    def check(self) -> None:
        """Raises Stopped when the run is being stopped."""

    async def pause(self, delay_s: float) -> bool:
        """Wait `delay_s` seconds. False if the run is being stopped: then no further attempt is made."""


class NoBrake:
    """A brake that never stops a run."""

    def check(self) -> None:
        pass

    async def pause(self, delay_s: float) -> bool:
        await asyncio.sleep(delay_s)
        return True


class Tries:
    """Retries a call until it succeeds, its error is not worth a retry, or the limits of `RetryOptions` are reached."""

    def __init__(self, options: RetryOptions, emit: Emit, brake: Brake) -> None:
        self._options = options
        self._emit = emit
        self._brake = brake
        self.has_worked = False
        """Whether an object was stored. Before that, a failure is more likely to be permanent."""

    async def __call__(
        self,
        call: Callable[[], Awaitable[T]],
        *,
        is_first_login: bool = False,
        is_transfer: bool = False,
        attempt: int = 1,
        spent_s: float = 0.0,
    ) -> T:
        """Await `call()`, with retries. Raises its last StoreError if there is no further attempt.

        `is_first_login` and `is_transfer`: see `policy/retry.py:retries_of`. `attempt` is the number of the next
        attempt, `spent_s` the seconds that earlier attempts and pauses took.
        """
        while True:
            began_s = time.monotonic()
            try:
                with doing(Attempt(attempt)):
                    return await call()
            except StoreError as error:
                spent_s += _took_s(error, began_s)
                retries = self._retries_of(error, is_login=is_first_login, is_transfer=is_transfer)
                spent_s = await self._wait(error, attempt, spent_s, retries)
            attempt += 1

    async def wait_or_give_up(
        self, error: StoreError, attempt: int, spent_s: float, *, is_transfer: bool = False
    ) -> float:
        """Return when attempt `attempt + 1` is due. Raises `error` if there is no further attempt.

        `spent_s` is the time of all attempts and pauses so far; the result adds this pause to it.
        """
        return await self._wait(error, attempt, spent_s, self._retries_of(error, is_transfer=is_transfer))

    def _retries_of(self, error: StoreError, *, is_login: bool = False, is_transfer: bool = False) -> int:
        return retries_of(error, self._options, is_login=is_login, is_transfer=is_transfer, has_worked=self.has_worked)

    async def _wait(self, error: StoreError, attempt: int, spent_s: float, retries: int) -> float:
        from random import random  # noqa: PLC0415 - 2 ms, at the first retry

        options = self._options
        if attempt >= error.attempts:  # else it is a login's, which has counted its own
            error.attempts, error.elapsed_s = attempt, spent_s
        delay_s = next_delay_s(
            error, attempt=attempt, elapsed_s=spent_s, options=options, random=random, retries=retries
        )
        if delay_s is None:
            raise error
        self._emit(ev.Retrying(error, attempt, delay_s))
        with doing(Attempt(attempt)), doing(f"pausing {delay_s:.1f} s before attempt {attempt + 1}"):
            goes_on = await self._brake.pause(delay_s)
        if not goes_on:  # this object was tried, so it has failed: it is not reported as skipped by the stop
            raise error
        return spent_s + delay_s

    def unbraked(self) -> "Tries":
        """The same retries for calls that must be made even while the run is being stopped."""
        return Tries(self._options, self._emit, NoBrake())


def _took_s(error: StoreError, began_s: float) -> float:
    """How long a failed attempt took, without its waits for a slot and for its rate if that is known."""
    return error.own_s if error.own_s is not None else time.monotonic() - began_s
