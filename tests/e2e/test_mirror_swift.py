"""`upload --delete-extra` on a real Swift: every object that a GET could read stays readable or was to be removed."""

import asyncio
import json
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

import bulkput as library
from bulkput import events as ev
from bulkput.options import HeaderOptions, SkipMode, SkipOptions, UploadOptions, WalkOptions
from bulkput.results import Summary
from tests.e2e.changes_relay import Asked, Meddle, PassOn, Said, relay
from tests.e2e.cli import bulkput
from tests.servers.judge import SwiftJudge
from tests.servers.swift import RealSwift

pytestmark = [pytest.mark.swift, pytest.mark.timeout(180)]
MODES: tuple[SkipMode, ...] = tuple(mode for mode in get_args(SkipMode) if mode != "none")


class World:
    """A container, a tree that is mirrored below its prefix `p/`, and a second container."""

    def __init__(self, swift: RealSwift, tree: Path) -> None:
        self.judge = SwiftJudge(swift.auth_url, swift.user, swift.key)
        self.environ = swift.environment
        self.name = f"m-{uuid.uuid4().hex[:8]}"
        self.other = f"{self.name}-o"
        self.tree = tree
        self.kept: list[ev.Kept] = []
        for container in (self.name, self.other):
            self.judge.put(container, "", b"")
        tree.mkdir()
        self.file("a", b"a")

    def file(self, name: str, content: bytes = b"") -> None:
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def put(self, path: str, content: bytes = b"", **fields: str) -> None:
        """`path` is a name in the container, or `other:NAME`."""
        container, name = self._place(path)
        self.judge.put(container, name, content, fields={key.replace("_", "-"): value for key, value in fields.items()})

    def link(self, path: str, to: str) -> None:
        self.put(path, X_Symlink_Target="/".join(self._place(to)))

    def dynamic(self, path: str, below: str, content: bytes = b"") -> None:
        self.put(path, content, X_Object_Manifest="/".join(self._place(below)))

    def static(self, path: str, *segments: str) -> None:
        container, name = self._place(path)
        manifest = [{"path": "/" + "/".join(self._place(segment))} for segment in segments]
        self.judge.put(container, name, json.dumps(manifest).encode(), query="?multipart-manifest=put")

    def read(self, *names: str) -> list[bytes | None]:
        seen = [self.judge.get(*self._place(name)) for name in names]
        return [one.content if one is not None else None for one in seen]

    def _place(self, path: str) -> tuple[str, str]:
        where, _, name = path.rpartition(":")
        return (self.other if where else self.name), name

    def mirror(
        self,
        mode: SkipMode = "existing",
        *,
        delete_extra: bool = True,
        dry: bool = False,
        most: int | None = 1_000,
        beside: int = 100_000,
        exclude: tuple[str, ...] = (),
        meddle: Meddle = lambda asked, pass_on: pass_on(asked),
    ) -> Summary:
        options = UploadOptions(
            skip=SkipOptions(mode=mode, delete_extra=delete_extra, max_deleted=most, max_outside=beside),
            walk=WalkOptions(exclude=exclude),
            dry_run=dry,
        )
        self.kept = []

        def on_event(event: ev.Event) -> None:
            if isinstance(event, ev.Kept):
                self.kept.append(event)

        with relay(self.environ["ST_AUTH"], meddle) as relayed:
            environ = {**self.environ, "ST_AUTH": relayed.auth_url}
            url = f"swift://{self.name}/p"
            return asyncio.run(library.upload(self.tree, url, options=options, environ=environ, on_event=on_event))

    @property
    def kept_names(self) -> set[str | None]:
        return {event.key for event in self.kept}


@pytest.fixture
def world(swift: RealSwift, tmp_path: Path) -> World:
    return World(swift, tmp_path / "tree")


def _link(world: World) -> None:
    world.file("l", b"target")
    world.link("p/l", "p/x")


def _chain(world: World) -> None:
    world.file("l", b"target")
    world.link("p/l", "other:through")
    world.link("other:through", "p/x")


def _chain_of_extras(world: World) -> None:
    world.file("l", b"target")
    world.link("p/l", "p/y")
    world.link("p/y", "p/x")


def _dynamic(world: World) -> None:
    world.file("l")
    world.dynamic("p/l", "p/x")


def _static(world: World) -> None:
    world.file("l", b"target")
    world.static("p/l", "p/x")


def _static_by_a_link(world: World) -> None:
    world.file("l", b"target")
    world.static("p/y", "p/x")
    world.link("p/l", "p/y")


def _nested(world: World) -> None:
    world.file("l", b"target")
    world.static("other:inner", "p/x")
    world.static("p/l", "other:inner")


def _dynamic_of_links(world: World) -> None:
    world.file("l")
    world.link("p/y/1", "p/x")
    world.dynamic("p/l", "p/y/")


def _excluded_link(world: World) -> None:
    world.link("p/l.log", "p/x")


def _excluded_dynamic(world: World) -> None:
    world.dynamic("p/l.log", "p/x")


def _excluded_static(world: World) -> None:
    world.static("p/l.log", "p/x")


def _link_that_is_a_file_elsewhere(world: World) -> None:
    (world.tree / "l").symlink_to("/nowhere")
    world.link("p/l/below", "p/x")


def _marker(world: World) -> None:
    world.file("l/a")
    world.put("p/l", content_type="application/directory", X_Object_Manifest=f"{world.name}/p/x")


def _others_marker(world: World) -> None:
    world.dynamic("p/l/", "p/x")


def _beside(world: World) -> None:
    world.link("a", "p/x")


def _behind(world: World) -> None:
    world.dynamic("q", "p/x")


WORLDS: dict[str, tuple[Callable[[World], None], int]] = {
    "a link": (_link, 1),
    "links in a chain, through another container": (_chain, 1),
    "links in a chain, of extras": (_chain_of_extras, 2),
    "a dynamic large object, listed as empty": (_dynamic, 1),
    "a static large object": (_static, 1),
    "a static large object, read by a link": (_static_by_a_link, 2),
    "a static large object of static large objects, elsewhere": (_nested, 1),
    "a dynamic large object of links": (_dynamic_of_links, 2),
    "a link that a filter leaves out": (_excluded_link, 1),
    "a dynamic large object that a filter leaves out": (_excluded_dynamic, 1),
    "a static large object that a filter leaves out": (_excluded_static, 1),
    "a link below what is a dangling link here": (_link_that_is_a_file_elsewhere, 1),
    "a directory's marker with a manifest": (_marker, 1),
    "a marker of other programs with a manifest": (_others_marker, 1),
    "a link before the destination": (_beside, 1),
    "a dynamic large object behind the destination": (_behind, 1),
}


@pytest.mark.parametrize(("made", "spared"), WORLDS.values(), ids=WORLDS)
def test_a_mirror_keeps_objects_that_a_remaining_object_reads(
    world: World, made: Callable[[World], None], spared: int
) -> None:
    """bulkput upload --skip existing --delete-extra: a remaining object reads p/x, which stays; p/gone is removed"""
    world.put("p/x", b"target")
    world.put("p/gone", b"gone")
    made(world)
    readers = [row["name"] for row in world.judge.rows(world.name) if row["name"] not in ("p/gone", "p/a")]
    before = world.read(*readers)
    assert b"target" in before
    dry = world.mirror(dry=True, exclude=("*.log",))
    assert (dry.would_remove, dry.kept, dry.removed) == (1, spared, 0)
    done = world.mirror(exclude=("*.log",))
    assert (done.removed, done.kept, done.exit_code) == (1, spared, 1), [event.why for event in world.kept]
    assert "p/x" in world.kept_names
    assert world.read(*readers) == before
    assert world.read("p/gone", "p/a") == [None, b"a"]


@pytest.mark.parametrize("mode", MODES)
def test_a_skipped_symlink_keeps_its_target(world: World, mode: SkipMode) -> None:
    """bulkput upload --skip MODE --delete-extra: l is skipped, because a GET of it gives the bytes of the file"""
    world.file("l", b"target")
    world.put("p/target", b"target")
    world.link("p/l", "p/target")
    done = world.mirror(mode)
    assert world.read("p/l") == [b"target"]
    assert (done.removed, done.kept) == (0, 1)


def _read_by_a_link(world: World) -> None:
    world.link("p/l", "p/t")


def _read_by_a_chain(world: World) -> None:
    world.link("other:through", "p/t")
    world.link("p/l", "other:through")


def _read_by_a_static(world: World) -> None:
    world.static("p/l", "p/t")


def _read_by_a_dynamic(world: World) -> None:
    world.dynamic("p/l", "p/t")


@pytest.mark.parametrize("mode", ["unchanged", "identical"])
@pytest.mark.parametrize("made", [_read_by_a_link, _read_by_a_chain, _read_by_a_static, _read_by_a_dynamic])
def test_a_file_whose_object_reads_an_object_of_this_run_is_sent(
    world: World, made: Callable[[World], None], mode: SkipMode
) -> None:
    """bulkput upload --skip MODE: the object l reads t, and this run overwrites t, so both are sent"""
    world.put("p/t", b"hello")
    made(world)
    world.file("l", b"hello")
    world.file("t", b"changed")
    past = (1, 1)
    os.utime(world.tree / "l", past)
    done = world.mirror(mode, delete_extra=False)
    assert (done.exit_code, world.read("p/l", "p/t")) == (0, [b"hello", b"changed"])
    again = world.mirror("identical", delete_extra=False)
    assert (again.uploaded, again.skipped) == (0, 3)


@pytest.mark.parametrize("made", [_read_by_a_link, _read_by_a_static])
def test_a_file_stored_as_a_symlink_or_large_object_is_skipped(world: World, made: Callable[[World], None]) -> None:
    """bulkput upload --skip identical: the object that it reads lies below the destination"""
    world.put("p/t", b"hello")
    made(world)
    world.file("l", b"hello")
    done = world.mirror("identical", delete_extra=False)
    assert (done.exit_code, done.uploaded, done.skipped) == (0, 1, 1)


def test_an_empty_file_is_sent_over_a_large_object_that_is_listed_as_empty(world: World) -> None:
    """bulkput upload --skip unchanged: a GET of the dynamic large object gives its segments"""
    world.put("other:t", b"hello")
    world.dynamic("p/l", "other:t")
    world.file("l")
    os.utime(world.tree / "l", (1, 1))
    assert world.mirror("unchanged", delete_extra=False).exit_code == 0
    assert world.read("p/l") == [b""]


def test_a_mirror_keeps_everything_if_a_manifest_cannot_be_read(world: World) -> None:
    """bulkput upload --delete-extra: the GET of a manifest is answered 404, so its segments are unknown"""
    world.put("p/x", b"x")
    world.static("p/static", "p/x")
    world.file("static", b"x")

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        return Said(404) if asked.method == "GET" and "/static?" in asked.path else pass_on(asked)

    done = world.mirror(meddle=meddle)
    assert (done.removed, done.kept, done.exit_code) == (0, 1, 1)
    assert "a HEAD finds it, and a GET does not" in world.kept[0].why


def test_a_mirror_removes_extra_symlinks_and_manifests_with_their_targets(world: World) -> None:
    """bulkput upload --delete-extra: no remaining object reads the targets; dangling symlinks go as well"""
    world.put("p/x", b"x")
    world.put("p/y", b"y")
    world.link("p/link", "p/x")
    world.link("p/nowhere", "p/none")
    world.link("p/to-a", "p/a")
    world.static("p/static", "p/x", "p/y")
    world.dynamic("p/dynamic", "p/x")
    world.put("p/expired", b"soon", X_Delete_After="1")
    while world.read("p/expired") != [None]:
        time.sleep(0.1)
    done = world.mirror()
    assert (done.removed, done.kept, done.exit_code) == (7, 0, 0)
    assert world.judge.names(world.name) == ["p/a", "p/expired"]  # the store lists it until its expirer has run


def test_a_mirror_keeps_an_extra_that_was_overwritten_since_the_listing(world: World) -> None:
    """bulkput upload --delete-extra: another client rewrites one extra with the same bytes and deletes another"""
    for name in ("p/x", "p/y", "p/z"):
        world.put(name, b"x")
    listings = []

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        said = pass_on(asked)
        if "prefix=p%2F" in asked.path and not listings:
            listings.append(asked)
            world.put("p/x", b"x")
            world.judge.delete(world.name, "p/y")
        return said

    done = world.mirror(meddle=meddle)
    assert (done.removed, done.kept, done.exit_code) == (1, 1, 1)
    assert [(event.key, event.why) for event in world.kept] == [("p/x", "p/x was overwritten after it was listed")]
    assert world.read("p/x", "p/y", "p/z") == [b"x", None, None]


@pytest.mark.parametrize("refused", ["HEAD /l?", "GET /static?"])
def test_a_mirror_keeps_everything_if_a_remaining_object_cannot_be_inspected(world: World, refused: str) -> None:
    """bulkput upload --delete-extra: the HEAD of a remaining object, or the GET of its manifest, is answered 403"""
    for name in ("l", "static"):
        world.file(name)
    world.put("p/x", b"x")
    world.dynamic("p/l", "p/none")
    world.put("other:x", b"x")
    world.static("p/static", "other:x")
    method, _, path = refused.partition(" ")

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        return Said(403) if asked.method == method and path in asked.path else pass_on(asked)

    done = world.mirror(meddle=meddle)
    assert (done.removed, done.kept) == (0, 1)
    assert "what is read through other objects cannot be seen" in world.kept[0].why


def test_a_removal_in_a_versioned_container_restores_the_previous_version(world: World) -> None:
    """bulkput upload --delete-extra with X-Versions-Location: counted as removed; the next run finds that version"""
    world.judge.put(world.name, "", b"", fields={"X-Versions-Location": world.other})
    world.put("p/x", b"before")
    world.put("p/x", b"now")
    assert (world.mirror().removed, world.read("p/x")) == (1, [b"before"])
    assert (world.mirror().removed, world.read("p/x")) == (1, [None])
    assert world.mirror().removed == 0


def test_a_mirror_keeps_everything_in_a_container_too_large_to_inspect(world: World) -> None:
    """bulkput upload --delete-extra to a prefix: other objects may read the extras; --yes skips the check"""
    for name in ("a", "b", "p/x", "q", "r"):
        world.put(name, b"x")
    done = world.mirror(beside=3)
    assert (done.removed, done.kept, done.exit_code) == (0, 1, 1)
    assert "more than 3 objects lie beside the destination" in world.kept[0].why
    done = world.mirror(most=None, beside=3)
    assert (done.removed, done.kept, world.read("p/x", "a", "r")) == (1, 0, [None, b"x", b"x"])


@pytest.mark.parametrize("container", ["c_segments", "c+segments"])
def test_a_mirror_into_a_container_of_segments_is_refused(world: World, container: str) -> None:
    """bulkput upload --delete-extra swift://c_segments: exit 2 before any request"""
    ran = bulkput("upload", "--delete-extra", world.tree, f"swift://{container}/p", environ=world.environ)
    assert (ran.exit_code, "holds segments of large objects" in ran.err) == (2, True), ran.err


def test_a_mirror_names_each_kept_object_and_its_reader(world: World) -> None:
    """bulkput upload --delete-extra --json: one row and one line for each"""
    world.file("l", b"target")
    world.put("p/x", b"target")
    world.link("p/l", "p/x")
    flags = ("--skip", "existing", "--delete-extra", "--json")
    ran = bulkput("upload", *flags, world.tree, f"swift://{world.name}/p", environ=world.environ)
    assert (ran.exit_code, [row for row in ran.rows if row["event"] == "kept"]) == (
        1,
        [{"event": "kept", "count": 1, "why": "p/x is read through p/l, which stays", "key": "p/x"}],
    )
    assert "not removed: p/x is read through p/l, which stays" in ran.err


@pytest.mark.parametrize("mode", MODES)
def test_a_file_whose_listed_object_has_expired_is_sent(world: World, mode: SkipMode) -> None:
    """bulkput upload --skip MODE --check-expiry: a HEAD for each object; without it, the listing decides"""
    (world.tree / "b").write_bytes(b"b")
    world.put("p/a", b"a", X_Delete_After="1")
    world.put("p/b", b"b")
    world.put("p/marker", content_type="application/directory", X_Delete_After="1")
    (world.tree / "marker").mkdir()
    while world.read("p/a", "p/marker") != [None, None]:
        time.sleep(0.1)
    url = f"swift://{world.name}/p"

    def upload(*, check: bool) -> Summary:
        options = UploadOptions(skip=SkipOptions(mode=mode, check_expiry=check), dir_markers=True)
        return asyncio.run(library.upload(world.tree, url, options=options, environ=world.environ))

    assert upload(check=False).uploaded == 0
    done = upload(check=True)
    assert (done.uploaded, done.skipped, done.requests["HEAD"]) == (2, 1, 3)
    assert world.read("p/a", "p/b", "p/marker") == [b"a", b"b", b""]


def test_a_file_whose_object_expires_too_soon_is_sent_again(world: World) -> None:
    """bulkput upload --expires-in 7d --skip identical: sends files with less than nine tenths of that time left"""
    week_s = 7 * 86_400
    world.file("new", b"a")
    world.file("for-ever", b"a")
    for name, seconds in (("a", week_s - 86_400), ("new", week_s - 3_600)):
        world.put(f"p/{name}", b"a", X_Delete_After=str(seconds))
    world.put("p/for-ever", b"a")
    options = UploadOptions(skip=SkipOptions(mode="identical"), headers=HeaderOptions(expires_in_s=week_s))
    for uploaded in (1, 0):
        done = asyncio.run(
            library.upload(world.tree, f"swift://{world.name}/p", options=options, environ=world.environ)
        )
        assert (done.uploaded, done.skipped, done.exit_code) == (uploaded, 3 - uploaded, 0)
    seen = world.judge.get(world.name, "p/a")
    assert seen is not None
    assert int(seen.headers["X-Delete-At"]) > time.time() + week_s - 600


@pytest.mark.parametrize("mode", ["none", "identical"])
def test_overwriting_a_large_object_reports_its_orphaned_segments(world: World, mode: SkipMode) -> None:
    """bulkput upload --skip identical, and --delete-extra alone: a line, an event, and a field of the summary"""
    for number in range(5):
        world.put(f"other:s/{number}", b"s")
    world.static("p/static", *(f"other:s/{number}" for number in range(5)))
    world.dynamic("p/dynamic", "other:s/")
    world.static("other:large", "other:s/0")
    world.link("p/link", "other:large")
    for name in ("static", "dynamic", "link"):
        world.file(name, b"now a file")
    paths = [f"{world.other}/s/{number}" for number in range(5)]
    is_seen = mode == "identical"  # only then a HEAD shows that it is a dynamic one
    flags = ("--skip", mode, "--delete-extra", "--json", "--summary", f"{world.tree}.json")
    ran = bulkput("upload", *flags, world.tree, f"swift://{world.name}/p", environ=world.environ)
    assert ran.exit_code == 0, ran.err
    left = [row for row in ran.rows if row["event"] == "segments_left"]
    assert {"event": "segments_left", "key": "p/static", "segments": paths, "below": None} in left
    below = [f"{world.other}/s/"] if is_seen else []
    assert [row["below"] for row in left if row["key"] == "p/dynamic"] == below
    assert len(left) == 1 + is_seen
    expected = {"large_overwritten": 1 + is_seen, "segments": 5, "names": paths, "below": below}
    assert json.loads(Path(f"{world.tree}.json").read_text())["segments_left"] == expected
    three = ", ".join(paths[:3])
    assert f"overwritten: p/static was a large object: 5 segments left: {three} and 2 more" in ran.err
    assert world.read("p/static", "p/dynamic", "p/link", "other:s/4", "other:large") == [b"now a file"] * 3 + [b"s"] * 2
