"""Reader threads, and how a thread that hangs is handled."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from io import FileIO
from pathlib import Path

import pytest

from bulkput.errors import SourceError, SourceGone
from bulkput.payload.readers import Readers

SHORT_S = 0.05
LONG_S = 20.0


@pytest.fixture(autouse=True)
async def patient() -> AsyncIterator[None]:
    async with asyncio.timeout(LONG_S):
        yield


def readers(count: int = 1, *, patience_s: float = SHORT_S, most_stuck: int = 2) -> Readers:
    return Readers(count, patience_s=patience_s, most_stuck=most_stuck)


async def test_a_job_returns_or_raises_like_its_function() -> None:
    """The function runs in a thread."""
    made = readers()
    assert await made.run(b"a", lambda x: x + 1, 41) == 42
    assert await made.run(b"a", threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await made.run(b"a", lambda: 1 // 0)
    made.close()


async def test_readers_use_at_most_the_configured_threads() -> None:
    """They start no more threads than there are jobs."""
    made = readers(3, patience_s=LONG_S)
    together = threading.Barrier(3, timeout=LONG_S)
    waiting = [made.run(b"a", together.wait) for _ in range(3)]
    await asyncio.gather(*waiting)
    names = await asyncio.gather(*(made.run(b"a", threading.get_ident) for _ in range(50)))
    assert len(set(names)) <= 3
    made.close()


async def test_reader_threads_are_daemons() -> None:
    """The interpreter does not wait for them at exit."""
    made = readers()
    assert await made.run(b"a", lambda: threading.current_thread().daemon)
    made.close()


async def test_a_job_that_hangs_fails_and_the_next_one_runs(hanging: threading.Event) -> None:
    """Another thread replaces the hanging one."""
    made = readers()
    stuck = made.run(b"/dead", hanging.wait)
    after = made.run(b"/good", lambda: "read")
    with pytest.raises(SourceError, match=r"gave nothing for 0\.05 s") as caught:
        await stuck
    assert (caught.value.path, caught.value.problem, caught.value.stops_run) == (b"/dead", "unreadable", False)
    assert await after == "read"
    made.close()


async def test_too_many_hanging_reads_stop_the_run(hanging: threading.Event) -> None:
    """No thread is left, so waiting and later jobs fail."""
    made = readers(1, most_stuck=2)
    stuck = [made.run(b"/dead", hanging.wait) for _ in range(2)]
    queued = made.run(b"/good", lambda: "read")
    first, second = await asyncio.gather(*stuck, return_exceptions=True)
    assert type(first) is SourceError
    assert isinstance(second, SourceGone) and second.stops_run
    assert "to 2 reads at once: it hangs" in str(second)
    with pytest.raises(SourceGone):
        await queued
    with pytest.raises(SourceGone):
        await made.run(b"/good", lambda: "read")
    made.close()


async def test_healthy_threads_continue_if_too_many_others_hang(hanging: threading.Event) -> None:
    """Files on a working disk are sent to their end."""
    made = readers(2, most_stuck=1, patience_s=0.5)
    stuck = made.run(b"/dead", hanging.wait)
    assert await made.run(b"/good", lambda: "read") == "read"
    with pytest.raises(SourceGone):
        await stuck
    assert await made.run(b"/good", lambda: "read") == "read"
    made.close()


async def test_a_thread_that_returns_replaces_a_hanging_one(hanging: threading.Event) -> None:
    """The server of the file system is back."""
    made = readers(1, most_stuck=1)
    with pytest.raises(SourceGone):
        await made.run(b"/dead", hanging.wait)
    hanging.set()
    while True:
        try:
            assert await made.run(b"/dead", lambda: "read") == "read"
        except SourceGone:
            await asyncio.sleep(0)
        else:
            break
    made.close()


async def test_a_file_that_is_opened_too_late_is_closed(tmp_path: Path, hanging: threading.Event) -> None:
    """Its job has failed already."""
    (tmp_path / "a").write_bytes(b"abc")
    opened: list[FileIO] = []
    is_back = threading.Event()

    class Late(FileIO):
        def close(self) -> None:
            super().close()
            is_back.set()

    def open_late() -> FileIO:
        hanging.wait()
        opened.append(Late(tmp_path / "a"))
        return opened[0]

    made = readers()
    with pytest.raises(SourceError):
        await made.run(b"a", open_late)
    hanging.set()
    assert await asyncio.get_running_loop().run_in_executor(None, is_back.wait, LONG_S)
    assert opened[0].closed
    made.close()


async def test_a_cancelled_queued_job_does_not_run() -> None:
    """The worker that waited for it is gone."""
    made = readers(patience_s=LONG_S)
    go_on = threading.Event()
    done: list[str] = []
    first = made.run(b"a", go_on.wait)
    second = made.run(b"a", done.append, "second")
    second.cancel()
    await asyncio.sleep(0)
    go_on.set()
    await first
    await made.run(b"a", done.append, "third")
    assert done == ["third"]
    made.close()


async def test_queued_jobs_run_after_close() -> None:
    """A queued job may close a file."""
    made = readers(patience_s=LONG_S)
    go_on = threading.Event()
    first = made.run(b"a", go_on.wait)
    second = made.run(b"a", time.monotonic)
    made.close()
    go_on.set()
    await first
    assert await second > 0
