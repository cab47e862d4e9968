"""Judges a command by the store before and after it, and by its output and exit code.

| an object that existed before                         | afterwards                                                   |
|-------------------------------------------------------|--------------------------------------------------------------|
| the command neither names it nor maps a file to it    | exists with the same bytes                                   |
| the same, but it reads through a replaced object or   | exists                                                       |
| one that `rm` or `mv` names                           |                                                              |
| a file or a copy is mapped to it                      | has its old bytes or the new ones                            |
| the same, but its bytes were damaged in transit       | is gone, or has its old bytes or the new ones                |
| no file is mapped to it, with --delete-extra          | is gone, or has the same bytes                               |
| the same, with --expire-extra                         | has the same bytes; no other object begins to expire         |
| `mv` names it                                         | it or its copy exists with its bytes                         |
| `rm` names it                                         | is gone or exists                                            |

Exit code 0 means that each file, copy and removal is done. With --dry-run or exit code 2 nothing changes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Set
from typing import Any
from urllib.parse import unquote_to_bytes

from tests.scale.worlds.case import (
    Case,
    Finding,
    differs,
    has_own_body,
    holds,
    is_same,
    lost,
    reads_through,
    show,
    unzipped,
)
from tests.scale.worlds.changes import judge_change
from tests.scale.worlds.disk import files_of, is_ignored, is_sent, key_of, prefix_of, text_of
from tests.scale.worlds.swift import Snap
from tests.scale.worlds.world import Key, Upload

_CODES = (0, 1, 2, 3)
_DAMAGED = "a damaged object may be there"


def judge(case: Case) -> list[Finding]:
    """Gives all findings about one command."""
    found = list(_ended_well(case))
    command = case.world.command
    if case.ran.exit_code == 2 or command.is_dry:
        changed = [key for key in case.before if not is_same(case, key)]
        changed = [key for key in changed if not reads_through(case, key, case.rewritten)]
        return found + [lost(case, key, "nothing was to be done") for key in changed]
    if isinstance(command, Upload):
        return found + list(_upload(case, command))
    return found + list(judge_change(case, command))


def _ended_well(case: Case) -> Iterator[Finding]:
    ran = case.ran
    if ran.exit_code not in _CODES or "Traceback" in ran.err or "a bug in bulkput" in ran.err:
        yield Finding("traceback", f"exit code {ran.exit_code}: {ran.err[-2000:]}")


def _upload(case: Case, command: Upload) -> Iterator[Finding]:
    news = _news(case, command)
    extra = {key for key in case.before if _is_extra(case, command, key, news)} if command.delete_extra else set()
    written = {key for key in news if differs(case.was(key), case.now(key))} | case.rewritten
    for key, old in case.before.items():
        if key in news:
            yield from _replaced(case, key, news[key])
        elif key in extra:
            yield from _extra(case, key, written)
        elif not is_same(case, key) and not (reads_through(case, key, written) and case.now(key).is_there):
            yield lost(case, key, f"no file is for it ({old.kind})", _where(key, old, command))
    for key in news.keys() - case.before.keys():
        yield from _replaced(case, key, news[key])
    rows = case.ran.rows
    if command.expire_extra:
        yield from _none_expires(case, command, news)
    yield from _said(case, rows, news, extra)
    if case.ran.exit_code == 0:
        yield from _all_there(case, command)


def _none_expires(case: Case, command: Upload, news: Mapping[Key, list[bytes]]) -> Iterator[Finding]:
    """Checks that no object begins to expire for which there is a file, or which is not extra."""
    for key, old in case.before.items():
        now = case.now(key)
        begins = now.expires_s is not None and old.expires_s != now.expires_s
        if not begins or _is_extra(case, command, key, news) or (key in news and command.expires_in):
            continue
        if not reads_through(case, key, case.rewritten):
            yield lost(case, key, "it begins to expire, and is not extra", _where(key, old, command))


def _news(case: Case, command: Upload) -> dict[Key, list[bytes]]:
    """Gives the contents that each key may receive: those of its files, or nothing for a marker."""
    news: dict[Key, list[bytes]] = {}
    for name, data in case.taken.files.items():
        news.setdefault(key_of(name, command), []).append(data)
    if command.dir_markers:
        for name in case.taken.directories:
            news.setdefault(key_of(name, command, is_directory=True), []).append(b"")
    return news


def _is_extra(case: Case, command: Upload, key: Key, news: Mapping[Key, object]) -> bool:
    prefix = prefix_of(command)
    if key.box != command.dest.box or not key.name.startswith(prefix) or key in news or key.name == prefix:
        return False
    if key in case.rewritten:
        return False
    name = key.name[len(prefix) :]
    path = unquote_to_bytes(name) if command.percent else name.encode()
    old = case.was(key)
    is_marker = old.type.partition(";")[0] in ("application/directory", "text/directory") and not old.content
    suffix = ".gz" if command.gzip != "never" and command.gzip_as == "suffix" and not is_marker else ""
    taken = case.taken
    if is_marker and name in {text_of(directory, command) for directory in taken.directories}:
        return False
    unknown = [text_of(each, command) for each in taken.unknown]
    if any(
        text == each or text.startswith(each + "/") for each in unknown for text in (name, name.removesuffix(suffix))
    ):
        return False
    if is_marker:
        return not is_ignored(path, command.exclude, is_directory=True)
    return all(is_sent(file, command) for file in files_of(path, command))


def _replaced(case: Case, key: Key, news: list[bytes]) -> Iterator[Finding]:
    """Checks an object to which a file is mapped."""
    old, now = case.was(key), case.now(key)
    if any(holds(now, data) for data in news) or _is_named_damaged(case, key):
        return
    # The object was not replaced, but one that it reads through was: only exit code 0 would be wrong then.
    is_excused = old.kind == now.kind and _reads(case, key)
    if now.content is not None:
        if now.content != old.content and not is_excused:
            yield Finding(
                "lost behind a body" if has_own_body(old, now) else "wrong",
                f"{key} has neither its old bytes nor the file's: {show(now)}, was {show(old)}",
            )
    elif key in case.damaged or is_excused:
        pass
    elif old.is_readable:
        yield Finding(
            "lost", f"{key} could be read and has neither its old bytes nor the file's: {show(now)}, was {show(old)}"
        )
    elif old.is_there and not now.is_there:
        yield Finding("lost", f"{key} was there ({old.kind}) and is gone, for no file")


def _is_named_damaged(case: Case, key: Key) -> bool:
    """Whether it was damaged in transit and the command reports that it could not remove it."""
    return (
        key in case.damaged and case.ran.exit_code != 0 and f"{key.name}: " in case.ran.err and _DAMAGED in case.ran.err
    )


def _reads(case: Case, key: Key) -> bool:
    """Whether this command or another client replaced an object that `key` reads through."""
    command = case.world.command
    assert isinstance(command, Upload)
    news = _news(case, command)
    return reads_through(case, key, {each for each in news if differs(case.was(each), case.now(each))} | case.rewritten)


def _extra(case: Case, key: Key, written: Set[Key]) -> Iterator[Finding]:
    """Checks that an extra object is gone or unchanged.

    After a failed removal, or a HEAD that wrongly says 404, objects that it read through may be gone before it.
    """
    if is_same(case, key) or not case.now(key).is_there or case.ran.exit_code != 0:
        return
    if any(lie.about == "head" and lie.how == "404" and lie.key in (None, key) for lie in case.world.lies):
        return
    if not reads_through(case, key, written):
        yield lost(case, key, "it stays, and cannot be read as before")


def _said(
    case: Case, rows: list[dict[str, Any]], news: Mapping[Key, list[bytes]], extra: Set[Key]
) -> Iterator[Finding]:
    """Compares the events and the summary of the command with the store."""
    command = case.world.command
    events: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        events.setdefault(row.get("event", "summary"), []).append(row)
    summary = events["summary"][-1] if "summary" in events else None
    if summary is None:
        if case.ran.exit_code in (0, 1):
            yield Finding("count", f"no summary, exit code {case.ran.exit_code}: {case.ran.err[-500:]}")
        return
    if summary["found"] != summary["uploaded"] + summary["skipped"] + summary["failed"]:
        yield Finding("count", f"{summary}")
    if summary["failed"] and case.ran.exit_code == 0:
        yield Finding("count", f"exit code 0 with failures: {summary}")
    box = command.dest.box if isinstance(command, Upload) else ""
    for row in events.get("uploaded", []):
        key = Key(box, row["key"])
        if not any(holds(case.now(key), data) for data in news.get(key, [])):
            yield Finding("false", f"said to be uploaded, and is not: {key}: {show(case.now(key))}")
    removed = {Key(box, row["key"]) for row in events.get("removed", [])}
    for key in removed - extra:
        if case.was(key).is_there:
            yield Finding("false", f"removed, although the command does not ask for it: {key}")
    gone = {key for key in extra if case.was(key).is_there and not case.now(key).is_there}
    if not case.is_lied_to:
        for key in sorted(gone - removed):
            yield Finding("count", f"{key} is gone, and is not told as removed")
    for key in sorted(removed):
        if case.now(key).is_there:
            yield Finding("false", f"said to be removed, and is there: {key}")
    if gone and summary["failed"]:
        yield Finding("lost", f"{summary['failed']} failed, and the mirror still removed {sorted(gone)}")


def _all_there(case: Case, command: Upload) -> Iterator[Finding]:
    """Checks for exit code 0 that every file is stored or was rightly skipped."""
    if case.taken.failing:
        yield Finding("false", f"exit code 0, and these have no name: {sorted(case.taken.failing)}")
    skipped = {row["key"] for row in case.ran.rows if row.get("event") == "skipped"}
    for name, data in case.taken.files.items():
        key = key_of(name, command)
        if holds(case.now(key), data):
            is_short = command.expire_extra and not command.expires_in and case.now(key).expires_s is not None
            if is_short and not (_reads(case, key) or case.is_lied_to or key in case.rewritten):
                yield Finding("expiry", f"exit code 0 (--skip {command.skip} --expire-extra), and {name!r} expires")
            if command.expires_in and not _is_renewed(case.now(key)):
                yield Finding("expiry", f"exit code 0 (--skip {command.skip}), and {name!r} expires sooner")
            continue
        mode = command.skip if key.name in skipped else "none"
        if not _may_be_believed(case, key, mode, len(data), check_expiry=command.check_expiry or command.expire_extra):
            state = f"{key}: {show(case.now(key))}"
            yield Finding(f"believed ({mode})", f"exit code 0, and {name!r} is not there: {state}")


def _may_be_believed(case: Case, key: Key, mode: str, size: int, *, check_expiry: bool) -> bool:
    """Whether a skipped file is allowed by docs/sync.md.

    `existing` trusts any object and `unchanged` its size; both trust a manifest. All modes trust the listing, even if
    it lags, and without --check-expiry also about an expired object.
    """
    old, now = case.was(key), case.now(key)
    if mode != "none" and (key in case.rewritten or key in case.wrong_rows):
        return True
    if old.kind == "expired" and mode != "none" and not check_expiry:
        return True
    was_broken = old.kind in ("static", "dynamic") and not old.is_readable
    if mode == "existing":
        return now.is_readable or was_broken
    if mode == "unchanged":
        return len(unzipped(now) or b"") == size if now.is_readable else was_broken
    return False


def _is_renewed(snap: Snap) -> bool:
    """Whether more than six of the seven days of `--expires-in 7d` are left, or the object never expires."""
    return snap.expires_s is None or snap.expires_s > time.time() + 6 * 86_400


def _where(key: Key, old: Snap, command: Upload) -> str:
    """Gives the kind of a loss: below the destination, elsewhere in its container, or in another container."""
    if key.box != command.dest.box:
        return "lost elsewhere"
    if old.kind == "dynamic" and old.own:
        return "lost behind a body"
    return "lost" if key.name.startswith(prefix_of(command)) else "lost beside"
