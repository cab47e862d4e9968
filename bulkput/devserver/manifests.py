"""Manifests of static large objects as clients PUT them: parsed, and compared with the objects they name.

Error texts are those of swift/common/middleware/slo.py (parse_and_validate_input, validate_seg_dict). One deviation:
Swift 2.38 answers 500 to an entry that is a number or null, has neither `path` nor `data`, or is no UTF-8; here it is
400.
"""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .options import SloConstraints
from .ranges import Range, parse_range, resolve
from .rules import Refused
from .slo import DataSegment, ObjectSegment

_BASE64 = re.compile(r"=*[0-9A-Za-z+/]*=*")
_TOO_SMALL = "too small; each segment must be at least 1 byte."


@dataclass(frozen=True, slots=True)
class WantedSegment:
    """A segment that names an object, and what the client knows of it: None is not compared."""

    path: str
    etag: str | None
    size: int | None
    span: Range | None


Entry = WantedSegment | DataSegment


def parse_manifest(body: bytes, own_path: str, limits: SloConstraints) -> list[Entry]:
    """The entries of a manifest for the object CONTAINER/OBJECT. Raises Refused: 400, or 413 for too many."""
    try:
        rows = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "Manifest must be valid JSON.\n") from None
    if not isinstance(rows, list):
        raise Refused(400, "Manifest must be a list.\n")
    entries: list[Entry] = []
    errors: list[str] = []
    for index, row in enumerate(rows):
        try:
            entries.append(_entry(row, own_path, may_be_empty=index == len(rows) - 1))
        except _InvalidError as error:
            errors.append(f"Index {index}: {error}")
    if rows and all(isinstance(row, dict) and "data" in row for row in rows):
        errors.append("Inline data segments require at least one object-backed segment.")
    if errors:
        raise Refused(400, "".join(error + "\n" for error in errors), (("Content-Type", "text/plain"),))
    if sum(isinstance(entry, WantedSegment) for entry in entries) > limits.max_manifest_segments:
        raise Refused(413, f"Number of object-backed segments must be <= {limits.max_manifest_segments}")
    return entries


def differences(wanted: WantedSegment, found: ObjectSegment, *, may_be_empty: bool) -> Iterator[str]:
    """What is wrong with a segment, given the object found in its place; `found.span` is not set yet."""
    span = resolve(wanted.span, found.size) if wanted.span else (0, found.size)
    if span is None:
        yield "Unsatisfiable Range"
    elif span[1] - span[0] < 1 and not may_be_empty:
        yield _TOO_SMALL.capitalize()
    if wanted.size is not None and wanted.size != found.size:
        yield "Size Mismatch"
    if wanted.etag is not None and wanted.etag != found.etag:
        yield "Etag Mismatch"


class _InvalidError(Exception):
    """Why an entry is invalid."""


def _entry(row: Any, own_path: str, *, may_be_empty: bool) -> Entry:
    if not isinstance(row, dict):
        raise _InvalidError("not a JSON object")
    kind = "data" if "data" in row else "path"
    if kind not in row:
        raise _InvalidError("expected keys to include one of 'data' or 'path'")
    unknown = row.keys() - ({"data"} if kind == "data" else {"path", "etag", "size_bytes", "range"})
    if unknown:
        raise _InvalidError("extraneous keys " + ", ".join(json.dumps(key) for key in sorted(unknown)))
    if kind == "data":
        return _data(row["data"])
    path = _path(row["path"], own_path)
    etag = row.get("etag")
    if not (etag is None or isinstance(etag, str)):
        raise _InvalidError('"etag" must be a string or null (if provided)')
    size = _size(row.get("size_bytes"))
    if size is not None and size < 1 and not may_be_empty:
        raise _InvalidError(_TOO_SMALL)
    return WantedSegment(path, etag, size, _range(row.get("range"), size))


def _path(path: Any, own_path: str) -> str:
    if not isinstance(path, str):
        raise _InvalidError('"path" must be a string')
    if "/" not in path.strip("/"):
        raise _InvalidError("path does not refer to an object. Path must be of the form /container/object.")
    if path.lstrip("/") == own_path:
        raise _InvalidError("manifest must not include itself as a segment")
    try:
        path.encode()
    except UnicodeEncodeError:
        raise _InvalidError("path is not valid UTF-8") from None
    return path


def _size(size: Any) -> int | None:
    try:
        return None if size is None else int(size)
    except (TypeError, ValueError, OverflowError):
        raise _InvalidError("invalid size_bytes") from None


def _range(text: Any, size: int | None) -> Range | None:
    if not text:
        return None
    if "," in str(text):
        raise _InvalidError("multiple ranges (only one allowed)")
    span = parse_range(str(text))
    if span is None:
        raise _InvalidError("invalid range")
    if size is not None and resolve(span, size) is None:
        raise _InvalidError("unsatisfiable range")
    return span


def _data(text: Any) -> DataSegment:
    # b64decode ignores other characters, and more padding than is needed; Swift accepts the padding only.
    if not isinstance(text, str) or not _BASE64.fullmatch(text):
        raise _InvalidError("data must be valid base64")
    try:
        data = base64.b64decode(text)
    except ValueError:
        raise _InvalidError("data must be valid base64") from None
    if not data:
        raise _InvalidError(_TOO_SMALL)
    return DataSegment(data)
