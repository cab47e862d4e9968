"""Random trees on the real file system: every file once, in bytewise order of the full names."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from bulkput.model import SourceFile
from bulkput.options import FileListOptions, WalkOptions
from bulkput.sources.directory import entries
from bulkput.sources.file_list import file_list
from bulkput.sources.walk import walk

Tree = dict[bytes, "Tree | None"]

parts = st.text(st.sampled_from("ab-./0\n \x7f"), min_size=1, max_size=3).map(str.encode) | st.binary(
    min_size=1, max_size=3
)
names = parts.filter(lambda name: name not in (b".", b"..") and not set(name) & {0, ord("/")})
trees: st.SearchStrategy[Tree] = st.recursive(
    st.dictionaries(names, st.none(), max_size=4),
    lambda below: st.dictionaries(names, st.none() | below, max_size=4),
    max_leaves=12,
)
"""A name and None is a file, a name and a tree is a directory. Names that sort around `/` are frequent."""


@contextmanager
def on_disk(tree: Tree) -> Iterator[bytes]:
    with tempfile.TemporaryDirectory() as root:
        build(os.fsencode(root), tree)
        yield os.fsencode(root)


def build(at: bytes, tree: Tree) -> None:
    for name, below in tree.items():
        path = os.path.join(at, name)
        if below is None:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        else:
            os.mkdir(path)
            build(path, below)


def full_names(tree: Tree, above: bytes = b"") -> Iterator[bytes]:
    for name, below in tree.items():
        if below is None:
            yield above + name
        else:
            yield from full_names(below, above + name + b"/")


@settings(max_examples=60)
@given(trees, st.sampled_from([1, 2, 3, 1000]))
def test_a_walk_gives_every_file_once_in_bytewise_order(tree: Tree, in_memory: int) -> None:
    """The walk is depth-first and bounded in memory; its order is that of a store's listing."""
    with on_disk(tree) as root:
        found = list(walk([root], WalkOptions(entries_in_memory=in_memory)))
        assert [file.name for file in found if isinstance(file, SourceFile)] == sorted(full_names(tree))
        assert all(isinstance(file, SourceFile) and file.path == os.path.join(root, file.name) for file in found)


@settings(max_examples=40)
@given(trees, st.randoms(use_true_random=False), st.sampled_from([b"", b"./", b".//x/../"]))
def test_a_list_of_all_files_gives_the_same_files_as_a_walk(tree: Tree, random: Random, spelling: bytes) -> None:
    """Names in any order and spelling, once or twice, give the same files in the same order."""
    with on_disk(tree) as root, tempfile.NamedTemporaryFile() as file:
        names = [*full_names(tree), *(spelling + name for name in full_names(tree))]
        random.shuffle(names)
        file.write(b"\0".join(names))
        file.flush()
        files = FileListOptions(path=file.name, is_null=True)
        listed = list(file_list(files, root, WalkOptions(), is_sorted=True))
        assert listed == list(walk([root], WalkOptions()))
        unsorted = list(file_list(files, root, WalkOptions(), is_sorted=False))
        assert sorted(each.path for each in unsorted if isinstance(each, SourceFile)) == sorted(
            os.path.join(root, name) for name in full_names(tree)
        )


@settings(max_examples=40)
@given(trees, trees)
def test_two_sources_are_one_stream_in_order(one: Tree, other: Tree) -> None:
    """Each name gives one file; the same name in the other source is a collision error."""
    with on_disk(one) as first, on_disk(other) as second:
        found = list(walk([first, second], WalkOptions()))
    both = sorted([*full_names(one), *full_names(other)])
    assert [file.name for file in found if isinstance(file, SourceFile)] == sorted(set(both))
    assert len(found) == len(both)


@settings(max_examples=40)
@given(st.sets(names, max_size=12), st.integers(1, 13))
def test_sorting_on_disk_equals_sorting_in_memory(found: set[bytes], in_memory: int) -> None:
    """This holds for all names and for every limit of entries in memory."""
    with on_disk(dict.fromkeys(found)) as root:
        assert [name for name, _ in entries(root, in_memory=in_memory)] == sorted(found)
