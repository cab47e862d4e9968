"""The first look at the sources."""

import asyncio
import threading

import pytest

from bulkput.engine.sources.check import SourceCheck
from bulkput.engine.stop import Stop
from bulkput.errors import SourceGone, Stopped

LONG_S = 20.0


async def test_a_source_check_returns_the_result_of_its_function() -> None:
    """As often as one looks."""
    look = SourceCheck([b"/a"], Stop(), patience_s=LONG_S)
    assert [await look(len, b"abc"), await look(len, b"")] == [3, 0]
    with pytest.raises(ValueError, match="invalid literal"):
        await look(int, "x")


async def test_a_source_that_does_not_answer_is_an_error(hanging: threading.Event) -> None:
    """The error names the source and ends the run with exit code 3."""
    with pytest.raises(SourceGone, match=r"read /dead: unreadable: .* gave nothing for 0.05 s: it hangs"):
        await SourceCheck([b"/dead"], Stop(), patience_s=0.05)(hanging.wait)


async def test_a_stopped_run_does_not_wait_for_its_source_check(hanging: threading.Event) -> None:
    """One Ctrl-C is enough."""
    stop = Stop()
    looking = asyncio.create_task(SourceCheck([b"/dead"], stop, patience_s=LONG_S)(hanging.wait))
    await asyncio.sleep(0)
    stop.interrupt()
    async with asyncio.timeout(LONG_S):
        with pytest.raises(Stopped):
            await looking


async def test_a_cancelled_source_check_raises_cancelled_error(hanging: threading.Event) -> None:
    """CancelledError is not taken for a stop of the run."""
    looking = asyncio.create_task(SourceCheck([b"/dead"], Stop(), patience_s=LONG_S)(hanging.wait))
    await asyncio.sleep(0)
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
