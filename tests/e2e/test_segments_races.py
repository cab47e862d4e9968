"""`bulkput segments --reap` on a real Swift that others write to at the same time."""

import asyncio
import time
from urllib.parse import urlsplit

import pytest

import bulkput as library
from bulkput import events as ev
from bulkput.engine.objects.reap import ReapTally, reap
from bulkput.engine.open_store import connected
from bulkput.options import StopRules
from bulkput.stores.swift.part_names import group_name
from tests.e2e.changes_relay import Asked, Meddle, PassOn, Said, relay
from tests.e2e.segment_world import OURS, World, at, is_head_of_segment, is_of_account, passing, refusing
from tests.servers.swift import RealSwift

pytestmark = [pytest.mark.swift, pytest.mark.timeout(180)]


@pytest.fixture
def world(swift: RealSwift) -> World:
    return World(swift)


def test_a_manifest_that_is_copied_during_the_search_is_found(world: World) -> None:
    """bulkput segments --reap: o is listed before it is stored there, and the second search finds it"""
    parts = world.parts(OURS)
    last = world.containers["s"]  # the account's listing has it after `c` and `o`

    def moment(asked: Asked) -> bool:
        return asked.method == "HEAD" and asked.path.endswith("/" + last)

    # The first HEAD asks for the time. The second is that of the search.
    done = world.look(at(moment, 2, lambda: world.static("o/copy", *parts)))
    assert (done.exit_code, done.removed) == (0, 0)
    assert world.kept == [f"{world.containers['o']}/copy reads them"]
    assert world.read("o/copy") == b"123"


def test_a_manifest_that_is_moved_during_the_search_is_found(world: World) -> None:
    """bulkput segments --reap: the first search sees neither the old nor the new one"""
    parts = world.parts(OURS)
    world.static("o/old", *parts)

    def move() -> None:
        world.static("c/new", *parts)
        world.judge.delete(world.containers["o"], "old")

    def moment(asked: Asked) -> bool:
        return asked.method == "GET" and urlsplit(asked.path).path.endswith("/" + world.containers["o"])

    done = world.look(at(moment, 1, move))
    assert (done.removed, world.kept) == (0, [f"{world.name}/new reads them"])
    assert world.read("c/new") == b"123"


def test_a_long_removal_searches_again(world: World) -> None:
    """bulkput segments --reap: a minute later, a copied manifest reads the segments that would be next"""
    world.parts("s/a/bulkput/v1/")
    parts = world.parts("s/b/bulkput/v1/")
    # A search asks for two pages of the account. Two searches before; the removal's first sees the copy,
    # whichever group is first.
    done = world.look(at(is_of_account, 5, lambda: world.static("o/copy", *parts)), search_again_s=0)
    assert (done.exit_code, done.removed, world.left("s/a/")) == (0, 3, [])
    assert (world.kept, world.read("o/copy")) == ([f"{world.containers['o']}/copy reads them"], b"123")
    world.parts("s/c/bulkput/v1/")
    refused = refusing("HEAD", "o/")(world)
    seen: list[Asked] = []

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        seen.append(asked)
        return refused(asked, pass_on) if sum(map(is_of_account, seen)) >= 5 else pass_on(asked)

    done = world.look(meddle, search_again_s=0)
    assert (done.exit_code, done.removed, done.in_doubt) == (1, 0, 3)


@pytest.mark.parametrize("key", ["k", "k/with/slashes/", "long/" + "ü" * 505], ids=["short", "slashes", "cut"])
def test_a_manifest_that_is_stored_after_the_search_is_found(world: World, key: str) -> None:
    """bulkput segments --reap: an upload goes on that needs no new segment; its object is looked at last"""
    parts = world.parts("s/" + group_name(key, "v1", max_bytes=1024))
    done = world.look(at(is_head_of_segment, 1, lambda: world.static(f"c/{key}", *parts)))
    assert (done.exit_code, done.removed, done.in_doubt) == (1, 0, 3)
    assert "reads them now" in world.kept[0]
    assert world.read(f"c/{key}") == b"123"


@pytest.mark.parametrize(
    ("number", "content"), [(2, b"2"), (2, b"x"), (4, b"new")], ids=["the same", "another", "a new one"]
)
def test_a_segment_that_is_stored_after_the_listing_keeps_its_group(world: World, number: int, content: bytes) -> None:
    """bulkput segments --reap: an upload goes on; other groups are removed"""
    world.parts(OURS)
    world.parts("s/z/bulkput/v1/")
    done = world.look(at(is_head_of_segment, 1, lambda: world.put(f"{OURS}{number:08d}", content)))
    assert (done.exit_code, done.removed, done.in_doubt) == (1, 3, 3)
    assert "was stored after they were listed" in world.kept[-1]
    assert len(world.left(OURS)) == max(3, number) and world.left("s/z/") == []


def test_a_segment_that_is_gone_meanwhile_is_counted_as_gone(world: World) -> None:
    """bulkput segments --reap: another client removes one"""
    parts = world.parts(OURS)

    def moment(asked: Asked) -> bool:
        return is_head_of_segment(asked) and asked.path.split("?")[0].endswith("2")

    done = world.look(at(moment, 1, lambda: world.judge.delete(*world.place(parts[1]))))
    assert (done.exit_code, done.removed, done.gone, done.found) == (0, 2, 1, 3)


def test_reap_removes_given_segments_that_nothing_reads(world: World) -> None:
    """After an upload that overwrote large objects: some old segments are read by a copy, one is stored again since"""
    read, gone = world.parts("s/read/bulkput/v1/"), world.parts("s/gone/bulkput/v1/")
    world.parts("s/read/bulkput/v2/")
    world.static("o/copy", *read[:2])
    world.static("c/nested", "o/copy")
    time.sleep(0.1)
    before_ns = time.time_ns()
    time.sleep(0.1)
    world.put(gone[0], b"again")
    events: list[ev.Event] = []

    async def run(*paths: str, stored_before_ns: int | None = None, meddle: Meddle = passing) -> ReapTally:
        stop = library.Stop()
        tally = ReapTally.of(events.append, stop, StopRules())
        with relay(world.environ["ST_AUTH"], lambda asked, pass_on: meddle(asked, world.alone(pass_on))) as relayed:
            environ = {**world.environ, "ST_AUTH": relayed.auth_url}
            async with connected(f"swift://{world.name}", environ=environ, brake=stop) as (store, _):
                await reap(store, world.name, paths, tally=tally, stored_before_ns=stored_before_ns)
        return tally

    paths = ["/".join(world.place(path)) for path in (*read, *gone, *gone, "s/none")]
    tally = asyncio.run(run(*paths, stored_before_ns=before_ns))
    assert (tally.read, tally.in_doubt, tally.changes.done, tally.changes.gone) == (2, 1, 3, 1)
    assert (world.left("s/read/bulkput/v1/"), world.left("s/gone/")) == ([b"1", b"2"], [b"again"])
    assert (world.read("c/nested"), len(world.left("s/read/bulkput/v2/"))) == (b"12", 3)
    assert [event.why for event in events if isinstance(event, ev.SegmentsKept)] == [
        "it was stored again since, or does not tell when it was stored",
        f"{world.containers['o']}/copy reads them",
    ]
    path = "/".join(world.place(gone[0]))
    overwriting = at(is_of_account, 1, lambda: world.put(gone[0], b"again"))
    tally = asyncio.run(run(path, meddle=overwriting))
    assert (tally.changes.done, tally.in_doubt, world.left("s/gone/")) == (0, 1, [b"again"])
    tally = asyncio.run(run(path))
    assert (tally.changes.done, world.left("s/gone/")) == (1, [])
