"""The memory of verify does not grow with files and objects. Takes minutes: scripts/test --scale."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bulkput.devserver import DevServer
from bulkput.devserver.record import StoredObject
from tests.conftest import environ_of

pytestmark = pytest.mark.scale

# VmHWM and not ru_maxrss, which starts at the peak of the parent: here the parent holds the store.
PROGRAM = """
import json, re, sys, bulkput, uvloop
from bulkput import UploadOptions
comparison = uvloop.run(bulkput.verify(sys.argv[1], sys.argv[2], options=UploadOptions(encode_names=sys.argv[3])))
peak = int(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1])
print(json.dumps([comparison.identical, comparison.extra, peak]))
"""


@pytest.mark.parametrize("encode_names", ["strict", "percent"])
@pytest.mark.timeout(1800)
async def test_ten_times_the_objects_take_the_same_memory(
    devserver: DevServer, tmp_path: Path, encode_names: str
) -> None:
    """300 000 objects against 30 000, half of them extra: peak memory is within 10 %, sorted on disk or not."""
    pieces, etag = (b"x",), hashlib.md5(b"x").hexdigest()
    peaks = {}
    for count in (30_000, 300_000):
        devserver.store.create(f"c{count}", ())
        container = devserver.store.containers[f"c{count}"]
        for n in range(count):
            container.enter(StoredObject(f"{n // 1000:04d}/{n:06d}", 1, etag, "text/plain", 1e9, (), pieces))
        await asyncio.to_thread(_make_every_second, tmp_path / f"{count}", count)
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / f"{count}"), f"swift://c{count}", encode_names]
        process = await _run(command, environ_of(devserver))
        identical, extra, peaks[count] = json.loads(process)
        assert (identical, extra) == (count // 2, count // 2)
    print(f"peak memory in KiB: {peaks}")
    assert peaks[300_000] <= peaks[30_000] * 1.1


def _make_every_second(tree: Path, count: int) -> None:
    """Creates hard links, ten times as fast as new files; ext4 allows 65 000 for a file."""
    for n in range(1, count, 2):
        folder, file = tree / f"{n // 1000:04d}", tree.with_name(f"{tree.name}-{n // 50_000}")
        if n % 1000 == 1:
            folder.mkdir(parents=True)
        if n % 50_000 == 1:
            file.write_bytes(b"x")
        os.link(file, folder / f"{n:06d}")


async def _run(command: list[str], environ: dict[str, str]) -> bytes:
    """Runs the command in a thread, because the store runs in this one."""
    done = await asyncio.to_thread(
        subprocess.run, command, env={**os.environ, **environ}, stdout=subprocess.PIPE, check=True
    )
    return done.stdout
