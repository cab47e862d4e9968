"""The files of --summary and --trace are private and are never written through a symlink."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bulkput import events as ev
from bulkput.cli.files import SummaryFile, TraceFile
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
    """Sets the umask to 0, so that the tests see the modes that bulkput asks for."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@BOTH
def test_a_new_output_file_is_private(tmp_path: Path, write: Write) -> None:
    """It holds names of files and messages of servers."""
    write(tmp_path / "file")
    assert mode(tmp_path / "file") == 0o600
    assert os.listdir(tmp_path) == ["file"]


@BOTH
def test_a_symlink_as_output_file_is_refused_and_its_target_is_untouched(tmp_path: Path, write: Write) -> None:
    """The symlink leads to a file, a symlink, nothing or itself: one sentence, and no file is created."""
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


def test_a_symlink_created_during_the_run_is_replaced_by_the_summary(tmp_path: Path) -> None:
    """The target of the symlink is untouched."""
    victim, path = tmp_path / "victim", tmp_path / "file"
    victim.write_text("years of work")
    file = SummaryFile(str(path))
    path.symlink_to("victim")
    file.write(SUMMARY)
    file.close()
    assert victim.read_text() == "years of work"
    assert not path.is_symlink() and json.loads(path.read_text()) == SUMMARY and mode(path) == 0o600


def test_a_summary_replaces_an_existing_file_and_a_trace_overwrites_it_in_place(tmp_path: Path) -> None:
    """The summary is a new private file; other links to the old file keep its content. The trace keeps the inode."""
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
    """A FIFO without a reader is a usage error at once."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    with pytest.raises(UsageError, match="No such device or address"):
        write(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write(path)
    with open(reader) as file:
        assert json.loads(file.readline())


@BOTH
def test_devices_and_symlinks_to_devices_are_written_to(tmp_path: Path, write: Write) -> None:
    """/dev/null, and a symlink to it, which stays."""
    (tmp_path / "nowhere").symlink_to("/dev/null")
    write(tmp_path / "nowhere")
    write(Path(os.devnull))
    assert os.readlink(tmp_path / "nowhere") == "/dev/null" and not os.path.isfile(os.devnull)


@BOTH
@pytest.mark.parametrize("path", ["{}", "{}/none/file", "{}/file/below"])
def test_a_path_where_no_file_can_be_created_is_a_usage_error(tmp_path: Path, write: Write, path: str) -> None:
    """A directory, a file in a missing directory, a path below a file."""
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"^--(summary|trace) "):
        write(Path(path.format(tmp_path)))


def test_dev_stdout_and_dev_stderr_are_appended_to(tmp_path: Path) -> None:
    """bulkput upload --json --summary /dev/stdout --trace /dev/stderr: output follows, and /dev is unchanged."""
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


def test_an_open_file_named_by_its_descriptor_is_appended_to(tmp_path: Path) -> None:
    """/dev/fd/N is the open file itself: it is neither truncated nor replaced."""
    with open(tmp_path / "file", "w+b", buffering=0) as file:
        file.write(b"before\n")
        write_summary(Path(f"/dev/fd/{file.fileno()}"))
        write_trace(Path(f"/proc/self/fd/{file.fileno()}"))
        assert not file.closed and os.fstat(file.fileno()).st_nlink == 1
    lines = (tmp_path / "file").read_text().splitlines()
    assert lines[0] == "before" and json.loads(lines[1]) == SUMMARY and len(lines) == 4


def test_what_was_in_the_files_stays_until_there_is_something_to_write(tmp_path: Path) -> None:
    """A refused command loses nothing, and a run that is killed leaves no other file."""
    old = {"summary": "{}", "trace": "old"}
    for name, text in old.items():
        (tmp_path / name).write_text(text)
    SummaryFile(str(tmp_path / "summary")).close()
    TraceFile(str(tmp_path / "trace")).close()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == old
    write_trace(tmp_path / "trace")
    assert "old" not in (tmp_path / "trace").read_text()
