"""The limit on requests in flight."""

import asyncio
from contextlib import suppress

from bulkput.stores.slots import Slots


class Worker:
    """Takes a slot when it starts, and keeps it until told to leave."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self.leave = asyncio.Event()
        self.is_in = False
        self.task = asyncio.create_task(self._work())

    async def _work(self) -> None:
        if not self._slots.take_at_once():
            await self._slots.take()
        self.is_in = True
        await self.leave.wait()
        self.is_in = False
        self._slots.leave()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def inside(workers: list[Worker]) -> list[bool]:
    await settle()
    return [worker.is_in for worker in workers]


async def end(workers: list[Worker]) -> None:
    for worker in workers:
        worker.leave.set()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*(worker.task for worker in workers))


async def test_slots_are_given_in_the_order_of_waiting() -> None:
    """The first waiter gets the first free slot."""
    slots = Slots(1)
    workers = [Worker(slots) for _ in range(3)]
    assert await inside(workers) == [True, False, False]
    assert slots.had_to_wait
    workers[0].leave.set()
    assert await inside(workers) == [False, True, False]
    await end(workers)


async def test_a_larger_limit_admits_waiting_workers_at_once() -> None:
    """At once."""
    slots = Slots(1)
    workers = [Worker(slots) for _ in range(4)]
    await settle()
    slots.limit = 3
    assert await inside(workers) == [True, True, True, False]
    await end(workers)


async def test_a_smaller_limit_takes_effect_as_slots_are_released() -> None:
    """No running worker is interrupted."""
    slots = Slots(3)
    workers = [Worker(slots) for _ in range(4)]
    await settle()
    slots.limit = 1
    assert await inside(workers) == [True, True, True, False]
    workers[0].leave.set()
    workers[1].leave.set()
    assert await inside(workers) == [False, False, True, False]
    workers[2].leave.set()
    assert await inside(workers) == [False, False, False, True]
    await end(workers)


async def test_a_cancelled_wait_loses_no_slot() -> None:
    """The cancellation comes before or at the moment in which the slot is given."""
    slots = Slots(1)
    workers = [Worker(slots) for _ in range(3)]
    await settle()
    workers[1].task.cancel()
    workers[0].leave.set()
    assert await inside(workers) == [False, False, True]
    later = Worker(slots)
    await settle()
    workers[2].leave.set()
    await asyncio.sleep(0)  # the slot is given to `later`, which has not run yet
    later.task.cancel()
    last = Worker(slots)
    assert await inside([last]) == [True]
    await end([last])
    await asyncio.gather(*(worker.task for worker in [*workers, later]), return_exceptions=True)


async def test_a_free_slot_is_taken_without_waiting() -> None:
    """`had_to_wait` stays False, so the limit need not grow."""
    slots = Slots(2)
    assert slots.take_at_once() and slots.take_at_once() and not slots.had_to_wait
    assert not slots.take_at_once()
