"""A journal of schema 1, whose settings have the names of flags: `journal_1.sql`."""

import fcntl
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bulkput.errors import UsageError
from bulkput.journal.journal import open_journal, open_to_read
from bulkput.journal.schema import MIGRATIONS, connect_to_read
from tests.e2e.cli import Ran, bulkput
from tests.resume.conftest import KNOWN

DUMP = Path(__file__).with_name("journal_1.sql")
MADE_OF, MADE_AT = "/srv/tree", "test:tester at http://127.0.0.1:8080/auth/v1.0"
"""The source and the account of the upload that wrote the journal."""
MADE_WITH = (
    "--gzip", "always", "--gzip-level", "6", "--gzip-as", "suffix", "--encode-names", "percent",
    "--mtime-format", "swiftclient", "--meta", "Color:blue",
)  # fmt: skip
FILES = {"a": ("one", 789), "b": ("three", 790), "sub/c": ("seven, and more", 791)}
"""Content, and the last digits of the mtime in nanoseconds."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The files that the journal has as uploaded."""
    root = tmp_path / "tree"
    (root / "sub").mkdir(parents=True)
    for name, (content, last) in FILES.items():
        (root / name).write_text(content)
        os.utime(root / name, ns=(mtime_ns := 1_700_000_000_123_456_000 + last, mtime_ns))
    return root


@pytest.fixture
def journal(tmp_path: Path, tree: Path, environ: dict[str, str]) -> Path:
    """The dump as a SQLite file, with this tree and this account."""
    path = tmp_path / "up.db"
    dump = DUMP.read_text().replace(MADE_OF, str(tree)).replace(MADE_OF.encode().hex().upper(), bytes(tree).hex())
    dump = dump.replace(MADE_AT, f"{environ['ST_USER']} at {environ['ST_AUTH']}")
    with closing(sqlite3.connect(path)) as made:
        made.executescript(dump)
        made.execute("PRAGMA journal_mode = WAL")
    return path


def upload(journal: Path, tree: Path, environ: dict[str, str], *options: str) -> Ran:
    return bulkput(
        "upload", "--journal", journal, "--summary", "-", *(options or MADE_WITH), tree, "swift://archive/p",
        environ=environ,
    )  # fmt: skip


def schema_of(journal: Path) -> int:
    with closing(sqlite3.connect(journal)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def test_a_run_continues_with_a_journal_of_schema_1(journal: Path, tree: Path, environ: dict[str, str]) -> None:
    """It makes no request and renames the settings after options; the next run continues as well."""
    for _ in range(2):
        again = upload(journal, tree, environ)
        assert (again.exit_code, again.summary["skipped_by_reason"]) == (0, {KNOWN: 3}), again.err
        assert again.summary["requests"] == {}
    assert schema_of(journal) == len(MIGRATIONS)
    with closing(sqlite3.connect(journal)) as connection:
        settings = dict(connection.execute("SELECT name, value FROM settings"))
    assert settings.pop("headers").startswith("sha256:")
    assert json.loads(settings.pop("sources")) == [str(tree)]
    assert settings.pop("destination").startswith("swift://archive/p/ (")
    assert settings == {
        "encode_names": "percent",
        "gzip.mode": "always",
        "gzip.level": "6",
        "gzip.store_as": "suffix (always)",
        "headers.mtime_format": "swiftclient",
    }


@pytest.mark.parametrize("how", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--gzip-level", "5"), "with --gzip-level 6, not 5"),
        (("--gzip-except", "*.png"), "without --gzip-except"),
        (("--encode-names", "strict"), "with --encode-names percent, not strict"),
        (("--mtime-format", "nanoseconds"), "with --mtime-format swiftclient, and this one has no --mtime-format"),
        (("--meta", "Color:red"), "with another value of --header, --meta, --content-type,"),
    ],
)
def test_a_run_with_other_settings_than_a_journal_of_schema_1_is_refused(
    journal: Path, tree: Path, environ: dict[str, str], how: tuple[str, ...], given: tuple[str, ...], says: str
) -> None:
    """The message names the flag that differs, in a dry run as well."""
    refused = upload(journal, tree, environ, *MADE_WITH, *given, *how)
    assert (refused.exit_code, refused.out) == (2, "") and says in refused.err, refused.err


def test_status_and_a_dry_run_do_not_change_a_journal_of_schema_1(
    journal: Path, tree: Path, environ: dict[str, str]
) -> None:
    """`bulkput status` creates no file next to it."""
    before = journal.read_bytes()
    told = bulkput("status", journal)
    assert told.exit_code == 0 and told.out.startswith(f"{tree} -> swift://archive/p/ ("), told.out
    assert "3 uploaded (23 B), 0 failed" in told.out
    assert sorted(path.name for path in journal.parent.iterdir()) == ["tree", "up.db"]
    planned = upload(journal, tree, environ, *MADE_WITH, "--dry-run")
    assert (planned.exit_code, planned.summary["skipped_by_reason"]) == (0, {KNOWN: 3}), planned.err
    assert journal.read_bytes() == before


def test_verify_drops_missing_objects_from_a_journal_of_schema_1(
    journal: Path, tree: Path, environ: dict[str, str]
) -> None:
    """All three objects are missing in this store; the next run sends them."""
    naming = ("--encode-names", "percent", "--gzip", "always", "--gzip-as", "suffix")
    found = bulkput("verify", "--journal", journal, *naming, tree, "swift://archive/p", environ=environ)
    assert found.exit_code == 1 and found.out.count("missing p/") == 3, (found.out, found.err)
    sent = upload(journal, tree, environ)
    assert (sent.exit_code, sent.summary["uploaded"]) == (0, 3), sent.err


def test_a_journal_in_use_is_not_migrated(journal: Path) -> None:
    """The run that holds its lock may be of the older version, which does not know the new names."""
    with open(journal, "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another run is using it"):
            open_journal(os.fsencode(journal))
        assert schema_of(journal) == 1
    open_journal(os.fsencode(journal)).close()
    assert schema_of(journal) == len(MIGRATIONS)


def test_a_reader_sees_the_same_rows_and_settings_during_a_migration(journal: Path) -> None:
    """Readers opened before and after it see the same names and values."""
    with closing(connect_to_read(os.fsencode(journal))) as before:
        open_journal(os.fsencode(journal)).close()
        with closing(connect_to_read(os.fsencode(journal))) as after:
            read = [dict(each.execute("SELECT name, value FROM settings")) for each in (before, after)]
            rows = [each.execute("SELECT path, name FROM files ORDER BY path").fetchall() for each in (before, after)]
    assert read[0] == read[1] and "gzip.level" in read[0]
    assert rows[0] == rows[1] and len(rows[0]) == 3


def test_a_reader_does_not_migrate_a_journal_of_schema_1(journal: Path) -> None:
    """It renames the settings only in its own memory."""
    reader = open_to_read(os.fsencode(journal))
    reader.check({"gzip.level": "6", "encode_names": "percent"})
    reader.close()
    assert schema_of(journal) == 1
