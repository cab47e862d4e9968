"""Object names with `--gzip-as suffix` and `--gzip-except`: by a file's name alone, and no two files get one."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from bulkput.errors import SourceError, UsageError
from bulkput.journal.known import JournalledUploads
from bulkput.model import Found, KnownFiles, SourceFile
from bulkput.options import FileListOptions, GzipOptions, WalkOptions
from bulkput.policy.gzip_names import GzipNames, SharedNames
from bulkput.sources.file_list import file_list
from bulkput.sources.walk import walk
from tests.unit.test_journal import uploaded, write

ALL = GzipNames(GzipOptions(mode="always", store_as="suffix"))


def except_(*patterns: str, source: Iterable[bytes] = ()) -> GzipNames:
    return GzipNames(GzipOptions(mode="always", store_as="suffix", exclude=patterns), source=source)


@pytest.mark.parametrize(
    ("patterns", "name", "suffix"),
    [
        ((), b"a.gz", ".gz"),
        (("*.gz",), b"a.gz", ""),
        (("*.gz",), b"d/a.gz", ""),
        (("*.gz",), b"a.GZ", ".gz"),
        (("*.gz",), b"a.txt", ".gz"),
        (("/*.gz",), b"d/a.gz", ".gz"),
        (("media/",), b"media/films/a", ""),
        (("media/",), b"media", ".gz"),
        (("*", "!*.txt"), b"a.txt", ".gz"),
        (("*", "!*.txt"), b"a", ""),
        (("./d/*",), b"d/a", ""),
        (("",), b"a", ".gz"),
        (("\udcff",), b"\xff", ""),
        (("*.gz",), b"a\nb.gz", ""),
    ],
)
def test_patterns_are_those_of_the_filters(patterns: tuple[str, ...], name: bytes, suffix: str) -> None:
    """gitignore syntax, relative to the source, for any name."""
    names = except_(*patterns)
    assert (names.suffix(name), names.excludes(name)) == (suffix, not suffix)


def test_a_pattern_may_begin_with_the_path_of_the_only_source() -> None:
    """As a shell completes it."""
    assert except_("/srv/site/a", source=[b"/srv/site"]).excludes(b"a")
    assert not except_("/srv/site/a").excludes(b"a")


def test_a_pattern_that_is_no_gitignore_syntax_is_refused() -> None:
    """When the rule is made, before anything is looked at."""
    with pytest.raises(UsageError, match="not a gitignore pattern"):
        except_("!")


@pytest.mark.parametrize("mode", ["auto", "always"])
def test_without_the_suffix_all_objects_keep_the_names_of_their_files(mode: str) -> None:
    """Excluded or not; and nothing is excluded from a run that does not compress."""
    names = GzipNames(GzipOptions(mode=mode, exclude=("*.gz",)))  # type: ignore[arg-type]
    assert names.excludes(b"a.gz") and not names.excludes(b"a")
    assert (names.suffix(b"a"), names.files_of(b"a.gz")) == ("", (b"a.gz",))
    assert not names.can_be_shared(with_directories=True)
    assert not GzipNames(GzipOptions(exclude=("*.gz",))).excludes(b"a.gz")


@pytest.mark.parametrize(
    ("name", "files"),
    [
        (b"a.gz", (b"a", b"a.gz")),
        (b"a.log.gz", (b"a.log",)),
        (b"a.png", (b"a.png",)),
        (b"a.png.gz", (b"a.png.gz",)),
        (b"a", ()),
        (b".gz", (b".gz",)),
        (b"d/.gz", (b"d/.gz",)),
    ],
)
def test_an_object_has_at_most_two_files_that_it_may_be_of(name: bytes, files: tuple[bytes, ...]) -> None:
    """The one that got .gz, and the excluded one that had it."""
    assert except_("*.gz", "!*.log.gz", "*.png").files_of(name) == files


def test_a_pattern_that_matches_nothing_is_told() -> None:
    """Where every name is asked about: with the suffix. A comment as well."""
    names = except_("*.gz", "*.JPEG", "#x")
    assert names.excludes(b"a.gz")
    assert [line.split(" matche")[0] for line in names.useless()] == [
        "`gzip.exclude` '*.JPEG'",
        "`gzip.exclude` '#x' is a comment in gitignore syntax and",
    ]
    assert GzipNames(GzipOptions(mode="auto", exclude=("*.JPEG",))).useless() == []


def test_the_chain_of_names_is_no_longer_than_the_last_name() -> None:
    """Bounded memory, and the owner is found at the bottom of the chain too."""
    shared = SharedNames(except_("*.gz"))
    for name in (b"a", b"a-", b"a--", b"a---", b"a--0"):
        assert shared.owner(name, is_directory=False) is None
    assert len(shared._chain) == 4
    assert shared.owner(b"a-.gz", is_directory=False) == b"a-"
    assert shared.owner(b"a.gz", is_directory=False) == b"a"
    assert shared.owner(b"b.gz", is_directory=False) is None
    assert not shared._chain


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two files for p/a.gz, and names that sort between them."""
    root = tmp_path / "tree"
    for name in ("a", "a+", "a-b/c", "a.gz", "b.gz", "d/a", "d/a.gz/x"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def told(found: Iterable[Found]) -> list[str]:
    """Each name, `!` before those that collide, `/` behind directories; `known N`."""
    lines = []
    for each in found:
        match each:
            case KnownFiles():
                lines.append(f"known {each.count}")
            case SourceError():
                assert (each.problem, "is stored under this name, compressed" in each.detail) == ("collision", True)
                lines.append("!" + os.fsdecode(os.path.basename(each.path)))
            case SourceFile():
                lines.append(each.name.decode() + "/" * each.is_directory)
    return lines


EVERY = ["a", "a+", "a-b/c", "!a.gz", "b.gz", "d/a", "d/a.gz/x"]


def test_the_second_file_of_an_object_name_fails(tree: Path) -> None:
    """One source; without exclusions there are no two."""
    root = os.fsencode(tree)
    assert told(walk([root], WalkOptions(), gzip=except_("*.gz"))) == EVERY
    assert "!a.gz" not in told(walk([root], WalkOptions(), gzip=ALL))


def test_two_sources_and_lone_files_are_looked_at_together(tree: Path, tmp_path: Path) -> None:
    """The files for one object name lie in two of them."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "x.gz").touch()
    (tmp_path / "x").touch()
    roots = [os.fsencode(tmp_path / "x"), os.fsencode(other)]
    assert told(walk(roots, WalkOptions(), gzip=except_("*.gz"))) == ["x", "!x.gz"]
    assert told(walk(reversed(roots), WalkOptions(), gzip=except_("*.gz"))) == ["x", "!x.gz"]
    assert told(walk([os.fsencode(tree), roots[1]], WalkOptions(), gzip=except_("*.gz"))) == [*EVERY, "x.gz"]


def test_a_directory_gets_no_marker_under_the_name_of_a_files_object(tree: Path) -> None:
    """It is passed over, since a marker holds nothing; also without exclusions."""
    found = told(walk([os.fsencode(tree)], WalkOptions(), gzip=ALL, with_directories=True))
    assert found == ["a", "a+", "a-b/", "a-b/c", "a.gz", "b.gz", "d/", "d/a", "d/a.gz/x"]
    found = told(walk([os.fsencode(tree)], WalkOptions(), gzip=except_("d/"), with_directories=True))
    assert found[-4:] == ["d/", "d/a", "d/a.gz/", "d/a.gz/x"]


def test_what_a_filter_leaves_out_takes_no_name(tree: Path) -> None:
    """So that excluding one of two files is the way out."""
    walk_options = WalkOptions(exclude=("/a",))
    assert told(walk([os.fsencode(tree)], walk_options, gzip=except_("*.gz")))[:3] == ["a+", "a-b/c", "a.gz"]


def test_a_list_is_sorted_where_files_may_share_a_name(tree: Path, tmp_path: Path) -> None:
    """Else it comes in its own order."""
    names = tmp_path / "list"
    names.write_text("b.gz\na.gz\na\n")
    files, root = FileListOptions(path=str(names)), os.fsencode(tree)
    found = file_list(files, root, WalkOptions(), is_sorted=False, gzip=except_("*.gz"))
    assert told(found) == ["a", "!a.gz", "b.gz"]
    assert told(file_list(files, root, WalkOptions(), is_sorted=False, gzip=ALL)) == ["b.gz", "a.gz", "a"]


@pytest.mark.parametrize("is_list", [False, True])
def test_a_file_that_a_journal_knows_keeps_its_object_name(tree: Path, tmp_path: Path, is_list: bool) -> None:
    """`a` is counted as known, and its object is not overwritten by what comes later."""
    root, status = os.fsencode(tree), (tree / "a").stat()
    row = uploaded(os.fsencode(tree / "a"), "a.gz", size=status.st_size, mtime_ns=status.st_mtime_ns)
    write(tmp_path / "j", row)
    gzip = except_("*.gz")

    def earlier() -> JournalledUploads:
        return JournalledUploads(
            os.fsencode(tmp_path / "j"), lambda name, is_directory: name + gzip.suffix(name).encode()
        )

    if is_list:
        (tmp_path / "list").write_text("a.gz\na\n")
        files = FileListOptions(path=str(tmp_path / "list"))
        found = file_list(files, root, WalkOptions(), earlier(), is_sorted=False, gzip=gzip)
        assert told(found) == ["known 1", "!a.gz"]
    else:
        assert told(walk([root], WalkOptions(), earlier, gzip=gzip)) == ["known 1", *EVERY[1:]]


def test_the_name_of_an_object_must_not_depend_on_what_a_file_holds() -> None:
    """GzipOptions(mode="auto", store_as="suffix") is refused, in one sentence that says what to do."""
    with pytest.raises(
        UsageError,
        match=r"`gzip.store_as='suffix'` wants `gzip.mode='always'`.*`gzip.exclude` matches keep their names",
    ):
        GzipOptions(mode="auto", store_as="suffix")
