"""`upload --journal --gzip`: the journal records each compressed file under its object name."""

import gzip
import sqlite3
from pathlib import Path

import pytest

from tests.e2e.cli import bulkput
from tests.resume.conftest import KNOWN, Runs
from tests.servers.judge import SwiftJudge

TEXT = b"a text that gzip makes smaller\n" * 100
ANOTHER = gzip.compress(b"another text", mtime=0)
ALL = ("--gzip", "always", "--gzip-as", "suffix")
EXCEPT = (*ALL, "--gzip-except", "*.gz")
MIXED = {"a": TEXT, "d/a": TEXT, "d/b.png": TEXT, "d/note": b"short", "empty": b"", "z.txt": TEXT}


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Six files, of which `--gzip auto` compresses half."""
    root = tmp_path / "mixed"
    (root / "d").mkdir(parents=True)
    for name, content in MIXED.items():
        (root / name).write_bytes(content)
    return root


def stored(judge: SwiftJudge, container: str) -> dict[str, bytes]:
    found = {name.removeprefix("p/"): judge.get(container, name) for name in judge.names(container)}
    return {name: seen.content for name, seen in found.items() if seen is not None}


@pytest.mark.parametrize(
    ("mode", "store_as", "names"),
    [
        ("always", "encoding", set(MIXED)),
        ("always", "suffix", {f"{name}.gz" for name in MIXED}),
        ("auto", "encoding", set(MIXED)),
    ],
)
def test_a_second_run_of_a_compressed_tree_makes_no_request(
    run: Runs, mixed: Path, judge: SwiftJudge, container: str, mode: str, store_as: str, names: set[str]
) -> None:
    """A file that changes afterwards is sent again, under the same object name."""
    flags = ("--gzip", mode, "--gzip-as", store_as)
    assert run(mixed, *flags).summary["uploaded"] == len(MIXED)
    again = run(mixed, *flags)
    assert (again.exit_code, again.summary["requests"]) == (0, {})
    assert again.summary["skipped_by_reason"] == {KNOWN: len(MIXED)}
    (mixed / "d" / "a").write_bytes(TEXT * 2)
    assert run(mixed, *flags).summary["requests"]["PUT"] == 1 + 1
    held = stored(judge, container)
    assert set(held) == names
    assert gzip.decompress(held["d/a.gz" if store_as == "suffix" else "d/a"]) == TEXT * 2


def test_a_journal_refuses_other_gzip_options(run: Runs, mixed: Path, judge: SwiftJudge, container: str) -> None:
    """Another mode, level or exclusion: one sentence that names it, exit code 2, and nothing is sent."""
    begun = ("--gzip", "auto", "--gzip-level", "3")
    assert run(mixed, *begun).exit_code == 0
    before = stored(judge, container)
    (mixed / "new").write_bytes(TEXT)
    for flags in ((), ("--gzip", "auto"), (*begun, "--gzip-except", "*.gz")):
        refused = run(mixed, *flags)
        assert (refused.exit_code, refused.out) == (2, "")
        assert refused.err.count("\n") == 1 and "--gzip" in refused.err and "Traceback" not in refused.err
    assert stored(judge, container) == before


def test_the_journal_knows_excluded_files_by_their_own_names(
    run: Runs, mixed: Path, judge: SwiftJudge, container: str, tmp_path: Path
) -> None:
    """Directories, two sources, markers: the second run sends nothing; other exclusions are refused."""
    flags = (*ALL, "--gzip-except", "*.png")
    for more in ((mixed,), (mixed, "--dir-markers"), (mixed, "--encode-names", "percent"), (mixed, tmp_path / "lone")):
        (tmp_path / "lone").write_bytes(TEXT)
        (tmp_path / "up.db").unlink(missing_ok=True)
        assert run(*more, *flags).exit_code == 0
        again = run(*more, *flags)
        assert (again.exit_code, again.summary["requests"]) == (0, {}), again.err
    assert {"d/b.png", "d/a.gz", "d", "empty.gz", "lone.gz"} < set(stored(judge, container))
    for other in (ALL, (*ALL, "--gzip-except", "*.txt")):
        refused = run(mixed, tmp_path / "lone", *other)
        assert (refused.exit_code, "--gzip-except" in refused.err) == (2, True)
    ran = bulkput(
        "verify", "--journal", run.journal, mixed, tmp_path / "lone", run.destination, *ALL, environ=run.environ
    )
    assert (ran.exit_code, "--gzip-except" in ran.err) == (2, True)


def test_the_journal_knows_the_files_of_a_list_with_exclusions(run: Runs, mixed: Path, tmp_path: Path) -> None:
    """The list is unsorted; the second run sends nothing."""
    (tmp_path / "list").write_text("z.txt\nd/b.png\na\n")
    flags = (*EXCEPT, "--files-from", tmp_path / "list", "--base", mixed)
    assert run(*flags).summary["uploaded"] == 3
    assert run(*flags).summary["requests"] == {}


def test_a_file_whose_object_name_another_file_holds_fails(
    run: Runs, mixed: Path, judge: SwiftJudge, container: str
) -> None:
    """`a` was sent as a.gz, then a file a.gz appears: exit 1 until one of the two is gone."""
    assert run(mixed, *EXCEPT).exit_code == 0
    (mixed / "a.gz").write_bytes(ANOTHER)
    for _ in range(2):
        again = run(mixed, *EXCEPT)
        assert (again.exit_code, again.summary["requests"]) == (1, {})
        assert "a.gz: collision: a is stored under this name, compressed" in again.err
        assert again.summary["skipped_by_reason"] == {KNOWN: len(MIXED)}
    assert gzip.decompress(stored(judge, container)["a.gz"]) == TEXT
    refused = run(mixed, *EXCEPT, "--retry-failed")
    assert (refused.exit_code, "without --retry-failed, what failed is sent as well" in refused.err) == (2, True)
    (mixed / "a").rename(mixed / "b")
    assert run(mixed, *EXCEPT).exit_code == 0
    held = stored(judge, container)
    assert (held["a.gz"], gzip.decompress(held["b.gz"])) == (ANOTHER, TEXT)


def test_a_file_is_sent_again_after_another_file_used_its_object_name(
    run: Runs, mixed: Path, judge: SwiftJudge, container: str
) -> None:
    """`a` was sent as a.gz; a later run excludes it and sends the file a.gz: the journal drops `a`."""
    assert run(mixed, *EXCEPT).exit_code == 0
    (mixed / "a.gz").write_bytes(ANOTHER)
    assert run(mixed, *EXCEPT, "--include", "*.gz").summary["uploaded"] == 1
    assert stored(judge, container)["a.gz"] == ANOTHER
    (mixed / "a.gz").unlink()
    assert run(mixed, *EXCEPT).summary["uploaded"] == 1
    assert gzip.decompress(stored(judge, container)["a.gz"]) == TEXT


def test_a_journal_of_gzip_auto_with_suffix_names_is_refused(run: Runs, mixed: Path) -> None:
    """upload and verify: one sentence that says what to do."""
    assert run(mixed, *ALL).exit_code == 0
    with sqlite3.connect(run.journal) as journal:
        changed = journal.execute("UPDATE settings SET value = 'suffix (auto)' WHERE value = 'suffix (always)'")
        assert changed.rowcount == 1
    verify = ("verify", "--journal", run.journal, *ALL, mixed, run.destination)
    for refused in (run(mixed, *ALL), bulkput(*verify, environ=run.environ)):
        assert (refused.exit_code, refused.err.count("\n")) == (2, 1)
        assert "of a run with --gzip-as suffix (auto)" in refused.err
        assert "name another journal, and upload with --gzip always and --gzip-as suffix" in refused.err


def test_a_single_file_is_known_with_and_without_gz_in_the_destination(
    run: Runs, mixed: Path, judge: SwiftJudge, container: str
) -> None:
    """Both destinations name the same object."""
    flags = ("--gzip", "always", "--gzip-as", "suffix")
    named = f"swift://{container}/dump.sql"
    assert run(mixed / "a", *flags, to=f"{named}.gz").summary["uploaded"] == 1
    assert run(mixed / "a", *flags, to=f"{named}.gz").summary["requests"] == {}
    assert run(mixed / "a", *flags, to=named).summary["requests"] == {}
    assert judge.names(container) == ["dump.sql.gz"]


def test_a_failure_has_the_object_name_of_the_compressed_file(run: Runs, mixed: Path) -> None:
    """The summary names the object that the store refused."""
    failed = run(mixed / "a", *ALL, "--meta", "X:" + "x" * 9_000, "--retries", "0", to=f"{run.destination}/")
    assert failed.exit_code == 1
    assert [failure["key"] for failure in failed.summary["failures"]] == ["p/a.gz"]


def test_a_verify_with_other_gzip_names_is_refused_and_keeps_the_journal(run: Runs, mixed: Path) -> None:
    """bulkput verify --journal without the --gzip-as of the upload: every object would be missing."""
    assert run(mixed, *ALL).exit_code == 0
    refused = bulkput("verify", "--journal", run.journal, mixed, run.destination, environ=run.environ)
    assert refused.exit_code == 2 and "--gzip-as" in refused.err
    assert run(mixed, *ALL).summary["requests"] == {}


@pytest.mark.parametrize("store_as", ["encoding", "suffix"])
def test_verify_takes_the_journal_of_an_upload_with_exclusions(run: Runs, mixed: Path, store_as: str) -> None:
    """bulkput verify --journal with the flags of the upload: everything is identical."""
    flags = ("--gzip", "always", "--gzip-as", store_as, "--gzip-except", "*.png")
    assert run(mixed, *flags).exit_code == 0
    verified = bulkput("verify", "--journal", run.journal, *flags, mixed, run.destination, environ=run.environ)
    assert (verified.exit_code, verified.out) == (0, ""), verified.err


def test_verify_drops_a_foreign_object_from_the_journal_and_upload_replaces_it(
    run: Runs, mixed: Path, judge: SwiftJudge, container: str
) -> None:
    """bulkput verify --journal: a .gz without metadata about its source was not sent by bulkput."""
    assert run(mixed, *ALL).exit_code == 0
    lone = mixed.parent / "lone"
    lone.write_bytes(ANOTHER)
    assert bulkput("upload", lone, f"{run.destination}/a.gz", environ=run.environ).exit_code == 0
    verified = bulkput("verify", "--journal", run.journal, *ALL, mixed, run.destination, environ=run.environ)
    assert (verified.exit_code, verified.out.split(" (")[0]) == (1, "not comparable p/a.gz")
    assert run(mixed, *ALL).summary["uploaded"] == 1
    assert gzip.decompress(stored(judge, container)["a.gz"]) == TEXT


def test_a_journal_of_a_version_without_gzip_continues(run: Runs, mixed: Path) -> None:
    """It has no gzip settings, which means `--gzip never`."""
    assert run(mixed).exit_code == 0
    with sqlite3.connect(run.journal) as journal:
        assert journal.execute("DELETE FROM settings WHERE name LIKE 'gzip.%'").rowcount == 4
    assert run(mixed).summary["requests"] == {}
    assert run(mixed, "--gzip", "auto").exit_code == 2
