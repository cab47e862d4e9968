"""What is kept with an object, beside its bytes: as one JSON object in a file of its own."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from bulkput.model import ObjectHeaders

_OWN_FIELDS = {"content-type": "content_type", "content-encoding": "encoding", "cache-control": "cache_control"}
"""Header fields that `ObjectHeaders` has fields for, wherever the caller has put them."""


@dataclass(frozen=True, slots=True)
class Kept:
    """`size` is in bytes, `md5` in hex: those of the bytes that were written."""

    size: int
    md5: str
    headers: ObjectHeaders

    def as_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, text: bytes) -> "Kept":
        """Raises ValueError, KeyError or TypeError if the text is no such object."""
        row = json.loads(text)
        fields = row["headers"]
        for name in ("meta", "extra"):
            fields[name] = tuple((key, value) for key, value in fields[name])
        return cls(int(row["size"]), str(row["md5"]), ObjectHeaders(**fields))


def to_keep(headers: ObjectHeaders) -> ObjectHeaders:
    """The headers of an upload as they are kept: each field once, and without the condition of the request."""
    own: dict[str, Any] = {
        _OWN_FIELDS[name.lower()]: value for name, value in headers.extra if name.lower() in _OWN_FIELDS
    }
    extra = tuple(each for each in headers.extra if each[0].lower() not in _OWN_FIELDS)
    return replace(headers, **own, extra=extra, only_new=False)


def merged(old: ObjectHeaders, new: ObjectHeaders) -> ObjectHeaders:
    """The headers of a copy: those that are given replace the object's own, metadata name by name."""
    given = {name: value for name, value in asdict(new).items() if value is not None and name not in ("meta", "extra")}
    return replace(old, **given, meta=_overlaid(old.meta, new.meta), extra=_overlaid(old.extra, new.extra))


def _overlaid(old: tuple[tuple[str, str], ...], new: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    replaced = {name.lower() for name, _ in new}
    return (*(each for each in old if each[0].lower() not in replaced), *new)
