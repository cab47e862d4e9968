"""Runs one world: builds it, runs its command, and judges the result."""

from __future__ import annotations

import os
import shlex
import tempfile
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from tests.e2e.changes_relay import relay
from tests.e2e.cli import Ran, bulkput
from tests.scale.worlds.build import fill, plant
from tests.scale.worlds.case import Case, Finding
from tests.scale.worlds.disk import Taken, key_of, taken
from tests.scale.worlds.judge import judge
from tests.scale.worlds.liar import Liar
from tests.scale.worlds.swift import Account, Snap
from tests.scale.worlds.world import REWRITTEN, Change, Key, Upload, World
from tests.servers.swift import RealSwift

_REWRITTEN = Snap(200, REWRITTEN, True, "plain", "text/plain", "")


@dataclass(frozen=True, slots=True)
class Result:
    """The command line, its output and the findings; `struck` is the number of wrong answers."""

    world: World
    command: str
    ran: Ran
    findings: tuple[Finding, ...]
    struck: int

    def __str__(self) -> str:
        """Gives all facts that are needed to reproduce it."""
        found = "\n".join(f"  - {finding}" for finding in self.findings)
        return (
            f"world {self.world.seed}: WORLDS=1 WORLDS_SEED={self.world.seed} scripts/test --scale"
            f" tests/scale/test_worlds.py\n{self.command}\nexit code {self.ran.exit_code}\n{found}\n"
            f"stdout: {self.ran.out[-3000:]}\nstderr: {self.ran.err[-1500:]}\n{self.world}\n"
        )


def run(world: World, swift: RealSwift) -> Result:
    """Runs one world. Blocks; the objects stay in the store."""
    own = uuid.uuid4().hex[:8]
    boxes = {box: f"w{world.seed}-{own}-{box}" for box in ("c", "o")}
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="world-", ignore_cleanup_errors=True))
        tree = os.fsencode(folder) + b"/tree"
        os.mkdir(tree)
        account = Account(swift, boxes)
        stack.callback(account.close)
        fill(account, world)
        plant(world, tree, os.fsencode(folder) + b"/outside")
        command = world.command
        found = taken(tree, command) if isinstance(command, Upload) else Taken()
        keys = _keys(found, command)
        before = account.look(keys)
        words = arguments(command, boxes, Path(folder), is_lied_to=bool(world.lies))
        liar = Liar(world.lies, boxes)
        wrong_rows = {lie.key for lie in world.lies if lie.how in ("stale", "phantom") and lie.key is not None}
        auth = stack.enter_context(relay(swift.auth_url, liar.meddle)).auth_url if world.lies else swift.auth_url
        findings: list[Finding] = []
        for variables in _runs(command, auth, swift):
            ran = _command(words, variables)
            after = account.look({*keys, *before})
            is_lied_to = variables["ST_AUTH"] != swift.auth_url
            rewritten = frozenset(liar.rewritten) if is_lied_to else frozenset()
            before |= dict.fromkeys(rewritten, _REWRITTEN)
            case = Case(
                world=world,
                before=before,
                after=after,
                ran=ran,
                taken=found,
                damaged=frozenset(liar.damaged),
                is_lied_to=is_lied_to,
                wrong_rows=wrong_rows if is_lied_to else frozenset(),
                rewritten=rewritten,
            )
            if findings := judge(case):
                break
            before = after
        text = "bulkput " + shlex.join(os.fsdecode(word) for word in words)
        return Result(world, text, ran, tuple(findings), sum(liar.struck.values()))


def _runs(command: Upload | Change, auth: str, swift: RealSwift) -> list[Mapping[str, str]]:
    """Gives the environment of each run.

    An upload with a journal runs twice. An upload behind the proxy runs again without it: the second run must not trust
    wrong objects that the first one left.
    """
    first, straight = replace(swift, auth_url=auth).environment, swift.environment
    if isinstance(command, Upload) and command.journal:
        return [first, first]  # a journal is bound to the address of its first run
    return [first, straight] if isinstance(command, Upload) and first != straight else [first]


def _command(words: list[str], environ: Mapping[str, str]) -> Ran:
    ran = bulkput(*words, environ=environ)
    return ran if ran.exit_code >= 0 else Ran(ran.exit_code, ran.out, ran.err + "\nTraceback: killed")


def arguments(command: Upload | Change, boxes: Mapping[str, str], folder: Path, *, is_lied_to: bool) -> list[str]:
    """Gives the words of the command line, with few retries behind the proxy: each takes a second on average."""

    def url(key: Key) -> str:
        return f"swift://{boxes[key.box]}" + (f"/{key.name}" if key.name else "")

    retries = ["--retries", "2" if is_lied_to else "8"]
    if isinstance(command, Change):
        flags = (
            ["-r"] * command.recursive
            + ["--dry-run"] * command.is_dry
            + ["--yes"] * (command.verb == "rm" and command.recursive)
        )
        urls = [url(command.source)] + ([url(command.to)] if command.to is not None else [])
        return [command.verb, "--json", *flags, *retries, *urls]
    words = ["upload", "--json", "--summary", "-", "--progress", "none", *retries, "--skip", command.skip]
    words += ["--delete-extra", "--yes"] * command.delete_extra
    words += ["--expire-extra", "14d", "--yes"] * command.expire_extra
    words += [f"--exclude={pattern}" for pattern in command.exclude]
    words += [f"--include={pattern}" for pattern in command.include]
    words += ["--dir-markers"] * command.dir_markers + ["--follow-symlinks"] * command.follow_symlinks
    if command.gzip != "never":
        words += ["--gzip", command.gzip, "--gzip-as", command.gzip_as]
        words += [f"--gzip-except={pattern}" for pattern in command.gzip_except]
    words += ["--expires-in", command.expires_in] if command.expires_in else []
    words += ["--check-expiry"] * command.check_expiry
    words += ["--journal", str(folder / "journal.db")] if command.journal else []
    words += ["--encode-names", "percent"] * command.percent + ["--dry-run"] * command.is_dry
    source = folder / "tree"
    return [
        *words,
        os.fsdecode(os.fsencode(source) + (b"/" + command.source if command.source else b"")),
        url(command.dest),
    ]


def _keys(found: Taken, command: Upload | Change) -> set[Key]:
    if isinstance(command, Change):
        return set()
    files = {key_of(name, command) for name in found.files}
    return files | {key_of(name, command, is_directory=True) for name in found.directories}
