"""Answers to a PUT that do not prove it: what is right counts as stored, what is wrong goes, and nothing else does."""

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
from tests.conftest import environ_of
from tests.contract.suite import HEADERS, whole
from tests.faults.target import Ran, SwiftTarget, upload
from tests.servers.faultproxy import FaultProxy, Flip, always
from tests.servers.swift import RealSwift

QUICK = UploadOptions(retry=RetryOptions(retries=3, base_s=0.001))
LARGE = b"streamed" * 400_000
"""No ETag goes with such a PUT, so that the store takes damaged bytes."""


class Way:
    """A devserver whose answers about objects are `lie`'s, while it lies; counts the requests for them."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.is_lying = False
        self.server: DevServer

    async def stored(self) -> dict[str, bytes]:
        """What is there, past all lies."""
        self.is_lying = False
        return await asyncio.to_thread(self.target.stored)

    @property
    def target(self) -> SwiftTarget:
        server = self.server
        return SwiftTarget(RealSwift(server.auth_url, server.options.user, server.options.key), "c", "devserver")


@asynccontextmanager
async def lying(lie: Intercept, **before: bytes) -> AsyncIterator[Way]:
    """`before` is what the container holds."""
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
    """A proxy that rewrites the ETags of answers to these methods, or takes them away."""

    async def lie(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        if request.method in methods:
            etag = change(answer.headers.pop("ETag"))
            if etag is not None:
                answer.headers["ETag"] = etag
        return answer

    return lie


def spoilt(etag: str) -> str:
    """Another MD5, always the same."""
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
async def test_an_etag_that_a_proxy_has_rewritten_proves_the_bytes(tmp_path: Path, spelt: str) -> None:
    """One request per object, as without the proxy."""
    (tmp_path / "a").write_bytes(b"a")
    rewrite = str.upper if spelt == "upper" else spelt.format
    async with lying(with_etag(rewrite, "PUT", "HEAD")) as way:
        ran = await sent(way, tmp_path)
        assert (ran.summary.uploaded, ran.summary.retries, dict(way.asked)) == (1, 0, {"PUT": 1})


@pytest.mark.parametrize("answered", [None, '"5f3-2a"'])
async def test_where_the_answer_has_no_md5_one_head_decides(tmp_path: Path, answered: str | None) -> None:
    """At once, and nothing is sent again."""
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "large").write_bytes(LARGE)
    async with lying(with_etag(lambda _: answered, "PUT")) as way:
        ran = await sent(way, tmp_path)
        assert (ran.summary.uploaded, ran.summary.retries, dict(way.asked)) == (2, 0, {"PUT": 2, "HEAD": 2})


async def test_where_nothing_has_an_etag_the_object_fails_and_is_kept(tmp_path: Path) -> None:
    """Sending it again would prove no more; removing it would be worse."""
    (tmp_path / "a").write_bytes(b"new")
    async with lying(with_etag(lambda _: None, "PUT", "HEAD"), a=b"old") as way:
        ran = await sent(way, tmp_path)
        assert (ran.summary.exit_code, ran.summary.retries, dict(way.asked)) == (1, 0, {"PUT": 1, "HEAD": 1})
        assert "stored and kept, but nothing proves its bytes" in only_error(ran)
        assert await way.stored() == {"a": b"new"}


@pytest.mark.parametrize("status", [200, 204])
async def test_a_maintenance_page_removes_nothing(tmp_path: Path, status: int) -> None:
    """A balancer answers the PUTs: nothing has reached the store, and the old version stays."""
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
async def test_a_201_of_someone_who_stores_nothing_removes_nothing(tmp_path: Path, etag: str | None) -> None:
    """With a wrong ETag or none: the HEAD shows another version, which is none of ours."""
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


async def test_what_turns_out_to_be_right_is_stored(tmp_path: Path) -> None:
    """Only the answers to PUTs are spoilt: a HEAD shows the MD5 that was sent."""
    (tmp_path / "a").write_bytes(b"new")
    async with lying(with_etag(spoilt, "PUT"), a=b"old") as way:
        ran = await sent(way, tmp_path)
        assert (ran.summary.uploaded, ran.summary.exit_code, way.asked["DELETE"]) == (1, 0, 0)
        assert await way.stored() == {"a": b"new"}


@pytest.mark.parametrize("content", [b"new", LARGE], ids=["small", "streamed"])
async def test_a_proxy_that_spoils_every_etag_alike_makes_us_remove_nothing(tmp_path: Path, content: bytes) -> None:
    """HEAD and 201 agree that it is damaged; read back, its bytes are right."""
    (tmp_path / "a").write_bytes(content)
    async with lying(with_etag(spoilt, "PUT", "HEAD", "GET"), a=b"old") as way:
        ran = await sent(way, tmp_path)
        assert (ran.summary.exit_code, way.asked["DELETE"]) == (1, 0)
        assert "its bytes are right, only its ETag is wrong" in only_error(ran)
        assert await way.stored() == {"a": content}


def then(answers: Callable[[web.BaseRequest], web.StreamResponse]) -> Intercept:
    """The first PUT goes through, and all later ones are answered so."""
    puts = 0

    async def lie(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal puts
        puts += request.method == "PUT"
        return answers(request) if request.method == "PUT" and puts > 1 else await handler(request)

    return lie


@pytest.mark.parametrize("status", [503, 409, 200])
async def test_a_damaged_object_goes_also_when_later_attempts_end_otherwise(tmp_path: Path, status: int) -> None:
    """Attempt 1 stores flipped bytes, all later ones are refused."""
    (tmp_path / "a").write_bytes(LARGE)
    async with lying(then(lambda _: web.Response(status=status)), a=b"old") as way:
        async with FaultProxy("127.0.0.1", way.server.port, always(Flip(4000), skip=1, at_most=1)) as proxy:
            ran = await sent(way, tmp_path, port=proxy.port)
        assert f"{status} " in only_error(ran) and "; the damaged object is removed" in only_error(ran)
        assert ran.summary.exit_code == 1
        assert await way.stored() == {}


async def test_a_damaged_object_goes_whatever_the_clock_shows_between_two_looks(tmp_path: Path) -> None:
    """The second HEAD is answered seconds after the first: the object is older then, and the same."""
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


async def test_what_is_stored_while_a_damaged_object_is_read_back_is_kept(tmp_path: Path) -> None:
    """By somebody else: a last HEAD shows it."""
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
    """No lie at all."""
    return await handler(request)


async def test_a_damaged_object_goes_also_when_the_source_fails(tmp_path: Path) -> None:
    """The file changes before the second attempt: what is there of it is removed, then the new version is sent."""
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


async def test_a_damaged_object_goes_also_when_the_run_is_stopped(tmp_path: Path) -> None:
    """Ctrl-C while the second attempt is waited for: no further attempt, and what is damaged does not stay."""
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


async def test_what_cannot_be_looked_at_is_kept_and_said(tmp_path: Path) -> None:
    """HEADs fail: nothing is proven, so nothing is removed, and the error says what may be there."""
    (tmp_path / "a").write_bytes(LARGE)

    async def blind(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        return web.Response(status=503) if request.method == "HEAD" else await handler(request)

    async with lying(blind) as way:
        async with FaultProxy("127.0.0.1", way.server.port, always(Flip(4000), skip=1)) as proxy:
            ran = await sent(way, tmp_path, port=proxy.port)
        assert (ran.summary.exit_code, way.asked["DELETE"]) == (1, 0)
        assert "a damaged object may be there: stat a: 503" in only_error(ran)


async def test_a_run_whose_answers_never_prove_anything_stops(tmp_path: Path) -> None:
    """Behind a proxy that spoils each ETag: exit 3 and the reason, instead of hours of tries; nothing is removed."""
    for n in range(60):
        (tmp_path / f"{n:02}").write_bytes(b"%d" % n)
    options = UploadOptions(retry=RetryOptions(base_s=0.001), stop=StopRules(in_vain_after=40))
    async with lying(with_etag(spoilt, "PUT", "HEAD", "GET")) as way:
        ran = await sent(way, tmp_path, options=options)
        assert ran.summary.exit_code == 3 and ran.summary.uploaded == 0
        assert ran.summary.stopping is not None
        assert ran.summary.stopping.why.startswith("nothing has worked: the first 10 objects failed for the same cause")
        assert way.asked["PUT"] <= 4 * 12 and way.asked["DELETE"] == 0
