"""How many files one driver of a run by several processes walks, decides, hands out and counts.

    scripts/bench driver [--files 200000]

The walk, the decisions, the tuples that pass, the outcomes, the summary and, with `--journal`, its rows are the real
ones. The process is none: it answers each call at once that all its files are stored, in a thread, so that nothing but
the driver takes CPU. What comes out is the number of workers' objects that one driver can keep up with, and its memory.
"""

import argparse
import asyncio
import pickle
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar, cast

from bulkput.engine.event_loop import loop_factory
from bulkput.options import UploadOptions
from bulkput.scale.engine import Process
from bulkput.scale.needs import Needs
from bulkput.scale.task import Call, Reply
from bulkput.scale.upload import upload_sharded

A = TypeVar("A")
R = TypeVar("R")


class Echo:
    """A process that has stored everything."""

    name = "echo"
    is_always_the_same = True

    def __init__(self) -> None:
        self._knows_the_run = False

    def submit(self, _function: Callable[[A], R], argument: A) -> "Future[R]":
        call = cast(Call, pickle.loads(pickle.dumps(argument)))
        future: Future[Any] = Future()
        if not self._knows_the_run and call.setup is None:
            future.set_result(Reply(is_unknown=True))
            return future
        self._knows_the_run = True
        now_s = time.monotonic()
        batch = [
            (item[0], item[3], "d41d8cd98f00b204e9800998ecf8427e", "tx", item[3], item[4], 0.01, now_s, 0.01, item[3])
            for item in call.files
        ]
        sent = pickle.dumps(Reply(batch=batch, now_s=now_s))
        future.set_result(pickle.loads(sent))
        return future

    def kill(self) -> None:
        """There is none."""


class Echoes:
    """An engine of such processes."""

    lanes = 2
    is_elsewhere = False

    def begin(self, destination: str) -> None:
        """Nothing to start."""

    async def ready(self, needs: Needs, warn: Callable[[str], None]) -> None:
        """At once."""

    async def process(self, lane: int) -> Process:
        return Echo()

    async def aclose(self, run: str) -> None:
        """Nothing to end."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench driver", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--journal", action="store_true")
    given = parser.parse_args()
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="bulkput-bench-", dir=memory) as directory:
        tree = Path(directory) / "tree"
        for number in range(given.files):
            if number % 500 == 0:
                (place := tree / f"{number // 500:06d}").mkdir(parents=True)
            (place / f"file-{number:08d}.bin").touch()
        options = UploadOptions(journal=str(Path(directory) / "j.db") if given.journal else None)
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            began_s, used_s = time.perf_counter(), time.process_time()
            summary = runner.run(
                upload_sharded(tree, "http://127.0.0.1:9/x/", engine=Echoes(), options=options, environ={})
            )
            took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - used_s
    if summary.uploaded != given.files:
        raise SystemExit(f"{summary.uploaded} of {given.files} uploaded: {summary.failures[:1]}")
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    threads = threading.active_count()
    print(
        f"{given.files} files{', with a journal' if given.journal else ''}: {given.files / took_s:.0f} files/s,"
        f" {cpu_s / given.files * 1e6:.1f} us of CPU each, peak {peak_mib:.0f} MiB, {threads} threads at the end"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
