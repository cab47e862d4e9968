"""Two git revisions, measured in turns: each in a tree of its own, with the dependencies that are installed now."""

import compileall
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.contenders import IN_FLIGHT, Command, Contender
from benchmarks.measure import measure
from benchmarks.results import Run
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import SERVERS, Address

REPOSITORY = Path(__file__).parents[1]
SIDES = ("old", "new")
_WORKING_TREE = (".", "WORKTREE")
WARM_UP = 0


class Refused(Exception):
    """What was asked for cannot be compared. The message is a sentence for the user."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit, or (None) the working tree as it is."""

    given: str
    commit: str | None

    @property
    def label(self) -> str:
        return self.commit[:7] if self.commit else "working tree"


@dataclass(frozen=True, slots=True)
class Turn:
    """One run: its side and its round. Round 0 warms up and does not count."""

    side: str
    round: int


def resolve(given: str) -> Revision:
    """The commit that a name stands for; Refused when there is none."""
    if given in _WORKING_TREE:
        return Revision(given, None)
    asked = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{given}^{{commit}}")
    if asked.returncode != 0:
        raise Refused(f"{given!r} is neither a result file nor a git revision of this repository")
    return Revision(given, asked.stdout.strip())


def known_place(place: str) -> tuple[str, str]:
    """Server and scenario of "nginx/small"; Refused when one is unknown."""
    server, _, scenario = place.partition("/")
    if server not in SERVERS:
        raise Refused(f"{place!r}: no such server; there are {', '.join(SERVERS)}, as in nginx/small")
    if scenario not in SCENARIOS:
        raise Refused(f"{place!r}: no such scenario; there are {', '.join(SCENARIOS)}, as in nginx/small")
    return server, scenario


def schedule(rounds: int) -> list[Turn]:
    """Both sides in each round, and each goes first in every other one: the second may find things warmer."""
    return [
        Turn(side, number)
        for number in range(WARM_UP, rounds + 1)
        for side in (SIDES if number % 2 else reversed(SIDES))
    ]


@contextmanager
def checked_out(revisions: Mapping[str, Revision]) -> Iterator[Mapping[str, Path]]:
    """The tree of each side while the block runs: compiled, and proven to be the one that is imported."""
    with tempfile.TemporaryDirectory(prefix="bulkput-compare-") as directory, ExitStack() as stack:
        trees = {
            side: stack.enter_context(_tree(revision, Path(directory).resolve() / side))
            for side, revision in revisions.items()
        }
        for side, tree in trees.items():
            compileall.compile_dir(tree / "bulkput", quiet=2)  # or each first run would do it, and be slow
            prove(tree, revisions[side])
        yield trees


@contextmanager
def _tree(revision: Revision, path: Path) -> Iterator[Path]:
    if revision.commit is None:
        # A copy: what is edited while the rounds go on must not change what they measure.
        shutil.copytree(REPOSITORY / "bulkput", path / "bulkput", ignore=shutil.ignore_patterns("__pycache__"))
        yield path
        return
    try:
        added = _git("worktree", "add", "--quiet", "--detach", str(path), revision.commit)
        if added.returncode != 0:
            raise Refused(f"cannot check out {revision.given}: {_last_line(added.stderr)}")
        yield path
    finally:
        # Twice: an `add` that was interrupted leaves a worktree locked.
        _git("worktree", "remove", "--force", "--force", str(path))


def prove(tree: Path, revision: Revision) -> None:
    """Refused unless a measured process imports bulkput from the tree, and not from where it is installed."""
    asked = subprocess.run(
        [sys.executable, "-c", "import bulkput; print(bulkput.__file__)"],
        env={**os.environ, **environ(tree)},
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode != 0:
        raise Refused(f"{revision.given}: bulkput cannot be imported: {_last_line(asked.stderr)}")
    found = Path(asked.stdout.strip()).resolve()
    if not found.is_relative_to(tree):
        raise Refused(f"{revision.given}: its bulkput is not the one that Python imports, which is {found}")


def environ(tree: Path) -> dict[str, str]:
    """Variables that put the tree before the installed package, and keep the current directory out of it."""
    return {"PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"}


def measured(
    place: str, revisions: Mapping[str, Revision], trees: Mapping[str, Path], rounds: int
) -> Mapping[str, list[Run]]:
    """The runs of each side, warm-up included."""
    server, scenario = known_place(place)
    turns = schedule(rounds)
    # One round of `measure`, in which everybody runs many times: so the order is ours, on one server and one tree.
    contenders = [_contender(turn, revisions[turn.side].label, trees[turn.side], rounds) for turn in turns]
    runs = measure(server, SCENARIOS[scenario], contenders, 1).runs
    made: dict[str, list[Run]] = {side: [] for side in SIDES}
    for turn, run in zip(turns, runs, strict=True):
        made[turn.side].append(replace(run, contender="bulkput", round=turn.round))
    return made


def _contender(turn: Turn, label: str, tree: Path, rounds: int) -> Contender:
    def command(address: Address, files: Path) -> Command:
        to = address.http or f"swift://{address.container}"
        upload = (sys.executable, "-m", "bulkput", "upload", str(files), to, "-q", "--concurrency", IN_FLIGHT)
        # Whoever interrupts the comparison ends the upload as well, which has a session of its own.
        ends = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
        return Command((*ends, *upload), {**address.swift, **address.environ, **environ(tree)})

    when = "warm-up" if turn.round == WARM_UP else f"pair {turn.round} of {rounds}"
    return Contender(name=f"{turn.side} {label}, {when}", version=lambda: label, command=command)


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git without hooks, and in a session of its own, so that Ctrl-C does not end it halfway."""
    return subprocess.run(
        ["git", "-C", str(REPOSITORY), "-c", f"core.hooksPath={os.devnull}", *arguments],
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]
