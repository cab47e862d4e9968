"""Runs the three ways against a local store as slow as Cloud Files was in 2009, and reads everything back.

The first post's figures: 330 ms per file through the bindings, 270 ms by direct REST. The difference is two HEADs, so
the store here answers a HEAD in 30 ms and a PUT in 270 ms. The store runs in a process of its own.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote
from urllib.request import Request, urlopen

from bulkput.demo import baselines
from bulkput.engine.event_loop import loop_factory
from bulkput.engine.upload.upload import upload
from bulkput.record import frozen
from bulkput.results import Summary

HEAD_S, PUT_S = 0.030, 0.270
FILE_SIZE = 16 * 1024


@frozen
class Result:
    """One way's numbers. `wrong` counts objects that were missing or different when read back."""

    name: str
    requests: Mapping[str, int]
    seconds: float
    files: int
    failed: int
    wrong: int

    @property
    def objects_per_s(self) -> float:
        return self.files / self.seconds


@frozen
class LocalStore:
    """A running devserver."""

    environ: Mapping[str, str]
    storage_url: str


def run_all(directory: str, files: int, *, scale: float, tell: Callable[[str], None]) -> list[Result]:
    """Make files below `directory`, run each way in its own container, read all back. `scale` multiplies latencies."""
    make_tree(directory, files)
    with local_store(head_s=HEAD_S * scale, put_s=PUT_S * scale) as store:
        results = []
        for name, container, way in (
            ("the bindings' way: HEAD, HEAD, PUT", "bindings", _baseline(baselines.bindings)),
            ("direct REST, one by one", "rest", _baseline(baselines.rest)),
            ("bulkput", "bulkput", _bulkput),
        ):
            tell(f"{name} ...")
            started = time.perf_counter()
            requests, failed = way(store, directory, container)
            seconds = time.perf_counter() - started
            tell(f"{name}: {seconds:.1f} s; reading back ...")
            results.append(Result(name, requests, seconds, files, failed, _wrong(store, directory, container)))
    return results


def make_tree(directory: str, files: int) -> None:
    """`files` files of 16 KB with random content, the same at every run, a hundred per directory."""
    content = random.Random(2009)  # noqa: S311 - repeatable on purpose
    for number in range(files):
        folder = os.path.join(directory, f"{number // 100:03d}")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"file-{number:05d}.bin"), "wb") as file:
            file.write(content.randbytes(FILE_SIZE))


@contextmanager
def local_store(*, head_s: float, put_s: float) -> Iterator[LocalStore]:
    """A devserver in another process, which ends with this block or, at the latest, with this process."""
    latency = f"head={head_s},put={put_s}"
    command = [sys.executable, "-m", "bulkput.devserver", "--latency", latency, "--until-stdin-closes"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
        try:
            if server.stdout is None or not (line := server.stdout.readline()):
                raise RuntimeError("the local store did not start")
            ready = json.loads(line)
            environ = {"ST_AUTH": ready["auth_url"], "ST_USER": ready["user"], "ST_KEY": ready["key"]}
            yield LocalStore(environ, ready["storage_url"])
        finally:
            server.terminate()


Uploader = Callable[[LocalStore, str, str], tuple[Mapping[str, int], int]]


def _baseline(program: Callable[[baselines.Account, str, str], None]) -> Uploader:
    def way(store: LocalStore, directory: str, container: str) -> tuple[Mapping[str, int], int]:
        account = _account(store)
        program(account, directory, container)
        return account.outcome.requests, account.outcome.failed

    return way


def _bulkput(store: LocalStore, directory: str, container: str) -> tuple[Mapping[str, int], int]:
    async def run() -> Summary:
        return await upload([directory], f"swift://{container}", environ=store.environ)

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        summary = runner.run(run())
    return summary.requests, summary.failed


def _wrong(store: LocalStore, directory: str, container: str) -> int:
    """The number of objects that differ from their files, read back by urllib, which none of the ways uses."""
    account = _account(store)
    token = account.token
    wrong = 0
    for name, content in baselines.files(directory):
        url = f"{store.storage_url}/{container}/{quote(name)}"
        try:
            with urlopen(Request(url, headers=token)) as answer:  # noqa: S310 - a loopback URL made above
                wrong += answer.read() != content
        except OSError:
            wrong += 1
    return wrong


def _account(store: LocalStore) -> baselines.Account:
    return baselines.Account(store.environ["ST_AUTH"], store.environ["ST_USER"], store.environ["ST_KEY"])
