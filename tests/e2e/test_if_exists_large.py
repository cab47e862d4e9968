"""`bulkput upload --if-exists` with large objects: what they read stays, what is sent of them is counted, no look waits
for longer than it has to."""

import json
import os
import time
from pathlib import Path
from typing import Any, Literal

import pytest

import bulkput as library
from bulkput import events as ev
from bulkput.devserver import DevServer
from bulkput.options import IfExists, LargeOptions, SkipMode, SkipOptions, UploadOptions, WireOptions
from tests.conftest import environ_of
from tests.e2e.test_if_exists import Front, run
from tests.e2e.test_mirror_swift import World
from tests.servers.swift import RealSwift

Mode = Literal["slo", "dlo"]


@pytest.mark.swift
@pytest.mark.timeout(180)
@pytest.mark.parametrize("mode", ["skip", "differs"])
@pytest.mark.parametrize("skip", ["none", "unchanged", "identical"])
async def test_a_mirror_keeps_what_objects_read_that_are_not_replaced(
    swift: RealSwift, tmp_path: Path, mode: IfExists, skip: SkipMode
) -> None:
    """A link, a static and a dynamic large object stay in place of their files; what only they read is no extra."""
    world = World(swift, tmp_path / "tree")
    for name in ("static", "dynamic", "link"):
        world.file(name, b"bytes")
        world.put(f"p/old/{name}", b"bytes")
    world.put("p/extra", b"x")
    world.static("p/static", "p/old/static")
    world.dynamic("p/dynamic", "p/old/dynamic")
    world.link("p/link", "p/old/link")
    given = SkipOptions(mode=skip, delete_extra=True)
    summary, _ = await run(world.tree, f"swift://{world.name}/p/", world.environ, mode, skip=given)
    assert (summary.skipped, summary.uploaded, summary.removed, summary.kept, summary.failed) == (3, 1, 1, 3, 0)
    assert world.read("p/static", "p/dynamic", "p/link") == [b"bytes"] * 3
    assert world.read("p/extra") == [None]


@pytest.mark.parametrize("mode", ["slo", "dlo"])
@pytest.mark.parametrize("kind", ["file", "pipe"])
async def test_a_large_object_whose_answer_is_lost_is_counted_as_it_was_sent(
    tmp_path: Path, mode: Mode, kind: str
) -> None:
    """With all its bytes and parts, and none of them are left over."""
    there, source, url = Front(), tmp_path / "tree", "swift://c/"
    source.mkdir()
    (source / "big").write_bytes(bytes(5000))
    there.loses.add("big")
    options: dict[str, Any] = {"manifest": "m"}
    if kind == "pipe":
        read, write = os.pipe()
        os.write(write, bytes(5000))
        os.close(write)
        source, url, options = Path(f"/dev/fd/{read}"), "swift://c/big", {}
    large = LargeOptions(mode=mode, above=1000, part_size=3000)
    async with DevServer(intercept=there) as server:
        summary, told = await run(source, url, environ_of(server), large=large, **options)
        rows = {} if kind == "pipe" else server.store.containers["c"].objects["m"].pieces
    (stored,) = [event for event in told if isinstance(event, ev.Uploaded) and event.upload.key == "big"]
    assert (stored.stored.size, stored.stored.etag, stored.parts, stored.bytes_read) == (5000, None, 2, 5000)
    assert not any(isinstance(event, ev.PartsLeft) for event in told)
    assert summary.exit_code == 0 and summary.large_sent == 1 and not summary.large_unfinished
    if kind == "file":
        line = json.loads(b"".join(rows))
        assert (line["bytes"], line["hash"]) == (5000, None)


async def test_parts_of_a_large_object_that_is_refused_are_told(tmp_path: Path) -> None:
    """Another object has come while the parts were sent."""
    there = Front()
    (tmp_path / "big").write_bytes(bytes(5000))
    async with DevServer(intercept=there) as server:
        environ = environ_of(server)
        given = UploadOptions(if_exists="fail", large=LargeOptions(above=1000, part_size=3000))
        containers = server.store.containers

        def another_comes(event: ev.Event) -> None:
            if isinstance(event, ev.PartStored):
                containers["c"].objects["big"] = containers["other"].objects["big"]

        await library.upload(tmp_path, "swift://other/", environ=environ)
        summary = await library.upload(tmp_path, "swift://c/", options=given, environ=environ, on_event=another_comes)
    assert summary.exit_code == 1 and summary.failed == 1 and summary.parts_left == 2


async def test_the_look_after_an_upload_waits_by_the_last_request_alone(tmp_path: Path) -> None:
    """Neither the time of the parts counts, nor what a rate has held back."""
    (tmp_path / "big").write_bytes(bytes(3_000_000))
    large = LargeOptions(above=500_000, part_size=500_000)
    async with DevServer() as server:
        began_s = time.monotonic()
        wire = WireOptions(bytes_per_s=1_500_000)
        summary, _ = await run(tmp_path, "swift://c/", environ_of(server), large=large, wire=wire)
        assert summary.uploaded == 1 and time.monotonic() - began_s < 4, "6 s if it waits by the time of the parts"
