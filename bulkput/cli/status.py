"""`bulkput status FILE`"""

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from bulkput.cli.configured import Configured
from bulkput.cli.flags import in_flags
from bulkput.cli.output import write_line, write_row
from bulkput.errors import name_text, printable

if TYPE_CHECKING:
    from bulkput.journal.status import JournalRow, Status


@click.command(cls=Configured)
@click.argument("file", metavar="FILE")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per file, in the order of the paths.")
def status(file: str, as_json: bool) -> int:
    """Print the contents of FILE, the --journal of an upload. The upload may still be running.

    Exit codes: 0 everything in the sources is uploaded, 1 something is not, or it is unknown (a file failed, the last
    run did not end or still runs), 2 FILE is no journal, 3 FILE cannot be read.
    """
    from bulkput.journal.status import rows  # noqa: PLC0415 - sqlite3
    from bulkput.journal.status import status as read  # noqa: PLC0415

    path = os.fsencode(file)
    if as_json:
        for row in rows(path):
            write_row(_json_row(row))
    found = read(path)
    if not as_json:
        for line in _lines(found):
            write_line(in_flags(line))
    return 0 if found.is_done else 1


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
        "at": _time(row.at_s),
    }


def _lines(found: "Status") -> list[str]:
    from bulkput.report.lines import count_text, counted, size_text  # noqa: PLC0415

    settings = found.settings
    sources = ", ".join(json.loads(settings.get("sources", "[]")))
    lines = [
        f"{printable(sources)} -> {printable(settings.get('destination', ''))}",
        f"{count_text(found.uploaded)} uploaded ({size_text(found.bytes)}), {count_text(found.failed)} failed",
    ]
    if (last := found.last) is not None:
        how = printable(last.ending or ("it still runs" if found.is_running else "it was killed"))
        lines.append(
            f"run {count_text(found.runs)} began {_time(last.began_s)}: uploaded {count_text(last.uploaded)}"
            f" ({size_text(last.bytes)}) in {last.elapsed_s:.1f} s, {last.objects_per_s:.0f} objects/s; {how}"
        )
    if found.unfinished:
        parts = f"{counted(found.parts, 'part')} ({size_text(found.parts_bytes)})"
        lines.append(f"unfinished: {counted(found.unfinished, 'large file')}, {parts} of them in the store")
    if not found.is_covered:
        lines.append("no run has looked at all of the source since: there may be more to upload")
    lines += [f"failed: {printable(row.error or name_text(row.path))}" for row in found.failures]
    if (more := found.failed - len(found.failures)) > 0:
        lines.append(f"and {count_text(more)} more: bulkput status --json names all")
    return lines


def _time(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds")
