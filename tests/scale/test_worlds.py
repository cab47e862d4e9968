"""Random worlds on a real Swift: what could be read before a command, and was not to be removed, can be read after it.

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
"""Worlds at a time: what waits between two tries leaves the processors to others."""
_BEYOND = ("lost elsewhere", "lost behind a body")
"""What no mirror and no move can see, as docs/sync.md and docs/objects.md say: who reads through an object from another
container, and a dynamic large object with bytes of its own, which is listed as a plain one. Shown, but no failure."""
pytestmark = [pytest.mark.scale, pytest.mark.swift, pytest.mark.timeout(7200)]


def test_random_commands_lose_no_readable_object_and_report_no_false_success(swift: RealSwift) -> None:
    """WORLDS worlds from the seed WORLDS_SEED on: a random store, tree and command, some through a proxy that lies."""
    forks._server()  # before the threads
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
