"""The record of one command with the store before and after it, and questions about it."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Set
from dataclasses import dataclass

from tests.e2e.cli import Ran
from tests.scale.worlds.disk import Taken
from tests.scale.worlds.swift import ABSENT, Seen, Snap
from tests.scale.worlds.world import Key, World


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault that the judge found; `kind` is a short name for it."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass(frozen=True, slots=True)
class Case:
    """One command and the store before and after it. `damaged` are the keys whose bytes the proxy changed."""

    world: World
    before: Seen
    after: Seen
    ran: Ran
    taken: Taken
    damaged: Set[Key]
    is_lied_to: bool
    wrong_rows: Set[Key] = frozenset()
    """Objects that the listing omits, or has although they do not exist."""
    rewritten: Set[Key] = frozenset()
    """Objects that another client wrote during the command; `before` has their new state."""

    def was(self, key: Key) -> Snap:
        return self.before.get(key, ABSENT)

    def now(self, key: Key) -> Snap:
        return self.after.get(key, ABSENT)


def is_same(case: Case, key: Key) -> bool:
    old, now = case.was(key), case.now(key)
    if old.is_readable:
        return now.content == old.content
    return now.is_there == old.is_there or not old.is_there


def differs(old: Snap, now: Snap) -> bool:
    return (old.content, old.is_there, old.kind) != (now.content, now.is_there, now.kind)


def has_own_body(old: Snap, now: Snap) -> bool:
    """Whether it is a dynamic large object with bytes of its own, which is listed as a plain object."""
    return old.kind == now.kind == "dynamic" and old.own > 0


def reads_through(case: Case, key: Key, changed: Set[Key]) -> bool:
    """Whether a GET of `key` reads one of `changed`, directly or through other objects, before or after the command."""
    seen: set[Key] = set()
    waiting = [key]
    while waiting:
        each = waiting.pop()
        if each in seen:
            continue
        seen.add(each)
        for snap in (case.was(each), case.now(each)):
            waiting += snap.reads
            if (begins := snap.begins) is not None:
                every = case.before.keys() | case.after.keys()
                waiting += [k for k in every if k.box == begins.box and k.name.startswith(begins.name)]
    return bool((seen - {key}) & changed)


def holds(snap: Snap, data: bytes) -> bool:
    return snap.content is not None and (snap.content == data or unzipped(snap) == data)


def unzipped(snap: Snap) -> bytes | None:
    """Gives the content, unpacked if it is a gzip stream."""
    if snap.content is None or snap.content[:2] != b"\x1f\x8b":
        return snap.content
    try:
        return gzip.decompress(snap.content)
    except (OSError, EOFError, zlib.error):
        return snap.content


def lost(case: Case, key: Key, why: str, kind: str = "lost") -> Finding:
    return Finding(kind, f"{key}: {show(case.now(key))}, was {show(case.was(key))}; {why}")


def show(snap: Snap) -> str:
    if snap.content is None:
        return f"{snap.kind}, GET {snap.status}"
    text = repr(snap.content[:24]) + ("..." if len(snap.content) > 24 else "")
    return f"{snap.kind} of {len(snap.content)} bytes {text}"
