"""Large files through aiofiles, in threads of ours. A FIFO stands for a disk that hangs: reads wait for its writer."""

import asyncio
import os
import select
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from bulkput.errors import SourceError
from bulkput.payload.ahead import ReadAhead
from bulkput.payload.opened import opened
from bulkput.payload.readers import Readers

LONG_S = 20.0
SHORT_S = 0.05


@pytest.fixture(autouse=True)
async def patient() -> AsyncIterator[None]:
    async with asyncio.timeout(LONG_S):
        yield


class Fifo:
    """A FIFO, and the descriptor of its writer."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = os.fsencode(path)
        self._writer: int | None = None

    def open_to_read(self, _path: str, _flags: int) -> int:
        """Returns at once, unlike `os.open` without a writer."""
        both = os.open(self.path, os.O_RDWR)
        reader = os.open(self.path, os.O_RDONLY)
        self._writer = os.open(self.path, os.O_WRONLY)
        os.close(both)
        return reader

    def hang_in_open(self, _path: str, _flags: int) -> int:
        """Returns when there is a writer."""
        return os.open(self.path, os.O_RDONLY)

    def let_open(self) -> None:
        """Blocks until `hang_in_open` is in its call."""
        self._writer = os.open(self.path, os.O_WRONLY)

    def write(self, data: bytes) -> None:
        assert self._writer is not None
        os.write(self._writer, data)

    def is_open_as(self, descriptor: int) -> bool:
        """Whether the number still belongs to this FIFO. A FIFO that is read from stays open without a number, too."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except OSError:
            return False

    def has_no_reader(self, timeout_s: float = 0.0) -> bool:
        """Whether all descriptors for reading are closed, within the time."""
        assert self._writer is not None
        poll = select.poll()
        poll.register(self._writer, 0)  # POLLERR is always told
        return bool(poll.poll(timeout_s * 1000))

    def close(self) -> None:
        if self._writer is not None:
            os.close(self._writer)


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Fifo]:
    made = Fifo(tmp_path / "fifo")
    yield made
    made.close()


def plain(path: str, _flags: int) -> int:
    return os.open(path, os.O_RDONLY)


async def in_thread(function: Callable[..., bool | None], *arguments: float) -> bool | None:
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


async def test_a_file_is_opened_read_and_closed_in_reader_threads(tmp_path: Path) -> None:
    """They are daemons: the interpreter waits for aiofiles' own threads, also if they hang."""
    (tmp_path / "a").write_bytes(b"0123456789")
    threads = []

    def opener(path: str, flags: int) -> int:
        threads.append(threading.current_thread())
        return plain(path, flags)

    readers = Readers(2, patience_s=LONG_S, most_stuck=2)
    async with opened(os.fsencode(tmp_path / "a"), opener, readers) as file:
        file.begin(4)
        assert await file.begun() == b"0123"
        assert [await file.range(offset, size) for offset, size in ((8, 9), (0, 2), (10, 1))] == [b"89", b"01", b""]
    assert [(thread.name, thread.daemon) for thread in threads] == [("bulkput-read", True)]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("asyncio_")]
    readers.close()


async def test_a_file_is_closed_only_after_its_abandoned_read_returns(fifo: Fifo) -> None:
    """An earlier close would let the read continue in another file with the same descriptor number."""
    readers = Readers(2, patience_s=SHORT_S, most_stuck=2)
    with pytest.raises(SourceError, match=r"gave nothing for 0\.05 s"):
        async with opened(fifo.path, fifo.open_to_read, readers) as file:
            file.begin(4)
            await file.begun()
    assert fifo.is_open_as(file.fileno())
    fifo.write(b"0123")
    assert await in_thread(fifo.has_no_reader, LONG_S)
    readers.close()


async def test_a_file_is_closed_only_after_its_cancelled_read_returns(fifo: Fifo) -> None:
    """The cancelled task ends before, without the result."""
    readers = Readers(2, patience_s=LONG_S, most_stuck=2)
    reading: asyncio.Queue[int] = asyncio.Queue()

    async def read() -> None:
        async with opened(fifo.path, fifo.open_to_read, readers) as file:
            file.begin(4)
            reading.put_nowait(file.fileno())
            await file.begun()

    task = asyncio.create_task(read())
    descriptor = await reading.get()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert fifo.is_open_as(descriptor)
    fifo.write(b"0123")
    assert await in_thread(fifo.has_no_reader, LONG_S)
    readers.close()


@pytest.mark.parametrize("turns", range(8))
async def test_a_file_is_closed_if_its_opening_is_cancelled_in_any_turn_of_the_loop(tmp_path: Path, turns: int) -> None:
    """Also between the turn in which it was opened and the one in which its task goes on."""
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    readers = Readers(1, patience_s=LONG_S, most_stuck=2)

    async def read() -> None:
        async with opened(os.fsencode(path), plain, readers):
            await asyncio.Event().wait()

    task = asyncio.create_task(read())
    await asyncio.sleep(0)  # the task has asked for the file
    readers.submit(b"", lambda: None).result(LONG_S)  # the only thread has opened it; the loop does not know yet
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await readers.run(b"", lambda: None)  # the closing was asked for before
    assert str(path) not in {os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")}
    readers.close()


@pytest.mark.parametrize("patience_s", [SHORT_S, LONG_S], ids=["abandoned", "cancelled"])
async def test_a_file_that_is_opened_too_late_is_closed(fifo: Fifo, patience_s: float) -> None:
    """Its task has ended by the deadline, or was cancelled."""
    readers = Readers(2, patience_s=patience_s, most_stuck=2)
    begins = asyncio.Event()

    async def opening() -> ReadAhead:
        begins.set()
        async with opened(fifo.path, fifo.hang_in_open, readers) as file:
            return file

    task = asyncio.create_task(opening())
    await begins.wait()
    if patience_s == LONG_S:
        task.cancel()
    with pytest.raises((SourceError, asyncio.CancelledError)):
        await task
    await in_thread(fifo.let_open)
    assert await in_thread(fifo.has_no_reader, LONG_S)
    readers.close()


def test_a_file_is_closed_if_the_event_loop_ends_meanwhile(fifo: Fifo, hanging: threading.Event) -> None:
    """All threads are busy when the file is left, and the loop has ended when one has time to close it."""
    kept: list[ReadAhead] = []  # or the garbage collector would close it

    async def main() -> None:
        readers = Readers(1, patience_s=LONG_S, most_stuck=1)

        async def use() -> None:
            async with opened(fifo.path, fifo.open_to_read, readers) as file:
                readers.submit(b"other", hanging.wait)
                kept.append(file)

        task = asyncio.create_task(use())
        while not kept:
            await asyncio.sleep(0)
        assert not task.done()

    asyncio.run(main())
    assert not fifo.has_no_reader()
    hanging.set()
    assert fifo.has_no_reader(LONG_S)


async def test_a_read_begins_at_once(tmp_path: Path) -> None:
    """It is finished while the piece before it is still in use, before the event loop turns."""
    (tmp_path / "a").write_bytes(b"0123")
    readers = Readers(1, patience_s=LONG_S, most_stuck=2)
    async with opened(os.fsencode(tmp_path / "a"), plain, readers) as file:
        file.begin(4)
        assert readers.submit(b"a", os.lseek, file.fileno(), 0, os.SEEK_CUR).result(LONG_S) == 4
        assert await file.begun() == b"0123"
    readers.close()


@pytest.mark.parametrize(("size", "is_loaded"), [(1, False), (100, False), (101, True)])
def test_aiofiles_is_imported_for_the_first_large_file(tmp_path: Path, size: int, is_loaded: bool) -> None:
    """A run of small files starts without it, whether they are read on the event loop or in a thread."""
    (tmp_path / "a").write_bytes(bytes(size))
    program = f"""
import asyncio, sys
import bulkput.cli.main
from bulkput.model import SourceFile
from bulkput.options import BodyOptions
from bulkput.payload.body import BodyOpener

async def main():
    opener = BodyOpener(BodyOptions(buffer_size=100), lambda _event: None)
    source = SourceFile({os.fsencode(tmp_path / "a")!r}, b"a", {size}, 0)
    if {size} <= 100:
        opener.open_at_once(source)
    await opener.open(source)
    opener.close()

asyncio.run(main())
print("aiofiles" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == f"{is_loaded}\n"
