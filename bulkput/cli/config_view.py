"""What `bulkput config` prints: text for people, one JSON object for programs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bulkput.config.settings import Origin
from bulkput.config.values import Typed
from bulkput.errors import printable
from bulkput.record import frozen


@frozen
class Row:
    """An option of a verb, with its value as it would be typed. None is no value: then bulkput decides."""

    verb: str
    key: str
    value: Typed | None
    origin: Origin


@frozen
class Alias:
    """An alias of a file. `refused` says why a command would not take it."""

    name: str
    url: str
    path: str
    refused: str | None


@frozen(kw_only=True)
class Report:
    """What the verb prints, with all secrets masked."""

    files: Mapping[str, tuple[str, str]]
    """The path of each kind of file that there is or could be, and whether it is `read`, `left out` or `not there`."""
    rows: Sequence[Row]
    profiles: Sequence[str]
    """Those in use."""
    aliases: Sequence[Alias]
    urls: Mapping[str, str]
    """The aliases of the command, with what they mean."""
    variables: Mapping[str, str]
    unknown: Mapping[str, str]
    """Variables that nothing reads, and why."""


def as_object(report: Report) -> dict[str, Any]:
    """The object that `--json` prints."""
    return {
        "schema": 1,
        "files": [{"kind": kind, "path": path, "state": state} for kind, (path, state) in report.files.items()],
        "profiles": list(report.profiles),
        "options": [
            {
                "verb": row.verb,
                "option": row.key,
                "value": list(row.value) if isinstance(row.value, tuple) else row.value,
                "from": {"kind": row.origin.kind, "name": row.origin.name or None, "table": row.origin.table or None},
            }
            for row in report.rows
        ],
        "aliases": [
            {"name": each.name, "url": each.url, "file": each.path, "refused": each.refused} for each in report.aliases
        ],
        "urls": dict(report.urls),
        "environment": dict(report.variables),
        "unknown": dict(report.unknown),
    }


def text_lines(report: Report, *, is_one_verb: bool) -> Iterator[str]:
    """One block for each kind of fact; a block without facts is left out."""
    blocks: dict[str, Sequence[tuple[str, ...]]] = {
        "files": [(kind, path, state) for kind, (path, state) in report.files.items()],
        "profiles in use": [(name,) for name in report.profiles],
        "urls": list(report.urls.items()),
        "options": _option_rows(report.rows, is_one_verb=is_one_verb),
        "aliases": [(f"{each.name}:", each.url, each.refused or each.path) for each in report.aliases],
        "environment": [*report.variables.items(), *report.unknown.items()],
    }
    is_first = True
    for heading, rows in blocks.items():
        if not rows:
            continue
        if not is_first:
            yield ""
        is_first = False
        yield heading
        yield from _columns(rows)


def _option_rows(rows: Sequence[Row], *, is_one_verb: bool) -> list[tuple[str, ...]]:
    """Name, value, source; the verbs last. Verbs that have the same share a row."""
    verbs: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        verbs.setdefault((row.key, _text(row.value), str(row.origin)), []).append(row.verb)
    if is_one_verb:
        return list(verbs)
    return [(*what, ", ".join(names)) for what, names in sorted(verbs.items())]


def _text(value: Typed | None) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return str(value).lower()
        case tuple():
            return ", ".join(value)
    return value


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    texts = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=False)]
    for row in texts:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
