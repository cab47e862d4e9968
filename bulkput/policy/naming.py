"""Path on disk -> object name, injectively: two different files never become one object.

strict   the name's bytes, read as UTF-8. Not UTF-8: refused, by name.
percent  as strict, but `%` becomes `%25`, and each byte that is not part of valid UTF-8 becomes `%XX`. Since every
         `%` is escaped, undoing it is unambiguous: `source_name` gives the bytes back.
"""

from typing import Literal
from urllib.parse import unquote_to_bytes

from bulkput.errors import SourceError


def object_name(name: bytes, *, prefix: str, encode: Literal["strict", "percent"]) -> str:
    """The object name of a file called `name` (relative, parts joined by `/`), below `prefix`.

    Raises SourceError when `encode` is strict and `name` is not UTF-8.
    """
    if encode == "percent":
        return prefix + _escape(name)
    try:
        return prefix + name.decode("utf-8")
    except UnicodeDecodeError:
        raise SourceError(
            name, "name", "its name is not UTF-8; --encode-names percent uploads it under an escaped name"
        ) from None


def source_name(name: str) -> bytes:
    """Undo the percent form: the bytes of the file that an escaped object name (without prefix) came from."""
    return unquote_to_bytes(name)


def _escape(name: bytes) -> str:
    text = name.replace(b"%", b"%25").decode("utf-8", "surrogateescape")
    return "".join(f"%{ord(c) - 0xDC00:02X}" if "\udc80" <= c <= "\udcff" else c for c in text)


def joined_prefix(prefix: str) -> str:
    """A destination prefix that a directory's contents go below: joined by exactly one `/`, if there is any."""
    return prefix if not prefix or prefix.endswith("/") else prefix + "/"
