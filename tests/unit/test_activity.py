"""What a task notes of itself, and what others read there."""

import asyncio
import threading

import pytest

from bulkput.activity import Activity, Attempt, current, doing, noted_in


class Request:
    """An exchange."""

    def __init__(self, waits_for: str, ends: str | None = None) -> None:
        self.waits_for = waits_for
        self.ends = ends


def test_steps_are_described_from_the_outermost_inwards() -> None:
    """Each step lasts as long as its block; a request describes its state at the time of the question."""
    request = Request("sending", "10.0.0.1:1 > 10.0.0.2:80")
    with noted_in(Activity()) as mine:
        with doing("logging in"), doing(request):
            with doing("reading"):
                assert mine.describe() == (("logging in", "sending", "reading"), 1, request.ends)
            request.waits_for = "waiting for the answer"
            assert mine.describe().words == ("logging in", "waiting for the answer")
        assert mine.describe() == ((), 1, None)


def test_a_repeated_step_is_described_once() -> None:
    """A store that is wrapped several times is prepared once."""
    with noted_in(Activity()) as mine, doing("preparing the store"), doing("preparing the store"):
        assert mine.describe().words == ("preparing the store",)


def test_the_described_attempt_is_the_outermost_one() -> None:
    """It is the attempt of the object, not that of a login within it."""
    with noted_in(Activity()) as mine, doing(Attempt(3)), doing("logging in"), doing(Attempt(2)):
        assert mine.describe() == (("logging in",), 3, None)


def test_a_step_ends_with_an_error() -> None:
    """After the error, the step is no longer described."""
    with noted_in(Activity()) as mine:
        with pytest.raises(OSError, match="broken"), doing("reading"):
            raise OSError("broken")
        assert mine.describe().words == ()


async def test_a_step_ends_with_the_cancellation_of_its_task() -> None:
    """After the cancellation, the step is no longer described."""
    mine = Activity()

    async def wait() -> None:
        with noted_in(mine), doing("waiting for its turn"):
            await asyncio.get_running_loop().create_future()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    assert mine.describe().words == ("waiting for its turn",)
    task.cancel()
    await asyncio.wait((task,))
    assert mine.describe().words == ()


async def test_steps_of_tasks_that_share_an_activity_end_in_any_order() -> None:
    """A task without its own activity uses that of the task that started it."""
    first, second = asyncio.Event(), asyncio.Event()

    async def wait(words: str, until: asyncio.Event) -> None:
        with doing(words):
            await until.wait()

    with noted_in(Activity()) as mine:
        async with asyncio.TaskGroup() as tasks:
            one = tasks.create_task(wait("first", first))
            tasks.create_task(wait("second", second))
            await asyncio.sleep(0)
            assert mine.describe().words == ("first", "second")
            first.set()
            await one
            assert mine.describe().words == ("second",)
            second.set()
        assert mine.describe().words == ()


def test_an_activity_belongs_to_the_run_only_within_its_block() -> None:
    """After the block, the task uses its earlier activity again."""
    run: set[Activity] = set()
    before = current()
    with noted_in(Activity(), run) as mine:
        assert run == {mine} and current() is mine
        mine.in_hand = b"/data"
    assert not run and current() is before and mine.in_hand is None


def test_another_thread_reads_while_steps_come_and_go() -> None:
    """The other thread sees the steps in their order at any moment."""
    is_over, seen = threading.Event(), set[tuple[str, ...]]()
    mine = Activity()

    def read() -> None:
        while not is_over.is_set():
            seen.add(mine.describe().words)

    reader = threading.Thread(target=read)
    reader.start()
    with noted_in(mine):
        while len(seen) < 3:  # the test's own timeout ends it
            with doing("sending"), doing("reading"):
                pass
    is_over.set()
    reader.join()
    assert seen == {(), ("sending",), ("sending", "reading")}
