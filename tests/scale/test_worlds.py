"""Random worlds on a real Swift: a command keeps every object readable that it was not told to remove or replace.

scripts/test --scale tests/scale/test_worlds.py
WORLDS=1 WORLDS_SEED=17 scripts/test --scale tests/scale/test_worlds.py     # one of them again
"""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e import forks
from tests.scale.worlds.draw import draw
from tests.scale.worlds.run import Result, run
from tests.scale.worlds.world import Upload
from tests.servers.swift import RealSwift

WORLDS = int(os.environ.get("WORLDS", "300"))
FIRST = int(os.environ.get("WORLDS_SEED", "1"))
_AT_ONCE = int(os.environ.get("WORLDS_AT_ONCE", "4"))
"""Number of worlds at a time. More than the processors, because worlds wait between retries."""
_BEYOND = ("lost elsewhere", "lost behind a body")
"""Findings that are printed and do not fail the test, because no mirror and no move can see their cause (docs/sync.md,
docs/objects.md): an object in another container that reads through a removed one, and a dynamic large object with
bytes of its own, which is listed as a plain object."""
pytestmark = [pytest.mark.scale, pytest.mark.swift, pytest.mark.timeout(7200)]


def test_random_commands_lose_no_readable_object_and_report_no_false_success(swift: RealSwift) -> None:
    """WORLDS worlds from seed WORLDS_SEED: a random store, tree and command, some behind a proxy with wrong answers."""
    forks._server()  # starts the forking process before the threads
    seeds = range(FIRST, FIRST + WORLDS)
    count: Counter[str] = Counter()
    failed: list[Result] = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for result in pool.map(lambda seed: run(draw(seed), swift), seeds):
            command = result.world.command
            verb = "upload" if isinstance(command, Upload) else command.verb
            count.update((verb, f"exit code {result.ran.exit_code}"))
            count.update({"lies": result.struck, "objects": len(result.world.things), "files": len(result.world.tree)})
            kinds = {finding.kind for finding in result.findings}
            count.update(kinds)
            if kinds.difference(_BEYOND):
                failed.append(result)
                print(result, flush=True)
            elif kinds:
                print(f"world {result.world.seed}: {', '.join(map(str, result.findings))}")
    print(f"seeds {seeds.start} to {seeds.stop - 1}: {dict(sorted(count.items()))}")
    assert not failed, f"{len(failed)} worlds of {WORLDS}; seeds {[result.world.seed for result in failed]}"
