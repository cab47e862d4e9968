"""A directory with a million entries. Takes minutes: scripts/test --scale."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.nginx import nginx_dav

pytestmark = [pytest.mark.scale, pytest.mark.nginx]

PROGRAM = """
import resource, sys, bulkput, uvloop
from bulkput import events as ev
from bulkput.options import UploadOptions, WalkOptions

found = at_first = 0

def watch(event):
    global found, at_first
    found += isinstance(event, ev.Discovered)
    if isinstance(event, ev.Uploaded):
        at_first = at_first or found

walk = WalkOptions(include=("*00",))
summary = uvloop.run(bulkput.upload([sys.argv[1]], sys.argv[2], options=UploadOptions(walk=walk), on_event=watch))
assert summary.exit_code == 0 and summary.adds_up, summary
assert summary.found == found
print(found, summary.uploaded, at_first, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def upload(tree: Path, url: str) -> list[int]:
    """Gives entries found, objects uploaded, entries found at the first stored object, and peak memory in KiB."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tree), url], capture_output=True, text=True, check=True)
    return list(map(int, done.stdout.split()))


@pytest.mark.timeout(1800)
def test_a_million_entries_in_one_directory_take_the_memory_of_20_000(tmp_path: Path) -> None:
    """Every hundredth entry is sent, the first before 20 000 are found; peak memory is within 10 %."""
    peaks = {}
    for count in (20_000, 1_000_000):
        tree = tmp_path / f"{count}"
        tree.mkdir()
        at = os.open(tree, os.O_RDONLY)
        for number in range(count):
            os.close(os.open(f"{number:07d}", os.O_CREAT | os.O_WRONLY, dir_fd=at))
        os.close(at)
        with nginx_dav() as server:
            found, uploaded, at_first, peaks[count] = upload(tree, f"{server.url}/")
            stored = sorted(os.listdir(server.root))
        assert stored == [f"{number:07d}" for number in range(0, count, 100)]
        assert (found, uploaded) == (count, count // 100)
        assert at_first < 20_000, "the first object waited for the scan"
    print(f"peak memory in KiB: {peaks}")
    assert peaks[1_000_000] <= peaks[20_000] * 1.1
