"""Whether another file has the name that a compressed one would get."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import SourceError
from bulkput.model import Found, Reason, Skip, SourceFile
from bulkput.sources.suffixed import Taken, could_share_a_name, told_apart


def taken(*roots: Path) -> Taken:
    return Taken(os.fsencode(root) for root in roots)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "d").mkdir(parents=True)
    for name in ("a", "a.gz", "b", "d/c", "d/c.gz", "d/b.gz", "gz"):
        (root / name).touch()
    return root


@pytest.mark.parametrize(
    ("name", "is_taken"),
    [
        (b"a", True),
        (b"b", False),
        (b"c", False),
        (b"d/c", True),
        (b"d/b", True),
        (b"d/a", False),
        (b"a.gz", False),
        (b"d/gz", False),
        (b"not/there", False),
        (b"\xff", False),
    ],
)
def test_a_file_beside_it_takes_the_name(tree: Path, name: bytes, is_taken: bool) -> None:
    """The name with .gz in the same directory, and no other."""
    assert taken(tree)(name) is is_taken


def test_a_name_that_is_not_utf_8_can_be_taken(tree: Path) -> None:
    """Names are bytes."""
    Path(os.fsdecode(os.fsencode(tree) + b"/\xff.gz")).touch()
    assert taken(tree)(b"\xff")


def test_any_source_may_have_the_other_file(tree: Path, tmp_path: Path) -> None:
    """As their names become those of objects: below a directory, or the last part of a lone file's path."""
    other, lone = tmp_path / "other", tmp_path / "elsewhere" / "x.gz"
    for path in (other / "b.gz", lone):
        path.parent.mkdir()
        path.touch()
    assert not taken(tree)(b"b")
    assert taken(tree, other)(b"b") and taken(other, tree)(b"b")
    assert taken(tree, lone)(b"x") and taken(lone)(b"x")
    assert not taken(tree, lone)(b"elsewhere/x")


def test_what_lies_beside_a_lone_file_counts(tree: Path) -> None:
    """It may be the source of the next run: one for each file, say."""
    assert taken(tree / "a")(b"a") and taken(tree / "a", tree / "a.gz")(b"a")
    assert not taken(tree / "b")(b"b") and not taken(tree / "b")(b"a")


def test_it_looks_at_the_disk_each_time(tree: Path) -> None:
    """What came later counts, a link that leads nowhere as well; what is gone does not."""
    ask = taken(tree)
    (tree / "b.gz").symlink_to("nowhere")
    assert ask(b"b")
    (tree / "b.gz").unlink()
    assert not ask(b"b")


def file(name: bytes) -> SourceFile:
    return SourceFile(b"/" + name, name, 1, 2)


def test_files_are_told_apart_once(tree: Path) -> None:
    """By what is on the disk when the walk passes by; what is no file passes as it is."""
    skip: Found = Skip(b"/s", b"s", Reason.EXCLUDED)
    found = [file(b"a"), file(b"a.gz"), file(b"b"), skip]
    assert list(told_apart(found, taken(tree))) == [replace(file(b"a"), keeps_name=True), *found[1:]]


names = st.lists(st.sampled_from([b"a", b"b", b".gz", b"-", b"/"]), min_size=1, max_size=4).map(b"".join)


@given(st.sets(names))
def test_whoever_comes_after_all_to_a_name_that_may_be_used_is_a_collision(
    tmp_path_factory: Any, found: set[bytes]
) -> None:
    """Nothing is on the disk by the time it is asked: then each .gz comes after the file it is called as."""
    nowhere = taken(tmp_path_factory.getbasetemp() / "nowhere")
    told = list(told_apart(map(file, sorted(found)), nowhere))
    collisions = {item.path[1:] for item in told if isinstance(item, SourceError)}
    passed = {item.name for item in told if isinstance(item, SourceFile)}
    assert collisions | passed == found
    assert collisions == {name for name in found if name.endswith(b".gz") and name.removesuffix(b".gz") in passed}


@given(names, names)
def test_names_that_could_be_shared_are_those_of_each_other(one: bytes, other: bytes) -> None:
    """An object is called as its file or with .gz: two files of which one's could be called as the other's."""
    could_be = {one, one + b".gz"} & {other, other + b".gz"}
    assert (other in could_share_a_name(one)) is bool(could_be)
