"""Files that a list names."""

import os
import random
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
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


def test_each_name_is_one_finding_in_the_order_of_the_list(base: Path) -> None:
    """A missing one fails alone; empty lines and the base itself are nothing; the last line needs no end."""
    assert told(base, b"d/b\n\nnone\n.\na/none\nd\na") == [
        ("d/b", "file"),
        ("none", "vanished"),
        ("a/none", "vanished"),
        ("d", "listed_directory"),
        ("a", "file"),
    ]


@pytest.mark.parametrize("is_sorted", [False, True])
def test_a_name_that_comes_twice_is_found_once(base: Path, is_sorted: bool) -> None:
    """However it is spelt."""
    text = f"a\n./a\n{base}/a\nd/../a\na\nd/b\n".encode()
    assert told(base, text, is_sorted=is_sorted) == [("a", "file"), ("d/b", "file")]


def test_names_can_be_had_in_bytewise_order(base: Path) -> None:
    """As a store lists them, and a journal keeps them: what leads out of the base has its place as well."""
    text = b"in/b\nd/b\n/etc/x\na\n../x\n"
    assert [name for name, _ in told(base, text, is_sorted=True)] == ["../x", "/etc/x", "a", "d/b", "in/b"]


def test_nothing_leads_out_of_the_base(base: Path) -> None:
    """Neither a name nor a link above the file; a link inside the base does not."""
    (base.parent / "secret").write_text("s")
    assert told(base, b"../secret\n/etc/passwd\nout/passwd\nin/b\nto-b\nout\nd/../../secret\n") == [
        ("../secret", "name"),
        ("/etc/passwd", "name"),
        ("out/passwd", "link_outside"),
        ("in/b", "file"),
        ("to-b", "file"),
        ("out", "link_to_directory"),
    ]


def test_links_are_followed_where_that_is_asked_for(base: Path) -> None:
    """Out of the base as well; a directory behind a link is a directory."""
    options = WalkOptions(follow_symlinks=True)
    text = b"out/passwd\nin\nin/b\nnowhere\n"
    assert told(base, text, options) == [
        ("out/passwd", "file"),
        ("in", "listed_directory"),
        ("in/b", "file"),
        ("nowhere", "link_dangling"),
    ]


def test_what_is_no_file_is_skipped(base: Path) -> None:
    """As in a walk."""
    assert told(base, b"fifo\nnowhere\n") == [("fifo", "not_a_file"), ("nowhere", "link_dangling")]


def test_filters_see_listed_names_as_they_see_those_of_a_walk(base: Path) -> None:
    """A directory that is excluded is not entered, whatever the list says; limits of size hold."""
    assert told(base, b"a\nd/b\n", WalkOptions(exclude=("d/",))) == [("a", "file"), ("d/b", "excluded")]
    assert told(base, b"a\nd/b\n", WalkOptions(include=("b",))) == [("a", "excluded"), ("d/b", "file")]
    assert told(base, b"a\nd/b\n", WalkOptions(min_size=2)) == [("a", "too_small"), ("d/b", "file")]


def test_names_that_end_in_nul_may_have_line_ends_in_them(base: Path) -> None:
    """What `find -print0` is for; without --null such a list fails by a sentence."""
    (base / "two\nlines").write_text("")
    assert told(base, b"two\nlines\0a\0", is_null=True) == [("two\nlines", "file"), ("a", "file")]
    assert [problem for _, problem in told(base, b"a\0d/b\0")] == ["name"]


def test_a_line_that_is_longer_than_any_name_fails_alone(base: Path) -> None:
    """And is not held: a list of another kind may be one line of gigabytes."""
    endless = b"x" * 1_000_000
    found = told(base, b"a\n" + endless + b"\nd/b\n")
    assert [problem for _, problem in found] == ["file", "unreadable", "file"]


@pytest.mark.parametrize("path", ["none", "base"])
def test_a_list_that_cannot_be_read_is_a_usage_error(base: Path, path: str) -> None:
    """Before anything is sent."""
    files = FileListOptions(path=str(base.parent / path), base=str(base))
    with pytest.raises(UsageError, match=r"`files.path` .*: (No such file|Is a directory)"):
        file_list(files, os.fsencode(base), WalkOptions(), is_sorted=False)


def test_a_base_that_is_no_directory_is_a_usage_error(base: Path) -> None:
    """The same."""
    with pytest.raises(UsageError, match="not a directory"):
        file_list(FileListOptions(path="/dev/null"), os.fsencode(base / "a"), WalkOptions(), is_sorted=False)


def test_directories_have_their_markers_where_these_are_wanted(base: Path) -> None:
    """Those that the list names."""
    (base.parent / "list").write_text("d\nd/b\n")
    files = FileListOptions(path=str(base.parent / "list"), base=str(base))
    found = list(file_list(files, os.fsencode(base), WalkOptions(), is_sorted=False, with_directories=True))
    assert [(each.name, each.is_directory) for each in found if isinstance(each, SourceFile)] == [
        (b"d", True),
        (b"d/b", False),
    ]


@pytest.mark.parametrize("is_sorted", [False, True])
def test_memory_does_not_depend_on_the_length_of_the_list(base: Path, is_sorted: bool) -> None:
    """Fifty thousand names, none of them there, in no order."""
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


def test_what_is_looked_at_is_in_hand(base: Path) -> None:
    """The list while more of it is waited for, and else the file that it names."""
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


def end_when(is_time: Callable[[], bool], writing: int) -> None:
    """Close what the list is written into, at that moment or late."""
    for _ in range(500):
        if is_time():
            break
        time.sleep(0.01)
    else:
        os.write(writing, b"it was never told\n")
    os.close(writing)
