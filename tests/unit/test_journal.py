"""The journal's file: what is written, what is refused, what is known afterwards."""

import asyncio
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput import events as ev
from bulkput.errors import JournalError, SourceError, Unavailable, UsageError
from bulkput.journal.journal import Journal, open_journal
from bulkput.journal.known import JournalledUploads
from bulkput.journal.schema import MIGRATIONS, bring_up_to_date, connect
from bulkput.journal.status import rows, status
from bulkput.model import ObjectHeaders, SourceFile, Stored, Upload


@contextmanager
def opened(path: Path) -> Iterator[Journal]:
    journal = open_journal(os.fsencode(path))
    with closing(journal):
        yield journal


def uploaded(path: bytes, key: str = "k", *, size: int = 1, mtime_ns: int = 5) -> ev.Uploaded:
    upload = Upload(SourceFile(path, path, 0, 0), key, ObjectHeaders())
    return ev.Uploaded(upload, Stored(key, size, "e" * 32, None), size, mtime_ns, 0.1)


def write(path: Path, *events: ev.Event, forget: tuple[bytes, ...] = ()) -> None:
    """One run, in an event loop of its own."""
    asyncio.run(_write(path, events, forget))


async def _write(path: Path, events: tuple[ev.Event, ...], forget: tuple[bytes, ...]) -> None:
    journal = await asyncio.to_thread(open_journal, os.fsencode(path))
    journal.begin(lambda error: pytest.fail(str(error)), "all")
    for event in events:
        journal(event)
    await asyncio.to_thread(journal.end, forget_stale_below=forget)
    await asyncio.to_thread(journal.close)


def outcomes(path: Path) -> list[tuple[bytes, str, int]]:
    return [(row.path, row.outcome, row.attempts) for row in rows(os.fsencode(path))]


def test_each_outcome_is_a_row_with_its_attempts(tmp_path: Path) -> None:
    """Uploaded at once, uploaded at the third attempt, failed."""
    again = [ev.Retrying(Unavailable("put", "b", "503"), attempt, 0.1) for attempt in (1, 2)]
    failed = ev.Failed(b"/c\n\xff", "c", SourceError(b"/c\n\xff", "vanished", "gone"))
    write(tmp_path / "j", uploaded(b"/a", "a", size=3, mtime_ns=7), *again, uploaded(b"/b", "b"), failed)
    assert outcomes(tmp_path / "j") == [(b"/a", "uploaded", 1), (b"/b", "uploaded", 3), (b"/c\n\xff", "failed", 1)]
    first, *_, last = rows(os.fsencode(tmp_path / "j"))
    assert (first.size, first.mtime_ns, first.name, first.etag, first.error) == (3, 7, "a", "e" * 32, None)
    assert last.error is not None and "vanished" in last.error and last.size is None


def test_the_journal_thread_writes_events_while_the_journal_is_open(tmp_path: Path) -> None:
    """`begin`, 1200 events, and rows appear while the journal is open."""

    async def run() -> None:
        journal = await asyncio.to_thread(open_journal, os.fsencode(tmp_path / "j"))
        journal.begin(lambda error: pytest.fail(str(error)), "all")
        for number in range(1200):
            journal(uploaded(b"/%04d" % number))
        assert await asyncio.to_thread(count) > 0
        await asyncio.to_thread(journal.end)
        await asyncio.to_thread(journal.close)

    def count() -> int:
        with closing(sqlite3.connect(tmp_path / "j")) as other:
            while not (found := other.execute("SELECT count(*) FROM files").fetchone()[0]):
                pass
            return int(found)

    asyncio.run(run())
    assert count() == 1200


def test_only_its_owner_can_read_a_journal_and_it_is_one_file_when_closed(tmp_path: Path) -> None:
    """Mode 0600, and no log beside it that one could forget to copy."""
    write(tmp_path / "j", uploaded(b"/a"))
    assert stat.S_IMODE((tmp_path / "j").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["j"]


def make_link(path: Path) -> None:
    (path.parent / "target").touch()
    path.symlink_to(path.parent / "target")


def make_other_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE mine (a)")


def make_newer(path: Path) -> None:
    write(path)
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (make_link, "it is a link"),
        (lambda path: path.write_text("a file of mine, long enough to be taken for a header" * 9), "is no journal"),
        (make_other_database, "is no journal"),
        (make_newer, "newer bulkput"),
        (lambda path: path.mkdir(), "directory"),
        (os.mkfifo, "not a regular file"),
    ],
)
def test_a_foreign_file_is_refused_as_a_journal_and_left_unchanged(
    tmp_path: Path, make: Callable[[Path], None], says: str
) -> None:
    """One sentence, exit code 2; nothing that people keep there is written to."""
    make(tmp_path / "j")
    before = (tmp_path / "j").read_bytes() if (tmp_path / "j").is_file() else None
    with pytest.raises(UsageError, match=says):
        open_journal(os.fsencode(tmp_path / "j"))
    assert before is None or (tmp_path / "j").read_bytes() == before


def test_a_second_run_on_one_journal_is_refused(tmp_path: Path) -> None:
    """And may have it as soon as the first is through."""
    with opened(tmp_path / "j"), pytest.raises(UsageError, match="another run is using it"):
        open_journal(os.fsencode(tmp_path / "j"))
    write(tmp_path / "j", uploaded(b"/a"))


def test_other_settings_are_refused_by_name_and_digests_are_not_shown(tmp_path: Path) -> None:
    """What is recorded once must stay the same, from the first row on."""
    with opened(tmp_path / "j") as journal:
        journal.check({"destination": "swift://z", "headers": "sha256:0"})
        journal.check({"destination": "swift://a", "headers": "sha256:1"})
    write(tmp_path / "j", uploaded(b"/a"))
    with opened(tmp_path / "j") as journal:
        journal.check({"destination": "swift://a", "headers": "sha256:1"})
        with pytest.raises(UsageError, match="`destination` swift://a, not swift://b"):
            journal.check({"destination": "swift://b", "headers": "sha256:1"})
        with pytest.raises(UsageError, match="another value of `headers`:"):
            journal.check({"destination": "swift://a", "headers": "sha256:2"})


def test_a_journal_of_an_older_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    """Its rows stay; a migration that fails changes nothing."""
    path = os.fsencode(tmp_path / "j")
    write(tmp_path / "j", uploaded(b"/a"))
    with closing(connect(path, is_read_only=False)) as connection:
        broken = (*MIGRATIONS, "ALTER TABLE files ADD COLUMN x; SELECT nonsense;")
        with pytest.raises(sqlite3.OperationalError):
            bring_up_to_date(connection, path, broken)
    with closing(connect(path, is_read_only=False)) as connection:
        bring_up_to_date(connection, path, (*MIGRATIONS, "ALTER TABLE files ADD COLUMN x;"))
        assert connection.execute("SELECT path, x FROM files").fetchall() == [(b"/a", None)]
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)


def test_a_damaged_journal_is_an_error_of_the_journal(tmp_path: Path) -> None:
    """Pages overwritten: JournalError, which stops a run with exit code 3."""
    write(tmp_path / "j", *(uploaded(b"/%05d" % number) for number in range(2000)))
    with open(tmp_path / "j", "r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 60_000)
    with pytest.raises(JournalError, match="malformed"):
        list(rows(os.fsencode(tmp_path / "j")))


def test_failures_that_a_whole_run_did_not_meet_again_are_forgotten(tmp_path: Path) -> None:
    """Below the roots that were looked at, and nowhere else; what was uploaded stays."""
    failures = [
        ev.Failed(path, "k", SourceError(path, "vanished", "gone")) for path in (b"/r", b"/r/a", b"/r/b", b"/r0")
    ]
    write(tmp_path / "j", *failures, uploaded(b"/r/c"))
    write(tmp_path / "j", failures[1], forget=(b"/r",))
    assert [(path, outcome) for path, outcome, _ in outcomes(tmp_path / "j")] == [
        (b"/r/a", "failed"),
        (b"/r/c", "uploaded"),
        (b"/r0", "failed"),
    ]
    write(tmp_path / "j", forget=(b"/r",))
    assert [path for path, *_ in outcomes(tmp_path / "j")] == [b"/r/c", b"/r0"]


def test_status_counts_what_is_there(tmp_path: Path) -> None:
    """Over two runs, of which the second sent one file again."""
    failed = ev.Failed(b"/z", None, SourceError(b"/z", "name", "not UTF-8"))
    write(tmp_path / "j", uploaded(b"/a", size=10), uploaded(b"/b", size=1), failed)
    write(tmp_path / "j", uploaded(b"/b", size=2))
    found = status(os.fsencode(tmp_path / "j"))
    assert (found.uploaded, found.bytes, found.failed, found.runs) == (2, 12, 1, 2)
    assert found.last is not None and (found.last.uploaded, found.last.bytes) == (1, 2)
    assert [row.path for row in found.failures] == [b"/z"]


paths = st.binary(min_size=1, max_size=3).map(lambda name: b"/" + name.replace(b"\0", b"0"))


@given(st.sets(paths, max_size=30), st.lists(paths, max_size=40), st.integers(1, 7))
def test_known_says_the_same_in_any_order_of_questions(done: set[bytes], asked: list[bytes], rows_ahead: int) -> None:
    """As a set of the uploaded paths would, for any paths, in order or not; and not for another version or name."""
    with scratch() as directory:
        journal = directory / "j"
        write(journal, *(uploaded(path, "k", size=1, mtime_ns=5) for path in done))
        known = JournalledUploads(os.fsencode(journal), lambda _name, is_directory: b"k", rows_ahead=rows_ahead)
        for path in (*asked, *sorted({*asked, *done})):
            assert known.has(path, b"", 1, 5) == (path in done)
            assert not known.has(path, b"", 2, 5) and not known.has(path, b"", 1, 6)
        other = JournalledUploads(os.fsencode(journal), lambda _name, is_directory: b"other")
        assert not any(other.has(path, b"", 1, 5) for path in done)


def named(name: bytes, *, is_directory: bool) -> bytes | None:
    """Below `p/`, files with .gz; what begins with `-` has no object name."""
    return None if name.startswith(b"-") else b"p/" + name + (b"" if is_directory else b".gz")


def test_a_file_is_known_under_the_object_name_that_it_would_get_now(tmp_path: Path) -> None:
    """Not another version of it, not under another name, and not a file that has no object name."""
    write(tmp_path / "j", uploaded(b"/a", "p/a.gz"), uploaded(b"/b", "p/b"), uploaded(b"/-c", "p/-c.gz"))
    known = JournalledUploads(os.fsencode(tmp_path / "j"), named)
    assert known.has(b"/a", b"a", 1, 5)
    assert not known.has(b"/a", b"a", 2, 5) and not known.has(b"/a", b"a", 1, 6)
    assert not known.has(b"/b", b"b", 1, 5) and not known.has(b"/-c", b"-c", 1, 5)
    assert known.has(b"/b", b"b", 1, 5, is_directory=True) and not known.has(b"/a", b"a", 1, 5, is_directory=True)


@contextmanager
def scratch() -> Iterator[Path]:
    import tempfile  # noqa: PLC0415 - one directory for each example

    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)
