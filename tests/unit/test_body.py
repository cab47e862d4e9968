"""A source file as a body: one consistent version of it, or nothing."""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from bulkput.errors import SourceError
from bulkput.events import Event, ReadingChosen, Snapshot
from bulkput.model import SourceFile
from bulkput.options import BodyOptions
from bulkput.payload.body import (
    BodyOpener,
    FileBody,
    StreamedFile,
    Version,
    WholeFile,
    WholeSnapshot,
    _snapshot,
)

BUFFER = 10
CHUNK = 4
PATIENCE_S = 5.0


@pytest.fixture
def opener() -> Iterator[BodyOpener]:
    opener = BodyOpener(BodyOptions(buffer_size=BUFFER, chunk_size=CHUNK, readers=2), lambda _event: None)
    yield opener
    opener.close()


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Three chunks: two of four bytes, one of three."""
    path = tmp_path / "large"
    path.write_bytes(b"0123456789A")
    return path


def source(path: Path) -> SourceFile:
    return SourceFile(os.fsencode(path), os.fsencode(path.name), 0, 0)


async def read(body: FileBody) -> list[bytes]:
    return [chunk async for chunk in body.chunks()]


@pytest.mark.parametrize("size", [0, 1, BUFFER - 1, BUFFER])
async def test_a_file_up_to_the_buffer_size_is_held_in_memory(tmp_path: Path, opener: BodyOpener, size: int) -> None:
    """Its bytes and MD5 are known before anything is sent; replays come from memory."""
    data = b"x" * size
    (tmp_path / "a").write_bytes(data)
    body = await opener.open(source(tmp_path / "a"))
    assert isinstance(body, WholeFile)
    assert (body.data, body.size, body.md5) == (data, size, hashlib.md5(data).hexdigest())
    for _ in range(2):
        assert b"".join(await read(body)) == data


async def test_a_file_one_byte_above_the_buffer_is_streamed(large: Path, opener: BodyOpener) -> None:
    """Its size is known before it is sent, its MD5 is not; each replay starts at the first byte."""
    body = await opener.open(source(large))
    assert isinstance(body, StreamedFile)
    assert (body.size, body.md5, body.data) == (11, None, None)
    for _ in range(2):
        assert await read(body) == [b"0123", b"4567", b"89A"]


async def test_a_chunk_size_above_the_file_size_gives_one_chunk(large: Path) -> None:
    """A chunk size above the file's: one piece."""
    opener = BodyOpener(BodyOptions(buffer_size=1, chunk_size=100), lambda _event: None)
    assert await read(await opener.open(source(large))) == [b"0123456789A"]
    opener.close()


async def test_a_replay_starts_at_the_first_byte_after_a_broken_attempt(large: Path, opener: BodyOpener) -> None:
    """Attempts that run at the same time have independent positions in the file."""
    body = await opener.open(source(large))
    broken = body.chunks()
    assert await anext(broken) == b"0123"
    assert await read(body) == [b"0123", b"4567", b"89A"]
    assert await anext(broken) == b"4567"
    await cast("AsyncGenerator[bytes]", broken).aclose()


@pytest.mark.parametrize("size", [0, 5, 50])
async def test_the_size_and_time_of_a_file_are_read_when_it_is_opened(
    tmp_path: Path, opener: BodyOpener, size: int
) -> None:
    """The values from the scan are ignored."""
    (tmp_path / "a").write_bytes(b"x" * size)
    stat = (tmp_path / "a").stat()
    body = await opener.open(SourceFile(os.fsencode(tmp_path / "a"), b"a", 7, 1))
    assert body.size == size
    assert (body.version.size, body.version.mtime_ns) == (size, stat.st_mtime_ns)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def shrink(path: Path) -> None:
    os.truncate(path, 9)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def overwrite(path: Path) -> None:
    """Same size, same inode, another time."""
    with path.open("r+b") as file:
        file.write(b"XXXX")
    later(path)


def replace(path: Path) -> None:
    """Same size, same time, another inode."""
    stat = path.stat()
    other = path.with_name("other")
    other.write_bytes(b"Z" * stat.st_size)
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(path)


def later(path: Path) -> None:
    """The clock of a file system is coarse: a write within its tick is told by the size only."""
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))


async def until_error(chunks: AsyncGenerator[bytes]) -> tuple[list[bytes], SourceError]:
    """What was yielded before the error, and the error."""
    pieces = []
    with pytest.raises(SourceError) as caught:
        async for chunk in chunks:
            pieces.append(chunk)
    return pieces, caught.value


@pytest.mark.parametrize("change", [grow, shrink, empty, overwrite, replace, later])
async def test_a_file_that_changed_before_it_is_sent_is_never_sent_whole(
    large: Path, opener: BodyOpener, change: Callable[[Path], None]
) -> None:
    """The last chunk is held back, so that no store keeps a mixture of two versions."""
    body = await opener.open(source(large))
    change(large)
    pieces, error = await until_error(cast("AsyncGenerator[bytes]", body.chunks()))
    assert (error.problem, error.path) == ("changed", os.fsencode(large))
    assert sum(map(len, pieces)) < 11


@pytest.mark.parametrize("change", [grow, shrink, empty, overwrite, later])
@pytest.mark.parametrize("sent", [1, 2])
async def test_a_file_that_changes_while_it_is_sent_is_never_sent_whole(
    large: Path, opener: BodyOpener, change: Callable[[Path], None], sent: int
) -> None:
    """The change comes after the first chunk or just before the last."""
    body = await opener.open(source(large))
    chunks = cast("AsyncGenerator[bytes]", body.chunks())
    pieces = [await anext(chunks) for _ in range(sent)]
    change(large)
    more, error = await until_error(chunks)
    assert error.problem == "changed"
    assert sum(map(len, pieces + more)) < 11


async def test_a_file_replaced_while_it_is_sent_is_sent_as_it_was_opened(large: Path, opener: BodyOpener) -> None:
    """The open file still is the old version; a second attempt sees the change and fails."""
    body = await opener.open(source(large))
    chunks = body.chunks()
    pieces = [await anext(chunks)]
    replace(large)
    assert pieces + [chunk async for chunk in chunks] == [b"0123", b"4567", b"89A"]
    _, error = await until_error(cast("AsyncGenerator[bytes]", body.chunks()))
    assert error.problem == "changed"


async def test_a_file_deleted_before_it_is_sent_fails_as_vanished(large: Path, opener: BodyOpener) -> None:
    """No byte of it is sent."""
    body = await opener.open(source(large))
    large.unlink()
    pieces, error = await until_error(cast("AsyncGenerator[bytes]", body.chunks()))
    assert (pieces, error.problem) == ([], "vanished")


async def test_a_file_deleted_before_it_is_opened_fails_as_vanished(tmp_path: Path, opener: BodyOpener) -> None:
    """This includes a path whose parent directory has become a file."""
    (tmp_path / "a").write_bytes(b"")
    for path in (tmp_path / "gone", tmp_path / "a" / "gone"):
        with pytest.raises(SourceError) as caught:
            await opener.open(source(path))
        assert (caught.value.problem, caught.value.path) == ("vanished", os.fsencode(path))


async def test_a_kernel_file_of_size_0_with_content_is_refused(opener: BodyOpener) -> None:
    """Its size is wrong, so no check could tell if all of it was sent."""
    with pytest.raises(SourceError, match="size 0 but content: a file of the kernel") as caught:
        await opener.open(source(Path("/proc/self/status")))
    assert caught.value.problem == "unreadable"


def snapshots(told: list[Event]) -> Iterator[BodyOpener]:
    options = BodyOptions(buffer_size=BUFFER, chunk_size=CHUNK, readers=2, changing="snapshot")
    opener = BodyOpener(options, told.append)
    yield opener
    opener.close()


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def snapshot(told: list[Event]) -> Iterator[BodyOpener]:
    """An opener for files that may grow."""
    yield from snapshots(told)


async def test_a_snapshot_has_the_bytes_that_a_growing_file_had_when_opened(
    large: Path, snapshot: BodyOpener, told: list[Event]
) -> None:
    """The growth is reported once over two attempts."""
    body = await snapshot.open(source(large))
    for _ in range(2):
        pieces = []
        async for chunk in body.chunks():
            pieces.append(chunk)
            with large.open("ab") as file:
                file.write(b"and more")
        assert b"".join(pieces) == b"0123456789A"
    assert [event for event in told if isinstance(event, Snapshot)] == [Snapshot(os.fsencode(large), 11)]


async def test_a_sample_of_a_growing_file_emits_no_event(large: Path, snapshot: BodyOpener, told: list[Event]) -> None:
    """The read that follows emits the event."""
    body = await snapshot.open(source(large))
    assert isinstance(body, StreamedFile)
    with large.open("ab") as file:
        file.write(b"and more")
    assert (await body.sample([(0, 4), (9, 2)]), told) == (b"01239A", [])
    await read(body)
    assert Snapshot(os.fsencode(large), 11) in told


@pytest.mark.parametrize("becomes", ["shorter", "another file"])
async def test_a_snapshot_of_a_shrunken_or_replaced_file_fails(large: Path, snapshot: BodyOpener, becomes: str) -> None:
    """Its original bytes are gone."""
    body = await snapshot.open(source(large))
    if becomes == "shorter":
        os.truncate(large, 5)
    else:
        (large.parent / "new").write_bytes(b"0123456789A")
        (large.parent / "new").rename(large)
    with pytest.raises(SourceError, match="shrank, or another file") as caught:
        await read(body)
    assert caught.value.problem == "changed"


def test_a_snapshot_of_a_small_growing_file_has_its_first_bytes(tmp_path: Path) -> None:
    """Without `changing="snapshot"` the file fails; a file that shrank fails in both modes."""
    path = tmp_path / "a"
    path.write_bytes(b"0123")
    before = Version.of(path.stat())
    path.write_bytes(b"01234")
    taken = _snapshot(b"a", before, b"01234", path.stat(), may_change=True)
    assert (type(taken), taken.data, taken.md5) == (WholeSnapshot, b"0123", hashlib.md5(b"0123").hexdigest())
    with pytest.raises(SourceError, match=r"`body\.changing='snapshot'`"):
        _snapshot(b"a", before, b"01234", path.stat(), may_change=False)
    path.write_bytes(b"01")
    with pytest.raises(SourceError, match="it shrank"):
        _snapshot(b"a", before, b"01", path.stat(), may_change=True)


async def test_a_kernel_file_of_size_0_is_refused_in_snapshot_mode(snapshot: BodyOpener) -> None:
    """Its first 0 bytes would be an empty object."""
    with pytest.raises(SourceError, match="file of the kernel"):
        await snapshot.open(source(Path("/proc/self/status")))


async def test_a_fifo_in_place_of_a_file_does_not_block_open(tmp_path: Path, opener: BodyOpener) -> None:
    """The open fails with the problem "changed"."""
    os.mkfifo(tmp_path / "a")
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(SourceError, match="no longer a regular file") as caught:
            await opener.open(source(tmp_path / "a"))
    assert caught.value.problem == "changed"


async def test_a_directory_in_place_of_a_file_fails_as_changed(tmp_path: Path, opener: BodyOpener) -> None:
    """The open fails with the problem "changed"."""
    with pytest.raises(SourceError) as caught:
        await opener.open(source(tmp_path))
    assert caught.value.problem == "changed"


async def test_a_fifo_in_place_of_a_large_file_does_not_block_sending(large: Path, opener: BodyOpener) -> None:
    """The FIFO appears between the open and the first chunk; the read fails and waits for no writer."""
    body = await opener.open(source(large))
    large.unlink()
    os.mkfifo(large)
    reading = asyncio.create_task(until_error(cast("AsyncGenerator[bytes]", body.chunks())))
    done, _ = await asyncio.wait([reading], timeout=PATIENCE_S)
    if not done:  # let the stuck reader go, lest it outlive the test
        os.close(os.open(large, os.O_WRONLY | os.O_NONBLOCK))
    pieces, error = await reading
    assert done, "the reader waited for a writer"
    assert (pieces, error.problem) == ([], "changed")


async def test_a_directory_in_place_of_a_large_file_is_a_source_error(large: Path, opener: BodyOpener) -> None:
    """The read raises no bare OSError."""
    body = await opener.open(source(large))
    large.unlink()
    large.mkdir()
    pieces, error = await until_error(cast("AsyncGenerator[bytes]", body.chunks()))
    assert pieces == []
    assert error.problem in ("changed", "unreadable")


async def test_an_unreadable_file_error_has_the_system_s_reason(tmp_path: Path, opener: BodyOpener) -> None:
    """The example is a name that is too long for any user."""
    with pytest.raises(SourceError, match="File name too long") as caught:
        await opener.open(source(tmp_path / ("x" * 300)))
    assert caught.value.problem == "unreadable"


async def test_a_link_in_place_of_a_file_is_not_followed(tmp_path: Path, opener: BodyOpener) -> None:
    """The link could lead out of the tree, to a file that only root may read."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "file").symlink_to("secret")
    with pytest.raises(SourceError, match="a link has taken its place") as caught:
        await opener.open(source(tmp_path / "file"))
    assert caught.value.problem == "changed"


async def test_a_file_modified_within_a_clock_tick_is_read_after_the_tick(tmp_path: Path, opener: BodyOpener) -> None:
    """Two writes in one tick leave the same mtime; after the tick, a third write would change it."""
    path = tmp_path / "young"
    path.write_bytes(b"a" * 10)
    body = await opener.open(source(path))
    assert time.time() - path.stat().st_mtime >= 0.02
    assert body.data == b"a" * 10


async def test_no_file_is_read_on_the_event_loop_if_reads_may_hang(tmp_path: Path) -> None:
    """The event names the file system that is the reason."""
    (tmp_path / "a").write_bytes(b"abc")
    seen: list[Event] = []
    opener = BodyOpener(BodyOptions(), seen.append, may_hang="nfs4")
    assert seen == [ReadingChosen(is_on_loop=False, average_s=0.0, may_hang="nfs4")]
    assert opener.open_at_once(source(tmp_path / "a")) is None
    assert (await opener.open(source(tmp_path / "a"))).data == b"abc"
    opener.close()


async def test_a_body_leaves_no_descriptor_open(large: Path, opener: BodyOpener) -> None:
    """This holds after a whole read, a broken one and a failed one."""
    body = await opener.open(source(large))
    before = len(os.listdir("/proc/self/fd"))
    await read(body)
    broken = cast("AsyncGenerator[bytes]", body.chunks())
    await anext(broken)
    await broken.aclose()
    grow(large)
    await until_error(cast("AsyncGenerator[bytes]", body.chunks()))
    with pytest.raises(SourceError):
        await opener.open(source(large.parent))
    assert len(os.listdir("/proc/self/fd")) == before
