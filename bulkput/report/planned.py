"""What a dry run would do, as lines of text; and what a file would get by rules, also as JSON.

Fields have the names that they have in a file of rules. Only fields that describe the object are shown: another one may
be for a gateway, and hold a secret.
"""

from collections.abc import Iterator
from typing import Any

from bulkput import events as ev
from bulkput.errors import printable
from bulkput.model import Reason, Ruling, Upload
from bulkput.report.lines import counted, size_text


def planned_line(event: ev.Event, *, verbose: bool = False) -> str | None:
    """The line that a dry run prints for a file or an object; None for other events. If `verbose`, a second line says
    what the file gets, and by which rules, if there are any."""
    match event:
        case ev.Skipped(skip=skip) if skip.reason is Reason.DRY_RUN:
            size = size_text(skip.size) if skip.size is not None else "of unknown length"
            if skip.parts is not None:
                count, each = skip.parts
                size += f", in {counted(count, 'part')} of {size_text(each)}"
            line = f"would upload: {printable(skip.path)} -> {printable(skip.key or '')} ({size})"
            return line if skip.planned is None or not verbose else f"{line}\n    {_fields_text(skip.planned)}"
        case ev.Removed() | ev.Expiring():
            from bulkput.report.mirror_lines import mirror_plan  # noqa: PLC0415 - only mirrors tell this

            return mirror_plan(event)
    return None


def fields_json(upload: Upload) -> dict[str, Any]:
    """`headers`: each field of a file, and its value. `rules`: the numbers of the rules that fields are from."""
    return {"headers": dict(_fields(upload)), "rules": dict(upload.ruling.given if upload.ruling is not None else ())}


def _fields_text(upload: Upload) -> str:
    rules = dict(upload.ruling.given) if upload.ruling is not None else {}
    return ", ".join(
        f"{printable(name)} {printable(str(value))}" + (f" (rule {rules[name]})" if name in rules else "")
        for name, value in _fields(upload)
    )


def _fields(upload: Upload) -> Iterator[tuple[str, str | int]]:
    """A gzip mode that is just the default is left out."""
    headers, ruling = upload.headers, upload.ruling or Ruling("never", ())
    is_told = ruling.gzip != "never" or "gzip" in dict(ruling.given)
    disposition = {name.lower(): value for name, value in headers.extra}.get("content-disposition")
    for name, value in (
        ("content-type", headers.content_type),
        ("cache-control", headers.cache_control),
        ("content-disposition", disposition),
        ("expires-in", headers.expires_in_s),
        ("gzip", ruling.gzip if is_told else None),
        ("storage-class", headers.storage_class),
    ):
        if value is not None:
            yield name, value
    yield from ((f"metadata.{name}", value) for name, value in headers.meta)
