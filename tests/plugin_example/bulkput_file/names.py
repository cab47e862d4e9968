"""Turns an object's name into a path below the container, and back. Pure; the README has a table.

A name is cut at its slashes, and each part is percent-encoded: what remains is the same on every file system. Since a
`%` in a name is always encoded, a `%` that two hex digits do not follow is free for marks:

| entry                 | is                                | adds to the names below it  |
|-----------------------|-----------------------------------|-----------------------------|
| `part`                | the file of an object             | `part`                      |
| `%_`                  | the file of an object             | nothing: its name ends in / |
| `part%`               | a directory                       | `part/`                     |
| `64 bytes%%`          | a directory, for a long part      | `64 bytes`                  |
| `%meta`, `%tmp`, ...  | no part of any name               |                             |

A part is cut as soon as it has 64 bytes, so that all names that begin with those are below one directory. That keeps
the order: sorted by what they add, the entries of a directory have their names in the order of the bytes.
"""

from urllib.parse import quote, unquote_to_bytes

CUT = 64
"""Bytes of one entry. Encoded they are 192 characters at most; a file system takes 255, and marks need some."""
_PLAIN = " +,-.=@()~"
"""Characters that are not encoded, beside letters, digits and `_`."""
_EMPTY = "%_"
_DOTS = {".": "%2E", "..": "%2E%2E"}


def path_of(name: str) -> tuple[str, ...]:
    """The entries on the way to the file of an object; the last one is the file."""
    *parents, last = name.encode().split(b"/")
    path: list[str] = []
    for part in parents:
        cut, rest = _cut(part)
        path += (*cut, f"{_encoded(rest)}%")
    cut, rest = _cut(last)
    return (*path, *cut, file_name(rest))


def added_by(entry: str, *, is_directory: bool) -> bytes | None:
    """What an entry adds to the names below it; None if it is no part of any name."""
    if not is_directory:
        part = b"" if entry == _EMPTY else unquote_to_bytes(entry)
        return part if len(part) < CUT and file_name(part) == entry else None
    if entry.endswith("%%"):
        part = unquote_to_bytes(entry[:-2])
        return part if len(part) == CUT and f"{_encoded(part)}%%" == entry else None
    part = unquote_to_bytes(entry[:-1])
    return part + b"/" if len(part) < CUT and f"{_encoded(part)}%" == entry else None


def file_name(part: bytes) -> str:
    """The entry of a file."""
    encoded = _encoded(part)
    return _DOTS.get(encoded, encoded) or _EMPTY


def _cut(part: bytes) -> tuple[list[str], bytes]:
    """The directories for a long part, and the rest of it, which is shorter than `CUT`."""
    whole = len(part) // CUT * CUT
    return [f"{_encoded(part[at : at + CUT])}%%" for at in range(0, whole, CUT)], part[whole:]


def _encoded(part: bytes) -> str:
    return quote(part, safe=_PLAIN)
