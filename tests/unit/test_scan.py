"""A blocking source, read in a thread, delivered to the event loop."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from bulkput.activity import current
from bulkput.model import Found, SourceFile
from bulkput.sources.scan import Scan

PATIENCE_S = 5.0
"""How long a source waits for what must happen without it: then the test fails instead of hanging."""


def file(number: int) -> SourceFile:
    return SourceFile(b"/%d" % number, b"%d" % number, 0, 0)


@pytest.mark.parametrize("count", [0, 1, 511, 512, 513, 2000])
async def test_every_item_is_delivered_in_order(count: int) -> None:
    """This holds for any number of batches."""
    source = map(file, range(count))
    assert [found async for found in Scan(source)] == list(map(file, range(count)))


async def test_a_scan_that_has_begun_goes_on_before_anyone_takes_its_items() -> None:
    """An upload logs in meanwhile. The scan does not begin a second time."""
    has_begun, starts = asyncio.Event(), 0
    loop = asyncio.get_running_loop()

    def source() -> Iterator[Found]:
        nonlocal starts
        starts += 1
        loop.call_soon_threadsafe(has_begun.set)
        yield from map(file, range(3))

    scan = Scan(source())
    scan.begin()
    async with asyncio.timeout(PATIENCE_S):
        await has_begun.wait()
    assert [found async for found in scan] == list(map(file, range(3))) and starts == 1


async def test_a_scan_that_was_closed_before_anyone_took_its_items_yields_none() -> None:
    """The login has failed."""
    scan = Scan(map(file, range(3)))
    scan.begin()
    scan.close()
    assert [found async for found in scan] == []


async def test_items_are_delivered_before_the_source_is_exhausted() -> None:
    """Uploads start while a large tree is walked."""
    received = threading.Event()
    in_time: list[bool] = []

    def source() -> Iterator[Found]:
        yield from map(file, range(1000))
        in_time.append(received.wait(PATIENCE_S))
        yield file(1000)

    delivered = []
    async for found in Scan(source()):
        delivered.append(found)
        received.set()
    assert in_time == [True]
    assert delivered == list(map(file, range(1001)))


async def test_the_first_item_is_delivered_at_once() -> None:
    """A source that waits for a disk or a pipe holds no item back."""
    received = threading.Event()
    in_time: list[bool] = []

    def source() -> Iterator[Found]:
        yield file(0)
        in_time.append(received.wait(PATIENCE_S))
        yield file(1)

    delivered = []
    async for found in Scan(source()):
        delivered.append(found)
        received.set()
    assert delivered == [file(0), file(1)]
    assert in_time == [True]


async def test_the_path_that_a_source_reads_is_known() -> None:
    """It is None before the scan, after it, and while the scan waits for the consumer."""
    reading, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def enter(path: bytes) -> Iterator[Found]:
        current().in_hand = path
        yield file(0)
        loop.call_soon_threadsafe(reading.set)
        go_on.wait(PATIENCE_S)
        yield file(1)

    def source(path: bytes) -> Iterator[Found]:
        current().in_hand = path
        yield from enter(path + b"/deep")

    scan = Scan(source(b"/top"))
    assert scan.at() is None
    async for found in scan:
        if found == file(0):
            await reading.wait()
            assert scan.at() == b"/top/deep"
            go_on.set()
    assert scan.at() is None


async def test_a_source_that_waits_for_the_consumer_has_no_current_path() -> None:
    """The path returns as soon as there is room again."""
    go_on, seen = threading.Event(), list[bytes | None]()

    def source() -> Iterator[Found]:
        current().in_hand = b"/top"
        yield from map(file, range(2000))
        go_on.wait(PATIENCE_S)

    scan = Scan(source())
    async for found in scan:
        if found == file(0):
            async with asyncio.timeout(PATIENCE_S):
                while scan.at() is not None:  # as many are found ahead as may be
                    await asyncio.sleep(0.01)
        if found == file(1999):
            seen.append(scan.at())
            go_on.set()
    assert seen == [b"/top"]


async def test_a_source_is_read_in_one_thread_of_its_own() -> None:
    """A source may keep state that belongs to a thread."""
    threads: set[str] = set()

    def source() -> Iterator[Found]:
        for number in range(1500):
            threads.add(threading.current_thread().name)
            yield file(number)

    assert len([found async for found in Scan(source())]) == 1500
    assert len(threads) == 1
    assert threads.pop().startswith("bulkput-scan")


async def test_a_scan_reads_at_most_two_batches_ahead() -> None:
    """Memory is bounded for any source and any consumer."""
    delivered = 0
    ahead = 0

    def source() -> Iterator[Found]:
        nonlocal ahead
        for number in range(20_000):
            ahead = max(ahead, number - delivered)
            yield file(number)

    async for _ in Scan(source()):
        delivered += 1
        await asyncio.sleep(0)
    assert delivered == 20_000
    assert ahead <= 2 * 512 + 1


async def test_an_exception_of_the_source_is_raised_after_its_items() -> None:
    """All items found before the error are delivered first."""

    def source() -> Iterator[Found]:
        yield from map(file, range(700))
        raise RuntimeError("a bug in a source")

    delivered = []
    with pytest.raises(RuntimeError, match="a bug in a source"):
        async for found in Scan(source()):
            delivered.append(found)
    assert delivered == list(map(file, range(700)))


async def test_a_hanging_scan_can_be_cancelled() -> None:
    """A stat call on a dead file system never returns, but the run can be stopped."""
    hanging, released = threading.Event(), threading.Event()

    def source() -> Iterator[Found]:
        yield file(0)
        hanging.set()
        released.wait()
        yield file(1)

    found = aiter(Scan(source()))
    assert await anext(found) == file(0)
    waiting = asyncio.ensure_future(anext(found))
    await asyncio.to_thread(hanging.wait)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await found.aclose()
    released.set()


async def test_a_consumer_that_leaves_early_ends_the_scan_thread() -> None:
    """The source itself is endless."""
    thread: list[threading.Thread] = []

    def endless() -> Iterator[Found]:
        thread.append(threading.current_thread())
        number = 0
        while True:
            yield file(number)
            number += 1

    async with aclosing(aiter(Scan(endless()))) as found:
        async for _ in found:
            break
    await asyncio.to_thread(thread[0].join, PATIENCE_S)
    assert not thread[0].is_alive()


async def test_closing_a_scan_does_not_wait_for_a_hanging_source() -> None:
    """The person who stops a run waits for no directory."""
    hanging, released = threading.Event(), threading.Event()

    def source() -> Iterator[Found]:
        yield file(0)
        hanging.set()
        released.wait()
        yield file(1)

    scan = Scan(source())
    delivered = []

    async def close_when_it_hangs() -> None:
        await asyncio.to_thread(hanging.wait)
        scan.close()

    closing = asyncio.ensure_future(close_when_it_hangs())
    async with asyncio.timeout(PATIENCE_S):
        async for found in scan:
            delivered.append(found)
    await closing
    assert delivered == [file(0)]
    released.set()


async def test_a_scan_closed_before_it_starts_finds_nothing() -> None:
    """Its source is not read."""
    scan = Scan(map(file, range(10)))
    scan.close()
    assert [found async for found in scan] == []
