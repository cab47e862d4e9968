"""`bulkput status FILE`"""

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from bulkput.cli.output import write_line
from bulkput.errors import name_text, printable

if TYPE_CHECKING:
    from bulkput.journal.status import Row, Status


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per file, in the order of the paths.")
def status(file: str, as_json: bool) -> int:
    """Say what FILE, the --journal of an upload, holds: also while the upload runs.

    Exit code 1 when something in it has failed, 0 when all of it is uploaded.
    """
    from bulkput.journal.status import rows  # noqa: PLC0415 - sqlite3
    from bulkput.journal.status import status as read  # noqa: PLC0415

    path = os.fsencode(file)
    if as_json:
        has_failures = False
        for row in rows(path):
            has_failures |= row.outcome == "failed"
            write_line(json.dumps(_json_row(row)))
        return int(has_failures)
    found = read(path)
    for line in _lines(found):
        write_line(line)
    return int(found.failed > 0)


def _json_row(row: "Row") -> dict[str, Any]:
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
    from bulkput.report.lines import count_text, size_text  # noqa: PLC0415

    lines = [f"to {printable(found.settings.get('destination', 'nowhere yet'))}"]
    lines.append(
        f"{count_text(found.uploaded)} uploaded ({size_text(found.bytes)}), {count_text(found.failed)} failed,"
        f" in {count_text(found.runs)} run{'s'[: found.runs != 1]}"
    )
    if (last := found.last) is not None:
        lines.append(
            f"last run: began {_time(last.began_s)}, uploaded {count_text(last.uploaded)} ({size_text(last.bytes)})"
            f" in {last.elapsed_s:.0f} s, {last.objects_per_s:.0f} objects/s"
        )
    lines += [f"failed: {printable(row.path)}: {printable(row.error or '')}" for row in found.failures]
    if (more := found.failed - len(found.failures)) > 0:
        lines.append(f"and {count_text(more)} more: bulkput status --json names all")
    return lines


def _time(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds")
