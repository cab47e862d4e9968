"""Decides which name each object of a copy gets.

| source             | destination      | `a/x` goes to            |
|--------------------|------------------|--------------------------|
| `c/a/x`            | `d/b`            | `b`                      |
| `c/a/x`            | `d/b/`           | `b/x`                    |
| `c/a/x`            | `d`              | `x`                      |
| `c/a`, recursively | `d/b` or `d/b/`  | `b/x`                    |
| `c/a`, recursively | `d`              | `x`                      |
| `c`, recursively   | `d/b`            | `b/a/x`                  |

In these examples the containers differ. Within one container, neither name may lie below the other. A directory stands
for its contents, as with `upload`. It ends at a slash, so `c/a` does not include `c/ab`. The marker of the directory
itself, an object `a`, becomes the marker `b`.
"""

from contextlib import suppress
from urllib.parse import unquote, urlsplit

from bulkput.errors import UsageError
from bulkput.policy.naming import joined_prefix
from bulkput.record import frozen


@frozen
class Rename:
    """Replaces `old` by `new`: at the start of every name if `is_recursive`, else as the whole name of one object."""

    old: str
    new: str
    is_recursive: bool

    def of(self, key: str) -> str:
        """The new name of the object `key`, which may be the marker of the directory `old`."""
        if self.is_recursive and key + "/" == self.old:
            return self.new.removesuffix("/")
        return self.new + key.removeprefix(self.old)


_OWN_PORTS = {"http": 80, "https": 443}


def one_spelling(scheme: str, root: str) -> str:
    """One text for all spellings of a container or a base URL, so that no object is moved onto itself.

    For a URL it ignores upper and lower case in the host, a default port, escapes, and whether TLS is used. It does not
    recognise two names of one host that only a resolver knows to be the same.
    """
    if scheme not in _OWN_PORTS:
        return f"{scheme}://{root}"
    parts = urlsplit(root)
    host = (parts.hostname or "").rstrip(".")
    with suppress(UnicodeError):  # the host is no valid DNS name: it stays as it is
        host = host.encode("idna").decode("ascii")
    port = "" if parts.port in (None, _OWN_PORTS[scheme]) else f":{parts.port}"
    return f"//{host}{port}{unquote(parts.path)}"


def rename_of(source: str, target: str, *, is_recursive: bool, is_same_container: bool) -> Rename:
    """The Rename for a copy of `source` to `target`, the names below their containers.

    Raises UsageError if `source` is no object's name, or if the copy would replace its own source or copy its copies.
    """
    # An empty name is the container as a whole.
    if not is_recursive and (not source or source.endswith("/")):
        raise UsageError("the source is a directory, not an object: copy its contents with `is_recursive=True`")
    if is_recursive:
        rename = Rename(joined_prefix(source), joined_prefix(target), is_recursive)
    else:
        is_directory = not target or target.endswith("/")
        rename = Rename(source, target + source.rpartition("/")[2] if is_directory else target, is_recursive)
    if is_same_container and rename.old == rename.new:
        raise UsageError("source and destination are the same")
    if is_same_container and is_recursive and rename.new.startswith(rename.old):
        raise UsageError("the destination lies within the source: the copies would be copied again")
    if is_same_container and is_recursive and rename.old.startswith(rename.new):
        # For a/b to a: a/b/b/x would become a/b/x, perhaps before the old a/b/x has become a/x.
        raise UsageError(
            "the source lies within the destination: one object might replace another; copy it elsewhere first"
        )
    return rename
