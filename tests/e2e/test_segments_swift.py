"""`bulkput segments` on a real Swift: nothing is removed that a GET of any object of the account reads."""

from collections.abc import Callable

import pytest

import bulkput as library
from bulkput import events as ev
from tests.e2e.changes_relay import Asked, Meddle, PassOn, Said, relay
from tests.e2e.cli import bulkput
from tests.e2e.segment_world import OURS, World, is_of_account, refusing
from tests.servers.swift import RealSwift

pytestmark = [pytest.mark.swift, pytest.mark.timeout(180)]


@pytest.fixture
def world(swift: RealSwift) -> World:
    return World(swift)


THEIRS = "s/k/1700000000.5/30/10/"


def _static(world: World, parts: list[str]) -> None:
    world.static("c/k", *parts)


def _static_of_ranges(world: World, parts: list[str]) -> None:
    world.static("c/k", *parts, range_="0-0")


def _static_elsewhere(world: World, parts: list[str]) -> None:
    world.put("c/k", b"overwritten")
    world.static("o/copy", *parts)


def _static_among_the_segments(world: World, parts: list[str]) -> None:
    world.static("s/manifest", *parts)


def _dynamic(world: World, parts: list[str]) -> None:
    world.dynamic("c/k", parts[0][:-8])


def _dynamic_by_a_shorter_prefix(world: World, parts: list[str]) -> None:
    world.dynamic("o/all", parts[0][:4])


def _nested(world: World, parts: list[str]) -> None:
    world.static("o/inner", *parts)
    world.static("c/k", "o/inner")


def _links(world: World, parts: list[str]) -> None:
    for number, part in enumerate(parts):
        world.link(f"o/{number}", part)


def _dynamic_with_a_body(world: World, parts: list[str]) -> None:
    world.dynamic("c/k", parts[0][:-8], b"what no GET shows")


READERS = {
    "a static large object": _static,
    "a static large object of ranges": _static_of_ranges,
    "a copied manifest in another container": _static_elsewhere,
    "a manifest beside the segments": _static_among_the_segments,
    "a dynamic large object": _dynamic,
    "a dynamic large object with a shorter prefix": _dynamic_by_a_shorter_prefix,
    "a static large object of a static large object": _nested,
    "symlinks": _links,
}


@pytest.mark.parametrize("group", [OURS, THEIRS], ids=["ours", "of another program"])
@pytest.mark.parametrize("made", READERS.values(), ids=READERS)
def test_segments_that_an_object_reads_stay(world: World, made: Callable[[World, list[str]], None], group: str) -> None:
    """bulkput segments --reap: three are read, two groups of other objects are not"""
    made(world, world.parts(group))
    world.parts("s/gone/bulkput/v2.a-1/", 2)
    world.parts("s/other/1600000000.1/20/10/", 1)
    before = {path: world.left(path) for path in ("c/", "o/", group)}
    listed = world.look(reap=False)
    assert world.found == {"gone/bulkput/v2.a-1/": 2, "other/1600000000.1/20/10/": 1}
    assert (listed.exit_code, listed.found, listed.groups, listed.bytes, listed.read) == (0, 3, 2, 3, 3)
    assert (listed.removed, world.kept, world.left("s/gone/")) == (0, [], [b"1", b"2"])
    done = world.look()
    assert (done.exit_code, done.removed, done.in_doubt, done.young, world.kept) == (0, 3, 0, 0, [])
    assert {path: world.left(path) for path in before} == before
    assert (world.left("s/gone/"), world.left("s/other/")) == ([], [])


def test_a_dynamic_large_object_with_a_body_keeps_the_segments_that_are_named_after_it(world: World) -> None:
    """bulkput segments --reap: the listing shows it as a plain object, and the last look is a HEAD of it"""
    _dynamic_with_a_body(world, world.parts(OURS))
    done = world.look()
    assert (done.exit_code, done.removed, done.in_doubt) == (1, 0, 3)
    assert world.kept == [f"{world.name}/k reads them now"]
    assert world.read("c/k") == b"123"


def test_young_segments_stay(world: World) -> None:
    """bulkput segments --reap --older-than 1h: the youngest counts; exit 0, since nothing is in doubt"""
    world.parts(OURS)
    done = world.look(older_than_s=3600)
    assert (done.exit_code, done.removed, done.young, done.found) == (0, 0, 3, 3)
    assert "may belong to an upload that is running" in world.kept[0]
    assert world.left(OURS) == [b"1", b"2", b"3"]


def test_age_is_told_by_the_slower_clock(world: World) -> None:
    """bulkput segments --reap --older-than 1h: the store's Date is a day late, so nothing is old"""
    world.parts(OURS)

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        said = pass_on(asked)
        said.headers["Date"] = "Sun, 01 Jan 2017 00:00:00 GMT"
        return said

    assert world.look(meddle, older_than_s=1).young == 3


def refusing_the_account(_world: World) -> Meddle:
    return lambda asked, pass_on: Said(403) if is_of_account(asked) else pass_on(asked)


def keeping_versions(world: World) -> Meddle:
    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        said = pass_on(asked)
        if asked.method == "HEAD" and asked.path.endswith("/" + world.containers["o"]):
            said.headers["X-Versions-Enabled"] = "False"
        return said

    return meddle


DOUBTS: dict[str, tuple[Callable[[World], Meddle], str]] = {
    "a container that may not be listed": (refusing("GET", "o/"), "cannot be looked at"),
    "a container whose HEAD is refused": (refusing("HEAD", "o/"), "cannot be looked at"),
    "a container that is gone": (refusing("GET", "o/", 404), "cannot be looked at"),
    "an account that may not be listed": (refusing_the_account, "the containers of the account cannot be listed"),
    "an empty object whose HEAD is refused": (refusing("HEAD", "c/empty"), "empty reads cannot be seen"),
    "a manifest that cannot be read": (refusing("GET", "c/static"), "static reads cannot be seen"),
    "a manifest that is not there": (refusing("GET", "c/static", 404), "a HEAD finds it, and a GET does not"),
    "a store that fails": (refusing("HEAD", "c/empty", 503), "empty reads cannot be seen"),
    "a container with old versions": (keeping_versions, "keeps old versions of its objects"),
}


@pytest.mark.parametrize(("made", "why"), DOUBTS.values(), ids=DOUBTS)
def test_everything_stays_if_one_object_of_the_account_cannot_be_looked_at(
    world: World, made: Callable[[World], Meddle], why: str
) -> None:
    """bulkput segments, and with --reap: exit 1, and a sentence says why"""
    world.parts(OURS)
    world.put("c/empty")
    world.put("o/x", b"x")
    world.static("c/static", "o/x")
    listed = world.look(made(world), reap=False)
    assert (listed.exit_code, listed.is_proven, listed.found) == (1, False, 3)
    done = world.look(made(world))
    assert (done.exit_code, done.is_proven, done.removed, done.in_doubt) == (1, False, 0, 3)
    assert len(world.kept) == 1 and why in world.kept[0]
    assert [why in event.why for event in world.events if isinstance(event, ev.Warned)] == [True]
    assert world.left(OURS) == [b"1", b"2", b"3"]


def test_what_is_no_segment_is_left_alone(world: World) -> None:
    """bulkput segments --reap: objects without a directory, empty ones, and other programs' in another container"""
    world.put("s/plain", b"x")
    world.put("s/marker/of/s3", b"")
    world.put("o/dir/mine", b"x")
    world.parts("o/k/bulkput/v1/", 2)
    assert (world.look().found, world.left("s/")) == (0, [b"", b"x"])
    done = world.look(container="o")
    assert (done.exit_code, done.removed, done.in_doubt, done.found) == (1, 2, 1, 3)
    assert world.kept[0].startswith("nothing proves that these are segments")
    assert world.left("o/") == [b"x"]


def test_only_segments_below_the_url_are_looked_at(world: World) -> None:
    """bulkput segments --reap swift://c/a: those of a, and of all below a/, but not those of ab"""
    for key in ("a", "a/b", "ab"):
        world.parts(f"s/{key}/bulkput/v1/", 1)
    assert world.look(below="/a").removed == 2
    assert [*world.left("s/a/"), *world.left("s/ab/")] == [b"1"]


def test_a_dry_run_removes_nothing(world: World) -> None:
    """bulkput segments --reap --dry-run"""
    world.parts(OURS)
    done = world.look(dry=True)
    assert (done.exit_code, done.removed, done.is_dry) == (0, 3, True)
    assert set(done.requests) == {"GET", "HEAD"} and world.left(OURS) == [b"1", b"2", b"3"]


def test_a_removal_that_is_refused_is_a_failure(world: World) -> None:
    """bulkput segments --reap: exit 1, and the others are removed"""
    world.parts(OURS)

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        if asked.method == "POST":
            return Said(405)
        return Said(409) if asked.method == "DELETE" and asked.path.endswith("2") else pass_on(asked)

    done = world.look(meddle)
    assert (done.exit_code, done.removed, done.failed) == (1, 2, 1)
    assert done.failures[0].name == f"{world.containers['s']}/k/bulkput/v1/00000002"


def test_an_interrupted_look_removes_nothing(world: World) -> None:
    """bulkput segments --reap, and Ctrl-C: exit 130"""
    world.parts(OURS)
    stop = library.Stop()
    done = world.look(stop=stop, on_event=lambda event: isinstance(event, ev.SegmentsFound) and stop.interrupt())
    assert (done.exit_code, done.removed, len(world.left(OURS))) == (130, 0, 3)


def test_a_container_without_segments_is_no_error_and_a_missing_container_is(world: World) -> None:
    """bulkput segments: exit 0 and exit 1"""
    world.judge.delete(world.containers["s"])
    done = world.look()
    assert (done.exit_code, done.found, done.is_proven) == (0, 0, True)
    with pytest.raises(library.NotFound):
        world.look(container="none")
    world.judge.delete(world.name)
    with pytest.raises(library.NotFound):
        world.look()


def test_the_command_line_lists_and_removes_segments(world: World) -> None:
    """bulkput segments swift://c, then --reap --older-than 0"""
    parts = world.parts(OURS)
    world.static("o/copy", *world.parts("s/read/bulkput/v1/"))
    url, group = f"swift://{world.name}", "/".join(world.place(OURS))
    with relay(world.environ["ST_AUTH"], lambda asked, pass_on: world.alone(pass_on)(asked)) as relayed:
        environ = {**world.environ, "ST_AUTH": relayed.auth_url}
        listed = bulkput("segments", url, environ=environ)
        assert (listed.exit_code, len(listed.out.splitlines())) == (0, 1), listed.err
        assert listed.out.split()[:3] == ["3", "3", "B"] and listed.out.endswith(f" {group}\n")
        assert "3 segments that nothing reads, 3 B, of 1 upload; " in listed.err
        young = bulkput("segments", "--reap", "--json", "--rate", "500/s", url, environ=environ)
        assert (young.exit_code, young.rows[-1]["young"], "rates" in young.rows[-1]) == (0, 3, True), young.err
        assert young.rows[0] | {"age_s": 0} == {
            "event": "segments", "path": group, "segments": 3, "bytes": 3, "age_s": 0, "ours": True,
        }  # fmt: skip
        assert (young.rows[1]["event"], young.rows[1]["in_doubt"]) == ("segments_kept", False)
        done = bulkput("segments", "--reap", "--older-than", "0", "-v", url, environ=environ)
    assert done.exit_code == 0, done.err
    names = ["/".join(world.place(path)) for path in parts]
    assert sorted(done.out.splitlines()[1:]) == [f"removed: {name}" for name in names]
    assert "3 removed, 3 B" in done.err
    assert (world.left(OURS), world.read("o/copy")) == ([], b"123")


def test_a_store_without_segments_is_a_usage_error(world: World) -> None:
    """bulkput segments http://..."""
    ran = bulkput("segments", "http://127.0.0.1:9/x/")
    assert (ran.exit_code, "keeps no segments" in ran.err) == (2, True), ran.err
