"""`bulkput status FILE...`"""

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from bulkput.cli.configured import Configured
from bulkput.cli.flags import in_flags
from bulkput.cli.output import say, write_line, write_row
from bulkput.errors import UsageError, name_text

if TYPE_CHECKING:
    from bulkput.journal.status import JournalRow


@click.command(cls=Configured)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per file, in the order of the paths.")
def status(files: tuple[str, ...], as_json: bool) -> int:
    """Print the contents of FILE, the --journal of an upload. The upload may still be running.

    Several are added up. If they are of shards (--shard), it says which shard is missing, or given twice.

    Exit codes: 0 everything in the sources is uploaded, 1 something is not, or it is unknown (a file failed, the last
    run did not end or still runs, a shard is missing), 2 FILE is no journal, 3 FILE cannot be read.
    """
    from bulkput.cli.status_lines import lines_of_all, lines_of_one  # noqa: PLC0415 - json
    from bulkput.journal.status import rows  # noqa: PLC0415 - sqlite3
    from bulkput.journal.status import status as read  # noqa: PLC0415
    from bulkput.policy.shard_set import ShardJournal, wrong_with  # noqa: PLC0415 - this verb's alone

    _refuse_repeated(files)
    found = [(file, read(os.fsencode(file))) for file in files]  # first of all: one of them may be no journal
    wrong = wrong_with([ShardJournal(file, each.settings) for file, each in found])
    if as_json:
        for file in files:
            named = {"journal": file} if len(files) > 1 else {}
            for row in rows(os.fsencode(file)):
                write_row(named | _json_row(row))
        for line in wrong:  # stdout is for rows
            say(line)
    else:
        for line in (*(lines_of_one(found[0][1]) if len(found) == 1 else lines_of_all(found)), *wrong):
            write_line(in_flags(line))
    return 0 if not wrong and all(each.is_done for _, each in found) else 1


def _refuse_repeated(files: tuple[str, ...]) -> None:
    """Raises UsageError if two of them are one file: its rows would be counted twice."""
    seen: dict[str, str] = {}
    for file in files:
        if (earlier := seen.setdefault(os.path.realpath(file), file)) is not file:
            raise UsageError(f"{file} is the same journal as {earlier}: name each once")


def _json_row(row: "JournalRow") -> dict[str, Any]:
    return {
        "path": name_text(row.path),
        "name": row.name,
        "outcome": row.outcome,
        "bytes": row.size,
        "mtime_ns": row.mtime_ns,
        "etag": row.etag,
        "attempts": row.attempts,
        "error": row.error,
        "run": row.run,
        "at": datetime.fromtimestamp(row.at_s, UTC).isoformat(timespec="seconds"),
    }
