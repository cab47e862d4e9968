"""The brake of a run."""

import asyncio

import pytest

from bulkput import events as ev
from bulkput.engine.stop import Stop
from bulkput.events import StopCause, Stopping

DENIED = Stopping("denied", StopCause.STORE)


def test_a_new_brake_is_not_pulled() -> None:
    """And has no order."""
    stop = Stop()
    assert not stop.is_pulled
    assert stop.order is None


def test_the_first_order_stands() -> None:
    """Later ones change nothing, and are not emitted."""
    stop, events = Stop(), list[ev.Event]()
    stop.report_to(events.append)
    stop.pull(DENIED)
    stop.interrupt()
    assert stop.is_pulled
    assert stop.order == DENIED
    assert events == [DENIED]


def test_an_interruption_is_an_order_of_its_own_kind() -> None:
    """The exit code will be 130."""
    stop = Stop()
    stop.interrupt()
    assert stop.order is not None
    assert stop.order.cause is StopCause.INTERRUPTED


def test_an_order_from_before_the_run_is_reported_when_it_begins() -> None:
    """Pulled while nobody listened yet."""
    stop, events = Stop(), list[ev.Event]()
    stop.pull(DENIED)
    stop.report_to(events.append)
    assert events == [DENIED]


@pytest.mark.parametrize("delay_s", [0.0, 0.001])
async def test_a_pause_runs_to_its_end_without_a_stop(delay_s: float) -> None:
    """True: go on."""
    assert await Stop().pause(delay_s) is True


async def test_a_pause_ends_when_the_brake_is_pulled() -> None:
    """At once, however long it was to be; False: no further attempt."""
    stop = Stop()
    pausing = [asyncio.create_task(stop.pause(3600)) for _ in range(3)]
    await asyncio.sleep(0)
    stop.interrupt()
    async with asyncio.timeout(5):
        assert await asyncio.gather(*pausing) == [False] * 3


@pytest.mark.parametrize("delay_s", [0.0, 3600.0])
async def test_a_pause_after_the_brake_does_not_begin(delay_s: float) -> None:
    """Not even one of no length goes on."""
    stop = Stop()
    stop.interrupt()
    async with asyncio.timeout(5):
        assert await stop.pause(delay_s) is False


async def test_a_cancelled_pause_is_cancelled() -> None:
    """CancelledError is not taken for a stop of the run."""
    pausing = asyncio.create_task(Stop().pause(3600))
    await asyncio.sleep(0)
    pausing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pausing


async def test_a_bounded_block_is_not_cut_short_without_an_interrupt() -> None:
    """Nor is it cut short by an order: what is in flight ends, with the deadlines that it has."""
    stop = Stop()
    async with stop.bounded(0.001):
        stop.pull(Stopping("nobody reads stdout", StopCause.INTERRUPTED))
        await asyncio.sleep(0.01)
        ended = True
    assert ended


@pytest.mark.parametrize("is_earlier", [False, True])
@pytest.mark.parametrize("order", [None, DENIED])
async def test_an_interrupted_block_ends_by_itself(is_earlier: bool, order: Stopping | None) -> None:
    """After 80 % of the timeout what it awaits is cancelled; whether it was interrupted before it began or within, and
    whether the run was being stopped already."""
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


async def test_a_bounded_block_lets_errors_and_cancellations_pass() -> None:
    """A TimeoutError of something within, and the cancellation of the caller."""
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
