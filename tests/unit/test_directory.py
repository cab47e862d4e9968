"""One directory's entries, sorted, on the real file system."""

import os
import socket
from pathlib import Path

import pytest

from bulkput.sources.directory import DIRECTORY, FILE, LINK, OTHER, entries

TRICKY = [
    b"a", b"a b", b"a\nb", b"\n", b"a-", b"a.b", b"a\xff", b"\xff", b"\x01", b"%", b"A", b"aa", b"~",
    "é".encode(), "e\u0301".encode(), "\U0001f600".encode(), b"\xe9", b"-rf", b"..a", b".hidden", b"n" * 255,
]  # fmt: skip
ENOUGH = 1000


def names(path: Path, *, in_memory: int) -> list[bytes]:
    return [name for name, _ in entries(os.fsencode(path), in_memory=in_memory)]


def make_files(path: Path, found: list[bytes]) -> None:
    for name in found:
        Path(os.fsdecode(os.path.join(os.fsencode(path), name))).touch()


@pytest.mark.parametrize("in_memory", [1, 2, 3, len(TRICKY) - 1, len(TRICKY), len(TRICKY) + 1, ENOUGH])
def test_names_come_in_bytewise_order_at_any_memory_limit(tmp_path: Path, in_memory: int) -> None:
    """Newlines, high bytes and undecodable names sort by their bytes, in memory or on disk."""
    make_files(tmp_path, TRICKY)
    assert names(tmp_path, in_memory=in_memory) == sorted(TRICKY)


@pytest.mark.parametrize("in_memory", [1, 2, ENOUGH])
def test_a_directory_sorts_as_if_it_ended_in_a_slash(tmp_path: Path, in_memory: int) -> None:
    """Full paths then come sorted: `a-x` before `a/b` before `a0`."""
    make_files(tmp_path, [b"a-", b"a-x", b"a.b", b"a0", b"b"])
    (tmp_path / "a").mkdir()
    (tmp_path / "b-").mkdir()
    assert names(tmp_path, in_memory=in_memory) == [b"a-", b"a-x", b"a.b", b"a", b"a0", b"b", b"b-"]


@pytest.mark.parametrize("in_memory", [1, ENOUGH])
def test_each_entry_has_its_kind(tmp_path: Path, in_memory: int) -> None:
    """A link is a link, whatever its target is."""
    (tmp_path / "d").mkdir()
    (tmp_path / "f").touch()
    (tmp_path / "to-d").symlink_to("d")
    (tmp_path / "to-nothing").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "sock"))
    assert list(entries(os.fsencode(tmp_path), in_memory=in_memory)) == [
        (b"d", DIRECTORY),
        (b"f", FILE),
        (b"pipe", OTHER),
        (b"sock", OTHER),
        (b"to-d", LINK),
        (b"to-nothing", LINK),
    ]


def test_an_empty_directory_has_no_entries(tmp_path: Path) -> None:
    """This holds in memory and on disk."""
    assert names(tmp_path, in_memory=1) == names(tmp_path, in_memory=ENOUGH) == []


def test_a_missing_directory_raises_file_not_found_error(tmp_path: Path) -> None:
    """The error is raised by the first read."""
    with pytest.raises(FileNotFoundError):
        names(tmp_path / "gone", in_memory=ENOUGH)


@pytest.mark.parametrize("length", [50, 96, 110, 125])
def test_a_sorted_run_longer_than_a_block_keeps_its_names(tmp_path: Path, length: int) -> None:
    """Blocks of 32 KiB cut a run within names, around the kind and between records."""
    wanted = [b"%0*d" % (length, number) for number in range(700)]
    make_files(tmp_path, wanted)
    assert names(tmp_path, in_memory=699) == wanted


@pytest.mark.parametrize("taken", [1, 5])
def test_sorting_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int) -> None:
    """This holds after the end and after a consumer that leaves early."""
    spool, tree = tmp_path / "spool", tmp_path / "tree"
    spool.mkdir()
    tree.mkdir()
    make_files(tree, [b"a", b"b", b"c", b"d", b"e"])
    monkeypatch.setattr("tempfile.tempdir", str(spool))
    found = entries(os.fsencode(tree), in_memory=2)
    for _ in range(taken):
        next(found)
    found.close()  # type: ignore[attr-defined]
    assert os.listdir(spool) == []


def test_a_memory_limit_below_one_entry_loses_no_name(tmp_path: Path) -> None:
    """However little memory is allowed: a directory never looks empty that is not."""
    make_files(tmp_path, [b"a", b"b"])
    assert names(tmp_path, in_memory=0) == [b"a", b"b"]


def test_many_sorted_runs_are_merged_in_passes(tmp_path: Path) -> None:
    """300 names held one at a time give 300 runs, of which 64 are open together."""
    expected = [b"%03d" % n for n in range(300)]
    make_files(tmp_path, expected)
    assert names(tmp_path, in_memory=1) == expected
