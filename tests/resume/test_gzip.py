"""`upload --journal --gzip`: what was sent compressed is known under the name it got, and under no other."""

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
    """Of which auto compresses half."""
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
def test_a_second_run_makes_no_request(
    run: Runs, mixed: Path, judge: SwiftJudge, container: str, mode: str, store_as: str, names: set[str]
) -> None:
    """However objects are named; one file that was written to since is sent again, under the name that it had."""
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


def test_another_way_of_compressing_is_refused(run: Runs, mixed: Path, judge: SwiftJudge, container: str) -> None:
    """Mode, level, name: one sentence that says what differs, exit code 2, and nothing is sent."""
    begun = ("--gzip", "auto", "--gzip-level", "3")
    assert run(mixed, *begun).exit_code == 0
    before = stored(judge, container)
    (mixed / "new").write_bytes(TEXT)
    for flags in ((), ("--gzip", "auto"), (*begun, "--gzip-except", "*.gz")):
        refused = run(mixed, *flags)
        assert (refused.exit_code, refused.out) == (2, "")
        assert refused.err.count("\n") == 1 and "--gzip" in refused.err and "Traceback" not in refused.err
    assert stored(judge, container) == before


def test_excluded_files_are_known_under_their_own_names(
    run: Runs, mixed: Path, judge: SwiftJudge, container: str, tmp_path: Path
) -> None:
    """Directories, lists, several sources, markers: the second run sends nothing; other exclusions are refused."""
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


def test_a_list_with_exclusions_is_known(run: Runs, mixed: Path, tmp_path: Path) -> None:
    """In any order; the second run sends nothing."""
    (tmp_path / "list").write_text("z.txt\nd/b.png\na\n")
    flags = (*EXCEPT, "--files-from", tmp_path / "list", "--base", mixed)
    assert run(*flags).summary["uploaded"] == 3
    assert run(*flags).summary["requests"] == {}


def test_a_file_for_the_object_name_of_a_known_one_fails(
    run: Runs, mixed: Path, judge: SwiftJudge, container: str
) -> None:
    """`a` was sent as a.gz; then there is a file a.gz: exit 1 until one of the two is gone or left out."""
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


def test_a_file_that_comes_back_is_sent_again_when_its_name_was_used_meanwhile(
    run: Runs, mixed: Path, judge: SwiftJudge, container: str
) -> None:
    """`a` was sent as a.gz, and left out of a run that sent the file a.gz: the journal has forgotten it since."""
    assert run(mixed, *EXCEPT).exit_code == 0
    (mixed / "a.gz").write_bytes(ANOTHER)
    assert run(mixed, *EXCEPT, "--include", "*.gz").summary["uploaded"] == 1
    assert stored(judge, container)["a.gz"] == ANOTHER
    (mixed / "a.gz").unlink()
    assert run(mixed, *EXCEPT).summary["uploaded"] == 1
    assert gzip.decompress(stored(judge, container)["a.gz"]) == TEXT


def test_a_journal_of_names_that_depended_on_the_content_is_refused(run: Runs, mixed: Path) -> None:
    """Of --gzip auto --gzip-as suffix: one sentence that says what to do, from upload and from verify."""
    assert run(mixed, *ALL).exit_code == 0
    with sqlite3.connect(run.journal) as journal:
        changed = journal.execute("UPDATE settings SET value = 'suffix (auto)' WHERE value = 'suffix (always)'")
        assert changed.rowcount == 1
    verify = ("verify", "--journal", run.journal, *ALL, mixed, run.destination)
    for refused in (run(mixed, *ALL), bulkput(*verify, environ=run.environ)):
        assert (refused.exit_code, refused.err.count("\n")) == (2, 1)
        assert "name another journal, and upload with --gzip always and --gzip-as suffix" in refused.err


def test_a_lone_file_is_known_under_the_name_that_its_destination_gave_it(
    run: Runs, mixed: Path, judge: SwiftJudge, container: str
) -> None:
    """With and without .gz in the destination, it is one and the same object."""
    flags = ("--gzip", "always", "--gzip-as", "suffix")
    named = f"swift://{container}/dump.sql"
    assert run(mixed / "a", *flags, to=f"{named}.gz").summary["uploaded"] == 1
    assert run(mixed / "a", *flags, to=f"{named}.gz").summary["requests"] == {}
    assert run(mixed / "a", *flags, to=named).summary["requests"] == {}
    assert judge.names(container) == ["dump.sql.gz"]


def test_what_failed_is_named_as_it_was_sent(run: Runs, mixed: Path) -> None:
    """In the journal and in the summary: the object that the store refused, after as many attempts as there were."""
    failed = run(mixed / "a", *ALL, "--meta", "X:" + "x" * 9_000, "--retries", "0", to=f"{run.destination}/")
    assert failed.exit_code == 1
    assert [failure["key"] for failure in failed.summary["failures"]] == ["p/a.gz"]


def test_verifying_under_other_names_is_refused_and_strikes_nothing(run: Runs, mixed: Path) -> None:
    """bulkput verify --journal without the --gzip-as of the upload: every object would be missing."""
    assert run(mixed, *ALL).exit_code == 0
    refused = bulkput("verify", "--journal", run.journal, mixed, run.destination, environ=run.environ)
    assert refused.exit_code == 2 and "--gzip-as" in refused.err
    assert run(mixed, *ALL).summary["requests"] == {}


def test_an_object_that_is_somebody_elses_is_struck_and_sent_again(
    run: Runs, mixed: Path, judge: SwiftJudge, container: str
) -> None:
    """bulkput verify --journal: a .gz that does not say of what is not ours."""
    assert run(mixed, *ALL).exit_code == 0
    lone = mixed.parent / "lone"
    lone.write_bytes(ANOTHER)
    assert bulkput("upload", lone, f"{run.destination}/a.gz", environ=run.environ).exit_code == 0
    verified = bulkput("verify", "--journal", run.journal, *ALL, mixed, run.destination, environ=run.environ)
    assert (verified.exit_code, verified.out.split(" (")[0]) == (1, "not comparable p/a.gz")
    assert run(mixed, *ALL).summary["uploaded"] == 1
    assert gzip.decompress(stored(judge, container)["a.gz"]) == TEXT


def test_a_journal_of_a_version_without_compression_goes_on(run: Runs, mixed: Path) -> None:
    """It has no such setting, which is the same as not to compress."""
    assert run(mixed).exit_code == 0
    with sqlite3.connect(run.journal) as journal:
        assert journal.execute("DELETE FROM settings WHERE name LIKE 'gzip.%'").rowcount == 4
    assert run(mixed).summary["requests"] == {}
    assert run(mixed, "--gzip", "auto").exit_code == 2
