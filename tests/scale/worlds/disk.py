"""Computes which files of a tree an upload should take, and their object names, without any code of bulkput."""

from __future__ import annotations

import fnmatch
import os
from dataclasses import dataclass, field

from tests.scale.worlds.world import Key, Upload


@dataclass(slots=True)
class Taken:
    """Names relative to the source. `unknown` entries are no regular files; `failing` ones have no object name."""

    files: dict[bytes, bytes] = field(default_factory=dict)
    directories: set[bytes] = field(default_factory=set)
    unknown: set[bytes] = field(default_factory=set)
    failing: set[bytes] = field(default_factory=set)


def taken(tree: bytes, command: Upload) -> Taken:
    """Walks the tree. A single source file has its base name."""
    found = Taken()
    if command.source:
        with open(tree + b"/" + command.source, "rb") as file:
            found.files[os.path.basename(command.source)] = file.read()
        return found
    _walk(tree, b"", command, found, (os.path.realpath(tree),))
    return found


def _walk(root: bytes, below: bytes, command: Upload, found: Taken, above: tuple[bytes, ...]) -> None:
    base = root + b"/" + below if below else root
    for entry in sorted(os.listdir(base)):
        name = below + b"/" + entry if below else entry
        path = root + b"/" + name
        real = os.path.realpath(path)
        is_inside = real == above[0] or real.startswith(above[0] + b"/")
        if os.path.islink(path):
            is_taken = os.path.exists(path) and (
                command.follow_symlinks or (is_inside and os.path.isfile(real) and not os.path.isdir(real))
            )
            if not is_taken or (os.path.isdir(real) and real in above):
                found.unknown.add(name)
                continue
        if os.path.isdir(real):
            if not is_ignored(name, command.exclude, is_directory=True):
                found.directories.add(name)
                _walk(root, name, command, found, (*above, real))
        elif not os.path.isfile(real):
            found.unknown.add(name)
        elif is_sent(name, command):
            if not command.percent and not _is_utf8(name):
                found.failing.add(name)
                continue
            with open(path, "rb") as file:
                found.files[name] = file.read()


def is_sent(name: bytes, command: Upload) -> bool:
    """Whether the filters let a file of this name through."""
    if is_ignored(name, command.exclude, is_directory=False):
        return False
    return not command.include or is_ignored(name, command.include, is_directory=False)


def is_ignored(name: bytes, patterns: tuple[str, ...], *, is_directory: bool) -> bool:
    """Applies gitignore's rule for patterns without a slash, or with one only at the end: they match at any level."""
    parts = name.split(b"/")
    return any(_matches(parts, pattern.encode(), is_directory) for pattern in patterns)


def _matches(parts: list[bytes], pattern: bytes, is_directory: bool) -> bool:
    wanted = pattern.rstrip(b"/")
    levels = parts if is_directory or not pattern.endswith(b"/") else parts[:-1]
    return any(fnmatch.fnmatchcase(part, wanted) for part in levels)


def key_of(name: bytes, command: Upload, *, is_directory: bool = False) -> Key:
    """Gives the key of a file's object, or of a directory's marker."""
    dest = command.dest
    if command.source and dest.name and not dest.name.endswith("/"):
        plain = dest.name
    else:
        plain = prefix_of(command) + text_of(name, command)
    is_suffixed = not is_directory and gets_gz(name, command)
    return Key(dest.box, plain + ".gz" if is_suffixed and not _has_gz(plain, command) else plain)


def gets_gz(name: bytes, command: Upload) -> bool:
    """Whether .gz is added: with `--gzip-as suffix`, unless `--gzip-except` matches the file."""
    is_asked_for = command.gzip != "never" and command.gzip_as == "suffix"
    return is_asked_for and not is_ignored(name, command.gzip_except, is_directory=False)


def files_of(name: bytes, command: Upload) -> list[bytes]:
    """Gives the possible names of the file whose object has this name below the destination."""
    could = [name.removesuffix(b".gz")] if name.endswith(b".gz") else []
    could = [each for each in could if each.rpartition(b"/")[2] and gets_gz(each, command)]
    return could + [name] * (not could or not gets_gz(name, command))


def _has_gz(plain: str, command: Upload) -> bool:
    """Whether a single file goes to an object whose name already ends with .gz."""
    return bool(command.source) and plain.endswith(".gz") and plain == command.dest.name


def prefix_of(command: Upload) -> str:
    name = command.dest.name
    return name if not name or name.endswith("/") else name + "/"


def text_of(name: bytes, command: Upload) -> str:
    if not command.percent:
        return name.decode("utf-8", "replace")
    text = name.replace(b"%", b"%25").decode("utf-8", "surrogateescape")
    return "".join(f"%{ord(c) - 0xDC00:02X}" if "\udc80" <= c <= "\udcff" else c for c in text)


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True
