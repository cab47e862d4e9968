"""A bounded queue and its workers: where tasks are born, and where they end."""

import asyncio
import random
from collections import Counter

import pytest

from bulkput.activity import Activity, doing, noted_in
from bulkput.engine.pool import pool


def worker_tasks() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("bulkput-worker")]


@pytest.mark.parametrize(("workers", "backlog", "count"), [(1, 1, 5), (3, 1, 100), (8, 256, 1000), (4, 4, 0)])
async def test_every_item_is_handled_once(workers: int, backlog: int, count: int) -> None:
    """Leaving the block waits for all items."""
    handled: Counter[int] = Counter()

    async def handle(item: int) -> None:
        await asyncio.sleep(0)
        handled[item] += 1

    async with pool(handle, workers=workers, backlog=backlog) as made:
        for number in range(count):
            await made.submit(number)
    assert handled == Counter(range(count))
    assert worker_tasks() == []


async def test_items_are_handled_in_parallel() -> None:
    """Each of five workers waits for the other four."""
    together = asyncio.Barrier(5)

    async def handle(_item: int) -> None:
        await together.wait()

    async with asyncio.timeout(5), pool(handle, workers=5, backlog=1) as made:
        for number in range(10):
            await made.submit(number)


async def test_submit_waits_while_the_backlog_is_full() -> None:
    """With one item in hand and two in the backlog, the next submit waits, so the scan waits for the store."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    handled: list[int] = []

    async def handle(item: int) -> None:
        begun.set()
        await go_on.wait()
        handled.append(item)

    async with pool(handle, workers=1, backlog=2) as made:
        await made.submit(0)
        await begun.wait()
        await made.submit(1)
        await made.submit(2)
        fourth = asyncio.ensure_future(made.submit(3))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not fourth.done()
        go_on.set()
        await fourth
    assert handled == [0, 1, 2, 3]


class Busy:
    """A handler whose items hang until they are cancelled, but for 0, which fails once all others are busy."""

    def __init__(self, others: int) -> None:
        self._others = others
        self.all_busy = asyncio.Event()
        self.busy = 0
        self.cancelled: list[int] = []

    async def __call__(self, item: int) -> None:
        if item == 0:
            await self.all_busy.wait()
            raise ValueError("a bug in a handler")
        self.busy += 1
        if self.busy == self._others:
            self.all_busy.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.append(item)
            raise


async def test_a_handler_error_ends_all_workers_and_is_raised() -> None:
    """The block may still submit or already wait for the end."""
    busy = Busy(others=2)
    with pytest.raises(ValueError, match="a bug in a handler"):
        async with pool(busy, workers=3, backlog=5) as made:
            for number in range(3):
                await made.submit(number)
    assert sorted(busy.cancelled) == [1, 2]
    assert worker_tasks() == []


async def test_a_handler_error_releases_a_waiting_submit() -> None:
    """Without a worker, the item would never be taken."""
    submitting = asyncio.Event()

    async def handle(_item: int) -> None:
        await submitting.wait()
        raise ValueError("a bug in a handler")

    with pytest.raises(ValueError, match="a bug in a handler"):
        async with asyncio.timeout(5), pool(handle, workers=1, backlog=1) as made:
            await made.submit(0)
            await made.submit(1)
            submitting.set()
            await made.submit(2)
            await made.submit(3)


async def test_an_error_in_the_block_ends_all_workers_and_is_raised() -> None:
    """The caller gets the error itself, not an exception group."""
    busy = Busy(others=2)
    with pytest.raises(ValueError, match="a bug in a source"):
        async with pool(busy, workers=2, backlog=5) as made:
            await made.submit(1)
            await made.submit(2)
            await busy.all_busy.wait()
            raise ValueError("a bug in a source")
    assert sorted(busy.cancelled) == [1, 2]
    assert worker_tasks() == []


@pytest.mark.parametrize("is_leaving", [False, True])
async def test_unhandled_items_are_reported_if_the_caller_is_cancelled(is_leaving: bool) -> None:
    """Each submitted item is handled or reported, also one whose submit still waits."""
    busy, abandoned = Busy(others=2), list[int]()

    async def run() -> None:
        async with pool(busy, workers=2, backlog=3, abandoned=abandoned.append) as made:
            for number in range(1, 6 if is_leaving else 9):
                await made.submit(number)

    running = asyncio.create_task(run())
    await busy.all_busy.wait()
    for _ in range(10):
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert sorted(busy.cancelled) == [1, 2]
    assert abandoned == ([3, 4, 5] if is_leaving else [3, 4, 5, 6])  # 7 and 8 were never submitted
    assert worker_tasks() == []


@pytest.mark.parametrize("is_leaving", [False, True])
async def test_cancelling_the_caller_cancels_its_workers(is_leaving: bool) -> None:
    """It may be inside the block or wait for the end; CancelledError is raised."""
    busy = Busy(others=2)

    async def run() -> None:
        async with pool(busy, workers=2, backlog=5) as made:
            await made.submit(1)
            await made.submit(2)
            if not is_leaving:
                await asyncio.Event().wait()

    running = asyncio.create_task(run())
    await busy.all_busy.wait()
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert sorted(busy.cancelled) == [1, 2]
    assert worker_tasks() == []


@pytest.mark.parametrize("seed", range(10))
async def test_resizing_loses_no_item_and_handles_none_twice(seed: int) -> None:
    """The number of workers grows and shrinks at any moment, down to one."""
    chance = random.Random(seed)
    handled: Counter[int] = Counter()
    most = 0

    async def handle(item: int) -> None:
        nonlocal most
        most = max(most, len(worker_tasks()))
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
        handled[item] += 1

    async with asyncio.timeout(20), pool(handle, workers=chance.randint(1, 5), backlog=chance.randint(1, 9)) as made:
        for number in range(500):
            await made.submit(number)
            if chance.random() < 0.1:
                made.resize(chance.randint(1, 30))
    assert handled == Counter(range(500))
    assert most > 5 and worker_tasks() == []


async def test_surplus_workers_end_after_their_current_item() -> None:
    """No item is interrupted."""
    gate = asyncio.Event()

    async def handle(_item: int) -> None:
        await gate.wait()

    async with asyncio.timeout(20), pool(handle, workers=8, backlog=20) as made:
        for number in range(12):
            await made.submit(number)
        made.resize(2)
        assert len(worker_tasks()) == 8
        gate.set()
        while len(worker_tasks()) > 2:
            await asyncio.sleep(0)
        await made.submit(12)


async def test_the_activity_of_each_worker_has_its_item() -> None:
    """A worker that waits for an item has none."""
    gate, in_flight = asyncio.Event(), set[Activity]()

    async def handle(item: int) -> None:
        with doing(f"handling {item}"):
            await gate.wait()

    def seen() -> list[tuple[object, tuple[str, ...]]]:
        return sorted((each.in_hand, each.describe().words) for each in in_flight if each.in_hand is not None)

    async with asyncio.timeout(20), pool(handle, workers=3, backlog=5, in_flight=in_flight) as made:
        await made.submit(1)
        await made.submit(2)
        await asyncio.sleep(0)
        assert seen() == [(1, ("handling 1",)), (2, ("handling 2",))] and len(in_flight) == 2
        gate.set()
        while seen():
            await asyncio.sleep(0)
        await made.submit(3)
        await asyncio.sleep(0)
        assert len(in_flight) == 2
    assert not in_flight


async def test_a_worker_starts_when_an_item_waits_and_no_worker_does() -> None:
    gate, began = asyncio.Event(), list[int]()

    async def handle(item: int) -> None:
        began.append(item)
        await gate.wait()

    async with asyncio.timeout(20), pool(handle, workers=2, backlog=5) as made:
        for item in range(4):
            await made.submit(item)
        await asyncio.sleep(0)
        assert began == [0, 1]
        made.resize(3)
        await asyncio.sleep(0)
        assert began == [0, 1, 2]
        gate.set()
    assert began == [0, 1, 2, 3]


async def test_ended_workers_have_no_activity() -> None:
    """They ended by a resize, an error or a cancellation."""
    gate, in_flight = asyncio.Event(), set[Activity]()

    async def handle(item: int) -> None:
        await gate.wait()
        if item == 99:
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError):
        async with asyncio.timeout(20), pool(handle, workers=8, backlog=20, in_flight=in_flight) as made:
            for number in range(12):
                await made.submit(number)
            made.resize(2)
            gate.set()
            while len(in_flight) > 2:
                await asyncio.sleep(0)
            await made.submit(99)
    assert not in_flight


async def test_workers_without_in_flight_use_the_activity_of_their_caller() -> None:
    """A worker that uses an inner pool shows the steps of that pool."""
    gate = asyncio.Event()

    async def handle(_item: int) -> None:
        with doing("looking"):
            await gate.wait()

    with noted_in(Activity()) as mine:
        mine.in_hand = "a file"
        async with asyncio.timeout(20), pool(handle, workers=2, backlog=5) as made:
            await made.submit(1)
            await asyncio.sleep(0)
            assert (mine.in_hand, mine.describe().words) == ("a file", ("looking",))
            gate.set()


async def test_idle_workers_end_when_the_limit_falls() -> None:
    gate, at_once, most = asyncio.Event(), 0, 0

    async def handle(_item: int) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await gate.wait()
        at_once -= 1

    async with asyncio.timeout(20), pool(handle, workers=10, backlog=20) as made:
        gate.set()
        for item in range(10):
            await made.submit(item)
        while at_once or made._items:
            await asyncio.sleep(0)
        gate.clear()
        most = 0
        made.resize(2)
        for item in range(10):
            await made.submit(item)
        for _ in range(5):
            await asyncio.sleep(0)
        assert most == 2
        gate.set()


async def test_an_item_whose_handling_is_cancelled_from_within_fails_the_run() -> None:
    """A task group takes a cancelled task for one that has ended; the items behind it would wait for ever."""

    async def handle(_item: int) -> None:
        inner = asyncio.get_running_loop().create_future()
        inner.cancel()
        await inner

    abandoned: list[int] = []
    with pytest.raises(RuntimeError, match="handling 0 was cancelled from within"):
        async with asyncio.timeout(20), pool(handle, workers=1, backlog=5, abandoned=abandoned.append) as made:
            for item in range(3):
                await made.submit(item)
    assert abandoned == [1, 2]
