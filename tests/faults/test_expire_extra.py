"""`skip.expire_extra_s` and `skip.keep_for_s` where requests fail, answers are lost, and others write meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest
from aiohttp import web

import bulkput
from bulkput import events as ev
from bulkput.devserver import DevServer, Handler, Intercept, parse_target
from bulkput.devserver.record import StoredObject
from bulkput.engine.stop import Stop
from bulkput.options import SkipOptions, WireOptions
from tests.conftest import environ_of
from tests.faults.test_run import run

DAY_S = 86_400
EXPIRING = SkipOptions(mode="identical", expire_extra_s=14 * DAY_S)
Meddle = Callable[[DevServer], Awaitable[None]]


class Site:
    """A devserver that holds a published build, and its tree without `x.js`."""

    def __init__(self, server: DevServer, tree: Path) -> None:
        self.server = server
        self.tree = tree

    def stored(self, name: str = "x.js") -> StoredObject | None:
        return self.server.store.containers["c"].find(name)

    def end(self, name: str = "x.js") -> int | None:
        stored = self.stored(name)
        assert stored is not None
        return stored.delete_at

    def change(self, name: str, **fields: object) -> None:
        """Changes the stored object itself."""
        stored = self.stored(name)
        assert stored is not None
        self.server.store.containers["c"].enter(replace(stored, **fields))  # type: ignore[arg-type]

    async def publish(self, skip: SkipOptions, **options: object) -> tuple[bulkput.Summary, list[ev.Event]]:
        return await run(self.server, self.tree, skip=skip, **options)


@asynccontextmanager
async def site(tree: Path, intercept: Intercept | None = None) -> AsyncIterator[Site]:
    """`intercept` sees the requests after the first build is published."""
    is_published = False

    async def later(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        return await (intercept(request, handler) if is_published and intercept is not None else handler(request))

    for name in ("index.html", "a.js", "x.js"):
        (tree / name).write_text(name)
    async with DevServer(intercept=later) as server:
        made = Site(server, tree)
        summary, _ = await made.publish(SkipOptions())
        assert summary.uploaded == 3
        (tree / "x.js").unlink()
        is_published = True
        yield made


def is_post(request: web.BaseRequest) -> bool:
    return request.method == "POST"


def kept(seen: list[ev.Event]) -> list[tuple[str | None, str]]:
    return [(event.key, event.why) for event in seen if isinstance(event, ev.Kept)]


async def lost(request: web.BaseRequest, how: str) -> web.StreamResponse:
    """In place of the answer: an error of a proxy, or the end of the connection."""
    if how == "503":
        return web.Response(status=503)
    assert request.transport is not None
    request.transport.close()
    await asyncio.Event().wait()
    raise AssertionError("the client has gone")


async def test_a_refused_post_is_made_again(tmp_path: Path) -> None:
    """The first is answered 503."""
    posts = 0

    async def refuse(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal posts
        posts += is_post(request)
        return web.Response(status=503) if is_post(request) and posts == 1 else await handler(request)

    async with site(tmp_path, refuse) as place:
        summary, _ = await place.publish(EXPIRING)
        assert (summary.exit_code, summary.expiring, posts, place.end() is None) == (0, 1, 2, False)


@pytest.mark.parametrize("how", ["503", "closed"])
async def test_an_expiry_whose_answer_is_lost_is_found_to_be_set(tmp_path: Path, how: str) -> None:
    """The next attempt looks first, and sees that the object expires when it should. (On a kept connection that closes,
    the transport has sent the same POST again by then.)"""
    posts = 0

    async def lose(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal posts
        answer = await handler(request)
        posts += is_post(request)
        return await lost(request, how) if is_post(request) else answer

    async with site(tmp_path, lose) as place:
        summary, seen = await place.publish(EXPIRING)
        assert (summary.exit_code, summary.expiring, summary.expiring_already) == (0, 1, 0)
        assert posts == 1 or how == "closed"
        assert [event.at_s for event in seen if isinstance(event, ev.Expiring)] == [place.end()]


@pytest.mark.parametrize("how", ["", "503", "closed"])
async def test_an_object_that_is_overwritten_just_before_the_post_does_not_expire(tmp_path: Path, how: str) -> None:
    """Another client stores other bytes between the look and the POST, whose answer arrives or not."""
    posts = 0

    async def overtake(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal posts
        posts += is_post(request)
        if is_post(request) and posts == 1:
            async with bulkput.open_store("swift://c", environ=environ_of(place.server)) as store:
                await store.put("x.js", bulkput.BytesBody.of(b"the next build's"), bulkput.ObjectHeaders())
            answer = await handler(request)
            return await lost(request, how) if how else answer
        return await handler(request)

    async with site(tmp_path, overtake) as place:
        summary, seen = await place.publish(EXPIRING)
        stored = place.stored()
        assert stored is not None and (stored.delete_at, stored.size) == (None, len(b"the next build's"))
        assert (summary.exit_code, summary.expiring, summary.kept) == (1, 0, 1)
        assert posts == 2 or how == "closed"
        assert "overwritten just when it was to expire" in kept(seen)[0][1] and kept(seen)[0][0] == "x.js"


async def test_an_object_that_is_overwritten_after_the_listing_is_not_touched(tmp_path: Path) -> None:
    """With the same bytes: another run may have published it."""
    listed = 0

    async def overtake(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal listed
        answer = await handler(request)
        if "format=json" in request.raw_path and (listed := listed + 1) == 1:
            async with bulkput.open_store("swift://c", environ=environ_of(place.server)) as store:
                await store.put("x.js", bulkput.BytesBody.of(b"x.js"), bulkput.ObjectHeaders())
        return answer

    async with site(tmp_path, overtake) as place:
        summary, seen = await place.publish(EXPIRING)
        assert (summary.exit_code, summary.expiring, place.end()) == (1, 0, None)
        assert kept(seen) == [("x.js", "expire x.js: it was overwritten after it was listed")]


async def test_a_store_that_takes_the_expiry_and_forgets_it_is_told(tmp_path: Path) -> None:
    """It answers 202 and does nothing."""

    async def forget(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        return web.Response(status=202) if is_post(request) else await handler(request)

    async with site(tmp_path, forget) as place:
        summary, seen = await place.publish(EXPIRING)
        assert (summary.exit_code, summary.expiring) == (1, 0)
        assert "has taken the expiry, and does not show it" in kept(seen)[0][1]


async def test_after_a_stop_nothing_more_expires_and_the_rest_is_counted(tmp_path: Path) -> None:
    """Ctrl-C during the first POST; one request at once."""
    stop = Stop()

    async def pull(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if is_post(request):
            stop.interrupt()
        return await handler(request)

    async with site(tmp_path, pull) as place:
        (tmp_path / "a.js").unlink()
        seen: list[ev.Event] = []
        options = bulkput.UploadOptions(skip=EXPIRING, wire=WireOptions(concurrency=1))
        environ = environ_of(place.server)
        summary = await bulkput.upload(
            tmp_path, "swift://c", options=options, on_event=seen.append, environ=environ, stop=stop
        )
        assert (summary.exit_code, summary.expiring, summary.kept) == (130, 1, 1)
        assert kept(seen) == [(None, "the run was stopped")]
        assert [place.end("a.js") is None, place.end("x.js") is None] == [False, True]


async def test_objects_that_expire_already_do_not_count_against_the_bound(tmp_path: Path) -> None:
    """Old assets pile up until they expire; only what this run would let expire may be a mistake."""
    async with site(tmp_path) as place:
        assert (await place.publish(replace(EXPIRING, max_deleted=1)))[0].expiring == 1
        (tmp_path / "a.js").unlink()
        summary, _ = await place.publish(replace(EXPIRING, max_deleted=1))
        assert (summary.exit_code, summary.expiring, summary.expiring_already) == (0, 1, 1)
        (tmp_path / "b.js").write_text("b")
        (tmp_path / "index.html").unlink()
        summary, seen = await place.publish(replace(EXPIRING, max_deleted=0))
        assert (summary.exit_code, summary.expiring, summary.kept, summary.expiring_already) == (1, 0, 1, 2)
        assert kept(seen) == [(None, "more than 0: `skip.max_deleted=None` allows that")]
        dry, _ = await place.publish(replace(EXPIRING, max_deleted=0), dry_run=True)
        assert (dry.exit_code, dry.would_expire, dry.expiring_already) == (1, 1, 2)


async def test_a_failed_file_lets_nothing_expire(tmp_path: Path) -> None:
    """The build is incomplete."""

    async def refuse(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        is_b = request.method == "PUT" and parse_target(request.raw_path).name == "b.js"
        return web.Response(status=400) if is_b else await handler(request)

    async with site(tmp_path, refuse) as place:
        (tmp_path / "b.js").write_text("b")
        summary, seen = await place.publish(EXPIRING)
        assert (summary.exit_code, summary.expiring, place.end()) == (1, 0, None)
        assert kept(seen) == [(None, "1 failed")]


async def test_each_skipped_object_costs_one_head(tmp_path: Path) -> None:
    """And an extra four requests: is it settled, a look, the POST, a look."""
    async with site(tmp_path) as place:
        summary, _ = await place.publish(EXPIRING)
        assert (summary.skipped, summary.expiring) == (2, 1)
        skipped, extra, clock = 2, 3, 1
        assert (summary.requests["HEAD"], summary.requests["POST"]) == (skipped + extra + clock, 1)


async def test_an_expiry_pays_for_all_its_requests(tmp_path: Path) -> None:
    """With a rate. The clock is asked as well; the listing and the login are not counted."""
    async with site(tmp_path) as place:
        summary, _ = await place.publish(EXPIRING, wire=WireOptions(objects_per_s=1e9))
        assert summary.pacing is not None
        assert summary.pacing.requests == summary.requests["HEAD"] + summary.requests["POST"]


OLD_ENOUGH = SkipOptions(mode="identical", delete_extra=True, keep_for_s=14 * DAY_S)


async def test_only_extras_that_are_old_enough_are_removed(tmp_path: Path) -> None:
    """The age is that of the object, and not the time since its file went."""
    async with site(tmp_path) as place:
        (tmp_path / "a.js").unlink()
        place.change("a.js", timestamp=place.server.store.now() - 15 * DAY_S)
        place.change("x.js", timestamp=place.server.store.now() - 13 * DAY_S)
        summary, seen = await place.publish(replace(OLD_ENOUGH, max_deleted=1))
        assert (summary.exit_code, summary.removed, summary.kept_young, summary.kept) == (0, 1, 1, 0)
        (young,) = [event for event in seen if isinstance(event, ev.KeptYoung)]
        assert (young.key, round(young.age_s / DAY_S)) == ("x.js", 13)
        assert (place.stored("a.js"), place.stored("x.js") is None) == (None, False)


async def test_the_age_counts_by_the_clock_of_the_store(tmp_path: Path) -> None:
    """It is 20 days ahead of ours; it is asked once."""
    asked = 0

    async def ahead(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal asked
        answer = await handler(request)
        if request.method == "HEAD" and not parse_target(request.raw_path).name:
            asked += 1
            answer.headers["Date"] = formatdate(place.server.store.now() + 20 * DAY_S, usegmt=True)
        return answer

    async with site(tmp_path, ahead) as place:
        (tmp_path / "a.js").unlink()
        summary, _ = await place.publish(OLD_ENOUGH)
        assert (summary.exit_code, summary.removed, summary.kept_young, asked) == (0, 2, 0, 1)


@pytest.mark.parametrize(("status", "removed", "counted"), [(403, 0, 1), (400, 0, 0)])
async def test_a_store_whose_clock_cannot_be_asked_removes_nothing_young(
    tmp_path: Path, status: int, removed: int, counted: int
) -> None:
    """Denied: then it is our clock. Any other error: then everything stays."""

    async def refuse(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        is_container = request.method == "HEAD" and not parse_target(request.raw_path).name
        return web.Response(status=status) if is_container else await handler(request)

    async with site(tmp_path, refuse) as place:
        summary, seen = await place.publish(OLD_ENOUGH)
        assert (summary.removed, summary.kept_young, len(kept(seen))) == (removed, counted, 1 - counted)
        assert summary.exit_code == (0 if counted else 1)


async def test_an_object_of_unknown_age_stays_and_is_named(tmp_path: Path) -> None:
    """A proxy has taken the times out of the listing."""

    async def without_times(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        if "format=json" in request.raw_path and isinstance(answer, web.Response) and answer.text:
            answer.text = answer.text.replace('"last_modified"', '"modified"')
        return answer

    async with site(tmp_path, without_times) as place:
        summary, seen = await place.publish(OLD_ENOUGH)
        assert (summary.exit_code, summary.removed, summary.kept) == (1, 0, 1)
        assert kept(seen) == [("x.js", "the store does not tell how old x.js is")]


async def test_what_a_young_extra_reads_stays_with_it(tmp_path: Path) -> None:
    """An old segment of a young dynamic large object, neither of which has a file."""
    async with site(tmp_path) as place:
        place.change("x.js", timestamp=place.server.store.now() - 15 * DAY_S)
        async with bulkput.open_store("swift://c", environ=environ_of(place.server)) as store:
            headers = bulkput.ObjectHeaders(extra=(("X-Object-Manifest", "c/x."),))
            await store.put("large", bulkput.BytesBody.of(b""), headers)
        summary, seen = await place.publish(OLD_ENOUGH)
        assert (summary.exit_code, summary.removed, summary.kept_young, summary.kept) == (1, 0, 1, 1)
        assert kept(seen) == [("x.js", "x.js is read through large, which stays")]


async def test_a_build_that_failed_says_what_is_young_and_removes_nothing(tmp_path: Path) -> None:
    """The young ones would have stayed in any case: they are not among those that were kept for the failure."""

    async def refuse(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        is_b = request.method == "PUT" and parse_target(request.raw_path).name == "b.js"
        return web.Response(status=400) if is_b else await handler(request)

    async with site(tmp_path, refuse) as place:
        (tmp_path / "b.js").write_text("b")
        (tmp_path / "a.js").unlink()
        place.change("a.js", timestamp=place.server.store.now() - 15 * DAY_S)
        summary, seen = await place.publish(OLD_ENOUGH)
        assert (summary.removed, summary.kept_young, kept(seen)) == (0, 1, [(None, "1 failed")])
