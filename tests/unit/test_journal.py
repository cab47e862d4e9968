"""The journal's file: what is written, what is refused, what is known afterwards."""

import asyncio
import os
import sqlite3
import stat
import threading
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
    """One file is uploaded at once, one at the third attempt, and one fails."""
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


def test_a_journal_is_one_file_that_only_its_owner_can_read(tmp_path: Path) -> None:
    """Its mode is 0600, and no write-ahead log remains after it is closed."""
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
        (lambda path: path.write_text("a file of mine, long enough to be taken for a header" * 9), "is not a journal"),
        (make_other_database, "is not a journal"),
        (make_newer, "newer bulkput"),
        (lambda path: path.mkdir(), "directory"),
        (os.mkfifo, "not a regular file"),
    ],
)
def test_a_foreign_file_is_refused_as_a_journal_and_left_unchanged(
    tmp_path: Path, make: Callable[[Path], None], says: str
) -> None:
    """The error is one sentence, with exit code 2."""
    make(tmp_path / "j")
    before = (tmp_path / "j").read_bytes() if (tmp_path / "j").is_file() else None
    with pytest.raises(UsageError, match=says):
        open_journal(os.fsencode(tmp_path / "j"))
    assert before is None or (tmp_path / "j").read_bytes() == before


def test_a_second_run_on_an_open_journal_is_refused(tmp_path: Path) -> None:
    """It may use the journal as soon as the first run has ended."""
    with opened(tmp_path / "j"), pytest.raises(UsageError, match="another run is using it"):
        open_journal(os.fsencode(tmp_path / "j"))
    write(tmp_path / "j", uploaded(b"/a"))


def test_changed_settings_are_refused_by_name_without_their_digests(tmp_path: Path) -> None:
    """Settings are fixed from the first row on."""
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


def test_a_journal_of_an_older_schema_is_migrated(tmp_path: Path) -> None:
    """Its rows stay; a failed migration changes nothing."""
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


def test_a_damaged_journal_raises_journal_error(tmp_path: Path) -> None:
    """Some pages are overwritten; the error stops a run with exit code 3."""
    write(tmp_path / "j", *(uploaded(b"/%05d" % number) for number in range(2000)))
    with open(tmp_path / "j", "r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 60_000)
    with pytest.raises(JournalError, match="malformed"):
        list(rows(os.fsencode(tmp_path / "j")))


def test_a_whole_run_forgets_failures_that_did_not_recur(tmp_path: Path) -> None:
    """It forgets those below its sources; uploaded rows stay."""
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


def test_journal_status_counts_uploaded_and_failed_files(tmp_path: Path) -> None:
    """The second of two runs sent one file again."""
    failed = ev.Failed(b"/z", None, SourceError(b"/z", "name", "not UTF-8"))
    write(tmp_path / "j", uploaded(b"/a", size=10), uploaded(b"/b", size=1), failed)
    write(tmp_path / "j", uploaded(b"/b", size=2))
    found = status(os.fsencode(tmp_path / "j"))
    assert (found.uploaded, found.bytes, found.failed, found.runs) == (2, 12, 1, 2)
    assert found.last is not None and (found.last.uploaded, found.last.bytes) == (1, 2)
    assert [row.path for row in found.failures] == [b"/z"]


paths = st.binary(min_size=1, max_size=3).map(lambda name: b"/" + name.replace(b"\0", b"0"))


@given(st.sets(paths, max_size=30), st.lists(paths, max_size=40), st.integers(1, 7))
def test_journalled_uploads_are_known_in_any_order_of_questions(
    done: set[bytes], asked: list[bytes], rows_ahead: int
) -> None:
    """The answers equal those of a set; another version or object name is unknown."""
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


def test_a_file_is_known_only_under_its_current_object_name(tmp_path: Path) -> None:
    """Another version, another object name and a file without an object name are unknown."""
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


def test_a_journal_is_not_closed_in_the_middle_of_a_look_and_gives_none_afterwards(tmp_path: Path) -> None:
    """A stopped run does not wait for the thread that looks at its sources. SQLite crashes if it is closed in use."""
    journal = open_journal(os.fsencode(tmp_path / "j.db"))
    closing = threading.Thread(target=journal.close)
    with journal._looking() as connection:
        closing.start()
        assert connection.execute("SELECT count(*) FROM files").fetchone() == (0,)
        assert closing.is_alive()
    closing.join(10)
    with pytest.raises(JournalError, match="it is closed"):
        journal.check({})
