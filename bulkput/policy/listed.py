"""Names in a list of files: what they mean, and with which options a list makes no sense."""

from collections.abc import Sequence

from bulkput.errors import UsageError
from bulkput.options import SharedOptions, UploadOptions


def relative_name(line: bytes, bases: Sequence[bytes]) -> bytes:
    """The name relative to the base, parts joined by `/`; empty for the base itself.

    `bases` are the absolute paths by which the base is known, each with a `/` at its end. A name that leads out of the
    base still begins with `/` or `..` (see `is_below`).

    | line, base /srv/     | name     |
    |----------------------|----------|
    | `a/b`                | `a/b`    |
    | `./a//b/`            | `a/b`    |
    | `a/../b`             | `b`      |
    | `/srv/a`             | `a`      |
    | `.`, `/srv`          | (empty)  |
    | `../a`, `b/../../a`  | `../a`   |
    | `/etc/a`, `/srv/../etc/a` | `/etc/a` |
    """
    if _is_plain(line):
        return line
    is_absolute = line.startswith(b"/")
    parts: list[bytes] = []
    for part in line.split(b"/"):
        if part in (b"", b"."):
            continue
        if part != b"..":
            parts.append(part)
        elif parts and parts[-1] != b"..":
            parts.pop()
        elif not is_absolute:  # above the root there is nothing
            parts.append(part)
    path = b"/".join(parts)
    if not is_absolute:
        return path
    path = b"/" + path
    for base in bases:
        if (path + b"/").startswith(base):
            return path[len(base) :]
    return path


def _is_plain(line: bytes) -> bool:
    """Nearly all are: nothing is to be done for them."""
    return not (line.startswith((b"/", b".")) or line.endswith(b"/") or b"//" in line or b"/." in line)


def is_below(name: bytes) -> bool:
    """Whether the result of `relative_name` is a name below the base."""
    return not (name.startswith((b"/", b"../")) or name == b"..")


def check_list(options: SharedOptions, *, has_sources: bool) -> None:
    """Raises UsageError if a list and sources are given both."""
    if options.files is not None and has_sources:
        raise UsageError(
            "`files` takes the place of `sources`: name the directory of its files with `files.base` instead"
        )


def check_upload(options: UploadOptions) -> None:
    """Raises UsageError for options that contradict each other."""
    if options.fail_if_empty and options.retry_failed:
        raise UsageError("`fail_if_empty` and `retry_failed` exclude each other: there may be nothing left that failed")
    if options.files is None:
        return
    if options.skip.delete_extra:
        raise UsageError(
            "`files` and `skip.delete_extra` exclude each other: what a list leaves out may be there still"
        )
    if options.retry_failed:
        raise UsageError("`retry_failed` knows what failed: leave out `files`, and write its `files.base` as source")
