"""`upload --journal --gzip`: what was sent compressed is known under the name it got, and under no other."""

import gzip
import sqlite3
from pathlib import Path

import pytest

from tests.e2e.cli import bulkput
from tests.resume.conftest import KNOWN, Runs
from tests.servers.judge import SwiftJudge

TEXT = b"a text that gzip makes smaller\n" * 100
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
        ("auto", "suffix", {"a.gz", "d/a.gz", "d/b.png", "d/note", "empty", "z.txt.gz"}),
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
    for flags in ((), ("--gzip", "auto"), (*begun, "--gzip-as", "suffix")):
        refused = run(mixed, *flags)
        assert (refused.exit_code, refused.out) == (2, "")
        assert refused.err.count("\n") == 1 and "--gzip" in refused.err and "Traceback" not in refused.err
    assert stored(judge, container) == before


def test_a_file_that_takes_the_name_of_a_compressed_one_costs_no_object(
    run: Runs, mixed: Path, judge: SwiftJudge, container: str
) -> None:
    """`a` was sent as a.gz; then there is a file a.gz: that gets its name, and `a` is sent again under its own."""
    flags = ("--gzip", "auto", "--gzip-as", "suffix")
    run(mixed, *flags)
    (mixed / "a.gz").write_bytes(another := gzip.compress(b"another text", mtime=0))
    again = run(mixed, *flags)
    assert (again.exit_code, again.summary["uploaded"]) == (0, 2)
    assert again.summary["skipped_by_reason"] == {KNOWN: len(MIXED) - 1}
    held = stored(judge, container)
    assert (held["a"], held["a.gz"]) == (TEXT, another)
    assert run(mixed, *flags).summary["requests"] == {}
    (mixed / "a.gz").unlink()
    assert run(mixed, *flags).summary["requests"] == {}, "`a` is there, under a name that no one takes from it"
    assert stored(judge, container)["a"] == TEXT


def test_a_name_taken_in_another_source_counts_as_well(
    run: Runs, mixed: Path, judge: SwiftJudge, container: str, tmp_path: Path
) -> None:
    """The second source gets a file of the name that an object of the first has."""
    other = tmp_path / "other"
    (other / "d").mkdir(parents=True)
    (other / "x").write_bytes(b"x")
    flags = ("--gzip", "auto", "--gzip-as", "suffix")
    assert run(mixed, other, *flags).exit_code == 0
    (other / "d" / "a.gz").write_bytes(another := gzip.compress(b"another text", mtime=0))
    assert run(mixed, other, *flags).summary["uploaded"] == 2
    held = stored(judge, container)
    assert (held["d/a"], held["d/a.gz"], gzip.decompress(held["a.gz"])) == (TEXT, another, TEXT)
    assert run(mixed, other, *flags).summary["requests"] == {}


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


AUTO = ("--gzip", "auto", "--gzip-as", "suffix")
ANOTHER = gzip.compress(b"another text", mtime=0)


def test_a_run_that_overwrites_the_object_of_another_file_forgets_that_it_is_there(
    run: Runs, mixed: Path, judge: SwiftJudge, container: str
) -> None:
    """Though it did not look at that file: a filter left it out, and by the next run the other is gone again."""
    assert run(mixed, *AUTO).exit_code == 0
    (mixed / "a.gz").write_bytes(ANOTHER)
    assert run(mixed, *AUTO, "--include", "*.gz").summary["uploaded"] == 1
    (mixed / "a.gz").unlink()
    again = run(mixed, *AUTO)
    assert (again.exit_code, again.summary["uploaded"]) == (0, 1)
    assert gzip.decompress(stored(judge, container)["a.gz"]) == TEXT


def test_a_file_that_comes_back_is_sent_again_when_its_name_was_used_meanwhile(
    run: Runs, mixed: Path, judge: SwiftJudge, container: str
) -> None:
    """The file a.gz, moved away and back; between the two, `a` was compressed to that name."""
    (mixed / "a").rename(mixed.parent / "a")
    (mixed / "a.gz").write_bytes(ANOTHER)
    assert run(mixed, *AUTO).exit_code == 0
    (mixed / "a.gz").rename(mixed.parent / "a.gz")
    (mixed.parent / "a").rename(mixed / "a")
    assert run(mixed, *AUTO).summary["uploaded"] == 1
    (mixed.parent / "a.gz").rename(mixed / "a.gz")
    assert run(mixed, *AUTO).summary["uploaded"] == 2
    held = stored(judge, container)
    assert (held["a"], held["a.gz"]) == (TEXT, ANOTHER)


def test_what_failed_is_named_as_it_was_sent(run: Runs, mixed: Path) -> None:
    """In the journal and in the summary: the object that the store refused, after as many attempts as there were."""
    failed = run(mixed / "a", *AUTO, "--meta", "X:" + "x" * 9_000, "--retries", "0", to=f"{run.destination}/")
    assert failed.exit_code == 1
    assert [failure["key"] for failure in failed.summary["failures"]] == ["p/a.gz"]


def test_verifying_under_other_names_is_refused_and_strikes_nothing(run: Runs, mixed: Path) -> None:
    """bulkput verify --journal without the --gzip-as of the upload: every object would be missing."""
    assert run(mixed, *AUTO).exit_code == 0
    refused = bulkput("verify", "--journal", run.journal, mixed, run.destination, environ=run.environ)
    assert refused.exit_code == 2 and "--gzip-as" in refused.err
    assert run(mixed, *AUTO).summary["requests"] == {}


def test_an_object_that_is_somebody_elses_is_struck_and_sent_again(
    run: Runs, mixed: Path, judge: SwiftJudge, container: str
) -> None:
    """bulkput verify --journal: a .gz that does not say of what is not ours."""
    assert run(mixed, *AUTO).exit_code == 0
    lone = mixed.parent / "lone"
    lone.write_bytes(ANOTHER)
    assert bulkput("upload", lone, f"{run.destination}/a.gz", environ=run.environ).exit_code == 0
    verified = bulkput("verify", "--journal", run.journal, *AUTO, mixed, run.destination, environ=run.environ)
    assert (verified.exit_code, verified.out.split(" (")[0]) == (1, "not comparable p/a.gz")
    assert run(mixed, *AUTO).summary["uploaded"] == 1
    assert gzip.decompress(stored(judge, container)["a.gz"]) == TEXT


def test_a_journal_of_a_version_without_compression_goes_on(run: Runs, mixed: Path) -> None:
    """It has no such setting, which is the same as not to compress."""
    assert run(mixed).exit_code == 0
    with sqlite3.connect(run.journal) as journal:
        assert journal.execute("DELETE FROM settings WHERE name LIKE 'gzip.%'").rowcount == 3
    assert run(mixed).summary["requests"] == {}
    assert run(mixed, "--gzip", "auto").exit_code == 2
