"""`bulkput ls`, `cp`, `mv` and `rm` of large objects, on a real Swift. Each docstring begins with the command."""

import asyncio
import hashlib
import json
import uuid
from collections.abc import Iterator
from urllib.parse import quote

import pytest

import bulkput as library
from bulkput import events as ev
from bulkput.stores.swift.part_names import parse
from bulkput.verb_options import RemoveOptions
from tests.e2e.changes_relay import Asked, PassOn, Said, relay
from tests.e2e.cli import Bulkput
from tests.e2e.segment_world import is_of_account
from tests.servers.judge import SwiftJudge
from tests.servers.swift import RealSwift

pytestmark = [pytest.mark.swift, pytest.mark.timeout(180)]


@pytest.fixture
def judge(swift: RealSwift) -> SwiftJudge:
    return SwiftJudge(swift.auth_url, swift.user, swift.key)


@pytest.fixture
def container(judge: SwiftJudge) -> str:
    """A new container, and one for its segments."""
    name = f"l{uuid.uuid4().hex[:8]}"
    judge.put(name, "", b"")
    judge.put(f"{name}_segments", "", b"")
    return name


@pytest.fixture(autouse=True)
def credentials(swift: RealSwift, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets the environment variables that point bulkput at the Swift."""
    for name, value in swift.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def alone(swift: RealSwift, container: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leaves the containers of other tests out of the account's listing: the search for readers takes them all."""

    def passed(asked: Asked, pass_on: PassOn) -> Said:
        said = pass_on(asked)
        if is_of_account(asked) and said.status == 200:
            said.body = json.dumps([row for row in json.loads(said.body) if row["name"].startswith(container)]).encode()
        return said

    with relay(swift.auth_url, passed) as relayed:
        monkeypatch.setenv("ST_AUTH", relayed.auth_url)
        yield


def put_static(judge: SwiftJudge, container: str, name: str, parts: dict[str, bytes]) -> None:
    """Stores the parts in CONTAINER_segments, and the manifest in CONTAINER."""
    rows = []
    for part, content in parts.items():
        judge.put(f"{container}_segments", part, content)
        rows.append({"path": f"/{container}_segments/{part}", "etag": hashlib.md5(content).hexdigest()})
    fields = {"Content-Type": "text/x-large", "X-Object-Meta-Color": "red"}
    judge.put(container, name, json.dumps(rows).encode(), query="?multipart-manifest=put", fields=fields)


def parts_of(name: str, version: str = "v1") -> dict[str, bytes]:
    return {f"{name}/bulkput/{version}/{number:08d}": f"{name} {number};".encode() for number in (1, 2)}


def test_ls_gives_large_objects_the_size_of_what_they_are_composed_of(
    bulkput: Bulkput, container: str, judge: SwiftJudge
) -> None:
    """bulkput ls -l, ls --json: a HEAD for each row of 0 bytes only"""
    put_static(judge, container, "d/static", {"s/1": b"12345", "s/2": b"678"})
    judge.put(container, "d/dynamic", b"", fields={"X-Object-Manifest": f"{container}_segments/s/"})
    judge.put(container, "d/link", b"", fields={"X-Symlink-Target": f"{container}/d/dynamic"})
    judge.put(container, "d/marker", b"", fields={"Content-Type": "application/directory"})
    for number in range(40):
        judge.put(container, f"d/{number:02d}", b"")
    judge.put(container, "d/plain", b"1")
    url = f"swift://{container}/d"
    names = sorted((*(f"{number:02d}" for number in range(40)), "static", "dynamic", "link", "marker", "plain"))
    rows = {row["name"][2:]: row for row in bulkput("ls", "-r", "--json", url).rows}
    assert list(rows) == names
    large = {name: (row["large"], row["bytes"]) for name, row in rows.items() if "large" in row}
    assert large == {"static": ("static", 8), "dynamic": ("dynamic", 8)}
    assert (rows["plain"]["bytes"], rows["00"]["bytes"], rows["link"]["bytes"]) == (1, 0, 0)
    columns = {line.split()[-1][2:]: line.split() for line in bulkput("ls", "-r", "-l", url).out.splitlines()}
    assert list(columns) == names
    assert (columns["static"][0], columns["static"][2]) == ("8", "static")
    assert (columns["dynamic"][0], columns["dynamic"][2]) == ("8", "dynamic")
    assert columns["plain"][2] == hashlib.md5(b"1").hexdigest()
    (exact,) = bulkput("ls", "--json", f"{url}/dynamic").rows
    assert (exact["bytes"], exact["large"]) == (8, "dynamic")


def put_dynamic(judge: SwiftJudge, container: str, name: str, below: str, parts: dict[str, bytes]) -> None:
    for part, content in parts.items():
        judge.put(f"{container}_segments", part, content)
    fields = {"X-Object-Manifest": quote(f"{container}_segments/{below}"), "X-Object-Meta-Color": "red"}
    judge.put(container, name, b"", fields=fields)


def manifest_of(judge: SwiftJudge, container: str, name: str) -> list[str]:
    """The paths that a static large object names."""
    status, _, content = judge._request("GET", f"/{quote(container)}/{quote(name)}?multipart-manifest=get")
    assert status == 200
    return [row["name"].removeprefix("/") for row in json.loads(content)]


def test_cp_shares_the_segments_of_a_large_object_and_says_so_once(
    bulkput: Bulkput, container: str, judge: SwiftJudge
) -> None:
    """bulkput cp -r"""
    for name in ("d/a", "d/b"):
        put_static(judge, container, name, parts_of(name))
    ran = bulkput("cp", "-r", f"swift://{container}/d", f"swift://{container}/e")
    assert ran.exit_code == 0, ran.err
    assert ran.err.count("share the segments of their sources: --with-segments copies these, too") == 1
    assert manifest_of(judge, container, "e/a") == [f"{container}_segments/{part}" for part in parts_of("d/a")]
    assert len(judge.names(f"{container}_segments")) == 4


@pytest.mark.parametrize("name", ["d/big", "ü #?%41", "x" * 1010])
def test_cp_with_segments_makes_a_large_object_of_copies(
    bulkput: Bulkput, container: str, judge: SwiftJudge, name: str
) -> None:
    """bulkput cp --with-segments to another container, which it makes; then the source and its segments may go"""
    put_static(judge, container, name, parts := parts_of(name[:900]))
    other, to = f"{container}-b", name.replace("d/", "e/")
    flags = ("--with-segments", "--literal", "--meta", "New:1")
    ran = bulkput("cp", *flags, f"swift://{container}/{name}", f"swift://{other}/{to}")
    assert (ran.exit_code, "share" in ran.err) == (0, False), ran.err
    for part in parts:
        judge.delete(f"{container}_segments", part)
    judge.delete(container, name)
    seen = judge.get(other, to)
    assert seen is not None and seen.content == b"".join(parts.values())
    fields = {field: seen.headers[field] for field in ("Content-Type", "X-Object-Meta-Color", "X-Object-Meta-New")}
    assert list(fields.values()) == ["text/x-large", "red", "1"] and "X-Static-Large-Object" in seen.headers
    copies = [path.partition("/")[2] for path in manifest_of(judge, other, to)]
    assert copies == judge.names(f"{other}_segments")
    found = [parse(copy) for copy in copies]
    assert [(each.version, each.number) for each in found if each is not None] == [("v1", 1), ("v1", 2)]
    assert all(len(copy.encode()) <= 1024 for copy in copies) and (len(to) > 900 or copies[0].startswith(to + "/"))


def test_cp_with_segments_goes_on_where_it_broke_off(bulkput: Bulkput, container: str, judge: SwiftJudge) -> None:
    """bulkput cp -r --with-segments: within one container; segments that are there are not copied again"""
    for name in ("d/a", "d/b"):
        put_static(judge, container, name, parts_of(name))
    judge.put(container, "d/plain", b"plain")
    first = next(iter(parts_of("d/a")))
    judge.put(f"{container}_segments", first.replace("d/a", "e/a"), parts_of("d/a")[first])
    command = ("cp", "-r", "--json", "--with-segments", f"swift://{container}/d", f"swift://{container}/e")
    ran = bulkput(*command)
    assert ran.exit_code == 0, ran.err
    assert ran.rows[-1]["requests"]["COPY"] == 4
    for name in ("a", "b"):
        assert manifest_of(judge, container, f"e/{name}") == [
            f"{container}_segments/{part.replace(f'd/{name}', f'e/{name}', 1)}" for part in parts_of(f"d/{name}")
        ]
    assert judge.content(container, "e/plain") == b"plain"
    assert bulkput(*command).rows[-1]["requests"]["COPY"] == 1


def test_cp_with_segments_keeps_a_dynamic_large_object_dynamic(
    bulkput: Bulkput, container: str, judge: SwiftJudge
) -> None:
    """bulkput cp --with-segments: of bulkput's names, and of python-swiftclient's"""
    theirs = {f"d/theirs/1700000000.1/19/10/{number:08d}": b"%d" % number * 4 for number in (0, 1)}
    put_dynamic(judge, container, "d/ours", "d/ours/bulkput/v1/", parts_of("d/ours"))
    put_dynamic(judge, container, "d/theirs", "d/theirs/1700000000.1/19/10/", theirs)
    ran = bulkput("cp", "-r", "--with-segments", f"swift://{container}/d", f"swift://{container}/e")
    assert ran.exit_code == 0, ran.err
    for name, content in (("ours", b"".join(parts_of("d/ours").values())), ("theirs", b"".join(theirs.values()))):
        seen = judge.get(container, f"e/{name}")
        assert seen is not None and (seen.content, seen.headers["X-Object-Meta-Color"]) == (content, "red")
        assert seen.headers["X-Object-Manifest"].startswith(f"{container}_segments/e/{name}/")


HARMS = ["range", "nested", "inline", "gone", "changed", "taken", "stray", "no slash"]


@pytest.mark.parametrize("harm", HARMS)
def test_cp_with_segments_refuses_what_it_cannot_copy_faithfully(
    bulkput: Bulkput, container: str, judge: SwiftJudge, harm: str
) -> None:
    """bulkput cp -r --with-segments: one sentence, and nothing of that object is copied; the others are"""
    segments = f"{container}_segments"
    put_static(judge, container, "d/fine", parts_of("d/fine"))
    put_static(judge, container, "d/odd", parts := parts_of("d/odd"))
    first, second = ({"path": f"/{segments}/{part}"} for part in parts)
    rows = {
        "range": [first, {**second, "range": "0-2"}],
        "nested": [first, {"path": f"/{container}/d/fine"}],
        "inline": [first, {"data": "YWJj"}],
    }
    if harm in rows:
        judge.put(container, "d/odd", json.dumps(rows[harm]).encode(), query="?multipart-manifest=put")
    names = list(parts)
    match harm:
        case "gone":
            judge.delete(segments, names[1])
        case "changed":
            judge.put(segments, names[1], b"another")
        case "taken":
            judge.put(segments, names[1].replace("d/odd", "e/odd"), b"another")
        case "stray":
            judge.put(container, "d/odd", b"", fields={"X-Object-Manifest": f"{segments}/d/odd/bulkput/v1/"})
            judge.put(segments, names[1].replace("d/odd", "e/odd").replace("2", "3"), b"stray")
        case "no slash":
            judge.put(container, "d/odd", b"", fields={"X-Object-Manifest": f"{segments}/d/odd"})
    before = judge.names(segments)
    ran = bulkput("cp", "-r", "--with-segments", f"swift://{container}/d", f"swift://{container}/e")
    assert ran.exit_code == 1
    assert ran.err.count("nothing of it is copied") == ran.err.count("failed: ") == 1, ran.err
    assert [name for name in judge.names(container) if name.startswith("e/")] == ["e/fine"]
    new = [name for name in judge.names(segments) if name not in before]
    assert new == [part.replace("d/fine", "e/fine") for part in parts_of("d/fine")]


def test_mv_leaves_the_segments_where_they_are_and_says_so(bulkput: Bulkput, container: str, judge: SwiftJudge) -> None:
    """bulkput mv"""
    put_static(judge, container, "d/a", parts := parts_of("d/a"))
    ran = bulkput("mv", f"swift://{container}/d/a", f"swift://{container}/e/a")
    assert (ran.exit_code, "stay where they were: --with-segments moves these" in ran.err) == (0, True), ran.err
    assert judge.content(container, "e/a") == b"".join(parts.values())
    assert judge.names(f"{container}_segments") == list(parts)


def test_rm_says_how_many_segments_it_leaves(bulkput: Bulkput, container: str, judge: SwiftJudge) -> None:
    """bulkput rm, rm -r: one line; with --json a row for each large object"""
    for name in ("d/a", "d/b", "x"):
        put_static(judge, container, name, parts_of(name))
    put_dynamic(judge, container, "y", "y/bulkput/v1/", parts_of("y"))
    ran = bulkput("rm", "-r", "--yes", f"swift://{container}/d")
    assert ran.exit_code == 0, ran.err
    assert ran.err.count("segment") == 2
    assert "  left 4 segments (24 B) of 2 large objects: bulkput segments finds those that nothing reads\n" in ran.err
    for name in ("x", "y"):
        ran = bulkput("rm", f"swift://{container}/{name}")
        assert (ran.exit_code, "left 2 segments (8 B) of 1 large object" in ran.err) == (0, True), ran.err
    assert len(judge.names(f"{container}_segments")) == 8
    put_static(judge, container, "x", parts_of("x"))
    removed, left, last = bulkput("rm", "--json", f"swift://{container}/x").rows
    assert (removed["event"], left["event"], last["segments"]["left"]) == ("removed", "segments_left", 2)
    assert left["segments"] == [f"{container}_segments/{part}" for part in parts_of("x")]


@pytest.mark.usefixtures("alone")
def test_mv_with_segments_moves_them_too(bulkput: Bulkput, container: str, judge: SwiftJudge) -> None:
    """bulkput mv -r --with-segments: static and dynamic; segments that something else reads stay"""
    segments = f"{container}_segments"
    put_static(judge, container, "d/a", parts_of("d/a"))
    put_static(judge, container, "d/shared", shared := parts_of("d/shared"))
    put_dynamic(judge, container, "d/b", "d/b/bulkput/v1/", parts_of("d/b"))
    judge.put(container, "d/plain", b"plain")
    assert bulkput("cp", f"swift://{container}/d/shared", f"swift://{container}/stays").exit_code == 0
    ran = bulkput("mv", "-r", "--json", "--with-segments", f"swift://{container}/d", f"swift://{container}-b/e")
    assert ran.exit_code == 0, ran.err
    assert judge.names(container) == ["stays"]
    for name in ("a", "b", "shared"):
        content = b"".join(parts_of(f"d/{name}").values())
        assert judge.content(f"{container}-b", f"e/{name}") == content
    assert judge.names(segments) == list(shared)
    assert judge.content(container, "stays") == b"".join(shared.values())
    assert len(judge.names(f"{container}-b_segments")) == 6
    assert ran.rows[-1]["segments"] == {
        "left": 0, "left_bytes": 0, "removed": 4, "removed_bytes": 24, "in_doubt": 0,
    }  # fmt: skip


@pytest.mark.usefixtures("alone")
def test_rm_with_segments_removes_what_nothing_else_reads(bulkput: Bulkput, container: str, judge: SwiftJudge) -> None:
    """bulkput rm -r --with-segments: a segment that a copy of the manifest reads, one that was written to, one that is
    an ordinary object, and one that is gone"""
    segments, other = f"{container}_segments", f"{container}-b"
    judge.put(other, "", b"")
    for name in ("d/a", "d/shared", "d/changed"):
        put_static(judge, container, name, parts_of(name))
    put_dynamic(judge, container, "d/b", "d/b/bulkput/v1/", parts_of("d/b"))
    judge.put(container, "ordinary", b"ordinary")
    manifest = json.dumps([{"path": f"/{container}/ordinary"}]).encode()
    judge.put(container, "d/strange", manifest, query="?multipart-manifest=put")
    assert bulkput("cp", f"swift://{container}/d/shared", f"swift://{other}/stays").exit_code == 0
    shared, changed = list(parts_of("d/shared")), list(parts_of("d/changed"))
    judge.put(segments, changed[0], b"another")
    judge.delete(segments, changed[1])
    ran = bulkput("rm", "-r", "--yes", "--with-segments", f"swift://{container}/d")
    assert ran.exit_code == 1
    assert judge.names(container) == ["ordinary"]
    assert judge.names(segments) == sorted((changed[0], *shared))
    assert judge.content(other, "stays") == b"".join(parts_of("d/shared").values())
    for why in ("not what their manifest named", "no whole plain objects in a container for segments", "stays reads"):
        assert why in ran.err, ran.err


@pytest.mark.usefixtures("alone")
def test_rm_with_segments_of_a_dynamic_large_object_takes_only_one_upload_with_it(
    bulkput: Bulkput, container: str, judge: SwiftJudge
) -> None:
    """bulkput rm --with-segments: its prefix begins the names of another upload's segments, too"""
    put_dynamic(judge, container, "a", "a", parts := parts_of("a") | parts_of("ab"))
    ran = bulkput("rm", "--with-segments", f"swift://{container}/a")
    assert (ran.exit_code, "what lies below its prefix is not of one upload" in ran.err) == (1, True), ran.err
    assert judge.names(container) == [] and judge.names(f"{container}_segments") == sorted(parts)


@pytest.mark.usefixtures("alone")
def test_segments_stay_and_are_named_if_rm_is_stopped_after_the_manifest(container: str, judge: SwiftJudge) -> None:
    """bulkput.remove with `with_segments`: interrupted in between"""
    put_static(judge, container, "a", parts := parts_of("a"))
    stop, left = library.Stop(), []

    def note(event: ev.Event) -> None:
        match event:
            case ev.Change(done=ev.Done.REMOVED):
                stop.pull(ev.Stopping("enough", ev.StopCause.INTERRUPTED))
            case ev.SegmentsLeft():
                left.append(event)

    options = RemoveOptions(with_segments=True)
    done = asyncio.run(library.remove(f"swift://{container}/a", options=options, on_event=note, stop=stop))
    paths = tuple(f"{container}_segments/{part}" for part in parts)
    assert (done.done, done.exit_code, done.segments.in_doubt) == (1, 130, 2)
    assert left == [ev.SegmentsLeft("", paths, why="the run was stopped")]
    assert judge.names(f"{container}_segments") == list(parts)


@pytest.mark.usefixtures("alone")
def test_rm_with_segments_of_one_object_removes_all_of_it(bulkput: Bulkput, container: str, judge: SwiftJudge) -> None:
    """bulkput rm --with-segments: nothing is left, and a dry run changes nothing"""
    put_static(judge, container, "a", parts_of("a"))
    url = f"swift://{container}/a"
    assert bulkput("rm", "--dry-run", "--with-segments", url).exit_code == 0
    assert len(judge.names(f"{container}_segments")) == 2
    ran = bulkput("rm", "--with-segments", url)
    assert (ran.exit_code, "segments removed: 2, 8 B" in ran.err) == (0, True), ran.err
    assert judge.names(container) == judge.names(f"{container}_segments") == []
