"""Checks the header fields that users give, once before the run, so that none can end a line on the wire.

A field name is a token (RFC 9110, 5.6.2). A value has no CR, LF or NUL, and no other control character except tab
(RFC 9110, 5.5).
"""

import re
from collections.abc import Iterable

from bulkput.errors import UsageError
from bulkput.model import Fields
from bulkput.options import HeaderOptions, UploadOptions
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
"""Fields that the transport or the store sets. A second one would break the framing or the proof of integrity."""


def parse_fields(lines: Iterable[str], *, what: str) -> Fields:
    """Parse lines of the form `NAME: VALUE`. If a name is given twice, its last value counts.

    Raises UsageError, whose text begins with `what`, if a line is not such a field or must not be sent.
    """
    fields: dict[str, tuple[str, str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise UsageError(f"{what} {line!r}: write NAME:VALUE")
        checked = check_name(name.strip(), what=what)
        fields[checked.lower()] = (checked, check_value(value.strip(), what=what))
    return tuple(fields.values())


def check_compressible(options: UploadOptions) -> None:
    """Raises UsageError if compression is on and a given field is one that bulkput sets on compressed objects."""
    if not options.compresses:
        return
    headers = options.headers
    if any(name.lower() == "content-encoding" for name, _ in headers.extra):
        raise UsageError(
            "`headers.extra` Content-Encoding and `gzip.mode` exclude each other: bulkput sets it on what it"
            " compresses. Leave out `gzip.mode` for files that are compressed already, else the field"
        )
    said = (MD5_FIELD.lower(), SIZE_FIELD.lower())
    for option, name in (
        *(("`headers.meta`", name) for name, _ in headers.meta),
        *(("`headers.extra`", name) for name, _ in headers.extra),
        *((f"rule {number}: metadata", name) for number, rule in enumerate(options.rules, 1) for name, _ in rule.meta),
    ):
        if name.lower().removeprefix("x-object-meta-") in said:
            raise UsageError(f"{option} {name} is what bulkput itself stores with a file that it compresses")


def check_headers(headers: HeaderOptions) -> None:
    """Raises UsageError for a name or a value that cannot be sent: otherwise each object would fail by it."""
    if headers.content_type is not None:
        check_content_type(headers.content_type, what="`headers.content_type`")
    check_value(headers.cache_control or "", what="`headers.cache_control`")
    for option, fields in (("meta", headers.meta), ("extra", headers.extra)):
        for name, value in fields:
            check_value(value, what=f"`headers.{option}` {check_name(name, what=f'`headers.{option}`')}")


def is_token(name: str) -> bool:
    """Whether `name` may be a field's name (RFC 9110, 5.6.2)."""
    return _TOKEN.fullmatch(name) is not None


def check_name(name: str, *, what: str) -> str:
    """Return `name`. Raises UsageError if it is no token, or if bulkput sets this field itself."""
    if not is_token(name):
        raise UsageError(f"{what}: {name!r} is not a header name: use letters, digits and -")
    if name.lower() in _OURS:
        raise UsageError(f"{what}: {name} is set by bulkput itself")
    return name


def check_value(value: str, *, what: str, is_secret: bool = False) -> str:
    """Return `value`. Raises UsageError if it cannot be sent; the text repeats the value unless `is_secret`."""
    shown = "its value" if is_secret else f"the value {value!r}"
    if _CONTROL.search(value):
        raise UsageError(f"{what}: {shown} has a control character (a newline at its end?)")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError(f"{what}: {shown} is not UTF-8") from None
    return value


def check_content_type(value: str, *, what: str) -> str:
    """Return `value`. Raises UsageError unless it begins with `type/subtype` (RFC 9110, 8.3.1)."""
    kind, slash, subtype = check_value(value, what=what).partition(";")[0].strip().partition("/")
    if not (slash and is_token(kind) and is_token(subtype)):
        raise UsageError(f"{what}: {value!r} is no type: write two words with a slash, such as text/html")
    return value


def overlaid(fields: dict[str, str], extra: Fields) -> dict[str, str]:
    """`fields` with `extra` added. A name in `extra`, in upper or lower case, replaces the one in `fields`."""
    if not extra:
        return fields
    given = {name.lower() for name, _ in extra}
    return {name: value for name, value in fields.items() if name.lower() not in given} | dict(extra)
