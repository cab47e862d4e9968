"""Where the objects of a copy go.

| source             | destination      | `a/x` goes to            |
|--------------------|------------------|--------------------------|
| `c/a/x`            | `d/b`            | `b`                      |
| `c/a/x`            | `d/b/`           | `b/x`                    |
| `c/a/x`            | `d`              | `x`                      |
| `c/a`, recursively | `d/b` or `d/b/`  | `b/x`                    |
| `c/a`, recursively | `d`              | `x`                      |
| `c`, recursively   | `d/b`            | `b/a/x`                  |

The containers differ here; within one, neither may lie within the other. A directory gives its contents, as with
`upload`; it ends at a slash, so that `c/a` does not mean `c/ab`. Its own marker, an object `a`, becomes that of `b`.
"""

from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from bulkput.errors import UsageError
from bulkput.policy.naming import joined_prefix


@dataclass(frozen=True, slots=True)
class Rename:
    """From which names to which: all that begin with `old`, or, of one object, `old` itself."""

    old: str
    new: str
    is_recursive: bool

    def of(self, key: str) -> str:
        """The name that the object `key` gets, or the marker of `old` as a directory."""
        if self.is_recursive and key + "/" == self.old:
            return self.new.removesuffix("/")
        return self.new + key.removeprefix(self.old)


_OWN_PORTS = {"http": 80, "https": 443}


def one_spelling(scheme: str, root: str) -> str:
    """The same text for all spellings of a container or a base URL, so that nothing is moved onto itself.

    Of a URL that means the letters of its host, a port that goes without saying, and escapes; with and without TLS
    counts as the same place. Names that only a resolver knows to be one host are not seen through.
    """
    if scheme not in _OWN_PORTS:
        return f"{scheme}://{root}"
    parts = urlsplit(root)
    host = (parts.hostname or "").rstrip(".")
    with suppress(UnicodeError):  # of what is no name that DNS knows
        host = host.encode("idna").decode("ascii")
    port = "" if parts.port in (None, _OWN_PORTS[scheme]) else f":{parts.port}"
    return f"//{host}{port}{unquote(parts.path)}"


def rename_of(source: str, target: str, *, is_recursive: bool, is_same_container: bool) -> Rename:
    """For the prefixes of SRC and DST. Raises UsageError for a copy onto itself, or into what is being copied."""
    if not is_recursive and (not source or source.endswith("/")):
        raise UsageError("this names no object but what lies below it: copy that with `is_recursive=True`")
    if is_recursive:
        rename = Rename(joined_prefix(source), joined_prefix(target), is_recursive)
    else:
        is_directory = not target or target.endswith("/")
        rename = Rename(source, target + source.rpartition("/")[2] if is_directory else target, is_recursive)
    if is_same_container and rename.old == rename.new:
        raise UsageError("source and destination are the same")
    if is_same_container and is_recursive and rename.new.startswith(rename.old):
        raise UsageError("the destination lies within the source: what is copied would be copied again")
    if is_same_container and is_recursive and rename.old.startswith(rename.new):
        # a/b/b/x would become a/b/x, perhaps before that has become a/x.
        raise UsageError(
            "the source lies within the destination: one object might replace another; copy it elsewhere first"
        )
    return rename
