"""Files wait for the turn of their container, and no longer."""

import asyncio
import random
import time
from collections import Counter

import pytest

from bulkput.engine.pool import pool
from bulkput.engine.stop import Stop
from bulkput.engine.tuner import tuner_of
from bulkput.engine.upload.turns import Turns
from bulkput.errors import Stopped, Throttled
from bulkput.events import Requested, StopCause, Stopping
from bulkput.options import WireOptions
from bulkput.policy.spread import container_of
from bulkput.stores.base import Destination
from bulkput.stores.spread.governor import Governor

TARGET = Destination.parse("swift://n-{0..3}")


class Run:
    """Sends items by a pool; notes at which time each container was sent one."""

    def __init__(self, rate: float | None = None) -> None:
        self.stop = Stop()
        self.governor = Governor(rate, self.stop)
        self.sent: list[tuple[float, str, str]] = []
        self.began_s = time.monotonic()
        self.handing = Counter[str]()
        self.most = Counter[str]()

    async def send(self, key: str) -> None:
        container = container_of(TARGET.root, key)
        self.handing[container] += 1
        self.most[container] = max(self.most[container], self.handing[container])
        try:
            self.stop.check()
            await self.governor.admit((container, 1))
            self.sent.append((time.monotonic() - self.began_s, container, key))
        finally:
            self.handing[container] -= 1

    async def run(self, keys: list[str], *, workers: int = 8, backlog: int = 1_000) -> None:
        queue = Turns[str](self.governor, lambda key: key, TARGET, self.stop)
        async with pool(queue.handling(self.send), workers=workers, backlog=backlog, queue=queue) as made:
            for key in keys:
                await made.submit(key)

    def times(self, container: str) -> list[float]:
        return [at_s for at_s, of, _ in self.sent if of == container]


def keys_of(container: str, count: int) -> list[str]:
    """The first names that belong to the container."""
    found = (f"{number}" for number in range(100_000) if container_of(TARGET.root, f"{number}") == container)
    return [next(found) for _ in range(count)]


async def test_without_a_rate_all_files_are_sent_at_once_and_once() -> None:
    """Each once, in the order of each container."""
    run = Run()
    keys = [str(number) for number in range(500)]
    await run.run(keys, workers=3, backlog=5)
    assert sorted(key for _, _, key in run.sent) == sorted(keys)
    for container in ("n-0", "n-1", "n-2", "n-3"):
        names = [int(key) for _, of, key in run.sent if of == container]
        assert names == sorted(names)


async def test_no_container_exceeds_its_rate_and_all_reach_theirs() -> None:
    """Four containers at 100/s each, by two workers."""
    run = Run(100.0)
    keys = [key for container in ("n-0", "n-1", "n-2", "n-3") for key in keys_of(container, 60)]
    random.Random(7).shuffle(keys)
    await run.run(keys, workers=2)
    assert len(run.sent) == len(keys)
    for container in ("n-0", "n-1", "n-2", "n-3"):
        times = run.times(container)
        assert times[-1] - times[0] >= 59 / 100
    assert run.sent[-1][0] < 4 * 60 / 100, "they wait beside each other"


async def test_a_slow_container_does_not_take_the_workers_of_the_others() -> None:
    """It refuses, and names a time; its files come first; the others are sent meanwhile."""
    run = Run()
    run.governor.refused("n-0", 1.0)
    slow, fast = keys_of("n-0", 30), [key for of in ("n-1", "n-2", "n-3") for key in keys_of(of, 100)]
    sending = asyncio.ensure_future(run.run(slow + fast, workers=2))
    async with asyncio.timeout(0.9):
        while len(run.sent) < len(fast):
            await asyncio.sleep(0.01)
    assert not run.times("n-0")
    assert run.most["n-0"] <= 1
    run.stop.pull(Stopping("enough", StopCause.ERRORS))
    with pytest.raises(Stopped):
        await sending


async def test_a_stop_ends_all_waits() -> None:
    """The workers get every file, and report it."""
    run = Run(0.01)
    run.governor.refused("n-0", 60.0)
    reported: list[str] = []

    async def handle(key: str) -> None:
        if run.stop.is_pulled:
            reported.append(key)
            return
        await run.send(key)

    keys = keys_of("n-0", 50) + keys_of("n-1", 50)
    queue = Turns[str](run.governor, lambda key: key, TARGET, run.stop)
    async with asyncio.timeout(5), pool(queue.handling(handle), workers=4, backlog=1_000, queue=queue) as made:
        for key in keys:
            await made.submit(key)
        while not run.sent:
            await asyncio.sleep(0.01)
        run.stop.pull(Stopping("enough", StopCause.ERRORS))
    assert sorted(reported + [key for _, _, key in run.sent]) == sorted(keys)


async def test_files_that_are_not_sent_cost_no_turn() -> None:
    """A thousand files of which none needs a request, at one request in a hundred seconds."""
    run, seen = Run(0.01), 0

    async def skip(_key: str) -> None:
        nonlocal seen
        seen += 1

    queue = Turns[str](run.governor, lambda key: key, TARGET, run.stop)
    async with asyncio.timeout(5), pool(queue.handling(skip), workers=4, backlog=10_000, queue=queue) as made:
        for number in range(1_000):
            await made.submit(str(number))
    assert seen == 1_000


async def test_more_files_in_hand_than_a_container_takes_at_once_end_no_search() -> None:
    """Ten workers have read files of an idle container, and none has sent one: its next turn moves with the clock."""
    run = Run(50.0)
    tickets = [run.governor.ticket("n-0", lambda _container: None) for _ in range(10)]
    queue = Turns[str](run.governor, lambda key: key, TARGET, run.stop)
    for key in keys_of("n-0", 3):
        queue.append(key)
    assert not queue.is_due()
    for each in tickets:
        each.leave()
    assert queue.popleft() == keys_of("n-0", 1)[0]


async def test_abandoned_files_are_all_given_back() -> None:
    """A worker fails; what no worker got is reported."""
    run, abandoned = Run(1.0), list[str]()

    async def fail(_key: str) -> None:
        raise RuntimeError("a bug")

    queue = Turns[str](run.governor, lambda key: key, TARGET, run.stop)
    with pytest.raises(RuntimeError, match="a bug"):
        async with pool(queue.handling(fail), workers=1, backlog=100, queue=queue, abandoned=abandoned.append) as made:
            for number in range(50):
                await made.submit(str(number))
    assert len(abandoned) == 49


async def test_waiting_for_turns_is_not_the_slowness_of_the_store() -> None:
    """The tuner keeps its limit; the governor tells how long nothing could be sent."""
    run = Run(50.0)
    tuner = tuner_of(WireOptions(), None, run.governor)
    await run.run(keys_of("n-0", 50))
    assert run.governor.waited_s > 0.8 * run.sent[-1][0]
    assert not run.governor.is_waiting
    for number in range(2_000):
        tuner(Requested("put", "k", number / 1_000, 0.01, 1, Throttled("put", "k", "slow down")))
    assert tuner.slots.limit == WireOptions().start


async def test_a_refusal_slows_only_its_container_and_is_told_once() -> None:
    """By name, with the rate; the fourth container is told without a name."""
    run, told = Run(), list[str]()
    run.governor.tell = told.append
    for container in ("n-0", "n-1"):
        for _ in range(40):
            await run.governor.admit((container, 1))
    for _ in range(5):
        run.governor.refused("n-0", None)
    rates = run.governor.containers
    assert rates["n-1"] is None
    assert rates["n-0"] is not None
    assert 30 <= rates["n-0"] <= 36
    (said,) = told
    assert "container n-0 refuses requests" in said
    assert "/s from now on" in said
    for container in ("n-1", "n-2", "n-3", "n-4"):
        run.governor.refused(container, None)
    assert len(told) == 4
    assert "further containers" in told[-1]


async def test_what_the_cluster_shows_counts_like_what_was_asked_for() -> None:
    """The lowest rate holds; it changes with the number of objects."""
    run = Run(80.0)
    run.governor.know(((1, 100.0), (11, 50.0)), {"n-0": 1, "n-1": 50})
    await run.governor.admit(("n-1", 1))
    await run.governor.admit(("n-2", 1))
    assert run.governor.containers == {"n-0": None, "n-1": 50.0, "n-2": 80.0}
    await run.governor.admit(("n-0", 1))
    assert run.governor.containers["n-0"] == 80.0
    await run.governor.admit(("n-0", 10))
    run.governor.due_s("n-0", run.governor.now_s())
    assert run.governor.containers["n-0"] == 50.0


async def test_a_request_that_is_stopped_gives_its_turn_back() -> None:
    """The next one waits no longer for it."""
    run = Run(1.0)
    await run.governor.admit(("n-0", 1))
    before_s = run.governor.due_s("n-0", run.governor.now_s())
    waiting = asyncio.ensure_future(run.governor.admit(("n-0", 5)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert run.governor.due_s("n-0", run.governor.now_s()) > before_s + 4
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert run.governor.due_s("n-0", run.governor.now_s()) == pytest.approx(before_s, abs=0.01)
