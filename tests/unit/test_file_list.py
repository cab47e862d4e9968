"""Files that a list names."""

import asyncio
import os
import random
import threading
import time
import tracemalloc
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from bulkput.activity import Activity, noted_in
from bulkput.errors import SourceError, UsageError
from bulkput.model import Found, Skip, SourceFile
from bulkput.options import FileListOptions, WalkOptions
from bulkput.sources.file_list import file_list


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Two files, one of them in a directory; links to it and out of the base."""
    root = tmp_path / "base"
    (root / "d").mkdir(parents=True)
    (root / "a").write_text("a")
    (root / "d" / "b").write_text("bb")
    (root / "in").symlink_to("d")
    (root / "to-b").symlink_to("d/b")
    (root / "out").symlink_to("/etc")
    (root / "nowhere").symlink_to("none")
    os.mkfifo(root / "fifo")
    return root


def told(
    base: Path, text: bytes, options: WalkOptions | None = None, *, is_null: bool = False, is_sorted: bool = False
) -> list[tuple[str, str]]:
    """Each finding as its name (an error: its path) and what became of it."""
    path = base.parent / "list"
    path.write_bytes(text)
    files = FileListOptions(path=str(path), base=str(base), is_null=is_null)
    found = file_list(files, os.fsencode(base), options or WalkOptions(), is_sorted=is_sorted)
    return [_told(base, each) for each in found]


def _told(base: Path, found: Found) -> tuple[str, str]:
    match found:
        case SourceFile():
            return os.fsdecode(found.name), "file"
        case Skip():
            return os.fsdecode(found.name), found.reason.name.lower()
        case SourceError():
            return os.fsdecode(found.path).removeprefix(f"{base}/"), found.problem
    raise AssertionError(found)


def test_each_listed_name_gives_one_result_in_list_order(base: Path) -> None:
    """A missing file fails alone; empty lines and the base itself are ignored."""
    assert told(base, b"d/b\n\nnone\n.\na/none\nd\na") == [
        ("d/b", "file"),
        ("none", "vanished"),
        ("a/none", "vanished"),
        ("d", "listed_directory"),
        ("a", "file"),
    ]


@pytest.mark.parametrize("is_sorted", [False, True])
def test_a_repeated_name_is_found_once(base: Path, is_sorted: bool) -> None:
    """The repetitions may be spelled differently."""
    text = f"a\n./a\n{base}/a\nd/../a\na\nd/b\n".encode()
    assert told(base, text, is_sorted=is_sorted) == [("a", "file"), ("d/b", "file")]


def test_a_sorted_list_comes_in_bytewise_order(base: Path) -> None:
    """Names outside the base have their place in the order too."""
    text = b"in/b\nd/b\n/etc/x\na\n../x\n"
    assert [name for name, _ in told(base, text, is_sorted=True)] == ["../x", "/etc/x", "a", "d/b", "in/b"]


def test_nothing_leads_out_of_the_base(base: Path) -> None:
    """Names and links to the outside are refused; a link inside the base is followed."""
    (base.parent / "secret").write_text("s")
    assert told(base, b"../secret\n/etc/passwd\nout/passwd\nin/b\nto-b\nout\nd/../../secret\n") == [
        ("../secret", "name"),
        ("/etc/passwd", "name"),
        ("out/passwd", "link_outside"),
        ("in/b", "file"),
        ("to-b", "file"),
        ("out", "link_to_directory"),
    ]


def test_links_in_a_list_are_followed_with_follow_symlinks(base: Path) -> None:
    """They may lead out of the base; a link to a directory is a directory."""
    options = WalkOptions(follow_symlinks=True)
    text = b"out/passwd\nin\nin/b\nnowhere\n"
    assert told(base, text, options) == [
        ("out/passwd", "file"),
        ("in", "listed_directory"),
        ("in/b", "file"),
        ("nowhere", "link_dangling"),
    ]


def test_an_entry_of_a_list_that_is_no_regular_file_is_skipped(base: Path) -> None:
    """A walk skips it with the same reason."""
    assert told(base, b"fifo\nnowhere\n") == [("fifo", "not_a_file"), ("nowhere", "link_dangling")]


def test_filters_apply_to_listed_names_as_in_a_walk(base: Path) -> None:
    """A file below an excluded directory is excluded, and limits of size hold."""
    assert told(base, b"a\nd/b\n", WalkOptions(exclude=("d/",))) == [("a", "file"), ("d/b", "excluded")]
    assert told(base, b"a\nd/b\n", WalkOptions(include=("b",))) == [("a", "excluded"), ("d/b", "file")]
    assert told(base, b"a\nd/b\n", WalkOptions(min_size=2)) == [("a", "too_small"), ("d/b", "file")]


def test_nul_terminated_names_may_contain_line_ends(base: Path) -> None:
    """`find -print0` writes such lists; without `is_null` such a list gives errors."""
    (base / "two\nlines").write_text("")
    assert told(base, b"two\nlines\0a\0", is_null=True) == [("two\nlines", "file"), ("a", "file")]
    assert [problem for _, problem in told(base, b"a\0d/b\0")] == ["name"]


def test_an_overlong_line_fails_alone(base: Path) -> None:
    """The line is not held in memory."""
    endless = b"x" * 1_000_000
    found = told(base, b"a\n" + endless + b"\nd/b\n")
    assert [problem for _, problem in found] == ["file", "unreadable", "file"]


@pytest.mark.parametrize("path", ["none", "base"])
def test_an_unreadable_list_is_a_usage_error(base: Path, path: str) -> None:
    """The error is raised before anything is sent."""
    files = FileListOptions(path=str(base.parent / path), base=str(base))
    with pytest.raises(UsageError, match=r"`files.path` .*: (No such file|Is a directory)"):
        file_list(files, os.fsencode(base), WalkOptions(), is_sorted=False)


def test_a_base_that_is_no_directory_is_a_usage_error(base: Path) -> None:
    """The error is raised before anything is sent."""
    with pytest.raises(UsageError, match="not a directory"):
        file_list(FileListOptions(path="/dev/null"), os.fsencode(base / "a"), WalkOptions(), is_sorted=False)


def test_a_list_gives_markers_for_the_directories_that_it_names(base: Path) -> None:
    """Markers are given only with `with_directories`."""
    (base.parent / "list").write_text("d\nd/b\n")
    files = FileListOptions(path=str(base.parent / "list"), base=str(base))
    found = list(file_list(files, os.fsencode(base), WalkOptions(), is_sorted=False, with_directories=True))
    assert [(each.name, each.is_directory) for each in found if isinstance(each, SourceFile)] == [
        (b"d", True),
        (b"d/b", False),
    ]


@pytest.mark.parametrize("is_sorted", [False, True])
def test_memory_does_not_depend_on_the_length_of_the_list(base: Path, is_sorted: bool) -> None:
    """The list has fifty thousand names of missing files in random order."""
    numbers = list(range(50_000))
    random.Random(1).shuffle(numbers)
    path = base.parent / "list"
    path.write_text("".join(f"d/a-rather-long-directory-name/{number:09}\n" for number in numbers))

    def run() -> Iterator[Found]:
        return file_list(FileListOptions(path=str(path)), os.fsencode(base), WalkOptions(), is_sorted=is_sorted)

    tracemalloc.start()
    try:
        assert sum(1 for _ in run()) == 50_000
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_the_activity_names_the_list_or_the_file_being_read(base: Path) -> None:
    """It is the list while the scan waits for more names."""
    path = base.parent / "pipe"
    os.mkfifo(path)
    writing = os.open(path, os.O_RDWR)
    found = file_list(
        FileListOptions(path=str(path), base=str(base)), os.fsencode(base), WalkOptions(), is_sorted=False
    )
    with noted_in(Activity()) as mine:
        os.write(writing, b"a\nd/b\n")
        for name in ("a", "d/b"):
            next(found)
            assert mine.in_hand == os.fsencode(base / name)
        ended = threading.Thread(target=end_when, args=(lambda: mine.in_hand == os.fsencode(path), writing))
        ended.start()
        assert list(found) == []
        ended.join()


async def test_a_list_that_was_begun_can_be_closed_on_the_event_loop(base: Path) -> None:
    """The scan's thread began it; whoever holds its iterator when a run ends early closes it. No descriptor is left."""
    before = len(os.listdir("/proc/self/fd"))
    (base.parent / "list").write_text("a\nd/b\n")
    files = FileListOptions(path=str(base.parent / "list"), base=str(base))

    def begun() -> Iterator[Found]:
        found = file_list(files, os.fsencode(base), WalkOptions(), is_sorted=False)
        next(found)
        return found

    found = await asyncio.get_running_loop().run_in_executor(None, begun)
    assert isinstance(found, Generator)
    found.close()
    assert len(os.listdir("/proc/self/fd")) == before


def end_when(is_time: Callable[[], bool], writing: int) -> None:
    """Close what the list is written into, at that moment or late."""
    for _ in range(500):
        if is_time():
            break
        time.sleep(0.01)
    else:
        os.write(writing, b"it was never told\n")
    os.close(writing)
