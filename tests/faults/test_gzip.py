"""Faults while files are compressed: the object unpacks to one whole version of its file, or it is not stored.

A file whose compressed stream does not fit into memory is read twice: first for the MD5 of the stream, then to send it.
The tests change it during the first pass, between the two, and during the second.
"""

import asyncio
import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from hashlib import md5
from pathlib import Path
from random import Random
from typing import Literal

import pytest
from aiohttp import web

from bulkput import events as ev
from bulkput.devserver import DevServer, Handler
from bulkput.errors import IntegrityError, SourceError
from bulkput.options import BodyOptions, GzipOptions, RetryOptions, UploadOptions, WireOptions
from tests.faults.sources import ONE, calling_before, stored
from tests.faults.target import EAGER, Ran, SwiftTarget, faulty, upload
from tests.faults.test_sources import become_another_file, overwrite, shrink, vanish
from tests.servers.devserver import devserver_process
from tests.servers.faultproxy import Cut, FaultProxy, Flip, Plan, always
from tests.servers.judge import SwiftJudge
from tests.servers.swift import RealSwift

ALWAYS = UploadOptions(gzip=GzipOptions(mode="always"), retry=EAGER)
CHUNK = BodyOptions().chunk_size
SLOTS = 4
LARGE = 15_000_000
"""More than the sockets' buffers hold, compressed as well: its end is read when the server has begun."""
Change = Callable[[Path], None]


def at(server: DevServer) -> SwiftTarget:
    return SwiftTarget(RealSwift(server.auth_url, server.options.user, server.options.key), "c", "devserver")


def noise(size: int) -> bytes:
    """Gives random bytes, which gzip cannot make smaller."""
    return Random(size).randbytes(size)


def tree_with(root: Path, victim: bytes) -> Path:
    """Creates `victim` between two other files, which every test expects to be stored; gives the victim's path."""
    for name, content in (("a", b"a"), ("victim", victim), ("z", b"z")):
        (root / name).write_bytes(content)
    return root / "victim"


def failures(ran: Ran) -> dict[str, str]:
    """Gives the problem of each failed file, by the last part of its path."""
    errors = {event.path: event.error for event in ran.events if isinstance(event, ev.Failed)}
    assert all(isinstance(error, SourceError) for error in errors.values())
    return {os.path.basename(os.fsdecode(path)): getattr(error, "problem", "") for path, error in errors.items()}


def unpacked(server: DevServer) -> dict[str, bytes]:
    """Unpacks each object of the store, and checks its metadata about the source against the unpacked bytes."""
    found = {name: gzip.decompress(content) for name, content in stored(server).items()}
    for name, content in found.items():
        said = {field.lower(): value for field, value in server.store.containers["c"].objects[name].headers}
        assert said["x-object-meta-source-md5"] == md5(content).hexdigest()
        assert said["x-object-meta-source-size"] == str(len(content))
    return found


class Passes:
    """Receives events and sets its own when the first pass over a file is over and when the second has begun."""

    def __init__(self, victim: Path) -> None:
        self._victim = victim
        self._size = victim.stat().st_size
        self._begun = 0
        self.first_is_over = asyncio.Event()
        self.second_has_begun = asyncio.Event()

    def __call__(self, event: ev.Event) -> None:
        if not isinstance(event, ev.Streaming):
            return
        self._begun += event.sent == CHUNK
        if event.sent == self._size:
            self.first_is_over.set()
        if self._begun == 2:
            self.second_has_begun.set()


@pytest.mark.parametrize("change", [shrink, overwrite, become_another_file, vanish])
async def test_a_file_that_changes_between_its_two_passes_is_sent_in_its_new_version(
    tmp_path: Path, change: Change
) -> None:
    """It waits for a slot after its first pass; after the change, the first pass is made again."""
    victim = tree_with(tmp_path, noise(3_000_000))
    before = {f"_{n}": b"%d" % n for n in range(SLOTS - 1)}  # and `a`: five workers, four slots
    for name, content in before.items():
        (tmp_path / name).write_bytes(content)
    passes, change_once = Passes(victim), cache(change)

    async def hold(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        await passes.first_is_over.wait()
        change_once(victim)
        return await handler(request)

    async with faulty(hold) as server:
        wire = WireOptions(concurrency=SLOTS)
        ran = await upload(tmp_path, at(server), server.port, wire=wire, options=ALWAYS, on_event=passes)
        is_there = victim.exists()
        others = {"a": b"a", "z": b"z"} | before
        assert unpacked(server) == others | ({"victim": victim.read_bytes()} if is_there else {})
    assert failures(ran) == ({} if is_there else {"victim": "vanished"})
    assert ran.summary.exit_code == (0 if is_there else 1)


@pytest.mark.parametrize("times", [1, 100], ids=["once", "always"])
async def test_a_file_that_shrinks_in_its_first_pass_is_sent_in_its_new_version_or_fails_alone(
    tmp_path: Path, times: int
) -> None:
    """Shrinks once: read again and sent. Shrinks at each read: fails before any byte of it is sent."""
    victim = tree_with(tmp_path, noise(size := 3_000_000))
    left, now = times, size

    def shorten(event: ev.Event) -> None:
        nonlocal left, now
        if isinstance(event, ev.Streaming) and event.sent == CHUNK and left:
            left, now = left - 1, now - 1
            os.truncate(victim, now)

    async with DevServer() as server:
        ran = await upload(tmp_path, at(server), server.port, wire=ONE, options=ALWAYS, on_event=shorten)
        expected = {"a": b"a", "z": b"z"} | ({"victim": victim.read_bytes()} if times == 1 else {})
        assert unpacked(server) == expected
    assert failures(ran) == ({} if times == 1 else {"victim": "changed"})
    assert ran.summary.exit_code == (0 if times == 1 else 1)
    assert ran.summary.requests["PUT"] == 1 + len(expected)


@pytest.mark.parametrize("times", [1, 100], ids=["once", "always"])
@pytest.mark.parametrize("change", [shrink, overwrite])
async def test_a_file_that_changes_in_its_second_pass_is_sent_in_its_new_version_or_fails_alone(
    tmp_path: Path, change: Change, times: int
) -> None:
    """The client breaks the request off before the last piece, so the store keeps no part of the object."""
    victim = tree_with(tmp_path, noise(LARGE))
    passes = Passes(victim)
    left = times

    def act() -> None:
        nonlocal left
        if left:
            left -= 1
            change(victim)

    async with calling_before("victim", act, passes.second_has_begun) as server:
        ran = await upload(tmp_path, at(server), server.port, wire=ONE, options=ALWAYS, on_event=passes)
        expected = {"a": b"a", "z": b"z"} | ({"victim": victim.read_bytes()} if times == 1 else {})
        assert unpacked(server) == expected
    assert failures(ran) == ({} if times == 1 else {"victim": "changed"})
    assert ran.summary.exit_code == (0 if times == 1 else 1)


@pytest.mark.parametrize("times", [1, 100], ids=["once", "always"])
async def test_other_bytes_in_the_second_pass_count_as_a_change_despite_equal_size_and_mtime(
    tmp_path: Path, times: int
) -> None:
    """An mmap writer or a failing disk causes this. The metadata about the source matches the stored object."""
    victim = tree_with(tmp_path, noise(LARGE))
    passes = Passes(victim)
    left = times

    def act() -> None:
        nonlocal left
        if left:
            left -= 1
            overwrite_unseen(victim, left)

    async with calling_before("victim", act, passes.second_has_begun) as server:
        ran = await upload(tmp_path, at(server), server.port, wire=ONE, options=ALWAYS, on_event=passes)
        expected = {"a": b"a", "z": b"z"} | ({"victim": victim.read_bytes()} if times == 1 else {})
        assert unpacked(server) == expected
    assert failures(ran) == ({} if times == 1 else {"victim": "changed"})


def overwrite_unseen(path: Path, byte: int) -> None:
    """Overwrites the last 1000 bytes, which are not read yet, and restores the mtime."""
    mtime_ns = path.stat().st_mtime_ns
    with path.open("r+b") as file:
        file.seek(-1000, os.SEEK_END)
        file.write(bytes([byte]) * 1000)
    os.utime(path, ns=(mtime_ns, mtime_ns))


ONE_READER = """
import asyncio, sys, bulkput
from bulkput.options import BodyOptions, GzipOptions, UploadOptions

options = UploadOptions(body=BodyOptions(readers=1), gzip=GzipOptions(mode="always"))
summary = asyncio.run(bulkput.upload(sys.argv[1], "swift://c", options=options))
print(summary.uploaded, *(failure.error for failure in summary.failures))
sys.exit(summary.exit_code)
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace gives the errors, and is not installed")
@pytest.mark.parametrize("read", [2, 9], ids=["first pass", "second pass"])
def test_a_disk_error_while_a_file_is_compressed_fails_only_that_file(tmp_path: Path, read: int) -> None:
    """strace answers one read with EIO. Six reads make a pass; one reader, as strace counts reads per thread."""
    victim = tree_with(tmp_path, noise(5 * CHUNK + 1))
    inject = ("strace", "-f", "--seccomp-bpf", "-qq", "-o", os.devnull, "-e", "trace=read", "-P", victim)
    with devserver_process() as server:
        done = subprocess.run(
            [*inject, "-e", f"inject=read:error=EIO:when={read}", sys.executable, "-c", ONE_READER, tmp_path],
            env={**os.environ, **server.environment}, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        if "ptrace" in done.stderr:
            pytest.skip(f"no tracing here: {done.stderr.splitlines()[0]}")
        names = SwiftJudge(server.auth_url, server.user, server.key).names("c")
    assert done.stdout == f"2 read {victim}: unreadable: Input/output error\n", done.stderr
    assert (done.returncode, names) == (1, ["a", "z"])


@pytest.mark.parametrize("transport", ["wire", "aiohttp"])
async def test_a_stream_is_sent_from_its_start_after_a_refusal(
    tmp_path: Path, transport: Literal["wire", "aiohttp"]
) -> None:
    """The store answers 503 once for each object, before it reads the body."""
    victim = tree_with(tmp_path, noise(3_000_000))
    refused: set[str] = set()

    async def once(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.raw_path in refused:
            return await handler(request)
        refused.add(request.raw_path)
        return web.Response(status=503)

    async with faulty(once) as server:
        wire = WireOptions(transport=transport)
        ran = await upload(tmp_path, at(server), server.port, wire=wire, options=ALWAYS)
        assert unpacked(server) == {"a": b"a", "victim": victim.read_bytes(), "z": b"z"}
    assert (ran.summary.retries, ran.summary.exit_code) == (3, 0)


@pytest.mark.parametrize("transport", ["wire", "aiohttp"])
async def test_a_stream_is_sent_from_its_start_after_a_reset(
    tmp_path: Path, transport: Literal["wire", "aiohttp"]
) -> None:
    """The connection resets in a chunked body: one more PUT follows, and `bytes_sent` counts one stream."""
    (tmp_path / "victim").write_bytes(content := noise(3_000_000))
    async with DevServer() as server:
        plan = always(Cut("in the request", after=2_000_000), skip=1, at_most=1)
        wire = WireOptions(transport=transport)
        ran, struck = await behind(plan, server, tmp_path, wire=wire)
        assert unpacked(server) == {"victim": content}
        assert ran.summary.bytes_sent == len(stored(server)["victim"]) > len(content)
    assert (struck, ran.summary.requests["PUT"], ran.summary.exit_code) == (1, 1 + 2, 0)


@pytest.mark.parametrize("size", [5000, 3_000_000], ids=["held", "streamed"])
async def test_a_damaged_stream_is_detected_and_sent_again(tmp_path: Path, size: int) -> None:
    """The store refuses a stream with an ETag in its head (422); the answer's ETag reveals the other."""
    (tmp_path / "victim").write_bytes(content := noise(size))
    async with DevServer() as server:
        ran, struck = await behind(always(Flip(size - 1000), skip=1, at_most=1), server, tmp_path, wire=ONE)
        assert unpacked(server) == {"victim": content}
    (retrying,) = [event.error for event in ran.events if isinstance(event, ev.Retrying)]
    assert isinstance(retrying, IntegrityError)
    assert retrying.status == (422 if size == 5000 else 201)
    assert (struck, ran.summary.exit_code) == (1, 0)


@pytest.mark.parametrize("size", [5000, 3_000_000], ids=["held", "streamed"])
async def test_a_stream_that_is_damaged_at_every_attempt_fails(tmp_path: Path, size: int) -> None:
    """The run does not count it as uploaded."""
    (tmp_path / "victim").write_bytes(noise(size))
    once = UploadOptions(gzip=ALWAYS.gzip, retry=RetryOptions(retries=1, base_s=0.001))
    async with DevServer() as server:
        ran, struck = await behind(always(Flip(size - 1000), skip=1), server, tmp_path, wire=ONE, options=once)
    (failed,) = [event.error for event in ran.events if isinstance(event, ev.Failed)]
    assert isinstance(failed, IntegrityError)
    assert struck == 2 and (ran.summary.uploaded, ran.summary.exit_code) == (0, 1)


async def behind(
    plan: Plan, server: DevServer, tree: Path, *, wire: WireOptions, options: UploadOptions = ALWAYS
) -> tuple[Ran, int]:
    """Uploads through a proxy that follows `plan`; gives the run and the number of faults."""
    async with FaultProxy("127.0.0.1", server.port, plan) as proxy:
        ran = await upload(tree, at(server), proxy.port, wire=wire, options=options)
    return ran, sum(proxy.count.faults.values())
