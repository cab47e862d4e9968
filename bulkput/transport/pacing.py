"""What a transport and the wrapper that keeps the user's rates (`stores/pace.py`) tell each other.

| who tells              | what                                         | what the other does                       |
|------------------------|----------------------------------------------|-------------------------------------------|
| a paced body           | how long it will wait before its next piece  | the transport puts the deadline off by it |
| a transport or a store | it sends a request again, by itself, at once | the rate is charged for that; a store     |
|                        |                                              | looks what the first may have left        |

Between them lies a store, which wraps bodies and makes requests of its own. So each leaves what is to be called in a
context variable.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

PutOff = Callable[[float], None]


def _nothing(_: object) -> None:
    """Outside of a request there is no deadline, and without a rate nothing to pay."""


_put_off: ContextVar[PutOff] = ContextVar("bulkput.put_off", default=_nothing)
_pay_again: ContextVar[Callable[[str], None]] = ContextVar("bulkput.pay_again", default=_nothing)


@contextmanager
def putting_off(put_off: PutOff) -> Iterator[None]:
    """Within the block, and in tasks that it starts, `body_waits` calls `put_off`."""
    token = _put_off.set(put_off)
    try:
        yield
    finally:
        _put_off.reset(token)


@asynccontextmanager
async def deadline(seconds: float) -> AsyncIterator[None]:
    """`asyncio.timeout`, put off by what bodies wait within the block."""

    def put_off(seconds: float) -> None:
        if (end_s := timeout.when()) is not None and not timeout.expired():
            timeout.reschedule(end_s + seconds)

    async with asyncio.timeout(seconds) as timeout:
        with putting_off(put_off):
            yield


def body_waits(seconds: float) -> None:
    """Put off the deadline of the request that is sent now: its body waits this long for a rate."""
    _put_off.get()(seconds)


@contextmanager
def paying_again(pay: Callable[[str], None]) -> Iterator[None]:
    """Within the block, `sends_again` calls `pay` with the method of the request, besides what it calls already."""
    outer = _pay_again.get()

    def both(method: str) -> None:
        pay(method)
        outer(method)

    token = _pay_again.set(pay if outer is _nothing else both)
    try:
        yield
    finally:
        _pay_again.reset(token)


@contextmanager
def noting_again() -> Iterator[list[str]]:
    """Gives a list to which `sends_again` adds the method of each request that is sent again within the block."""
    noted: list[str] = []
    with paying_again(noted.append):
        yield noted


def sends_again(method: str, sends: int = 1) -> int:
    """A request is sent that was sent `sends` times before. Returns how often it was sent by now."""
    if sends:
        _pay_again.get()(method)
    return sends + 1
