"""The files of --summary and --trace: their owner's only, and never through a link that somebody put there."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bulkput import events as ev
from bulkput.cli.output import SummaryFile, TraceFile
from bulkput.errors import UsageError
from tests.e2e.cli import bulkput
from tests.servers.devserver import devserver_process

Write = Callable[[Path], None]
SUMMARY = {"schema": 1}


def write_summary(path: Path) -> None:
    file = SummaryFile(str(path))
    try:
        file.write(SUMMARY)
    finally:
        file.close()


def write_trace(path: Path) -> None:
    trace = TraceFile(str(path))
    trace(ev.Requested("put", "a", 0.0, 0.1, 1, None))
    trace.close()


BOTH = pytest.mark.parametrize("write", [write_summary, write_trace])


@pytest.fixture(autouse=True)
def open_to_all() -> Iterator[None]:
    """The umask hides nothing."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@BOTH
def test_a_new_file_is_its_owner_s_only(tmp_path: Path, write: Write) -> None:
    """Names of files and what servers say are nobody else's business."""
    write(tmp_path / "file")
    assert mode(tmp_path / "file") == 0o600
    assert os.listdir(tmp_path) == ["file"]


@BOTH
def test_a_link_to_a_file_is_refused_and_what_it_leads_to_stays(tmp_path: Path, write: Write) -> None:
    """To a file, to another link, to nothing, to itself: one sentence, and nothing is made."""
    victim = tmp_path / "victim"
    victim.write_text("years of work")
    links = {"to-file": "victim", "to-link": "to-file", "to-nothing": "new", "to-itself": "to-itself"}
    for name, target in links.items():
        (tmp_path / name).symlink_to(target)
    for name in links:
        with pytest.raises(UsageError, match=f"{name} is a link: name the file itself"):
            write(tmp_path / name)
    assert victim.read_text() == "years of work"
    assert sorted(os.listdir(tmp_path)) == sorted(["victim", *links])


def test_a_link_that_comes_during_the_run_is_replaced_by_the_summary(tmp_path: Path) -> None:
    """What it leads to stays as it is."""
    victim, path = tmp_path / "victim", tmp_path / "file"
    victim.write_text("years of work")
    file = SummaryFile(str(path))
    path.symlink_to("victim")
    file.write(SUMMARY)
    file.close()
    assert victim.read_text() == "years of work"
    assert not path.is_symlink() and json.loads(path.read_text()) == SUMMARY and mode(path) == 0o600


def test_a_summary_takes_the_place_of_a_file_and_a_trace_keeps_it(tmp_path: Path) -> None:
    """The one is new, private, and no other name of the old file sees it; the other is written where it is."""
    for name in ("summary", "trace"):
        (tmp_path / name).write_text("old")
        (tmp_path / name).chmod(0o644)
        os.link(tmp_path / name, tmp_path / f"{name}-too")
    write_summary(tmp_path / "summary")
    write_trace(tmp_path / "trace")
    assert mode(tmp_path / "summary") == 0o600 and (tmp_path / "summary-too").read_text() == "old"
    assert mode(tmp_path / "trace") == 0o644 and (tmp_path / "trace").read_text().startswith('{"trace": 1')
    assert "old" not in (tmp_path / "trace").read_text()


@BOTH
def test_a_fifo_with_a_reader_gets_the_whole_output(tmp_path: Path, write: Write) -> None:
    """Without a reader it is a usage error at once."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    with pytest.raises(UsageError, match="No such device or address"):
        write(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write(path)
    with open(reader) as file:
        assert json.loads(file.readline())


@BOTH
def test_devices_and_links_to_them_are_written_to(tmp_path: Path, write: Write) -> None:
    """/dev/null, and a link that leads there; it stays."""
    (tmp_path / "nowhere").symlink_to("/dev/null")
    write(tmp_path / "nowhere")
    write(Path(os.devnull))
    assert os.readlink(tmp_path / "nowhere") == "/dev/null" and not os.path.isfile(os.devnull)


@BOTH
@pytest.mark.parametrize("path", ["{}", "{}/none/file", "{}/file/below"])
def test_a_path_where_no_file_can_be_made_is_a_usage_error(tmp_path: Path, write: Write, path: str) -> None:
    """A directory, a file in a missing directory, a path below a file."""
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"^--(summary|trace) "):
        write(Path(path.format(tmp_path)))


def test_standard_streams_by_their_names_are_what_the_shell_made_them(tmp_path: Path) -> None:
    """bulkput upload --json --summary /dev/stdout --trace /dev/fd/N >out: behind what is there, and /dev stays /dev."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a").write_text("a")
    before = sorted(os.listdir("/dev"))
    with devserver_process() as server:
        ran = bulkput(
            "upload", tmp_path / "tree", "swift://c", "--json", "--summary", "/dev/stdout", "--trace", "/dev/stderr",
            environ=server.environment,
        )  # fmt: skip
    assert ran.exit_code == 0, ran.err
    assert ran.summary["uploaded"] == 1 and [row["event"] for row in ran.rows[:-1]][-1] == "finished"
    assert '"operation": "put"' in ran.err
    assert sorted(os.listdir("/dev")) == before


def test_a_stream_that_is_a_file_is_written_behind_what_is_there(tmp_path: Path) -> None:
    """/dev/fd/N is the open file itself: not emptied, not replaced."""
    with open(tmp_path / "file", "w+b", buffering=0) as file:
        file.write(b"before\n")
        write_summary(Path(f"/dev/fd/{file.fileno()}"))
        write_trace(Path(f"/proc/self/fd/{file.fileno()}"))
        assert not file.closed and os.fstat(file.fileno()).st_nlink == 1
    lines = (tmp_path / "file").read_text().splitlines()
    assert lines[0] == "before" and json.loads(lines[1]) == SUMMARY and len(lines) == 4
