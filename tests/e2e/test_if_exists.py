"""`bulkput upload --if-exists`: nothing is overwritten, two jobs at once are told apart, and no job blames itself."""

import asyncio
import json
import os
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import bulkput as library
from bulkput import events as ev
from bulkput.devserver import DevServer, Handler
from bulkput.engine.open_store import connected
from bulkput.errors import Exists, UsageError
from bulkput.model import ObjectHeaders, Reason
from bulkput.options import GzipOptions, IfExists, LargeOptions, SkipOptions, UploadOptions, WireOptions
from bulkput.policy.if_exists import MARK
from bulkput.results import Summary
from bulkput.testing.given import whole
from tests.conftest import environ_of
from tests.e2e.cli import bulkput as in_a_process
from tests.faults.target import EAGER, NginxTarget, SwiftTarget, make_tree, new_place
from tests.servers.faultproxy import Cut, FaultProxy, always
from tests.servers.judge import SwiftJudge
from tests.servers.nginx import NginxDav
from tests.servers.swift import RealSwift
from tests.servers.wsgidav import WsgiDav

THERE = b"what is there"


async def run(
    source: Path, url: str, environ: Any, mode: IfExists = "fail", **options: Any
) -> tuple[Summary, list[ev.Event]]:
    told: list[ev.Event] = []
    given = UploadOptions(if_exists=mode, **{"retry": EAGER, **options})
    summary = await library.upload(source, url, options=given, on_event=told.append, environ=environ)
    assert summary.adds_up
    return summary, told


def errors_of(told: list[ev.Event]) -> list[str]:
    return [str(event.error) for event in told if isinstance(event, ev.Failed)]


class Container:
    """A container of a real Swift or Ceph RGW."""

    def __init__(self, server: RealSwift) -> None:
        self.judge = SwiftJudge(server.auth_url, server.user, server.key)
        self.environ = server.environment
        self.name = f"new-{uuid.uuid4().hex[:8]}"
        self.url = f"swift://{self.name}"
        self.judge.put(self.name, "", b"")

    def put(self, name: str, content: bytes = THERE) -> None:
        self.judge.put(self.name, name, content)

    def content(self, name: str) -> bytes | None:
        return self.judge.content(self.name, name)


@pytest.fixture
def there(swift_or_rgw: RealSwift) -> Container:
    return Container(swift_or_rgw)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    for name in ("a", "b", "c"):
        (root / name).write_bytes(f"file {name}".encode())
    return root


@pytest.mark.parametrize(
    ("mode", "content", "skipped", "failed"),
    [
        ("fail", THERE, {}, ["b"]),
        ("fail", b"file b", {}, ["b"]),
        ("skip", THERE, {Reason.EXISTING.value: 1}, []),
        ("differs", THERE, {}, ["b"]),
        ("differs", b"file b", {Reason.IDENTICAL.value: 1}, []),
    ],
)
@pytest.mark.parametrize("gzip", ["never", "always"])
async def test_an_object_that_is_there_is_never_replaced(
    there: Container, tree: Path, mode: IfExists, content: bytes, skipped: dict[str, int], failed: list[str], gzip: Any
) -> None:
    """Its file is skipped or fails; the others are stored."""
    await asyncio.to_thread(there.put, "b", content)
    summary, told = await run(tree, there.url, there.environ, mode, gzip=GzipOptions(mode=gzip))
    assert summary.skipped_by_reason == skipped
    assert [event.key for event in told if isinstance(event, ev.Failed)] == failed
    assert summary.uploaded == 2 and summary.exit_code == (1 if failed else 0)
    for error in errors_of(told):
        assert "an object of this name is there already, stored 20" in error
        assert f"`if_exists={mode!r}` keeps it" in error
    assert await asyncio.to_thread(there.content, "b") == content
    assert await asyncio.to_thread(there.content, "a") is not None


@pytest.mark.swift
async def test_new_objects_take_one_put_each_and_a_look_where_swift_may_have_taken_two(
    swift: RealSwift, tree: Path
) -> None:
    """`skip` needs no look. Two GETs: the login, and /info."""
    for mode, looks in (("fail", 3), ("skip", 0), ("differs", 3)):
        there = Container(swift)
        summary, _ = await run(tree, there.url, there.environ, mode)  # type: ignore[arg-type]
        assert Counter(summary.requests) == Counter(GET=2, PUT=1 + 3, HEAD=looks)


@pytest.mark.timeout(180)
@pytest.mark.swift
async def test_of_two_jobs_at_once_exactly_one_stores_each_object(swift: RealSwift, tmp_path: Path) -> None:
    """Both have other bytes. Each job knows which objects are its own, by what is stored in the end."""
    there = Container(swift)
    jobs = [make_tree(tmp_path / name, 100, size) for name, size in (("first", 100), ("second", 300))]
    ran = await asyncio.gather(*(run(job, there.url, there.environ) for job in jobs))
    mine = [{event.upload.key for event in told if isinstance(event, ev.Uploaded)} for _, told in ran]
    assert not mine[0] & mine[1]
    assert len(mine[0] | mine[1]) == 100
    stored = await asyncio.to_thread(SwiftTarget(swift, there.name).stored)
    for job, names, (summary, told) in zip(jobs, mine, ran, strict=True):
        assert all(stored[name] == (job / name).read_bytes() for name in names)
        assert summary.exit_code == (1 if summary.failed else 0) and summary.failed == 100 - len(names)
        assert all("an object of this name is there already" in error for error in errors_of(told))


@pytest.mark.swift
@pytest.mark.parametrize("mode", ["fail", "skip", "differs"])
async def test_a_job_whose_answers_are_lost_does_not_blame_itself(
    swift: RealSwift, tmp_path: Path, mode: IfExists
) -> None:
    """Each connection loses its second answer; the objects are found again by their mark."""
    tree = make_tree(tmp_path / "tree", 60, 100)
    target = SwiftTarget(swift, new_place())
    plan = always(Cut("before the answer"), from_request=2, at_most=20)
    async with FaultProxy(*target.address, plan) as proxy:
        url, environ = target.by(proxy.port)
        summary, told = await run(tree, url, environ, mode, wire=WireOptions(concurrency=8))
        assert proxy.count.faults == {"RST before the answer": 20}
    assert errors_of(told) == []
    assert summary.exit_code == 0 and summary.uploaded == 60
    stored = await asyncio.to_thread(target.stored)
    assert stored == {
        path.relative_to(tree).as_posix(): path.read_bytes() for path in tree.rglob("*") if path.is_file()
    }


class Front:
    """A devserver that stores a PUT of `name` and loses its answer, or has another object stored in its place."""

    def __init__(self) -> None:
        self.loses: set[str] = set()
        self.asked: list[str] = []
        self.meanwhile: Callable[[], object] = list
        """What happens after the PUT, and before its answer is lost."""

    async def __call__(self, request: web.BaseRequest, serve: Handler) -> web.StreamResponse:
        name = request.path.partition("/c/")[2]
        self.asked.append(f"{request.method} {name}")
        answer = await serve(request)
        if request.method == "PUT" and name in self.loses:
            self.loses.discard(name)
            self.meanwhile()
            assert request.transport is not None
            request.transport.abort()
        return answer


@pytest.fixture
async def front() -> Any:
    made = Front()
    async with DevServer(intercept=made) as server:
        yield made, server


async def test_a_file_that_changes_after_its_answer_was_lost_is_not_taken_for_what_is_stored(
    front: tuple[Front, DevServer], tmp_path: Path
) -> None:
    """The first version is stored and stays; the run says so."""
    there, server = front
    (tmp_path / "a").write_bytes(bytes(2_000_000))
    there.loses.add("a")
    there.meanwhile = lambda: os.truncate(tmp_path / "a", 1_999_999)
    summary, told = await run(tmp_path, "swift://c", environ_of(server))
    (error,) = errors_of(told)
    assert summary.exit_code == 1
    assert "an earlier attempt of this run has stored another version" in error
    assert server.store.containers["c"].objects["a"].size == 2_000_000


async def test_a_mark_is_stored_only_by_runs_that_overwrite_nothing(
    front: tuple[Front, DevServer], tmp_path: Path
) -> None:
    """It differs from run to run."""
    _, server = front
    marks = []
    for name, mode in (("a", "fail"), ("b", "skip"), ("c", "replace")):
        (tmp_path / name).write_bytes(b"x")
        await library.upload(
            tmp_path / name, "swift://c/", options=UploadOptions(if_exists=mode), environ=environ_of(server)
        )  # type: ignore[arg-type]
        fields = dict(server.store.containers["c"].objects[name].headers)
        marks.append(fields.get(f"X-Object-Meta-{MARK}"))
    assert marks[0] and marks[1] and marks[0] != marks[1] and marks[2] is None


async def test_a_large_file_is_refused_before_its_parts_are_sent(
    front: tuple[Front, DevServer], tmp_path: Path
) -> None:
    """And its manifest replaces nothing that has come meanwhile."""
    there, server = front
    (tmp_path / "a").write_bytes(bytes(1000))
    options = {"large": LargeOptions(above=100, part_size=300)}
    summary, _ = await run(tmp_path, "swift://c", environ_of(server), **options)
    assert summary.exit_code == 0 and summary.parts_sent == 4
    there.asked.clear()
    summary, told = await run(tmp_path, "swift://c", environ_of(server), **options)
    assert summary.exit_code == 1 and summary.parts_sent == 0 and "is there already" in errors_of(told)[0]
    summary, _ = await run(tmp_path, "swift://c", environ_of(server), "differs", **options)
    assert summary.exit_code == 0 and summary.skipped_by_reason == {Reason.IDENTICAL.value: 1}
    assert not any(asked.startswith("PUT") and asked != "PUT " for asked in there.asked)


async def test_a_directory_marker_that_is_there_is_no_failure(front: tuple[Front, DevServer], tmp_path: Path) -> None:
    """An object of that name that is no marker is one."""
    _, server = front
    (tmp_path / "d").mkdir()
    for mode in ("differs", "skip"):
        summary, _ = await run(tmp_path, f"swift://{mode}", environ_of(server), mode, dir_markers=True)  # type: ignore[arg-type]
        assert summary.uploaded == 1
        summary, _ = await run(tmp_path, f"swift://{mode}", environ_of(server), mode, dir_markers=True)  # type: ignore[arg-type]
        assert summary.exit_code == 0 and summary.skipped == 1


async def test_a_pipe_is_not_read_where_an_object_is(front: tuple[Front, DevServer], tmp_path: Path) -> None:
    """It could not be read again; `differs` cannot be known, and is refused."""
    _, server = front
    for expected in (0, 1):
        read, write = os.pipe()
        os.write(write, b"piped")
        os.close(write)
        summary, _ = await run(Path(f"/dev/fd/{read}"), "swift://c/piped", environ_of(server))
        assert summary.exit_code == expected
        assert os.read(read, 10) == (b"" if not expected else b"piped")
        with pytest.raises(UsageError, match="cannot be compared"):
            await run(Path(f"/dev/fd/{read}"), "swift://c/piped", environ_of(server), "differs")
        os.close(read)


async def test_more_refused_files_than_any_bound_do_not_end_the_run_as_if_the_store_were_broken(
    front: tuple[Front, DevServer], tmp_path: Path
) -> None:
    """A redeployment of 300 files is refused file by file: exit 1, not 3."""
    _, server = front
    for number in range(300):
        (tmp_path / f"{number}").write_bytes(b"x")
    await run(tmp_path, "swift://c", environ_of(server))
    summary, _ = await run(tmp_path, "swift://c", environ_of(server))
    assert summary.failed == 300 and summary.stopping is None and summary.exit_code == 1


@pytest.mark.nginx
async def test_a_plain_server_is_looked_at_before_each_upload(nginx: NginxDav, tree: Path) -> None:
    """nginx takes no notice of If-None-Match, so a HEAD comes first, and a warning says what that leaves open."""
    target = NginxTarget(nginx, new_place())
    url = f"{nginx.url}/{target.place}/"
    target.root.mkdir()
    (target.root / "b").write_bytes(THERE)
    summary, told = await run(tree, url, {})
    assert summary.uploaded == 2 and summary.failed == 1 and summary.exit_code == 1
    assert (target.root / "b").read_bytes() == THERE
    (warning,) = [event.why for event in told if isinstance(event, ev.Warned)]
    assert "may overwrite what another run stores at the same moment" in warning
    summary, _ = await run(tree, url, {}, "skip")
    assert summary.exit_code == 0 and summary.skipped == 3


@pytest.mark.parametrize(
    ("status", "reason", "text"),
    [
        (403, "Forbidden", '{"errors": [{"status": 403, "message": "Not enough permissions to overwrite artifact"}]}'),
        (400, "Repository does not allow updating assets: releases", ""),
        (409, "Conflict", "the artifact already exists"),
        (412, "Precondition Failed", ""),
    ],
)
@pytest.mark.parametrize("mode", ["fail", "skip", "replace"])
@pytest.mark.parametrize("name", ["a.jar", "1.0/a.jar"])
async def test_what_repositories_answer_to_a_second_release_becomes_one_sentence(
    tmp_path: Path, status: int, reason: str, text: str, mode: IfExists, name: str
) -> None:
    """Artifactory, Nexus, others, and a server with conditions: the name is free at the look, and taken at the PUT.

    A 409 is not taken for a missing directory then."""
    (tmp_path / "t" / name).parent.mkdir(parents=True)
    (tmp_path / "t" / name).write_bytes(b"jar")
    looks = iter([404, 200, 200, 200])

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        assert request.method != "MKCOL"
        if request.method == "HEAD":
            fields = {"Last-Modified": "Sat, 28 Nov 2026 00:00:00 GMT"}
            return web.Response(status=next(looks) if mode != "replace" else 200, body=b"old jar", headers=fields)
        return web.Response(status=status if request.method == "PUT" else 204, reason=reason, text=text)

    async with AsyncExitStack() as exits:
        runner = web.ServerRunner(web.Server(handle, access_log=None))
        await runner.setup()
        exits.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/releases/"
        summary, told = await run(tmp_path / "t", url, {}, mode)
    if mode == "skip":
        assert summary.exit_code == 0 and summary.skipped_by_reason == {Reason.EXISTING.value: 1}
        return
    (failed,) = [event for event in told if isinstance(event, ev.Failed)]
    assert isinstance(failed.error, Exists) and summary.exit_code == 1
    assert failed.error.attempts == 1


@pytest.mark.swift
def test_the_command_refuses_a_redeployment(swift: RealSwift, tree: Path) -> None:
    """bulkput upload --if-exists fail TREE swift://..., twice"""
    url = f"swift://new-{uuid.uuid4().hex[:8]}"
    assert in_a_process("upload", "--if-exists", "fail", tree, url, environ=swift.environment).exit_code == 0
    again = in_a_process("upload", "--if-exists", "fail", tree, url, environ=swift.environment)
    assert again.exit_code == 1
    lines = [line for line in again.err.splitlines() if line.startswith("failed: put ")]
    assert len(lines) == 3 and all("is there already, stored 20" in line for line in lines)
    assert all("--if-exists fail keeps it" in line for line in lines)


async def test_a_manifest_of_a_release_is_replaced_only_by_runs_that_may_add_to_it(
    there: Container, tree: Path
) -> None:
    """`fail` keeps one that is there alone; `skip` lists what was skipped as well."""
    await asyncio.to_thread(there.put, "m.ndjson")
    summary, told = await run(tree, there.url, there.environ, "fail", manifest="m.ndjson")
    assert summary.uploaded == 3 and summary.failed == 1 and "m.ndjson" in errors_of(told)[0]
    assert await asyncio.to_thread(there.content, "m.ndjson") == THERE
    (tree / "d").write_bytes(b"file d")
    summary, _ = await run(tree, there.url, there.environ, "skip", manifest="m.ndjson")
    assert summary.uploaded == 2 and summary.skipped == 3 and summary.exit_code == 0
    lines = await asyncio.to_thread(there.content, "m.ndjson")
    rows = [json.loads(line) for line in (lines or b"").splitlines()]
    listed = {row["name"]: row["hash"] for row in await asyncio.to_thread(there.judge.rows, there.name)}
    assert {row["name"]: row["hash"] for row in rows} == {name: listed[name] for name in "abcd"}


async def test_a_server_that_writes_in_place_replaces_nothing_either(webdav: WsgiDav, tree: Path) -> None:
    """WsgiDAV gets each file under a temporary name. The MOVE into place overwrites nothing, also after the look."""
    name = uuid.uuid4().hex
    (webdav.root / name).mkdir()
    (webdav.root / name / "b").write_bytes(THERE)
    summary, told = await run(tree, f"{webdav.url}/{name}/", {})
    assert summary.uploaded == 2 and summary.failed == 1 and "is there already" in errors_of(told)[0]
    async with connected(f"{webdav.url}/{name}/", environ={}) as (store, _):
        with pytest.raises(Exists):
            await store.put("a", whole(b"other"), ObjectHeaders(only_new=True))
    assert {path.name: path.read_bytes() for path in (webdav.root / name).iterdir()} == {
        "a": b"file a",
        "b": THERE,
        "c": b"file c",
    }


async def test_a_complete_release_can_be_published_again(there: Container, tree: Path) -> None:
    """With its manifest: all is skipped, and the exit code is 0. Another manifest of that name stays, and fails."""
    options: dict[str, Any] = {"skip": SkipOptions(mode="identical"), "manifest": "m.ndjson"}
    for expected in (0, 4):
        summary, _ = await run(tree, there.url, there.environ, "fail", **options)
        assert (summary.exit_code, summary.skipped) == (0, expected)
    (tree / "d").write_bytes(b"file d")
    summary, told = await run(tree, there.url, there.environ, "fail", **options)
    assert (summary.exit_code, summary.uploaded, summary.failed) == (1, 1, 1)
    assert "m.ndjson" in errors_of(told)[0] and "with other bytes" in errors_of(told)[0]


async def test_an_object_that_may_expire_is_not_kept_for_a_file_that_is_back(
    front: tuple[Front, DevServer], tree: Path
) -> None:
    """It would vanish under its readers."""
    _, server = front
    with pytest.raises(UsageError, match=r"`skip\.expire_extra_s` and `if_exists`"):
        await run(tree, "swift://c", environ_of(server), "differs", skip=SkipOptions(expire_extra_s=60))
