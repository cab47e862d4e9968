"""Judges `cp`, `mv` and `rm` by the table in `judge`."""

from __future__ import annotations

from collections.abc import Iterator, Set

from tests.scale.worlds.case import Case, Finding, differs, has_own_body, is_same, lost, reads_through, show
from tests.scale.worlds.swift import Snap
from tests.scale.worlds.world import Change, Key


def judge_change(case: Case, command: Change) -> Iterator[Finding]:
    sources = {key for key, old in case.before.items() if _is_named(key, command, old)}
    asked = sources - case.wrong_rows
    goals = {key: _goal(key, command) for key in sources} if command.to is not None else {}
    into = {goal: [key for key in sources if goals[key] == goal] for goal in goals.values()}
    touched = {
        key for key in {*into, *(sources if command.verb != "cp" else ())} if differs(case.was(key), case.now(key))
    }
    for key in case.before:
        if key in into:
            yield from _copied(case, key, into[key], touched)
        elif key in sources and command.verb == "rm":
            if case.ran.exit_code == 0 and case.now(key).is_there and key in asked:
                yield Finding("false", f"exit code 0, and it is still there: {key}")
            elif case.now(key).is_there and not is_same(case, key) and case.ran.exit_code == 0:
                yield lost(case, key, "not removed")
        elif key in sources and command.verb == "mv":
            yield from _moved(case, key, goals[key], touched)
        elif not is_same(case, key) and not (reads_through(case, key, touched) and case.now(key).is_there):
            yield lost(case, key, f"{command.verb} does not name it ({case.was(key).kind})")
    for goal in into.keys() - case.before.keys():
        yield from _copied(case, goal, into[goal], touched)
    if case.ran.exit_code == 0 and command.verb in ("cp", "mv"):
        for key in sorted(asked):
            old, now = case.was(key), case.now(goals[key])
            if old.is_there and not _has_arrived(case, old, now, touched, key):
                yield Finding(
                    "false", f"exit code 0, and {goals[key]} is no copy of {key}: {show(now)}, was {show(old)}"
                )
            if command.verb == "mv" and case.now(key).is_there and key not in into:
                yield Finding("false", f"exit code 0, and the source is still there: {key}")


def _is_named(key: Key, command: Change, old: Snap) -> bool:
    name = command.source.name
    if key.box != command.source.box:
        return False
    if not command.recursive:
        return key.name == name and bool(name)
    if key.name.startswith(name if not name or name.endswith("/") else name + "/"):
        return True
    if command.verb == "rm":
        return bool(name) and not name.endswith("/") and key.name == name
    is_marker = old.type.partition(";")[0] in ("application/directory", "text/directory") and not old.content
    to = command.to.name if command.to is not None else ""
    return is_marker and bool(name.rstrip("/")) and bool(to) and key.name == name.removesuffix("/")


def _goal(key: Key, command: Change) -> Key:
    assert command.to is not None
    old, new = command.source.name, command.to.name
    if not command.recursive:
        return Key(command.to.box, new + old.rpartition("/")[2] if not new or new.endswith("/") else new)
    old, new = (text if not text or text.endswith("/") else text + "/" for text in (old, new))
    if key.name + "/" == old:
        return Key(command.to.box, new.removesuffix("/"))
    return Key(command.to.box, new + key.name[len(old) :])


def _copied(case: Case, goal: Key, sources: list[Key], touched: Set[Key]) -> Iterator[Finding]:
    """Checks that the destination of copies has its old bytes or those of a source."""
    now, old = case.now(goal), case.was(goal)
    if not now.is_there:
        if old.is_there and not (goal in case.before and goal in _sources_of_move(case)):
            yield lost(case, goal, "a copy was to go there")
        return
    if is_same(case, goal) or any(_has_arrived(case, case.was(key), now, touched, key) for key in sources):
        return
    if reads_through(case, goal, touched):
        return
    yield Finding("wrong", f"{goal} is neither what it was nor a copy: {show(now)}, was {show(old)}")


def _sources_of_move(case: Case) -> set[Key]:
    command = case.world.command
    if not isinstance(command, Change) or command.verb != "mv":
        return set()
    return {key for key, old in case.before.items() if _is_named(key, command, old)}


def _moved(case: Case, key: Key, goal: Key, touched: Set[Key]) -> Iterator[Finding]:
    old, now = case.was(key), case.now(key)
    if not old.is_there or is_same(case, key):
        return
    if now.is_there:
        if not reads_through(case, key, touched):
            yield lost(case, key, "it was not moved, and is not as before")
        return
    # If it was moved together with the objects that it reads through, their move does not excuse other bytes.
    if not _has_arrived(case, old, case.now(goal), set(), key) and not _is_excused(case, key):
        kind = "lost behind a body" if has_own_body(old, case.now(goal)) else "lost"
        yield Finding(
            kind, f"{key} was moved to {goal}, which does not give its bytes: {show(case.now(goal))}, was {show(old)}"
        )


def _is_excused(case: Case, key: Key) -> bool:
    """Whether the goal exists and a copy of the same command replaced an object that `key` reads through."""
    command = case.world.command
    assert isinstance(command, Change)
    replaced = {_goal(each, command) for each in _sources_of_move(case)}
    return case.now(_goal(key, command)).is_there and reads_through(case, key, replaced & case.before.keys())


def _has_arrived(case: Case, old: Snap, now: Snap, touched: Set[Key], key: Key) -> bool:
    if not now.is_there:
        return False
    if old.content is None or now.content == old.content:
        return True
    return reads_through(case, key, touched)
