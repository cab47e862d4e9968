"""Header fields that people give, checked once before the run: nothing they contain can end a line on the wire.

A field name is a token (RFC 9110, 5.6.2); a value has no CR, LF or NUL and no other control character but tab
(RFC 9110, 5.5).
"""

import re
from collections.abc import Iterable

from bulkput.errors import UsageError
from bulkput.model import Fields
from bulkput.options import GzipOptions, HeaderOptions
from bulkput.policy.gzip_source import MD5_FIELD, SIZE_FIELD

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OURS = frozenset(
    (
        "content-length",
        "transfer-encoding",
        "connection",
        "host",
        "expect",
        "etag",
        "x-auth-token",
        "te",
        "upgrade",
        "authorization",
    )
)
"""Fields the transport or the store sets itself; a second one would break framing or the proof of integrity."""


def parse_fields(lines: Iterable[str], *, what: str) -> Fields:
    """`NAME: VALUE` lines taken apart; of a name given twice the last counts.

    Raises UsageError, whose text begins with `what`, for what must not reach the wire.
    """
    fields: dict[str, tuple[str, str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise UsageError(f"{what} {line!r}: write NAME:VALUE")
        checked = check_name(name.strip(), what=what)
        fields[checked.lower()] = (checked, check_value(value.strip(), what=what))
    return tuple(fields.values())


def check_compressible(headers: HeaderOptions, gzip: GzipOptions) -> None:
    """Raises UsageError where every object is to carry what compressed objects say of themselves."""
    if gzip.mode == "never":
        return
    if any(name.lower() == "content-encoding" for name, _ in headers.extra):
        raise UsageError(
            "`headers.extra` Content-Encoding and `gzip.mode` exclude each other: what is compressed says so itself"
        )
    said = (MD5_FIELD.lower(), SIZE_FIELD.lower())
    for option, name in (
        *(("`headers.meta`", name) for name, _ in headers.meta),
        *(("`headers.extra`", name) for name, _ in headers.extra),
    ):
        if name.lower().removeprefix("x-object-meta-") in said:
            raise UsageError(f"{option} {name} is what bulkput itself says of a file that it compresses")


def is_token(name: str) -> bool:
    """Fit to be a field's name (RFC 9110, 5.6.2)."""
    return _TOKEN.fullmatch(name) is not None


def check_name(name: str, *, what: str) -> str:
    if not is_token(name):
        raise UsageError(f"{what}: {name!r} is not a header name (letters, digits and - only)")
    if name.lower() in _OURS:
        raise UsageError(f"{what}: {name} is set by bulkput itself")
    return name


def check_value(value: str, *, what: str, is_secret: bool = False) -> str:
    """The value itself; a secret one is not repeated in the error."""
    shown = "its value" if is_secret else f"the value {value!r}"
    if _CONTROL.search(value):
        raise UsageError(f"{what}: {shown} has a control character (a newline at its end?)")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError(f"{what}: {shown} is not UTF-8") from None
    return value


def overlaid(fields: dict[str, str], extra: Fields) -> dict[str, str]:
    """Fields with `extra` on top: a name given there, in whatever letters, replaces ours."""
    if not extra:
        return fields
    given = {name.lower() for name, _ in extra}
    return {name: value for name, value in fields.items() if name.lower() not in given} | dict(extra)
