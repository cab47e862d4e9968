"""Memory does not grow with the number of files. Takes minutes: scripts/test --scale."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.nginx import nginx_dav

pytestmark = pytest.mark.scale

PROGRAM = """
import asyncio, resource, sys, bulkput, uvloop
summary = uvloop.run(bulkput.upload([sys.argv[1]], sys.argv[2]))
assert summary.exit_code == 0 and summary.adds_up, summary
print(summary.uploaded, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_kib(tree: Path, url: str, expected: int) -> int:
    """Gives the peak memory of one complete upload, in KiB."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tree), url], capture_output=True, text=True, check=True, env=os.environ
    )
    uploaded, peak = map(int, done.stdout.split())
    assert uploaded == expected
    return peak


@pytest.mark.parametrize("per_directory", [1000, 1_000_000], ids=["many-directories", "one-directory"])
@pytest.mark.timeout(1800)
def test_ten_times_the_files_take_the_same_memory(tmp_path: Path, per_directory: int) -> None:
    """200 000 tiny files against 20 000, in many directories and in one: peak memory is within 10 %."""
    peaks = {}
    for count in (20_000, 200_000):
        tree = tmp_path / f"{count}"
        for n in range(count):
            folder = tree / f"{n // per_directory:04d}"
            if n % per_directory == 0:
                folder.mkdir(parents=True)
            (folder / f"{n:06d}").write_bytes(b"%d" % n)
        with nginx_dav() as server:
            peaks[count] = peak_kib(tree, f"{server.url}/", count)
    print(f"peak memory in KiB: {peaks}")
    assert peaks[200_000] <= peaks[20_000] * 1.1
