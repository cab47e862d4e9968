"""The brake of a run."""

import asyncio

import pytest

from bulkput import events as ev
from bulkput.engine.stop import Stop
from bulkput.events import StopCause, Stopping

DENIED = Stopping("denied", StopCause.STORE)


def test_a_new_stop_is_not_pulled() -> None:
    """It has no order."""
    stop = Stop()
    assert not stop.is_pulled
    assert stop.order is None


def test_the_first_stop_order_stays() -> None:
    """Later orders are ignored and emit no event."""
    stop, events = Stop(), list[ev.Event]()
    stop.report_to(events.append)
    stop.pull(DENIED)
    stop.interrupt()
    assert stop.is_pulled
    assert stop.order == DENIED
    assert events == [DENIED]


def test_an_interrupt_is_an_order_with_its_own_cause() -> None:
    """The exit code is 130."""
    stop = Stop()
    stop.interrupt()
    assert stop.order is not None
    assert stop.order.cause is StopCause.INTERRUPTED


def test_an_order_from_before_the_run_is_reported_at_its_start() -> None:
    """The stop was pulled before any listener was there."""
    stop, events = Stop(), list[ev.Event]()
    stop.pull(DENIED)
    stop.report_to(events.append)
    assert events == [DENIED]


@pytest.mark.parametrize("delay_s", [0.0, 0.001])
async def test_a_pause_without_a_stop_returns_true(delay_s: float) -> None:
    """The caller continues."""
    assert await Stop().pause(delay_s) is True


async def test_a_stop_ends_a_pause_at_once() -> None:
    """The pause returns False, so there is no further attempt."""
    stop = Stop()
    pausing = [asyncio.create_task(stop.pause(3600)) for _ in range(3)]
    await asyncio.sleep(0)
    stop.interrupt()
    async with asyncio.timeout(5):
        assert await asyncio.gather(*pausing) == [False] * 3


@pytest.mark.parametrize("delay_s", [0.0, 3600.0])
async def test_a_pause_after_a_stop_returns_false_at_once(delay_s: float) -> None:
    """This includes a pause of length zero."""
    stop = Stop()
    stop.interrupt()
    async with asyncio.timeout(5):
        assert await stop.pause(delay_s) is False


async def test_a_cancelled_pause_raises_cancelled_error() -> None:
    """CancelledError is not taken for a stop of the run."""
    pausing = asyncio.create_task(Stop().pause(3600))
    await asyncio.sleep(0)
    pausing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pausing


async def test_a_bounded_block_is_cut_short_only_by_an_interrupt() -> None:
    """After a stop order, requests in flight end by their own deadlines."""
    stop = Stop()
    async with stop.bounded(0.001):
        stop.pull(Stopping("nobody reads stdout", StopCause.INTERRUPTED))
        await asyncio.sleep(0.01)
        ended = True
    assert ended


@pytest.mark.parametrize("is_earlier", [False, True])
@pytest.mark.parametrize("order", [None, DENIED])
async def test_an_interrupted_block_is_cancelled_after_its_timeout(is_earlier: bool, order: Stopping | None) -> None:
    """The interrupt comes before or within the block, before or after another stop order."""
    stop, was_cancelled = Stop(), False
    if order is not None:
        stop.pull(order)
    if is_earlier:
        stop.interrupt()
    async with asyncio.timeout(5), stop.bounded(0.01):
        if not is_earlier:
            stop.interrupt()
            stop.interrupt()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            was_cancelled = True
            raise
    assert was_cancelled


async def test_a_bounded_block_passes_errors_and_cancellations_on() -> None:
    """They are a TimeoutError from within and the cancellation of the caller."""
    with pytest.raises(TimeoutError, match="of another"):
        async with Stop().bounded(10):
            raise TimeoutError("of another")
    stop, begun = Stop(), asyncio.Event()

    async def run() -> None:
        async with stop.bounded(10):
            begun.set()
            await asyncio.Event().wait()

    running = asyncio.create_task(run())
    await begun.wait()
    stop.interrupt()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    stop.pull(DENIED)  # the block is over: there is nothing to hurry
