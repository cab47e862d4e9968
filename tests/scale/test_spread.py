"""A store that takes 50 writes per second to each container. The store counts; the client's clock proves nothing.

Takes a minute: scripts/test --scale.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from bulkput.devserver import DevServer, DevServerOptions
from tests.conftest import environ_of

pytestmark = [pytest.mark.scale, pytest.mark.timeout(300)]
CAP = 50
FILES = 16_000
"""Over 16 containers: the one with the most of them has some 8 % more than the average, and the run waits for it."""


async def uploaded(server: DevServer, tree: Path, url: str, *flags: str) -> dict[str, Any]:
    """Uploads in a process of its own; gives the summary."""
    command = [sys.executable, "-m", "bulkput", "upload", "--quiet", "--summary", "-", *flags, str(tree), url]
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **environ_of(server)}, stdout=asyncio.subprocess.PIPE
    )
    try:
        out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0
    summary = json.loads(out.splitlines()[-1])
    assert isinstance(summary, dict)
    print(f"{url} {flags}: {summary['objects_per_s']} objects/s, refused {server.caps.refused()},", end=" ")
    print(f"most in a second {max(server.caps.busiest().values())}, concurrency {summary['concurrency']}")
    return summary


def files(tree: Path, count: int) -> Path:
    for number in range(count):
        (tree / f"{number:06d}").write_bytes(b"%d" % number)
    return tree


async def test_one_container_takes_no_more_than_its_rate(tmp_path: Path) -> None:
    """Ten seconds of it."""
    async with DevServer(DevServerOptions(container_rate=CAP)) as server:
        tree = await asyncio.to_thread(files, tmp_path, 500)
        summary = await uploaded(server, tree, "swift://one", "--rate-per-container", f"{CAP}/s")
        assert server.caps.refused() == 0
        assert max(server.caps.busiest().values()) <= CAP
        assert 0.9 * CAP <= summary["objects_per_s"] <= 1.05 * CAP


async def test_sixteen_containers_take_fourteen_times_as_much_and_none_more_than_its_rate(tmp_path: Path) -> None:
    """At least 700 objects/s, no refusal, one PUT per object."""
    async with DevServer(DevServerOptions(container_rate=CAP)) as server:
        tree = await asyncio.to_thread(files, tmp_path, FILES)
        summary = await uploaded(server, tree, "swift://many-{00..15}", "--rate-per-container", f"{CAP}/s")
        assert server.caps.refused() == 0
        assert max(server.caps.busiest().values()) <= CAP
        assert sum(server.caps.writes().values()) == FILES
        assert summary["objects_per_s"] >= 14 * CAP


async def test_a_rate_that_the_cluster_shows_is_kept_without_a_flag(tmp_path: Path) -> None:
    """An empty container has no limit in Swift's middleware, so the first second has more."""
    async with DevServer(DevServerOptions(container_rate=CAP, tells_container_rate=True)) as server:
        tree = await asyncio.to_thread(files, tmp_path, FILES // 4)
        summary = await uploaded(server, tree, "swift://told-{00..15}")
        assert server.caps.refused() == 0
        assert max(server.caps.busiest().values()) <= CAP
        assert summary["retries"] == 0


async def test_a_rate_that_only_refusals_teach_is_found_within_seconds(tmp_path: Path) -> None:
    """Every object is stored. The store takes twice its rate in the first second, and then refuses."""
    async with DevServer(DevServerOptions(container_rate=CAP)) as server:
        tree = await asyncio.to_thread(files, tmp_path, FILES)
        summary = await uploaded(server, tree, "swift://learned-{00..15}")
        assert summary["uploaded"] == FILES
        assert server.caps.refused() < FILES / 10
        assert summary["objects_per_s"] >= 12 * CAP
