"""No two files get one object name: either they get two, or the second is a collision. For any names and patterns."""

from collections.abc import Iterator
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import SourceError
from bulkput.model import SourceFile
from bulkput.options import GzipOptions, NamingOptions, WalkOptions
from bulkput.policy.gzip_names import GzipNames
from bulkput.policy.scope import Root, scope_of
from bulkput.sources.merged import named, without_collisions

parts = st.lists(st.sampled_from([b"a", b"b", b".gz", b"-", b".", b"%", b"\xff", b"\xc3\xa9"]), min_size=1, max_size=4)
paths = st.lists(parts.map(b"".join).filter(lambda part: part not in (b".", b"..")), min_size=1, max_size=2)
names = paths.map(b"/".join)
patterns = st.lists(
    st.sampled_from(["*.gz", "!*.gz", "a*", "!a*.gz", "*b", "/a/", "a.gz", "!a.gz", "*.gz.gz", "*", ""]), max_size=4
)


def gzip_of(exclude: list[str]) -> GzipNames:
    return GzipNames(GzipOptions(mode="always", store_as="suffix", exclude=tuple(exclude)))


def entries(root: bytes, files: set[bytes], directories: set[bytes]) -> Iterator[SourceFile]:
    """As a walk yields them; the test makes no tree, and a file may have the name of a directory above another."""
    for name, is_directory in sorted([(n, False) for n in files] + [(n, True) for n in directories - files]):
        yield SourceFile(root + b"/" + name, name, 1, 1, is_directory=is_directory)


@given(st.sets(names), st.sets(names), st.sets(names), patterns, st.sampled_from(["strict", "percent"]))
def test_two_files_never_get_one_object_name_without_a_collision_error(
    one: set[bytes],
    other: set[bytes],
    directories: set[bytes],
    exclude: list[str],
    encode: Literal["strict", "percent"],
) -> None:
    """Each file of two sources passes or fails; a file fails only if its object name is taken."""
    gzip = gzip_of(exclude)
    if encode == "strict":
        one, other, directories = ({n for n in each if b"\xff" not in n} for each in (one, other, directories))
    scope = scope_of([Root(b"/1"), Root(b"/2")], NamingOptions(prefix="p/", encode=encode), WalkOptions(), gzip=gzip)
    sources = [entries(b"/1", one, directories), entries(b"/2", other, set())]
    found = list(without_collisions([named(b"/1", sources[0], None), named(b"/2", sources[1], None)], gzip))
    passed = [each for each in found if isinstance(each, SourceFile)]
    failed = [each for each in found if isinstance(each, SourceError)]
    keys = [scope.key(each.name, is_directory=each.is_directory) for each in passed]
    assert len(set(keys)) == len(keys)
    files = [each for each in passed if not each.is_directory]
    assert sorted(each.path for each in (*files, *failed)) == sorted(
        [*(b"/1/" + name for name in one), *(b"/2/" + name for name in other)]
    )
    assert {scope.key(each.path[3:]) for each in failed} <= {scope.key(each.name) for each in files}


@given(names, names, patterns)
def test_files_of_is_the_inverse_of_suffix(name: bytes, other: bytes, exclude: list[str]) -> None:
    """A file is among `files_of(object)` exactly if its name plus its suffix is that object's name."""
    gzip = gzip_of(exclude)
    stored = name + gzip.suffix(name).encode()
    assert name in gzip.files_of(stored)
    for file in (name, other, other + b".gz"):
        assert (file in gzip.files_of(stored)) is (file + gzip.suffix(file).encode() == stored)
