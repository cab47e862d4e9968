"""`upload --journal`: a second run sends new, failed and changed files, and makes no other request."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.cli import bulkput
from tests.resume.conftest import KNOWN, Runs
from tests.servers.judge import SwiftJudge


def test_a_second_run_makes_no_request(run: Runs, tree: Path) -> None:
    """It makes no login either: it looks at each file and sends none."""
    assert run(tree).summary["uploaded"] == 40
    again = run(tree)
    assert again.exit_code == 0
    assert again.summary["requests"] == {} and again.summary["skipped_by_reason"] == {KNOWN: 40}
    assert again.summary["found"] == 40


def test_only_new_and_changed_files_are_sent(run: Runs, tree: Path, judge: SwiftJudge, container: str) -> None:
    """Another size, another mtime at the same size, a new file; the object of a deleted file stays."""
    run(tree)
    (tree / "f01").write_text("longer than before")
    (tree / "f02").write_text("CONTENT 2")
    (tree / "new").write_text("new")
    (tree / "f03").unlink()
    again = run(tree).summary
    assert (again["uploaded"], again["skipped_by_reason"]) == (3, {KNOWN: 37})
    assert again["requests"] == {"GET": 1, "PUT": 4}
    found = judge.get(container, "p/f02")
    assert found is not None and found.content == b"CONTENT 2"
    assert "p/f03" in judge.names(container)


def test_a_source_is_known_by_any_path_to_it(run: Runs, tree: Path, tmp_path: Path) -> None:
    """Absolute, relative, through a symlink: the second run makes no request."""
    run(tree)
    (tmp_path / "link").symlink_to(tree)
    for source in (str(tree) + "/", tmp_path / "link", os.path.relpath(tree)):
        assert run(source).summary["requests"] == {}


def test_retry_failed_looks_only_at_failed_files(run: Runs, tree: Path) -> None:
    """Three files fail for their names; later one is gone, which the journal forgets, and two are renamed."""
    bad = [os.fsencode(tree) + b"/sub/" + name for name in (b"\xff", b"\xfe", b"\xfd")]
    for path in bad:
        Path(os.fsdecode(path)).write_text("x")
    first = run(tree)
    assert (first.exit_code, first.summary["failed"]) == (1, 3)
    status = bulkput("status", run.journal)
    assert status.exit_code == 1 and "3 failed" in status.out and r"\xff" in status.out
    assert "--encode-names percent uploads it" in status.out, "in flags, though the journal names the option"
    os.unlink(bad[0])
    (tree / "unseen").write_text("not looked at")
    again = run(tree, "--retry-failed")
    assert (again.exit_code, again.summary["found"], again.summary["failed"]) == (1, 3, 2)
    assert again.summary["skipped_by_reason"] == {"failed before, and is no longer there": 1}
    for path in bad[1:]:
        os.unlink(path)
    assert run(tree, "--retry-failed").exit_code == 0
    assert run(tree).summary["uploaded"] == 1, "unseen"
    assert "0 failed" in bulkput("status", run.journal).out


def test_another_destination_account_naming_or_header_is_refused(run: Runs, tree: Path, tmp_path: Path) -> None:
    """One sentence that names the difference, exit code 2, and nothing is sent."""
    run(tree)
    for refused, says in (
        (run(tree, to=run.destination + "/other"), "/other/"),
        (run(tree, ST_USER="test:other"), "test:other at"),
        (run(tree, "--encode-names", "percent"), "--encode-names strict, not percent"),
        (run(tree, "--header", "X-Object-Meta-Secret: letmein"), "another value of --header"),
    ):
        assert refused.exit_code == 2 and refused.out == ""
        assert refused.err.count("\n") == 1 and says in refused.err, refused.err
    assert b"letmein" not in run.journal.read_bytes()


def test_two_sources_are_resumed_and_their_collisions_fail_again(run: Runs, tree: Path, tmp_path: Path) -> None:
    """A name that both have fails for the second source in each run; the first's object stays."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "f01").write_text("not this one")
    (other / "g").write_text("this one")
    first = run(tree, other)
    assert (first.exit_code, first.summary["uploaded"], first.summary["failed"]) == (1, 41, 1)
    again = run(tree, other)
    assert (again.exit_code, again.summary["uploaded"], again.summary["failed"]) == (1, 0, 1)
    assert again.summary["skipped_by_reason"] == {KNOWN: 41} and again.summary["requests"] == {}
    refused = run(tree, other, "--retry-failed")
    assert refused.exit_code == 2 and "a single source" in refused.err
    assert run(tree, tree / "sub").exit_code == 2


def test_a_journal_in_the_source_is_not_uploaded(run: Runs, tree: Path) -> None:
    """It changes with every object."""
    run.journal = tree / "sub" / "up.db"
    first = run(tree)
    assert (first.exit_code, first.summary["uploaded"]) == (0, 40)
    assert first.summary["skipped_by_reason"]["the run's own output"] >= 1
    assert run(tree).summary["requests"] == {}


def test_a_dry_run_reads_the_journal_and_does_not_change_it(run: Runs, tree: Path) -> None:
    """It prints what a run would send; it creates no journal."""
    assert run(tree, "--dry-run").summary["skipped_by_reason"] == {"dry run": 40}
    assert not run.journal.exists()
    run(tree)
    (tree / "f01").write_text("changed, and longer")
    before = run.journal.read_bytes()
    assert run(tree, "--dry-run").summary["skipped_by_reason"] == {"dry run": 1, KNOWN: 39}
    assert run.journal.read_bytes() == before


def test_a_second_run_with_a_journal_in_use_is_refused(run: Runs, tree: Path, environ: dict[str, str]) -> None:
    """The first run holds the journal's lock."""
    run(tree)
    holder = "import sys; from bulkput.journal.journal import open_journal; j = open_journal(sys.argv[1].encode()); "
    with subprocess.Popen(
        [sys.executable, "-c", holder + "print('open', flush=True); input()", str(run.journal)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        assert other.stdout is not None and other.stdout.readline() == "open\n"
        refused = run(tree)
        assert refused.exit_code == 2 and "another run is using it" in refused.err
        looked_at = bulkput("status", run.journal)
        assert looked_at.exit_code == 1 and "40 uploaded" in looked_at.out, (
            "status reads it but does not call it complete"
        )
        other.communicate("\n")
    assert run(tree).exit_code == 0


def test_a_full_disk_under_the_journal_stops_the_run_and_keeps_its_rows(run: Runs, tmp_path: Path) -> None:
    """Exit code 3, a sentence, the summary; the next run continues from the written rows and completes the upload."""
    root = tmp_path / "many"
    root.mkdir()
    for number in range(4000):
        (root / f"{number:04d}").touch()
    command = f"ulimit -f 200; exec {sys.executable} -m bulkput upload -q --summary - --journal"
    full = subprocess.run(
        ["bash", "-c", f"{command} {run.journal} {root} {run.destination}"],
        env=os.environ | run.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert full.returncode == 3, full.stderr
    assert "journal" in full.stderr and "sent again by the next run" in full.stderr
    summary = json.loads(full.stdout)
    assert summary["found"] == summary["uploaded"] + summary["skipped"] + summary["failed"]
    with closing(sqlite3.connect(run.journal)) as journal:
        (written,) = journal.execute("SELECT count(*) FROM files").fetchone()
    assert 0 < written < 4000
    again = run(root)
    assert (again.exit_code, again.summary["uploaded"]) == (0, 4000 - written)


def test_status_json_prints_each_object_with_its_etag(run: Runs, tree: Path) -> None:
    """Each row has the outcome, the ETag and the number of attempts."""
    run(tree)
    rows = bulkput("status", run.journal, "--json").rows
    assert [row["path"] for row in rows] == sorted(str(path) for path in tree.rglob("*") if path.is_file())
    assert all(row["outcome"] == "uploaded" and len(row["etag"]) == 32 and row["attempts"] == 1 for row in rows)


@pytest.mark.parametrize(
    "arguments", [("status", "not-there"), ("status", os.devnull), ("upload", "--retry-failed", ".", "swift://c")]
)
def test_wrong_journal_arguments_get_one_sentence(arguments: tuple[str, ...], environ: dict[str, str]) -> None:
    """The file is missing or no journal, or --journal is missing."""
    ran = bulkput(*arguments, environ=environ)
    assert ran.exit_code == 2 and ran.err.count("\n") == 1 and "Traceback" not in ran.err
