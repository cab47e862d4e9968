"""The names in a list: which file or object each one means, and which options contradict a list."""

import re
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from bulkput.errors import UsageError
from bulkput.options import SharedOptions, UploadOptions


def relative_name(line: bytes, bases: Sequence[bytes]) -> bytes:
    """The name relative to the base, with parts joined by `/`. The base itself gives an empty name.

    `bases` are all absolute paths of the base, each with a `/` at its end. If the name lies outside the base, the
    result begins with `/` or `..` (see `is_below`).

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
        elif not is_absolute:  # `/..` is the root itself
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
    """Whether the name needs no change, as nearly all names."""
    return not (line.startswith((b"/", b".")) or line.endswith(b"/") or b"//" in line or b"/." in line)


def is_below(name: bytes) -> bool:
    """Whether the result of `relative_name` is a name below the base."""
    return not (name.startswith((b"/", b"../")) or name == b"..")


def object_name(line: bytes, base: bytes) -> bytes:
    """The name of an object relative to the URL `base`, which ends with a `/`. The base itself gives an empty name.

    A `./` in front is taken off, since `find .` writes it. All else stays: `a//b` and `a/../b` may be names of objects.

    | line, base s3://b/dir/                           | name             |
    |--------------------------------------------------|------------------|
    | `a/b`, `./a/b`, `.//./a/b`                       | `a/b`            |
    | `.`, `./`, `s3://b/dir/`                         | (empty)          |
    | `a//b`, `a/./b`, `../a`, `.a`                    | as in the list   |
    | `s3://b/dir/a`                                   | `a`              |
    | `s3://b/dir/./a`, whose name begins with `./`    | `./a`            |
    | `https://h/d/a%20b`, with the base https://h/d/  | `a b`            |
    | `s3://other/a`                                   | as in the list   |
    """
    if line.startswith(b"."):
        return _HERE.sub(b"", line)
    if b"://" not in line or not line.startswith(base):
        return line
    rest = line[len(base) :]
    return unquote_to_bytes(rest) if line.lower().startswith(b"http") else rest


_HERE = re.compile(rb"\A(?:\.(?:/+|\Z))+")


def check_list(options: SharedOptions, *, has_sources: bool) -> None:
    """Raises UsageError if a list and sources are given, or neither."""
    if options.files is not None and has_sources:
        raise UsageError(
            "`files` takes the place of `sources`: name the directory of its files with `files.base` instead"
        )
    if options.files is None and not has_sources:
        raise UsageError("`sources` is empty: name at least one file or directory")


def check_upload(options: UploadOptions) -> None:
    """Raises UsageError for options that contradict each other."""
    if options.fail_if_empty and options.retry_failed:
        raise UsageError(
            "`fail_if_empty` and `retry_failed` exclude each other: there may be no failed files left. Leave out"
            " `fail_if_empty`"
        )
    if options.share is not None:
        from bulkput.policy.share import check_share  # noqa: PLC0415 - only a run with a share needs it

        check_share(options)
    if options.files is None:
        return
    if options.skip.is_mirror:
        raise UsageError(
            f"`files` and {options.skip.mirror_option} exclude each other:"
            " a file that the list leaves out may still exist. Give the directory as source, in place of `files`"
        )
    if options.retry_failed:
        raise UsageError("`retry_failed` knows the failed files: leave out `files`, give its `files.base` as source")
