"""`upload --skip` of files whose objects in a real Swift are symlinks or large objects."""

import asyncio
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import bulkput as library
from bulkput import events as ev
from bulkput.options import FileListOptions, LargeOptions, SkipMode, SkipOptions, UploadOptions
from bulkput.results import Summary
from tests.e2e.changes_relay import Asked, PassOn
from tests.e2e.changes_relay import Said as Answer
from tests.e2e.test_mirror_swift import World
from tests.servers.swift import RealSwift

pytestmark = [pytest.mark.swift, pytest.mark.timeout(180)]
_SEGMENT = 6 * 1024 * 1024
_SEGMENTS = 1_000
"""The largest number of segments in Swift: 6 291 456 000 bytes, more than one object may have."""


@pytest.fixture
def world(swift: RealSwift, tmp_path: Path) -> World:
    return World(swift, tmp_path / "tree")


class Said(NamedTuple):
    """The summary of an upload and the errors of its failed files."""

    summary: Summary
    why: list[str]


def upload(world: World, mode: SkipMode, source: Path | None, to: str, *, dry: bool = False) -> Said:
    """Uploads `source`, or without one the files of the list next to the tree."""
    files = None if source else FileListOptions(path=str(world.tree.parent / "list"), base=str(world.tree))
    options = UploadOptions(skip=SkipOptions(mode=mode), files=files, dry_run=dry, large=LargeOptions(mode="never"))
    failures: list[str] = []

    def on_event(event: ev.Event) -> None:
        if isinstance(event, ev.Failed):
            failures.append(str(event.error))

    url = f"swift://{world.name}/{to}"
    sources = source if source else ()
    done = asyncio.run(library.upload(sources, url, options=options, environ=world.environ, on_event=on_event))
    return Said(done, failures)


def _old(world: World, name: str) -> None:
    os.utime(world.tree / name, (1, 1))


def test_a_file_over_the_stores_limit_is_skipped_if_unchanged_and_refused_otherwise(world: World) -> None:
    """bulkput upload --skip unchanged --large never: its large object matches; a later write makes it too large"""
    world.put("other:segment", b"\0" * _SEGMENT)
    manifest = [{"path": f"/{world.other}/segment"}] * _SEGMENTS
    world.judge.put(world.name, "p/large", json.dumps(manifest).encode(), query="?multipart-manifest=put")
    world.put("p/a", b"a")
    with (world.tree / "large").open("wb") as file:
        file.truncate(_SEGMENT * _SEGMENTS)
    for name in ("large", "a"):
        _old(world, name)
    done = upload(world, "unchanged", world.tree, "p").summary
    assert (done.skipped, done.failed, done.exit_code) == (2, 0, 0)
    os.utime(world.tree / "large", (4_000_000_000, 4_000_000_000))
    for dry in (False, True):
        said = upload(world, "unchanged", world.tree, "p", dry=dry)
        assert (said.summary.failed, said.summary.requests.get("PUT")) == (1, None)
        assert "6291456000 bytes, the store takes 5368709122 in one object" in said.why[0]


def _static(world: World) -> None:
    world.static("p/l", "p/l/1", "p/l/2")


def _dynamic(world: World) -> None:
    world.dynamic("p/l", "p/l/")


@pytest.mark.parametrize("source", ["a directory", "a single file", "a list"])
@pytest.mark.parametrize(("made", "mode"), [(_static, "unchanged"), (_static, "identical"), (_dynamic, "unchanged")])
def test_a_large_object_whose_segments_have_no_files_here_is_skipped(
    world: World, made: Callable[[World], None], mode: SkipMode, source: str
) -> None:
    """bulkput upload --skip MODE: the segments lie below the destination, but no source has them"""
    for name in ("1", "2"):
        world.put(f"p/l/{name}", b"hello")
    made(world)
    world.put("p/a", b"a")
    world.file("l", b"hellohello")
    for name in ("l", "a"):
        _old(world, name)
    (world.tree.parent / "list").write_text("l\n")
    what = {"a directory": (world.tree, "p"), "a single file": (world.tree / "l", "p/l"), "a list": (None, "p")}
    done = upload(world, mode, *what[source]).summary
    assert (done.uploaded, done.failed, done.skipped) == (0, 0, 2 if source == "a directory" else 1)


def test_a_dynamic_large_object_that_would_gain_a_new_segment_is_sent(world: World) -> None:
    """bulkput upload --skip unchanged: l reads all objects p/seg*, and the file seg3 is new"""
    for name in ("1", "2"):
        world.put(f"p/seg{name}", b"hello")
    world.dynamic("p/l", "p/seg")
    world.file("l", b"hellohello")
    world.file("seg3", b"new")
    _old(world, "l")
    assert upload(world, "unchanged", world.tree, "p").summary.exit_code == 0
    assert world.read("p/l", "p/seg3") == [b"hellohello", b"new"]


@pytest.mark.parametrize("segment", ["other:s", "s"])
def test_a_large_object_whose_segment_links_to_an_overwritten_object_is_sent(world: World, segment: str) -> None:
    """bulkput upload --skip identical: segment s of l is a symlink to t, which this run overwrites"""
    world.put("p/t", b"hello")
    world.link(segment, "p/t")
    world.static("p/l", segment)
    world.file("l", b"hello")
    world.file("t", b"changed")
    is_proven = threading.Event()

    def meddle(asked: Asked, pass_on: PassOn) -> Answer:
        if asked.method == "PUT" and asked.path.endswith("/p/t"):
            is_proven.wait(10)
        said = pass_on(asked)
        if asked.method == "HEAD" and asked.path.endswith("/s"):
            is_proven.set()
        return said

    done = world.mirror("identical", delete_extra=False, meddle=meddle)
    assert (done.exit_code, is_proven.is_set()) == (0, True)
    assert world.read("p/l", "p/t") == [b"hello", b"changed"]


@pytest.mark.parametrize("mode", ["unchanged", "identical"])
def test_a_symlink_chain_to_an_overwritten_object_is_sent(world: World, mode: SkipMode) -> None:
    """bulkput upload --skip MODE of a symlink p/l -> other -> p/t, where this run overwrites p/t"""
    world.put("p/t", b"hello")
    world.link("other:through", "p/t")
    world.link("p/l", "other:through")
    head = asyncio.run(_stat(world, "p/l"))
    assert head is not None
    assert (head.link, head.bytes) == (f"{world.name}/p/t", 5)
    plain = asyncio.run(_stat(world, "p/t"))
    assert plain is not None
    assert plain.link is None
    world.file("l", b"hello")
    world.file("t", b"changed")
    _old(world, "l")
    assert upload(world, mode, world.tree, "p").summary.exit_code == 0
    assert world.read("p/l", "p/t") == [b"hello", b"changed"]


async def _stat(world: World, key: str) -> library.RemoteObject | None:
    async with library.open_store(f"swift://{world.name}", environ=world.environ) as store:
        return await store.stat(key)
