"""Draws a world from a seed, with `random.Random` as the only source of chance.

Names and contents come from small pools, so that files, objects, segments and targets often coincide.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Literal, TypeVar

from tests.scale.worlds.world import (
    OUTSIDE,
    About,
    Change,
    Command,
    Dynamic,
    Entry,
    Fifo,
    File,
    Folder,
    Gone,
    How,
    Key,
    Lie,
    Link,
    Plain,
    Static,
    Symlink,
    Thing,
    Upload,
    World,
)

T = TypeVar("T")
NAMES = (
    "a", "b", "l", "m", "t", "d", "d/x", "d/y", "d/e/z", "seg/1", "seg/2", "seg/3", "x.txt", "x.txt.gz", "keep.skip",
    "no/keep.skip", "no/other", "ü/é", "sp ace", "100%", "a%20b", "q?x#y", "it's \"q\"", "z/", "d/", "big",
)  # fmt: skip
FILE_NAMES = tuple(name for name in NAMES if not name.endswith("/"))
PREFIXES = ("", "", "p", "p/", "p/q")
SPECS = ("", "one*1", "two*7", "three*90", "one*1+two*7", "text text text \n*300")
BIG = "0123456789abcdef*70000"
_PUT: tuple[How, ...] = (
    "page", "created page", "weak", "suffix", "no etag", "wrong etag", "503", "503 after", "cut", "cut after", "damage",
)  # fmt: skip
_LIES: dict[About, tuple[How, ...]] = {
    "put": _PUT,
    "delete": ("page", "503", "503 after", "cut after"),
    "bulk": ("page", "503", "503 after", "404", "cut", "cut after"),
    "head": ("404", "503", "cut"),
    "copy": ("page", "created page", "no etag", "wrong etag", "503", "503 after", "404", "cut after"),
    "list": ("503", "cut", "stale", "phantom"),
    "manifest": ("page", "503", "404"),
}
_RELEVANT: dict[str, tuple[About, ...]] = {
    "upload": ("put", "put", "put", "put", "head", "delete", "bulk", "list", "manifest"),
    "cp": ("copy", "copy", "head", "list", "manifest"),
    "mv": ("copy", "copy", "head", "delete", "bulk", "list", "manifest"),
    "rm": ("delete", "bulk", "bulk", "head", "list"),
}


def draw(seed: int) -> World:
    """Gives the same world for the same seed."""
    chance = Random(seed)
    prefix = chance.choice(PREFIXES)
    things = _Things(chance, prefix).draw()
    kind = chance.choices(("upload", "cp", "mv", "rm"), (70, 10, 14, 6))[0]
    tree: tuple[Entry, ...] = ()
    command: Command
    if kind == "upload":
        tree = _tree(chance, things, below(prefix))
        command = _upload(chance, prefix, tree)
        # Separate generators: seeds from before these options give the same worlds as then.
        if command.skip != "none" and Random(f"expiry {seed}").random() < 0.5:
            command = replace(command, check_expiry=True)
        if command.delete_extra and Random(f"expire {seed}").random() < 0.4:
            command = replace(command, delete_extra=False, expire_extra=True)
    else:
        command = _change(chance, kind, prefix, things)
    keys = [*{thing.key: None for thing in things}]
    sent = [Key("c", below(prefix) + _text(entry.path)) for entry in tree]
    lies = _lies(chance, kind, keys, sent or keys) if chance.random() < 0.45 else ()
    return World(seed, things, tree, command, (*_meanwhile(seed, command, things), *lies))


def _meanwhile(seed: int, command: Command, things: Sequence[Thing]) -> tuple[Lie, ...]:
    """Lets another client write to an object that a mirror has just listed. Has a generator of its own."""
    chance = Random(f"meanwhile {seed}")
    is_mirror = isinstance(command, Upload) and (command.delete_extra or command.expire_extra)
    if not is_mirror or chance.random() >= 0.15:
        return ()
    prefix = below(command.dest.name)
    keys = [t.key for t in things if t.key.box == command.dest.box and t.key.name.startswith(prefix)]
    return (Lie("list", "rewrite", chance.choice(keys), 1, 1),) if keys else ()


def below(prefix: str) -> str:
    return prefix if not prefix or prefix.endswith("/") else prefix + "/"


def _text(path: bytes) -> str:
    return path.decode("utf-8", "replace")


class _Things:
    """Draws the objects: most below the prefix, some outside it and in the other container."""

    def __init__(self, chance: Random, prefix: str) -> None:
        self._chance = chance
        self._prefix = below(prefix)
        self._made: list[Thing] = []
        self._keys: set[Key] = set()

    def draw(self) -> tuple[Thing, ...]:
        for _ in range(self._chance.randint(2, 8)):
            match self._chance.choices(("plain", "link", "static", "dynamic", "marker"), (42, 24, 12, 12, 10))[0]:
                case "plain":
                    self._plain()
                case "link":
                    self._link()
                case "static":
                    self._static()
                case "dynamic":
                    self._dynamic()
                case "marker":
                    self._put(Plain(self._key(), "", self._chance.choice(("application/directory", "text/directory"))))
        if self._keys and self._chance.random() < 0.2:
            self._made.append(Gone(self._chance.choice(sorted(self._keys))))
        return tuple(self._made)

    def _put(self, thing: Thing) -> Key:
        self._made.append(thing)
        self._keys.add(thing.key)
        return thing.key

    def _key(self, names: Sequence[str] = NAMES) -> Key:
        """Tries five times for an unused key; an object that is created twice is replaced."""
        key = Key("c", "")
        for _ in range(5):
            place = self._chance.random()
            name = self._chance.choice(names)
            box, prefix = ("c", self._prefix) if place < 0.75 else ("c", "beside/") if place < 0.87 else ("o", "")
            key = Key(box, prefix + name)
            if key not in self._keys:
                break
        return key

    def _plain(self, names: Sequence[str] = NAMES) -> Key:
        chance = self._chance
        spec = BIG if chance.random() < 0.04 else chance.choice(SPECS)
        expires: Literal["never", "later", "past"] = "never"
        if chance.random() < 0.12:
            expires = chance.choice(("later", "past"))
        return self._put(Plain(self._key(names), spec, None, expires, spec != "" and chance.random() < 0.1))

    def _some(self) -> Key:
        """Gives a target to read through: an existing object, a new one, or a missing one."""
        point = self._chance.random()
        if point < 0.5 and self._keys:
            return self._chance.choice(sorted(self._keys))
        return self._plain() if point < 0.92 else Key("c", self._prefix + "nowhere")

    def _link(self) -> None:
        to = self._some()
        first = self._put(Link(self._key(), to, self._chance.random() < 0.3))
        if self._chance.random() < 0.2:
            self._put(Link(self._key(), first, self._chance.random() < 0.3))

    def _static(self) -> None:
        chance, parts = self._chance, []
        for _ in range(chance.randint(1, 3)):
            key = self._some() if chance.random() < 0.3 else self._segment()
            parts.append((key, "0-1" if chance.random() < 0.1 else ""))
        made = self._put(Static(self._key(), tuple(parts)))
        if chance.random() < 0.2:
            self._put(Static(self._key(), ((made, ""),)))

    def _segment(self) -> Key:
        key = self._key(("seg/1", "seg/2", "seg/3", "t", "a"))
        return self._put(Plain(key, self._chance.choice(SPECS[1:])))

    def _dynamic(self) -> None:
        chance = self._chance
        segments = [self._segment() for _ in range(chance.randint(1, 2))]
        first = segments[0]
        prefix = first.name.rpartition("/")[0] + "/" if "/" in first.name and chance.random() < 0.6 else first.name
        body = chance.choice(SPECS) if chance.random() < 0.25 else ""
        self._put(Dynamic(self._key(), Key(first.box, prefix), body))


def spec_of(key: Key, things: Sequence[Thing], depth: int = 0) -> str | None:
    """Gives the expected content of a GET, as a spec; None if it is not easily known."""
    thing = next((thing for thing in reversed(things) if thing.key == key), None)
    if depth > 4:
        return None
    match thing:
        case Plain():
            return thing.data
        case Link():
            return spec_of(thing.to, things, depth + 1)
        case Static():
            parts = [spec_of(part, things, depth + 1) for part, _ in thing.parts]
            return "+".join(part for part in parts if part)
        case Dynamic():
            names = sorted(
                {t.key for t in things if t.key.box == thing.prefix.box and t.key.name.startswith(thing.prefix.name)}
            )
            return "+".join(filter(None, (spec_of(name, things, depth + 1) for name in names if name != key)))
    return None


def _tree(chance: Random, things: Sequence[Thing], prefix: str) -> tuple[Entry, ...]:
    """Draws files for existing objects, with the same bytes or others, and some files without an object."""
    entries: list[Entry] = []
    for thing in things:
        name = thing.key.name.removeprefix(prefix)
        is_below = thing.key.box == "c" and thing.key.name.startswith(prefix) and name and not name.endswith("/")
        if not is_below or chance.random() < 0.45:
            continue
        path, point = name.encode(), chance.random()
        if isinstance(thing, Plain) and thing.type is not None:
            entries.append(Folder(path))
        elif point < 0.6:
            entries.append(File(path, spec_of(thing.key, things) or "", chance.random() < 0.1))
        elif point < 0.7:
            entries.append(File(path, ""))
        elif point < 0.85:
            entries.append(File(path, chance.choice(SPECS), chance.random() < 0.1))
        else:
            entries.append(_odd(chance, path))
    for _ in range(chance.randint(0, 4)):
        path = chance.choice(FILE_NAMES).encode()
        entries.append(File(path, BIG if chance.random() < 0.03 else chance.choice(SPECS)))
    if chance.random() < 0.15:
        entries.append(_odd(chance, b"odd"))
    if chance.random() < 0.05:
        entries.append(File(b"bad\xff", "one*1"))
    if chance.random() < 0.1:
        entries.append(Folder(chance.choice((b"empty", b"d", b"no"))))
    return _fitting(entries)


def _odd(chance: Random, path: bytes) -> Entry:
    """Draws a FIFO or a symlink."""
    up = b"../" * path.count(b"/")
    to = chance.choice((b"nowhere", up + b"a", up + b"d", up or b".", OUTSIDE, OUTSIDE + b"/out.txt", b""))
    if not to:
        return Fifo(path)
    return Symlink(path, to)


def _fitting(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Drops entries whose name an earlier entry has or needs as a directory."""
    kept: dict[bytes, Entry] = {}
    needed: set[bytes] = set()
    for entry in entries:
        above = {entry.path[:end] for end, byte in enumerate(entry.path) if byte == ord("/")}
        if entry.path in kept or (entry.path in needed and not isinstance(entry, Folder)):
            continue
        if any(not isinstance(kept.get(each, Folder(b"")), Folder) for each in above):
            continue
        kept[entry.path] = entry
        needed |= above
    return tuple(kept.values())


def _upload(chance: Random, prefix: str, tree: Sequence[Entry]) -> Upload:
    delete_extra = chance.random() < 0.6
    files = [entry.path for entry in tree if isinstance(entry, File) and b"\xff" not in entry.path]
    source, dest = b"", prefix
    if files and not delete_extra and chance.random() < 0.1:
        source = chance.choice(files)
        dest = below(prefix) + os.path.basename(source).decode() if chance.random() < 0.5 else below(prefix)
    gzip: Literal["never", "auto", "always"] = chance.choices(("never", "auto", "always"), (70, 12, 18))[0]
    gzip_as: Literal["encoding", "suffix"] = "encoding"
    if gzip == "always" and chance.random() < 0.6:
        gzip_as = "suffix"
    gzip_except: tuple[str, ...] = ()
    if gzip != "never" and chance.random() < 0.5:
        gzip_except = tuple(chance.sample(("*.gz", "d/", "[a-l]", "*.txt"), chance.randint(1, 2)))
    is_filtered = chance.random() < 0.35 and not source
    return Upload(
        dest=Key("c", dest),
        source=source,
        skip=chance.choices(("none", "existing", "unchanged", "identical"), (25, 20, 25, 30))[0],
        delete_extra=delete_extra,
        exclude=tuple(chance.sample(("*.skip", "seg/", "d/", "l", "[lmz]", "no/"), chance.randint(1, 2)))
        if is_filtered and chance.random() < 0.8
        else (),
        include=(chance.choice(("*.txt", "d", "[a-l]")),) if is_filtered and chance.random() < 0.25 else (),
        dir_markers=chance.random() < 0.2,
        gzip=gzip,
        gzip_as=gzip_as,
        gzip_except=gzip_except,
        expires_in="7d" if chance.random() < 0.1 else "",
        follow_symlinks=chance.random() < 0.2,
        journal=not delete_extra and chance.random() < 0.3,
        percent=chance.random() < 0.08,
        is_dry=chance.random() < 0.04,
    )


def _change(chance: Random, verb: str, prefix: str, things: Sequence[Thing]) -> Change:
    keys = [thing.key for thing in things]
    inner = chance.choice(keys)
    recursive = chance.random() < 0.6
    source = inner
    if recursive:
        above = inner.name.rpartition("/")[0]
        source = Key(inner.box, chance.choice((above, above + "/" if above else "", prefix, "d", "", inner.name)))
        if inner.box == "o" and source.name == prefix:
            source = Key("o", "")
    is_dry = chance.random() < 0.04
    if verb == "rm":
        return Change(verb="rm", source=source, recursive=recursive, is_dry=is_dry)
    other = chance.choice(keys)
    name = chance.choice((other.name, other.name.rpartition("/")[0], "new", "new/", prefix, "seg", "d/", ""))
    to = Key(chance.choice(("c", "c", "o")), name)
    return Change(verb="cp" if verb == "cp" else "mv", source=source, to=to, recursive=recursive, is_dry=is_dry)


def _lies(chance: Random, kind: str, keys: Sequence[Key], sent: Sequence[Key]) -> tuple[Lie, ...]:
    """Draws wrong answers to one request or to all; in some worlds all requests fail after a wrong one."""
    lies: list[Lie] = []
    for _ in range(chance.randint(1, 2)):
        about = chance.choice(_RELEVANT[kind])
        how, last = chance.choice(_LIES[about]), chance.choice((1, 99, 99))
        key: Key | None = chance.choice(sent if about == "put" else keys)
        if about == "bulk" or (about != "list" and chance.random() < 0.4):
            key = None
        if about == "put" and how in ("wrong etag", "damage") and chance.random() < 0.6:
            last = 1
            lies.append(Lie("put", chance.choice(("503", "cut")), key, 2))
        lies.append(Lie(about, how, key, 1, last))
    return tuple(lies)
