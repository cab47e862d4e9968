"""Cases in which a journal could be wrong about a store."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from tests.e2e.cli import bulkput
from tests.resume.conftest import KNOWN, Runs
from tests.servers.judge import SwiftJudge


def test_another_source_behind_the_same_symlink_is_refused(run: Runs, tmp_path: Path) -> None:
    """A return to the first release would send nothing, and the store would keep the second."""
    for name in ("r1", "r2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text(name)
    current = tmp_path / "current"
    current.symlink_to("r1")
    assert run(current).exit_code == 0
    current.unlink()
    current.symlink_to("r2")
    refused = run(current)
    assert refused.exit_code == 2 and "r1" in refused.err and "r2" in refused.err


def test_a_name_that_another_source_used_in_between_is_sent_again(
    run: Runs, tmp_path: Path, judge: SwiftJudge, container: str
) -> None:
    """The first source's file goes, the second's is sent under the name, then the first's returns."""
    one, two = tmp_path / "one", tmp_path / "two"
    for root in (one, two):
        root.mkdir()
        (root / "same").write_text(root.name)
    assert run(one, two).summary["uploaded"] == 1
    (one / "same").rename(tmp_path / "away")
    assert run(one, two).summary["uploaded"] == 1
    (tmp_path / "away").rename(one / "same")
    run(one, two)
    found = judge.get(container, "p/same")
    assert found is not None and found.content == b"one"


def test_status_is_complete_only_after_a_complete_scan(run: Runs, tmp_path: Path) -> None:
    """A run is interrupted: --retry-failed finds nothing to do, but the rest of the tree is not uploaded."""
    root = tmp_path / "many"
    root.mkdir()
    for number in range(3000):
        (root / f"{number:04d}").touch()
    command = [sys.executable, "-m", "bulkput", "upload", "--json", "--journal", run.journal, root, run.destination]
    with subprocess.Popen(command, env=os.environ | run.environ, stdout=subprocess.PIPE, text=True) as interrupted:
        assert interrupted.stdout is not None
        while '"event": "uploaded"' not in interrupted.stdout.readline():
            pass
        interrupted.send_signal(signal.SIGINT)
        interrupted.communicate()
    assert interrupted.returncode == 130
    assert run(root, "--retry-failed").exit_code == 0
    status = bulkput("status", run.journal)
    assert status.exit_code == 1 and "there may be more to upload" in status.out
    assert run(root).exit_code == 0
    assert bulkput("status", run.journal).exit_code == 0


def test_an_mtime_beyond_64_bits_is_stored_and_known_again(
    run: Runs, judge: SwiftJudge, container: str, tree: Path, wide: Path
) -> None:
    """Before 1677 and after 2262, with a fraction and without."""
    times = (-(2**63) - 1, -(2**63), -12_219_292_800 * 10**9, 2**63, 10_413_792_000_123_456_789, 2**62 * 10**9)
    for number, mtime_ns in enumerate(times):
        (wide / f"w{number}").write_text(str(number))
        os.utime(wide / f"w{number}", ns=(0, mtime_ns))
    assert run(tree, wide).summary["uploaded"] == 40 + len(times)
    assert run(tree, wide).summary["skipped_by_reason"] == {KNOWN: 40 + len(times)}
    for number in range(len(times)):
        seen = judge.get(container, f"p/w{number}")
        assert seen is not None
        kept_ns = os.stat(wide / f"w{number}").st_mtime_ns  # the nearest that this file system has room for
        assert Fraction(seen.headers["X-Object-Meta-Mtime"]) * 10**9 == kept_ns


@pytest.fixture
def wide(tmp_path: Path) -> Iterator[Path]:
    """A directory on tmpfs, which keeps any time, if there is one; else on the ordinary file system."""
    memory = Path("/dev/shm")  # tmpfs has 64 bits for the seconds
    parent = memory if memory.is_dir() and os.access(memory, os.W_OK) else tmp_path
    with tempfile.TemporaryDirectory(dir=parent) as made:
        yield Path(made)


def test_an_mtime_far_in_the_future_is_known_again(run: Runs, tree: Path) -> None:
    """A wrong clock or `touch -d 2038-01-19` sets it: no write of today gives the same mtime."""
    os.utime(tree / "f01", (2**31, 2**31))
    os.utime(tree / "f02", (0, int(time.time()) + 3 * 86_400))
    assert run(tree).summary["uploaded"] == 40
    assert run(tree).summary["skipped_by_reason"] == {KNOWN: 40}


def test_a_file_with_a_whole_second_mtime_of_now_is_sent_again(run: Runs, tree: Path) -> None:
    """If mtimes have whole seconds, a later write within this second would not change the mtime."""
    second = int(time.time()) + 3600  # it lies ahead of the upload even on a slow machine
    os.utime(tree / "f01", (second, second))
    run(tree)
    assert run(tree).summary["uploaded"] == 1


def test_a_dry_run_with_a_journal_makes_no_request(run: Runs, tree: Path) -> None:
    """There is a journal, and one file is new."""
    run(tree)
    (tree / "new").write_text("new")
    assert run(tree, "--dry-run").summary["requests"] == {}


def test_a_missing_container_stops_a_run_with_a_journal(
    run: Runs, tree: Path, judge: SwiftJudge, container: str
) -> None:
    """The journal says that the container holds 40 objects."""
    run(tree)
    for name in judge.names(container):
        judge.delete(container, name)
    judge.delete(container)
    (tree / "new").write_text("new")
    again = run(tree)
    assert again.exit_code == 3 and "the container no longer exists" in again.err


def test_expired_objects_are_sent_again(run: Runs, tree: Path) -> None:
    """The journal has the time of expiry."""
    assert run(tree, "--expires-in", "1").exit_code == 0
    time.sleep(2.1)  # the store's clock has whole seconds
    assert run(tree, "--expires-in", "1").summary["uploaded"] == 40


def test_a_run_with_other_filters_keeps_earlier_failures_in_the_journal(run: Runs, tree: Path) -> None:
    """The filters leave the failed file out, so the run does not look at it."""
    Path(os.fsdecode(os.fsencode(tree) + b"/\xff")).write_text("x")
    assert run(tree).exit_code == 1
    assert run(tree, "--include", "f*").exit_code == 0
    assert "1 failed" in bulkput("status", run.journal).out


def test_retry_failed_refuses_a_missing_journal(run: Runs, tree: Path) -> None:
    """A mistyped name is a usage error, and no journal is created."""
    refused = run(tree, "--retry-failed")
    assert refused.exit_code == 2 and "No such file" in refused.err and not run.journal.exists()


def test_a_refused_first_run_does_not_bind_the_journal_to_its_user(run: Runs, tree: Path) -> None:
    """A run with a wrong user, then one with the right user."""
    assert run(tree, ST_USER="test:nobody").exit_code == 3
    assert run(tree).exit_code == 0


def test_a_symlink_to_the_journal_is_not_uploaded(run: Runs, tree: Path) -> None:
    """Reading the journal would also drop SQLite's locks on it."""
    run.journal = tree / "up.db"
    (tree / "link").symlink_to("up.db")
    first = run(tree)
    assert first.summary["uploaded"] == 40 and first.summary["skipped_by_reason"]["the run's own output"] >= 2


def test_a_journal_that_is_removed_during_the_run_stops_it(run: Runs, tmp_path: Path) -> None:
    """No later run could find that journal."""
    root = tmp_path / "many"
    root.mkdir()
    for number in range(4000):
        (root / f"{number:04d}").touch()
    command = [sys.executable, "-m", "bulkput", "upload", "--json", "--journal", run.journal, root, run.destination]
    with subprocess.Popen(
        command, env=os.environ | run.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as robbed:
        assert robbed.stdout is not None
        while '"event": "uploaded"' not in robbed.stdout.readline():
            pass
        run.journal.unlink()
        _, said = robbed.communicate()
    assert robbed.returncode == 3 and "removed or replaced" in said


def test_verify_drops_missing_and_different_objects_from_the_journal(
    run: Runs, tree: Path, judge: SwiftJudge, container: str
) -> None:
    """The next upload sends these two objects and no others."""
    run.journal = tree / "up.db"
    run(tree)
    judge.delete(container, "p/f01")
    judge.put(container, "p/sub/s01", b"changed behind its back")
    verified = bulkput("verify", "--journal", run.journal, "--json", tree, run.destination, environ=run.environ)
    assert verified.exit_code == 1
    assert sorted(row["event"] for row in verified.rows) == ["different", "finished", "missing"]
    assert run(tree).summary["uploaded"] == 2
    assert bulkput("verify", "--journal", run.journal, tree, run.destination, environ=run.environ).exit_code == 0


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["FIFO", "directory"])
def test_status_rejects_a_fifo_or_directory_at_once(tmp_path: Path, make: "object") -> None:
    """The path is neither opened nor read."""
    make(tmp_path / "j")  # type: ignore[operator]
    refused = bulkput("status", tmp_path / "j")
    assert refused.exit_code == 2 and "not a regular file" in refused.err


def test_status_creates_no_sqlite_files(run: Runs, tree: Path) -> None:
    """SQLite would otherwise create its -wal and -shm files."""
    run(tree)
    assert bulkput("status", run.journal).exit_code == 0
    assert [path.name for path in run.journal.parent.iterdir() if path.name.startswith("up.db")] == ["up.db"]


def test_retry_failed_scans_a_source_that_could_not_be_listed(run: Runs, tree: Path) -> None:
    """--retry-failed: the source itself has failed, so the run looks at all of its files."""
    run(tree)
    rows = json.loads(bulkput("status", run.journal, "--json").out.splitlines()[0])
    assert rows["path"].startswith(str(tree))
    program = (
        "import sys, os; from bulkput import events as ev; from bulkput.errors import SourceError;"
        "from bulkput.journal.journal import open_journal; j = open_journal(os.fsencode(sys.argv[1]));"
        "p = os.fsencode(sys.argv[2]); j(ev.Failed(p, None, SourceError(p, 'unreadable', 'EIO'))); j.end(); j.close()"
    )
    subprocess.run([sys.executable, "-c", program, run.journal, tree], check=True)
    again = run(tree, "--retry-failed")
    assert again.summary["skipped_by_reason"] == {KNOWN: 40}
