"""Ten minutes of uploading through faults: nothing grows. BULKPUT_SOAK_S sets another time, in seconds."""

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import pytest

from bulkput.engine.open_store import connected
from bulkput.engine.stop import Stop
from bulkput.engine.tuner import Tuner
from bulkput.engine.upload.pipeline import Pipeline
from bulkput.engine.upload.put import Putter
from bulkput.engine.upload.sender import Sender
from bulkput.model import Found, SourceFile
from bulkput.options import NamingOptions, RetryOptions, UploadOptions, WireOptions
from bulkput.payload.body import BodyOpener
from bulkput.policy.gzip_names import NOT_COMPRESSED
from bulkput.recorder import Recorder
from bulkput.sources.scan import Scan
from tests.servers.faultprocess import ProxyProcess
from tests.servers.faultproxy import Cut, Delay, Mute, Pieces, Plan
from tests.servers.nginx import nginx_dav

pytestmark = [pytest.mark.scale, pytest.mark.nginx]

SOAK_S = float(os.environ.get("BULKPUT_SOAK_S", "600"))
FILES = 500
FAULTS = Plan(
    chances=(
        (0.002, Cut("before the request")),
        (0.002, Cut("in the request", after=600)),
        (0.002, Cut("before the answer")),
        (0.002, Cut("in the answer", by="FIN")),
        (0.0002, Mute()),
        (0.002, Delay(1.0)),
        (0.01, Pieces()),
    ),
    seed=1,
)


@dataclass(frozen=True)
class Look:
    """Memory, descriptors and tasks of the process at one moment."""

    memory_kib: int
    descriptors: int
    tasks: int

    @classmethod
    def now(cls) -> "Look":
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return cls(
            pages * os.sysconf("SC_PAGE_SIZE") // 1024, len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())
        )


def endless(tree: Path, until_s: float) -> Iterator[Found]:
    """Yields the small and large files of `tree` again and again until the clock shows `until_s`."""
    found = [(os.fsencode(path), path.stat()) for path in sorted(tree.iterdir())]
    while time.monotonic() < until_s:
        for path, status in found:
            yield SourceFile(path, os.path.basename(path), status.st_size, status.st_mtime_ns)


def never(*_arguments: object) -> NoReturn:
    raise AssertionError("neither large files nor pipes")


@pytest.mark.timeout(int(SOAK_S) + 300)
async def test_ten_minutes_of_faults_leak_no_memory_descriptors_or_tasks(tmp_path: Path) -> None:
    """The last third of the run holds no more than the second, and every object has the bytes of its file."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(FILES):
        size = 3_000_000 if number % 100 == 0 else 100 * number
        (tree / f"{number:04d}").write_bytes(os.urandom(size))
    wire = WireOptions(concurrency=64, timeout_s=5.0)
    options = UploadOptions(retry=RetryOptions(retries=20, base_s=0.05), wire=wire)
    recorder = Recorder()
    looks: list[Look] = []
    with nginx_dav(tmp_path / "files") as nginx:
        parts = urlsplit(nginx.url)
        with ProxyProcess(parts.hostname or "", parts.port or 80, FAULTS) as proxy:
            url = f"http://127.0.0.1:{proxy.port}/"
            opener = BodyOpener(options.body, recorder)
            async with connected(url, wire=options.wire, retry=options.retry, emit=recorder) as (store, count):
                putter = Putter(
                    store, opener, None, emit=recorder, large_above=sys.maxsize, open_large=never, open_pipe=never
                )
                stop = Stop()
                pipeline = Pipeline(
                    store=store,
                    sender=Sender(putter, stop),
                    naming=NamingOptions(),
                    gzip=NOT_COMPRESSED,
                    options=options,
                    tuner=Tuner(options.wire),
                    emit=recorder,
                    stop=stop,
                )
                running = asyncio.create_task(pipeline.run(Scan(endless(tree, time.monotonic() + SOAK_S))))
                while not running.done():
                    await asyncio.wait((running,), timeout=SOAK_S / 60)
                    looks.append(Look.now())
                await running
            opener.close()
            struck = proxy.stop().faults
    summary = recorder.summary()
    assert (summary.failed, summary.adds_up) == (0, True)
    assert len(struck) == len(FAULTS.chances)
    for path in tree.iterdir():
        assert (tmp_path / "files" / path.name).read_bytes() == path.read_bytes()
    before, after = looks[len(looks) // 3 : 2 * len(looks) // 3], looks[2 * len(looks) // 3 : -1]
    print(f"{summary.uploaded} uploaded, {summary.retries} retries, {count.connections} connections, {dict(struck)}")
    print(f"second third: {worst(before)}, last third: {worst(after)}")
    assert worst(after).memory_kib <= worst(before).memory_kib * 1.05
    assert worst(after).descriptors <= worst(before).descriptors + 8
    assert worst(after).tasks <= worst(before).tasks + 8


def worst(looks: list[Look]) -> Look:
    return Look(
        *(
            max(column)
            for column in zip(*((look.memory_kib, look.descriptors, look.tasks) for look in looks), strict=True)
        )
    )
