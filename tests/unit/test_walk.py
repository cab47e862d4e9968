"""A directory tree as a stream of files. Trees are literals: a name and a text is a file, `->` is a link."""

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bulkput.activity import Activity, noted_in
from bulkput.errors import SourceError, UsageError
from bulkput.model import EmptyDirectoryFound, Found, Skip, SourceFile
from bulkput.options import WalkOptions
from bulkput.sources.walk import is_single_file, walk


@dataclass(frozen=True)
class Link:
    to: str


Tree = dict[str, "str | Link | Tree"]
FOLLOW = WalkOptions(follow_symlinks=True)


def make(root: Path, tree: Tree) -> Path:
    root.mkdir(exist_ok=True)
    for name, what in tree.items():
        match what:
            case str():
                (root / name).write_text(what)
            case Link():
                (root / name).symlink_to(what.to)
            case _:
                make(root / name, what)
    return root


def found(*roots: Path, options: WalkOptions | None = None) -> list[Found]:
    return list(walk([os.fsencode(root) for root in roots], options or WalkOptions()))


def told(*roots: Path, options: WalkOptions | None = None) -> list[tuple[str, str]]:
    """Each entry as its name (an error: its path) and what became of it."""
    return [tell(entry) for entry in found(*roots, options=options)]


def tell(entry: Found) -> tuple[str, str]:
    match entry:
        case SourceFile():
            return os.fsdecode(entry.name), "file"
        case Skip():
            return os.fsdecode(entry.name), entry.reason.name
        case SourceError():
            return os.path.basename(os.fsdecode(entry.path)), entry.problem


def test_a_walk_gives_files_in_bytewise_order_of_full_names(tmp_path: Path) -> None:
    """The order is depth-first: `a-` before `a/b` before `a0`."""
    make(tmp_path, {"a": {"b": "", "c": {"d": ""}}, "a-": "", "a.b": {"x": ""}, "a0": "", "B": "", "e": {}})
    names = [name for name, _ in told(tmp_path)]
    assert names == ["B", "a-", "a.b/x", "a/b", "a/c/d", "a0"]
    assert names == sorted(names)


def test_a_file_has_its_path_size_and_mtime(tmp_path: Path) -> None:
    """The precision of the time is a nanosecond."""
    make(tmp_path, {"d": {"a": "12345"}})
    path = tmp_path / "d" / "a"
    os.utime(path, ns=(0, 1_700_000_000_123_456_789))
    assert found(tmp_path) == [SourceFile(os.fsencode(path), b"d/a", 5, 1_700_000_000_123_456_789)]


def test_an_empty_tree_gives_no_entry(tmp_path: Path) -> None:
    """It has neither entries nor errors."""
    assert told(make(tmp_path / "t", {"d": {"e": {}}})) == []


LINKS: Tree = {
    "a": "text",
    "d": {"x": ""},
    "inside": Link("a"),
    "deeper": Link("d/x"),
    "chain": Link("inside"),
    "outside": Link("../other"),
    "chain-out": Link("outside"),
    "to-dir": Link("d"),
    "dangling": Link("nowhere"),
    "not-a-dir": Link("a/x"),
    "self": Link("self"),
    "up": Link("."),
}


def test_only_links_to_files_inside_the_tree_are_taken(tmp_path: Path) -> None:
    """Chains of such links are taken too; other links are skipped with a reason."""
    make(tmp_path, {"tree": LINKS, "other": "elsewhere"})
    assert dict(told(tmp_path / "tree")) == {
        "a": "file",
        "d/x": "file",
        "inside": "file",
        "deeper": "file",
        "chain": "file",
        "outside": "LINK_OUTSIDE",
        "chain-out": "LINK_OUTSIDE",
        "to-dir": "LINK_TO_DIRECTORY",
        "dangling": "LINK_DANGLING",
        "not-a-dir": "LINK_DANGLING",
        "self": "LINK_DANGLING",
        "up": "LINK_TO_DIRECTORY",
    }


def test_follow_symlinks_follows_links_out_of_the_tree(tmp_path: Path) -> None:
    """Directories are followed too; dangling links and loops are skipped."""
    make(tmp_path, {"tree": LINKS, "other": "elsewhere"})
    assert dict(told(tmp_path / "tree", options=FOLLOW)) == {
        "a": "file",
        "d/x": "file",
        "inside": "file",
        "deeper": "file",
        "chain": "file",
        "outside": "file",
        "chain-out": "file",
        "to-dir/x": "file",
        "dangling": "LINK_DANGLING",
        "not-a-dir": "LINK_DANGLING",
        "self": "LINK_DANGLING",
        "up/": "LINK_LOOP",
    }


def test_a_link_is_opened_at_its_checked_target(tmp_path: Path) -> None:
    """A link that is changed later cannot lead out of the tree."""
    make(tmp_path, {"a": "12345", "link": Link("a")})
    link = found(tmp_path)[1]
    assert isinstance(link, SourceFile)
    assert (link.path, link.name, link.size) == (os.fsencode(tmp_path / "link"), b"link", 5)
    assert link.target == os.fsencode((tmp_path / "a").resolve())


def test_a_sibling_directory_with_the_same_prefix_is_outside(tmp_path: Path) -> None:
    """`/x/tree-2` is not below `/x/tree`."""
    make(tmp_path, {"tree": {"l": Link("../tree-2/a")}, "tree-2": {"a": ""}})
    assert told(tmp_path / "tree") == [("l", "LINK_OUTSIDE")]


def test_a_loop_of_two_links_ends(tmp_path: Path) -> None:
    """Each directory is entered at most once on one path."""
    make(tmp_path, {"a": {"to-b": Link("../b"), "f": ""}, "b": {"to-a": Link("../a"), "g": ""}})
    assert told(tmp_path, options=FOLLOW) == [
        ("a/f", "file"),
        ("a/to-b/g", "file"),
        ("a/to-b/to-a/", "LINK_LOOP"),
        ("b/g", "file"),
        ("b/to-a/f", "file"),
        ("b/to-a/to-b/", "LINK_LOOP"),
    ]


def test_a_followed_link_to_a_directory_sorts_like_a_directory(tmp_path: Path) -> None:
    """The order of full names holds: `l-` before `l/x`."""
    make(tmp_path, {"d": {"x": ""}, "l": Link("d"), "l-": "", "l.a": ""})
    names = [name for name, _ in told(tmp_path, options=FOLLOW)]
    assert names == sorted(names) == ["d/x", "l-", "l.a", "l/x"]


def test_a_collision_below_a_followed_link_is_found(tmp_path: Path) -> None:
    """Two files of one name, in two sources, would overwrite each other."""
    make(tmp_path / "one", {"d": {"x": ""}, "l": Link("d"), "l-": ""})
    make(tmp_path / "two", {"l": {"x": ""}, "l-": ""})
    outcomes = told(tmp_path / "one", tmp_path / "two", options=FOLLOW)
    names = [name for name, what in outcomes if what == "file"]
    assert len(names) == len(set(names))
    assert sum(what == "collision" for _, what in outcomes) == 2


@pytest.mark.parametrize("options", [WalkOptions(), FOLLOW])
def test_a_source_may_be_a_link(tmp_path: Path, options: WalkOptions) -> None:
    """Links within it are inside the tree."""
    make(tmp_path, {"tree": {"a": "", "l": Link("a")}, "source": Link("tree")})
    assert told(tmp_path / "source", options=options) == [("a", "file"), ("l", "file")]


@pytest.mark.parametrize("options", [WalkOptions(), FOLLOW])
def test_an_entry_that_is_not_a_regular_file_is_skipped(tmp_path: Path, options: WalkOptions) -> None:
    """FIFOs, sockets and links to a FIFO are skipped; the walk does not wait for a writer."""
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "sock"))
    make(tmp_path, {"to-pipe": Link("pipe")})
    assert told(tmp_path, options=options) == [(name, "NOT_A_FILE") for name in ("pipe", "sock", "to-pipe")]


@contextmanager
def as_nobody() -> Iterator[None]:
    """Permission bits do not apply to root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A directory that everybody may enter; pytest's own is its user's only."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    yield place
    for path in place.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(place)


def test_an_unreadable_directory_is_one_error(open_place: Path) -> None:
    """The error names the directory, and the files next to it are found."""
    make(open_place, {"a": "", "closed": {"x": ""}, "z": ""})
    (open_place / "closed").chmod(0)
    with as_nobody():
        outcomes = found(open_place)
    assert [tell(entry) for entry in outcomes] == [("a", "file"), ("closed", "unreadable"), ("z", "file")]
    assert isinstance(outcomes[1], SourceError)
    assert outcomes[1].path == os.fsencode(open_place / "closed")


def test_files_in_an_unsearchable_directory_are_errors(open_place: Path) -> None:
    """Their names can be read, but not their status."""
    make(open_place, {"half": {"x": "", "y": ""}})
    (open_place / "half").chmod(0o444)
    with as_nobody():
        assert told(open_place) == [("x", "unreadable"), ("y", "unreadable")]


def test_an_unreadable_source_is_one_error(open_place: Path) -> None:
    """It does not look like an empty tree."""
    make(open_place, {"closed": {"x": ""}})
    (open_place / "closed").chmod(0)
    with as_nobody():
        assert told(open_place / "closed") == [("closed", "unreadable")]


def test_a_path_above_path_max_is_an_error(tmp_path: Path) -> None:
    """The error names the path, and the walk continues."""
    at = os.open(tmp_path, os.O_RDONLY)
    for _ in range(25):
        os.mkdir("d" * 200, dir_fd=at)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    make(tmp_path, {"z": ""})
    assert told(tmp_path) == [("d" * 200, "unreadable"), ("z", "file")]


def test_a_file_deleted_after_it_was_listed_is_an_error(tmp_path: Path) -> None:
    """The walk continues."""
    make(tmp_path, {"a": "", "b": "", "c": ""})
    walking = walk([os.fsencode(tmp_path)], WalkOptions())
    assert tell(next(walking)) == ("a", "file")
    (tmp_path / "b").unlink()
    assert [tell(entry) for entry in walking] == [("b", "vanished"), ("c", "file")]


def test_a_directory_deleted_before_it_is_entered_is_an_error(tmp_path: Path) -> None:
    """The walk continues."""
    make(tmp_path, {"a": "", "d": {"x": ""}, "z": ""})
    walking = walk([os.fsencode(tmp_path)], WalkOptions())
    assert tell(next(walking)) == ("a", "file")
    shutil.rmtree(tmp_path / "d")
    assert [tell(entry) for entry in walking] == [("d", "vanished"), ("z", "file")]


def test_a_source_deleted_after_the_start_is_an_error(tmp_path: Path) -> None:
    """It was there when the run began."""
    tree = make(tmp_path / "tree", {"a": ""})
    walking = walk([os.fsencode(tree)], WalkOptions())
    shutil.rmtree(tree)
    assert [tell(entry) for entry in walking] == [("tree", "vanished")]


def test_an_excluded_directory_is_reported_once_and_not_entered(tmp_path: Path) -> None:
    """It gives one entry for the whole tree below."""
    make(tmp_path, {"cache": {"x": "", "y": {}}, "a": {"cache": {"z": ""}, "b.tmp": "", "b": ""}})
    outcomes = told(tmp_path, options=WalkOptions(exclude=("cache/", "*.tmp")))
    assert outcomes == [
        ("a/b", "file"),
        ("a/b.tmp", "EXCLUDED"),
        ("a/cache/", "EXCLUDED"),
        ("cache/", "EXCLUDED"),
    ]


@pytest.mark.parametrize("options", [WalkOptions(exclude=("l*",)), FOLLOW])
def test_filters_match_the_name_of_a_link(tmp_path: Path, options: WalkOptions) -> None:
    """The name of its target does not matter."""
    make(tmp_path, {"a": "", "link": Link("a")})
    expected = "file" if options.follow_symlinks else "EXCLUDED"
    assert told(tmp_path, options=options) == [("a", "file"), ("link", expected)]


def test_empty_directories_are_reported_on_request(tmp_path: Path) -> None:
    """Directories with only excluded files, only empty directories, or the source itself are not."""
    make(tmp_path, {"a": {}, "b": {"c": {}}, "d": {"x.tmp": ""}, "e": ""})
    options = WalkOptions(exclude=("*.tmp",))
    told = list(walk([os.fsencode(tmp_path)], options, tells_empty=True))
    empty = [os.fsencode(tmp_path / name) for name in ("a", "b/c")]
    assert [each.path for each in told if isinstance(each, EmptyDirectoryFound)] == empty
    assert not any(isinstance(each, EmptyDirectoryFound) for each in found(tmp_path, options=options))
    assert list(walk([os.fsencode(tmp_path / "a")], WalkOptions(), tells_empty=True)) == []


def test_limits_of_age_and_size_hold_for_links_and_lone_files(tmp_path: Path) -> None:
    """A link has the size and the time of its target."""
    make(tmp_path, {"d": {"big": "12", "small": "1", "link": Link("big")}, "lone": "12"})
    options = WalkOptions(max_size=1)
    assert told(tmp_path / "d", tmp_path / "lone", options=options) == [
        ("big", "TOO_LARGE"),
        ("link", "TOO_LARGE"),
        ("lone", "TOO_LARGE"),
        ("small", "file"),
    ]
    os.utime(tmp_path / "d" / "small", (0, 0))
    assert told(tmp_path / "d", options=WalkOptions(max_age_s=60, max_size=1))[-1] == ("small", "TOO_OLD")


def test_another_file_system_is_not_entered(tmp_path: Path) -> None:
    """The device of the directory decides, as in `find -xdev`."""
    make(tmp_path, {"a": "", "proc": Link("/proc/self")})
    options = WalkOptions(one_file_system=True, follow_symlinks=True)
    assert told(tmp_path, options=options) == [("a", "file"), ("proc/", "OTHER_FILE_SYSTEM")]


def test_an_include_takes_only_matching_files(tmp_path: Path) -> None:
    """It matches at any depth, and other files count as excluded."""
    make(tmp_path, {"d": {"a.txt": "", "b.jpg": ""}, "c.txt": ""})
    outcomes = told(tmp_path, options=WalkOptions(include=("*.txt",)))
    assert outcomes == [("c.txt", "file"), ("d/a.txt", "file"), ("d/b.jpg", "EXCLUDED")]


def test_an_invalid_pattern_is_a_usage_error_at_once(tmp_path: Path) -> None:
    """The error is raised before anything is read."""
    with pytest.raises(UsageError):
        walk([os.fsencode(tmp_path)], WalkOptions(exclude=("!",)))


def test_several_sources_are_merged_in_order(tmp_path: Path) -> None:
    """Directories give their contents, and files give themselves."""
    make(tmp_path, {"one": {"b": "", "d": {"x": ""}}, "two": {"a": "", "d": {"y": ""}}, "c": ""})
    assert told(tmp_path / "one", tmp_path / "two", tmp_path / "c") == [
        (name, "file") for name in ("a", "b", "c", "d/x", "d/y")
    ]


def test_a_name_from_two_sources_is_sent_once(tmp_path: Path) -> None:
    """The first source wins; each other file is an error with its path."""
    make(tmp_path, {"one": {"a": "1", "b": ""}, "two": {"a": "22"}, "a": "333"})
    outcomes = found(tmp_path / "one", tmp_path / "two", tmp_path / "a")
    assert [tell(entry) for entry in outcomes] == [
        ("a", "file"), ("a", "collision"), ("a", "collision"), ("b", "file"),
    ]  # fmt: skip
    assert [entry.path for entry in outcomes[:3] if not isinstance(entry, Skip)] == [
        os.fsencode(tmp_path / path) for path in ("one/a", "two/a", "a")
    ]


def test_a_skipped_entry_causes_no_collision(tmp_path: Path) -> None:
    """It is not sent."""
    make(tmp_path, {"one": {"a": Link("nowhere")}, "two": {"a": ""}})
    assert told(tmp_path / "one", tmp_path / "two") == [("a", "LINK_DANGLING"), ("a", "file")]


def test_an_error_in_one_source_does_not_affect_the_others(tmp_path: Path) -> None:
    """Errors without a name keep their place, and names stay in order."""
    one = make(tmp_path / "one", {"a": "", "c": "", "e": ""})
    two = make(tmp_path / "two", {"b": "", "d": ""})
    walking = walk([os.fsencode(one), os.fsencode(two)], WalkOptions())
    outcomes = [tell(next(walking))]
    (one / "e").unlink()
    outcomes += map(tell, walking)
    assert [name for name, what in outcomes if what == "file"] == ["a", "b", "c", "d"]
    assert [name for name, what in outcomes if what == "vanished"] == ["e"]


def test_a_file_source_has_its_own_name(tmp_path: Path) -> None:
    """The directories of its path do not count; a link to a file counts as the file."""
    make(tmp_path, {"d": {"a": "12"}, "l": Link("d/a")})
    assert told(tmp_path / "d" / "a") == [("a", "file")]
    assert told(tmp_path / "l") == [("l", "file")]


@pytest.mark.parametrize("name", ["gone", "a/x", "sock", "dangling"])
def test_a_source_that_is_neither_file_nor_directory_is_a_usage_error(tmp_path: Path, name: str) -> None:
    """The error names the source before anything is sent."""
    make(tmp_path, {"a": "", "dangling": Link("nowhere")})
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "sock"))
    with pytest.raises(UsageError, match=f"source .*{name}: "):
        walk([os.fsencode(tmp_path / "a"), os.fsencode(tmp_path / name)], WalkOptions())


def test_only_a_single_file_may_have_an_exact_destination(tmp_path: Path) -> None:
    """Directories, several files and missing files may not."""
    make(tmp_path, {"a": "", "b": "", "l": Link("a")})
    a, b, link, here, gone = (os.fsencode(tmp_path / name) for name in ("a", "b", "l", ".", "gone"))
    assert is_single_file([a])
    assert is_single_file(iter([link]))
    assert not any(map(is_single_file, ([a, b], [here], [gone], [])))


def test_the_activity_names_the_path_that_the_walk_waits_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a directory while it is read, and a file while its status is read."""
    root = make(tmp_path / "tree", {"a": "x", "d": {"b": "x", "e": {}}, "z": "x"})
    asked: list[tuple[str, bytes, object]] = []
    with noted_in(Activity()) as mine:
        for name in ("stat", "lstat", "scandir"):
            monkeypatch.setattr(os, name, noting(name, getattr(os, name), asked, mine))
        walking = walk([os.fsencode(root)], WalkOptions())
        del asked[:]  # the first look at the source, before the walk
        list(walking)
    monkeypatch.undo()
    assert [(name, path) for name, path, in_hand in asked if path != in_hand] == []
    paths = {os.fsdecode(path).removeprefix(str(root)) for name, path, _ in asked if name != "stat"}
    assert paths >= {"", "/a", "/d", "/d/b", "/d/e", "/z"}


def noting(name: str, call: Callable[..., Any], asked: list[tuple[str, bytes, object]], mine: Activity) -> Any:
    """The system call, which notes what was in hand when it was asked."""

    def asks(path: bytes, *arguments: Any, **more: Any) -> Any:
        asked.append((name, path, mine.in_hand))
        return call(path, *arguments, **more)

    return asks
