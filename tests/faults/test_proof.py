"""Answers that do not prove a PUT: right bytes count as stored, damaged ones are removed, other objects are kept."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp import web

from bulkput import events as ev
from bulkput.devserver import DevServer, Handler, Intercept, ResourceKind, parse_target
from bulkput.engine.open_store import connected
from bulkput.engine.stop import Stop
from bulkput.options import RetryOptions, StopRules, UploadOptions, WireOptions
from bulkput.testing.given import HEADERS, whole
from tests.conftest import environ_of
from tests.faults.target import Ran, SwiftTarget, upload
from tests.servers.faultproxy import FaultProxy, Flip, always
from tests.servers.swift import RealSwift

QUICK = UploadOptions(retry=RetryOptions(retries=3, base_s=0.001))
LARGE = b"streamed" * 400_000
"""Large enough to be streamed: the PUT carries no ETag, so the store accepts damaged bytes."""


class Way:
    """A devserver whose object requests go through `lie` while `is_lying`; counts these requests by method."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.is_lying = False
        self.server: DevServer

    async def stored(self) -> dict[str, bytes]:
        """Ends the lying and reads what the container holds, by name."""
        self.is_lying = False
        return await asyncio.to_thread(self.target.stored)

    @property
    def target(self) -> SwiftTarget:
        server = self.server
        return SwiftTarget(RealSwift(server.auth_url, server.options.user, server.options.key), "c", "devserver")


@asynccontextmanager
async def lying(lie: Intercept, **before: bytes) -> AsyncIterator[Way]:
    """Runs a devserver whose container holds the objects `before`."""
    way = Way()

    async def intercept(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if not way.is_lying or parse_target(request.raw_path).kind is not ResourceKind.OBJECT:
            return await handler(request)
        way.asked[request.method] += 1
        return await lie(request, handler)

    async with DevServer(intercept=intercept) as way.server:
        async with connected("swift://c", environ=environ_of(way.server)) as (store, _):
            await store.prepare()
            for key, content in before.items():
                await store.put(key, whole(content), HEADERS)
        way.is_lying = True
        yield way


def with_etag(change: Callable[[str], str | None], *methods: str) -> Intercept:
    """Rewrites the ETags of answers to these methods, as a proxy does, or removes them if `change` gives None."""

    async def lie(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        if request.method in methods:
            etag = change(answer.headers.pop("ETag"))
            if etag is not None:
                answer.headers["ETag"] = etag
        return answer

    return lie


def spoilt(etag: str) -> str:
    """Gives a wrong MD5, always the same one for the same ETag."""
    return etag[::-1]


async def sent(
    way: Way,
    tree: Path,
    *,
    port: int = 0,
    options: UploadOptions = QUICK,
    on_event: ev.Emit | None = None,
    stop: Stop | None = None,
) -> Ran:
    there = port or way.server.port
    wire = WireOptions(concurrency=2)
    return await upload(tree, way.target, there, wire=wire, options=options, on_event=on_event, stop=stop)


def only_error(ran: Ran) -> str:
    (failed,) = [event for event in ran.events if isinstance(event, ev.Failed)]
    return str(failed.error)


@pytest.mark.parametrize("spelt", ['W/"{}"', '"{}-gzip"', '"{}--gzip"', '"{};gzip"', '"{}"', "upper"])
async def test_an_etag_in_any_spelling_of_a_proxy_proves_the_bytes(tmp_path: Path, spelt: str) -> None:
    """The upload takes one request per object, as without the proxy."""
    (tmp_path / "a").write_bytes(b"a")
    rewrite = str.upper if spelt == "upper" else spelt.format
    async with lying(with_etag(rewrite, "PUT", "HEAD")) as way:
        ran = await sent(way, tmp_path)
        assert (ran.summary.uploaded, ran.summary.retries, dict(way.asked)) == (1, 0, {"PUT": 1})


@pytest.mark.parametrize("answered", [None, '"5f3-2a"'])
async def test_one_head_proves_an_object_if_its_put_answer_has_no_md5(tmp_path: Path, answered: str | None) -> None:
    """The HEAD follows at once, and nothing is sent again."""
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "large").write_bytes(LARGE)
    async with lying(with_etag(lambda _: answered, "PUT")) as way:
        ran = await sent(way, tmp_path)
        assert (ran.summary.uploaded, ran.summary.retries, dict(way.asked)) == (2, 0, {"PUT": 2, "HEAD": 2})


async def test_an_object_without_any_etag_fails_and_is_kept(tmp_path: Path) -> None:
    """Neither PUT nor HEAD has an ETag: a second PUT would prove no more, and a removal could lose good bytes."""
    (tmp_path / "a").write_bytes(b"new")
    async with lying(with_etag(lambda _: None, "PUT", "HEAD"), a=b"old") as way:
        ran = await sent(way, tmp_path)
        assert (ran.summary.exit_code, ran.summary.retries, dict(way.asked)) == (1, 0, {"PUT": 1, "HEAD": 1})
        assert "stored and kept, but nothing proves its bytes" in only_error(ran)
        assert await way.stored() == {"a": b"new"}


@pytest.mark.parametrize("status", [200, 204])
async def test_a_maintenance_page_fails_the_file_and_removes_nothing(tmp_path: Path, status: int) -> None:
    """A balancer answers the PUTs and the store receives none: the old version stays."""
    (tmp_path / "a").write_bytes(b"new")

    async def maintain(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.method != "PUT":
            return await handler(request)
        await request.read()
        return web.Response(status=status, text="back soon" if status == 200 else None)

    async with lying(maintain, a=b"old") as way:
        ran = await sent(way, tmp_path)
        assert (ran.summary.exit_code, dict(way.asked)) == (1, {"PUT": 4})
        assert "proves nothing" in only_error(ran)
        assert await way.stored() == {"a": b"old"}


@pytest.mark.parametrize("etag", ["0" * 32, None])
async def test_a_201_from_a_server_that_stores_nothing_removes_nothing(tmp_path: Path, etag: str | None) -> None:
    """Its ETag is wrong or missing, and the HEAD shows an older version that this run did not send."""
    (tmp_path / "a").write_bytes(b"new")

    async def pretend(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.method != "PUT":
            return await handler(request)
        await request.read()
        return web.Response(status=201, headers={"ETag": etag} if etag else {})

    async with lying(pretend, a=b"old") as way:
        ran = await sent(way, tmp_path)
        assert ran.summary.exit_code == 1 and way.asked["DELETE"] == 0
        assert "the object that is there is kept" in only_error(ran)
        assert await way.stored() == {"a": b"old"}


async def test_an_object_with_a_wrong_put_etag_counts_as_stored_if_a_head_proves_it(tmp_path: Path) -> None:
    """Only the answers to PUTs have a wrong ETag; the HEAD shows the MD5 that was sent."""
    (tmp_path / "a").write_bytes(b"new")
    async with lying(with_etag(spoilt, "PUT"), a=b"old") as way:
        ran = await sent(way, tmp_path)
        assert (ran.summary.uploaded, ran.summary.exit_code, way.asked["DELETE"]) == (1, 0, 0)
        assert await way.stored() == {"a": b"new"}


@pytest.mark.parametrize("content", [b"new", LARGE], ids=["small", "streamed"])
async def test_a_proxy_that_changes_every_etag_alike_causes_no_removal(tmp_path: Path, content: bytes) -> None:
    """HEAD and PUT agree on a wrong MD5, but the GET reads back the right bytes."""
    (tmp_path / "a").write_bytes(content)
    async with lying(with_etag(spoilt, "PUT", "HEAD", "GET"), a=b"old") as way:
        ran = await sent(way, tmp_path)
        assert (ran.summary.exit_code, way.asked["DELETE"]) == (1, 0)
        assert "its bytes are right, only its ETag is wrong" in only_error(ran)
        assert await way.stored() == {"a": content}


def then(answers: Callable[[web.BaseRequest], web.StreamResponse]) -> Intercept:
    """Lets the first PUT through and answers all later ones with `answers`."""
    puts = 0

    async def lie(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal puts
        puts += request.method == "PUT"
        return answers(request) if request.method == "PUT" and puts > 1 else await handler(request)

    return lie


@pytest.mark.parametrize("status", [503, 409, 200])
async def test_a_damaged_object_is_removed_if_later_attempts_are_refused(tmp_path: Path, status: int) -> None:
    """Attempt 1 stores flipped bytes; the store refuses all later ones."""
    (tmp_path / "a").write_bytes(LARGE)
    async with lying(then(lambda _: web.Response(status=status)), a=b"old") as way:
        async with FaultProxy("127.0.0.1", way.server.port, always(Flip(4000), skip=1, at_most=1)) as proxy:
            ran = await sent(way, tmp_path, port=proxy.port)
        assert f"{status} " in only_error(ran) and "; the damaged object is removed" in only_error(ran)
        assert ran.summary.exit_code == 1
        assert await way.stored() == {}


async def test_a_damaged_object_is_removed_although_the_two_heads_differ_in_date(tmp_path: Path) -> None:
    """The Date of the second HEAD is two seconds later; it is still the same object."""
    (tmp_path / "a").write_bytes(LARGE)
    refuse, heads = then(lambda _: web.Response(status=503)), 0

    async def late(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal heads
        heads += request.method == "HEAD"
        answer = await refuse(request, handler)
        if request.method == "HEAD":
            answer.headers["Date"] = format_datetime(datetime.now(UTC) + timedelta(seconds=2 * heads), usegmt=True)
        return answer

    async with lying(late) as way:
        async with FaultProxy("127.0.0.1", way.server.port, always(Flip(4000), skip=1, at_most=1)) as proxy:
            ran = await sent(way, tmp_path, port=proxy.port)
        assert (heads, "; the damaged object is removed" in only_error(ran)) == (2, True)
        assert await way.stored() == {}


async def test_an_object_of_another_writer_is_kept_while_a_damaged_one_is_read_back(tmp_path: Path) -> None:
    """Another client overwrites the damaged object during the GET; a last HEAD shows it."""
    (tmp_path / "a").write_bytes(LARGE)
    refuse, is_meddling = then(lambda _: web.Response(status=503)), False

    async def meddle(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal is_meddling
        if is_meddling:
            return await handler(request)
        answer = await refuse(request, handler)
        if request.method == "GET":
            is_meddling = True
            async with connected("swift://c", environ=environ_of(way.server)) as (store, _):
                await store.put("a", whole(b"newer"), HEADERS)
            is_meddling = False
        return answer

    async with lying(meddle) as way:
        async with FaultProxy("127.0.0.1", way.server.port, always(Flip(4000), skip=1, at_most=1)) as proxy:
            ran = await sent(way, tmp_path, port=proxy.port)
        assert (way.asked["DELETE"], "the object that is there is kept" in only_error(ran)) == (0, True)
        assert await way.stored() == {"a": b"newer"}


async def straight(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
    """Passes each request on unchanged."""
    return await handler(request)


async def test_a_damaged_object_is_removed_if_its_file_changes(tmp_path: Path) -> None:
    """The file changes before attempt 2: the damaged object is removed, then the new version is stored."""
    (tmp_path / "a").write_bytes(LARGE)

    async def change(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        if request.method == "PUT" and way.asked["PUT"] == 1:
            await asyncio.to_thread((tmp_path / "a").write_bytes, b"new")
        return answer

    async with lying(change) as way:
        async with FaultProxy("127.0.0.1", way.server.port, always(Flip(4000), skip=1, at_most=1)) as proxy:
            ran = await sent(way, tmp_path, port=proxy.port)
        assert (ran.summary.uploaded, way.asked["DELETE"]) == (1, 1)
        assert await way.stored() == {"a": b"new"}


async def test_a_damaged_object_is_removed_if_the_run_is_interrupted(tmp_path: Path) -> None:
    """Ctrl-C during the pause before attempt 2: no attempt follows, and the damaged object is removed."""
    (tmp_path / "a").write_bytes(LARGE)
    stop = Stop()

    def watch(event: ev.Event) -> None:
        if isinstance(event, ev.Retrying):
            stop.interrupt()

    async with lying(straight) as way:
        async with FaultProxy("127.0.0.1", way.server.port, always(Flip(4000), skip=1, at_most=1)) as proxy:
            hour = UploadOptions(retry=RetryOptions(base_s=7200, cap_s=7200))
            ran = await sent(way, tmp_path, port=proxy.port, options=hour, on_event=watch, stop=stop)
        assert (ran.summary.exit_code, ran.summary.failed, way.asked["PUT"]) == (130, 1, 1)
        assert "the damaged object is removed" in only_error(ran)
        assert await way.stored() == {}


async def test_an_object_whose_head_fails_is_kept_and_reported(tmp_path: Path) -> None:
    """No proof, no removal: the error says that a damaged object may be there."""
    (tmp_path / "a").write_bytes(LARGE)

    async def blind(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        return web.Response(status=503) if request.method == "HEAD" else await handler(request)

    async with lying(blind) as way:
        async with FaultProxy("127.0.0.1", way.server.port, always(Flip(4000), skip=1)) as proxy:
            ran = await sent(way, tmp_path, port=proxy.port)
        assert (ran.summary.exit_code, way.asked["DELETE"]) == (1, 0)
        assert "a damaged object may be there: stat a: 503" in only_error(ran)


async def test_a_run_stops_if_no_answer_ever_proves_an_object(tmp_path: Path) -> None:
    """A proxy changes each ETag: exit code 3 with the reason after 10 objects, and nothing is removed."""
    for n in range(60):
        (tmp_path / f"{n:02}").write_bytes(b"%d" % n)
    options = UploadOptions(retry=RetryOptions(base_s=0.001), stop=StopRules(in_vain_after=40))
    async with lying(with_etag(spoilt, "PUT", "HEAD", "GET")) as way:
        ran = await sent(way, tmp_path, options=options)
        assert ran.summary.exit_code == 3 and ran.summary.uploaded == 0
        assert ran.summary.stopping is not None
        assert ran.summary.stopping.why.startswith("nothing has worked: the first 10 objects failed for the same cause")
        assert way.asked["PUT"] <= 4 * 12 and way.asked["DELETE"] == 0
