"""Which shard a file belongs to, and what a run with a share refuses."""

import os
import re
import tracemalloc
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from bulkput.errors import SourceError, UsageError
from bulkput.model import EmptyDirectoryFound, Found, KnownFiles, Reason, Skip, SourceFile
from bulkput.options import FileListOptions, GzipOptions, ShareOptions, SkipOptions, UploadOptions, WalkOptions
from bulkput.policy import share as policy
from bulkput.policy.listed import check_upload
from bulkput.policy.share import FILE_WEIGHT, dealer, shard_of
from bulkput.share_options import ShareBy
from bulkput.sources.file_list import file_list
from bulkput.sources.share import Share
from bulkput.sources.walk import walk

ROOT = Path(__file__).parents[2]
VECTOR = re.compile(r"^\| `([^`]+)` +\| `([0-9a-f]{8})` \|(.*)\|$", re.MULTILINE)
HALF = ShareOptions(shard=1, of=2)


@pytest.mark.parametrize("page", [(ROOT / "docs/many-machines.md").read_text(), policy.__doc__], ids=["docs", "module"])
def test_the_documented_vectors_are_those_of_the_function(page: str) -> None:
    """A reader computes the same in another language."""
    counts = [
        int(count) for count in re.findall(r"of (\d+)", next(line for line in page.splitlines() if "MD5 b" in line))
    ]
    vectors = VECTOR.findall(page)
    assert len(vectors) >= 2
    for name, _, shards in vectors:
        raw = name.encode().decode("unicode_escape").encode("latin-1") if "\\x" in name else name.encode()
        assert [shard_of(raw, count) for count in counts] == [int(each) for each in shards.split("|")], name


def test_a_split_by_bytes_gives_the_next_file_to_the_lightest_shard() -> None:
    """Of equally light ones, to the first; a file weighs 64 KiB more than its bytes."""
    assert list(map(dealer(2), [10 * FILE_WEIGHT, 8 * FILE_WEIGHT, 0, 0, 0, 0])) == [1, 2, 2, 2, 1, 2]
    assert list(map(dealer(3), [0] * 6)) == [1, 2, 3, 1, 2, 3]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (UploadOptions(share=HALF, skip=SkipOptions(delete_extra=True)), ("share", "skip.delete_extra", "skip.mode")),
        (UploadOptions(share=HALF, skip=SkipOptions(expire_extra_s=9)), ("share", "skip.expire_extra_s", "skip.mode")),
        (UploadOptions(share=HALF, manifest="m.txt"), ("share", "manifest", "skip.mode")),
        (UploadOptions(share=HALF, last=("*.html",)), ("share", "last", "walk.exclude")),
        (UploadOptions(share=ShareOptions(shard=1, of=2, by="bytes")), ("share.by", "files")),
        (
            UploadOptions(
                share=ShareOptions(shard=1, of=2, by="bytes"),
                files=FileListOptions(path="-"),
                gzip=GzipOptions(mode="always", store_as="suffix"),
                dir_markers=True,
            ),
            ("share.by", "gzip.store_as", "gzip.exclude", "dir_markers"),
        ),
    ],
)
def test_a_share_refuses_what_has_to_see_all_files(options: UploadOptions, named: tuple[str, ...]) -> None:
    """The sentence names the options and says what to do."""
    with pytest.raises(UsageError) as caught:
        check_upload(options)
    assert caught.value.options[: len(named)] == named


@pytest.mark.parametrize(("shard", "of"), [(0, 4), (5, 4), (-1, 4), (1, 0), (1, 10_001), ("1", 4), (True, 4)])
def test_a_shard_that_there_is_not_is_a_usage_error(shard: int, of: int) -> None:
    """Shards are numbered from 1."""
    with pytest.raises(UsageError, match="`share"):
        ShareOptions(shard=shard, of=of)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for number in range(40):
        (root / f"d{number % 4}").mkdir(parents=True, exist_ok=True)
        (root / f"d{number % 4}" / f"f{number}").write_bytes(b"x" * number * 10_000)
        (root / f"none{number}").mkdir()
    (root / "to-f1").symlink_to("d1/f1")
    (root / "nowhere").symlink_to("gone")
    return root


def shares(root: Path, of: int, **options: bool) -> list[list[Found]]:
    path = os.fsencode(root)
    every = [Share(ShareOptions(shard=shard, of=of), is_of_list=False) for shard in range(1, of + 1)]
    walked = [
        list(each.only(walk([path], WalkOptions(), share=each, tells_empty=True, **options), [path])) for each in every
    ]
    files = [sum(isinstance(found, SourceFile) and not found.is_directory for found in share) for share in walked]
    assert [each.elsewhere for each in every] == [sum(files) - count for count in files]
    return walked


@pytest.mark.parametrize("with_directories", [False, True])
def test_each_entry_of_a_tree_is_found_by_exactly_one_shard(tree: Path, with_directories: bool) -> None:
    """Files, links, directories, empty ones and what is skipped: together they are what one run finds."""
    path = os.fsencode(tree)
    whole = list(walk([path], WalkOptions(), tells_empty=True, with_directories=with_directories))
    parts = shares(tree, 3, with_directories=with_directories)
    assert all(parts)
    assert sorted(map(repr, chain(*parts))) == sorted(map(repr, whole))
    assert any(isinstance(each, EmptyDirectoryFound) for each in whole)
    assert Skip(path + b"/nowhere", b"nowhere", Reason.LINK_DANGLING) in whole


def test_a_directory_that_cannot_be_read_fails_in_every_shard(tmp_path: Path) -> None:
    """It may hold files of each, and another machine may be able to read it."""
    error = SourceError(b"/t/d", "unreadable", "why")
    for shard in (1, 2):
        share = Share(ShareOptions(shard=shard, of=2), is_of_list=False)
        assert list(share.only(iter([error, KnownFiles(1, 2)]), [b"/t"])) == [error, KnownFiles(1, 2)]


def test_files_of_other_shards_are_not_looked_at(tmp_path: Path) -> None:
    """No lstat: on a network file system that is what a walk costs. A file that vanishes is not missed."""

    def walked(share: Share | None) -> list[Found]:
        for name in ("a", "b"):
            (tmp_path / name).touch()
        found = []
        for each in walk([os.fsencode(tmp_path)], WalkOptions(), share=share):
            found.append(each)
            (tmp_path / "b").unlink(missing_ok=True)
        return found

    assert (shard_of(b"a", 2), shard_of(b"b", 2)) == (2, 1)
    assert [type(each) for each in walked(None)] == [SourceFile, SourceError]
    assert [type(each) for each in walked(Share(ShareOptions(shard=2, of=2), is_of_list=False))] == [SourceFile]


def listed(
    tree: Path, names: list[bytes], share: ShareOptions, *, is_sorted: bool = False
) -> tuple[Share, list[bytes]]:
    (tree.parent / "list").write_bytes(b"\n".join(names))
    taken = Share(share, is_of_list=True)
    files = FileListOptions(path=str(tree.parent / "list"))
    found = file_list(files, os.fsencode(tree), WalkOptions(), is_sorted=is_sorted, share=taken)
    return taken, [each.name for each in taken.only(found, [os.fsencode(tree)]) if isinstance(each, SourceFile)]


@pytest.fixture
def names(tree: Path) -> list[bytes]:
    return [os.fsencode(path.relative_to(tree)) for path in sorted(tree.glob("d*/*"))]


@pytest.mark.parametrize("by", ["hash", "bytes"])
def test_a_list_is_split_alike_in_every_order_and_spelling(tree: Path, names: list[bytes], by: ShareBy) -> None:
    """So hosts may make it by a `find` of their own, and one of them may have a journal."""
    parts = []
    for shard in (1, 2, 3):
        options = ShareOptions(shard=shard, of=3, by=by)
        first, found = listed(tree, names, options)
        other, again = listed(tree, [b"./" + name for name in reversed(names)] + names[:7], options, is_sorted=True)
        assert (sorted(found), first.elsewhere, first.split) == (again, other.elsewhere, other.split)
        parts.append(found)
    assert sorted(chain(*parts)) == sorted(names)


def test_shares_by_bytes_weigh_about_the_same(tree: Path, names: list[bytes]) -> None:
    """Within the smallest files; by hash, they need not."""
    sizes = [
        sum((tree / os.fsdecode(name)).stat().st_size for name in listed(tree, names, options)[1])
        for options in (ShareOptions(shard=shard, of=3, by="bytes") for shard in (1, 2, 3))
    ]
    assert sum(sizes) == sum(range(40)) * 10_000
    assert max(sizes) - min(sizes) <= 2 * FILE_WEIGHT


def test_shards_that_see_other_sizes_have_other_digests(tree: Path, names: list[bytes]) -> None:
    """A file that grew between two runs moves others to other shards: `status` finds it out."""
    options = ShareOptions(shard=1, of=3, by="bytes")
    before = listed(tree, names, options)[0].split
    (tree / "d1" / "f1").write_bytes(b"longer than it was before" * 1000)
    after = listed(tree, names, options)[0].split
    assert before is not None and after is not None and before != after
    assert listed(tree, names, ShareOptions(shard=3, of=3, by="bytes"))[0].split == after


def test_one_shard_reports_a_listed_file_that_is_not_there(tree: Path, names: list[bytes]) -> None:
    """By hash and by bytes; a name with a NUL and one outside the base, too."""
    (tree.parent / "list").write_bytes(b"\n".join([*names, b"gone", b"a\0b", b"../x"]))
    files = FileListOptions(path=str(tree.parent / "list"))
    for by in ("hash", "bytes"):
        errors = []
        for shard in (1, 2, 3):
            share = Share(ShareOptions(shard=shard, of=3, by=by), is_of_list=True)  # type: ignore[arg-type]
            errors += [
                each
                for each in file_list(files, os.fsencode(tree), WalkOptions(), is_sorted=False, share=share)
                if isinstance(each, SourceError)
            ]
        assert len(errors) == 3, errors


def test_the_memory_of_a_split_by_bytes_does_not_depend_on_the_list() -> None:
    """Names and sizes are on disk."""

    def peak(count: int) -> int:
        many: Iterator[bytes] = (b"directory/with a long name/%08d" % number for number in range(count))
        share = Share(ShareOptions(shard=1, of=1000, by="bytes"), is_of_list=True)
        tracemalloc.start()
        taken = sum(1 for _ in share.dealt(many, len))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (taken, share.elsewhere) == (count // 1000, count - count // 1000)
        return most

    assert peak(50_000) < peak(5_000) + 100_000


def test_a_name_that_two_sources_have_fails_in_the_shard_that_sends_it(tmp_path: Path) -> None:
    """Equal names belong to one shard, so it sees both."""
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        for name in ("a", "b"):
            (tmp_path / place / name).touch()
    roots = [os.fsencode(tmp_path / place) for place in ("one", "two")]
    for shard, name in ((1, b"b"), (2, b"a")):
        share = Share(ShareOptions(shard=shard, of=2), is_of_list=False)
        sent, failed = share.only(walk(roots, WalkOptions(), share=share), roots)
        assert isinstance(sent, SourceFile) and sent.name == name
        assert isinstance(failed, SourceError) and failed.path == os.path.join(roots[1], name)
        assert share.elsewhere == 2
