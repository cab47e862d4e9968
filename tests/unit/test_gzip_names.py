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
def test_gzip_exclude_patterns_have_gitignore_syntax(patterns: tuple[str, ...], name: bytes, suffix: str) -> None:
    """They are relative to the source and match names of any bytes."""
    names = except_(*patterns)
    assert (names.suffix(name), names.excludes(name)) == (suffix, not suffix)


def test_a_gzip_exclude_pattern_may_begin_with_the_only_source() -> None:
    """Shells complete paths in this form."""
    assert except_("/srv/site/a", source=[b"/srv/site"]).excludes(b"a")
    assert not except_("/srv/site/a").excludes(b"a")


def test_an_invalid_gzip_exclude_pattern_is_refused() -> None:
    """The error is raised before any file is looked at."""
    with pytest.raises(UsageError, match="not a gitignore pattern"):
        except_("!")


@pytest.mark.parametrize("mode", ["auto", "always"])
def test_without_the_suffix_option_objects_keep_their_file_names(mode: str) -> None:
    """Excluded files do too; without compression nothing is excluded."""
    names = GzipNames(GzipOptions(mode=mode, exclude=("*.gz",)))  # type: ignore[arg-type]
    assert names.excludes(b"a.gz") and not names.excludes(b"a")
    assert (names.suffix(b"a"), names.files_of(b"a.gz")) == ("", (b"a.gz",))
    assert not names.can_be_shared(with_directories=True)
    assert not GzipNames(GzipOptions(exclude=("*.gz",))).excludes(b"a.gz")
    assert GzipNames(GzipOptions(exclude=("*.gz",)), compresses=True).excludes(b"a.gz"), "a rule compresses"


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
def test_an_object_belongs_to_at_most_two_files(name: bytes, files: tuple[bytes, ...]) -> None:
    """One file gets the suffix .gz, and the other is excluded and has it already."""
    assert except_("*.gz", "!*.log.gz", "*.png").files_of(name) == files


def test_a_gzip_exclude_pattern_without_a_match_is_reported() -> None:
    """It is reported only with the suffix, where each name is checked; comments are reported too."""
    names = except_("*.gz", "*.JPEG", "#x")
    assert names.excludes(b"a.gz")
    assert [line.split(" matche")[0] for line in names.useless()] == [
        "`gzip.exclude` '*.JPEG'",
        "`gzip.exclude` '#x' is a comment in gitignore syntax and",
    ]
    assert GzipNames(GzipOptions(mode="auto", exclude=("*.JPEG",))).useless() == []


def test_shared_names_hold_no_more_entries_than_the_last_name_has_bytes() -> None:
    """Memory is bounded, and the oldest owner is still found."""
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


def test_the_second_file_for_an_object_name_fails(tree: Path) -> None:
    """Without exclusions, no two files of one source share an object name."""
    root = os.fsencode(tree)
    assert told(walk([root], WalkOptions(), gzip=except_("*.gz"))) == EVERY
    assert "!a.gz" not in told(walk([root], WalkOptions(), gzip=ALL))


def test_files_of_two_sources_with_one_object_name_collide(tree: Path, tmp_path: Path) -> None:
    """The sources are a file and a directory."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "x.gz").touch()
    (tmp_path / "x").touch()
    roots = [os.fsencode(tmp_path / "x"), os.fsencode(other)]
    assert told(walk(roots, WalkOptions(), gzip=except_("*.gz"))) == ["x", "!x.gz"]
    assert told(walk(reversed(roots), WalkOptions(), gzip=except_("*.gz"))) == ["x", "!x.gz"]
    assert told(walk([os.fsencode(tree), roots[1]], WalkOptions(), gzip=except_("*.gz"))) == [*EVERY, "x.gz"]


def test_a_directory_gets_no_marker_under_the_name_of_a_files_object(tree: Path) -> None:
    """The marker is left out, since it is empty; this also holds without exclusions."""
    found = told(walk([os.fsencode(tree)], WalkOptions(), gzip=ALL, with_directories=True))
    assert found == ["a", "a+", "a-b/", "a-b/c", "a.gz", "b.gz", "d/", "d/a", "d/a.gz/x"]
    found = told(walk([os.fsencode(tree)], WalkOptions(), gzip=except_("d/"), with_directories=True))
    assert found[-4:] == ["d/", "d/a", "d/a.gz/", "d/a.gz/x"]


def test_a_filtered_file_takes_no_object_name(tree: Path) -> None:
    """Excluding one of two files resolves their collision."""
    walk_options = WalkOptions(exclude=("/a",))
    assert told(walk([os.fsencode(tree)], walk_options, gzip=except_("*.gz")))[:3] == ["a+", "a-b/c", "a.gz"]


def test_a_list_is_sorted_if_files_may_share_an_object_name(tree: Path, tmp_path: Path) -> None:
    """Other lists keep their own order."""
    names = tmp_path / "list"
    names.write_text("b.gz\na.gz\na\n")
    files, root = FileListOptions(path=str(names)), os.fsencode(tree)
    found = file_list(files, root, WalkOptions(), is_sorted=False, gzip=except_("*.gz"))
    assert told(found) == ["a", "!a.gz", "b.gz"]
    assert told(file_list(files, root, WalkOptions(), is_sorted=False, gzip=ALL)) == ["b.gz", "a.gz", "a"]


@pytest.mark.parametrize("is_list", [False, True])
def test_a_file_in_the_journal_keeps_its_object_name(tree: Path, tmp_path: Path, is_list: bool) -> None:
    """`a` counts as known, and no later file overwrites its object."""
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


def test_auto_compression_with_suffixes_is_refused() -> None:
    """An object's name must not depend on the file's content; the error names the alternatives."""
    with pytest.raises(
        UsageError,
        match=r"`gzip.store_as='suffix'` wants `gzip.mode='always'`.*`gzip.exclude` matches keep their names",
    ):
        GzipOptions(mode="auto", store_as="suffix")
