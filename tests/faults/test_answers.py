"""What a store answers that is no plain success: runs against a devserver whose PUTs are answered by the test.

What answers mean for the single request is in `test_run.py` and `tests/unit/test_status.py`; here each fault is
judged by what the store holds at the end.
"""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp import web

from bulkput import events as ev
from bulkput.devserver import DevServer, Handler, Intercept, ResourceKind, parse_target
from bulkput.options import RetryOptions, StopRules, UploadOptions, WireOptions
from tests.faults.target import NginxTarget, Ran, SwiftTarget, judged, make_tree, upload
from tests.ledger import Ledger, Row
from tests.servers.nginx import nginx_dav
from tests.servers.swift import RealSwift

WIRE = WireOptions(concurrency=16)


@asynccontextmanager
async def faulty(intercept: Intercept) -> AsyncIterator[DevServer]:
    """A devserver with `intercept` around its object PUTs."""

    async def only_puts(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.method == "PUT" and parse_target(request.raw_path).kind is ResourceKind.OBJECT:
            return await intercept(request, handler)
        return await handler(request)

    async with DevServer(intercept=only_puts) as server:
        yield server


async def run(
    server: DevServer, ledger: Ledger, fault: str, tree: Path, options: UploadOptions | None = None
) -> tuple[Row, Ran]:
    """Upload, without any proxy, and judge."""
    account = RealSwift(server.auth_url, server.options.user, server.options.key)
    target = SwiftTarget(account, "c", "devserver")
    ran = await upload(tree, target, server.port, wire=WIRE, options=options)
    return await judged(ledger, fault, tree, target, ran), ran


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree", 40, 1000)


def in_an_hour() -> str:
    """An HTTP date, of which only the cut to `max_retry_after_s` is waited for."""
    return format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)


@pytest.mark.parametrize(("status", "form"), [(429, "seconds"), (498, "date"), (503, "seconds"), (503, "date")])
async def test_a_store_that_names_a_time_is_left_alone_for_it(
    ledger: Ledger, tree: Path, status: int, form: str
) -> None:
    """Retry-After of both forms is the least wait of each object; an hour is cut to what the options allow."""
    refused: set[str] = set()

    async def once(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.raw_path in refused:
            return await handler(request)
        refused.add(request.raw_path)
        return web.Response(status=status, headers={"Retry-After": "3600" if form == "seconds" else in_an_hour()})

    options = UploadOptions(retry=RetryOptions(base_s=0.001, max_retry_after_s=0.1))
    async with faulty(once) as server:
        row, ran = await run(server, ledger, f"{status}, Retry-After as {form}", tree, options)
    delays = [event.delay_s for event in ran.events if isinstance(event, ev.Retrying)]
    assert len(delays) == 40 and min(delays) >= 0.1
    assert row.is_whole and row.sent_twice == 40, row


async def test_a_store_that_fails_every_other_time_gets_everything(ledger: Ledger, tree: Path) -> None:
    """With all that passes, in turn: bodies are sent again whole, also where the answer came before they were read."""
    count = 0
    failures: list[tuple[int, dict[str, str]]] = [(503, {"Retry-After": "soon"}), (503, {"Retry-After": "0"})]
    failures += [(status, {}) for status in (408, 429, 498, 499, 500, 502, 503, 504, 507)]
    turns = itertools.cycle(failures)

    async def every_other(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal count
        count += 1
        if count % 2:
            return await handler(request)
        status, headers = next(turns)
        return web.Response(status=status, headers=headers)

    async with faulty(every_other) as server:
        row, ran = await run(server, ledger, "4xx and 5xx that pass, every other time", tree)
    assert ran.summary.retries >= 30 and row.is_whole, row


@pytest.mark.parametrize(
    ("lie", "etag"),
    [("ETag of nothing", "d41d8cd98f00b204e9800998ecf8427e"), ("no ETag", None)],
)
async def test_a_receipt_for_other_bytes_is_asked_for_again(
    ledger: Ledger, tree: Path, lie: str, etag: str | None
) -> None:
    """The store said 201 for something else, and stored nothing: the next receipt is right."""
    told: set[str] = set()

    async def once(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.raw_path in told:
            return await handler(request)
        told.add(request.raw_path)
        await request.read()
        return web.Response(status=201, headers={} if etag is None else {"ETag": etag})

    async with faulty(once) as server:
        row, ran = await run(server, ledger, lie, tree)
    assert ran.summary.retries == 40 and row.is_whole, row


async def test_a_newer_version_in_the_store_is_left_there(ledger: Ledger, tree: Path) -> None:
    """202: that object is not ours any more; it is reported as failed, and no attempt is made to win."""

    async def newer(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if not request.raw_path.endswith("7"):
            return await handler(request)
        await request.read()
        return web.Response(status=202)

    async with faulty(newer) as server:
        row, ran = await run(server, ledger, "202, a newer version", tree)
    assert (row.uploaded, row.exit_code, row.sent_twice) == (36, 1, 0) and row.is_honest, row
    assert {failure.key[-1] for failure in ran.summary.failures if failure.key} == {"7"}
    assert all("the store has a newer version" in failure.error for failure in ran.summary.failures)


async def test_a_single_403_costs_one_login_and_no_object(ledger: Ledger, tree: Path) -> None:
    """radosgw's word for a token that has expired: one new login, and on."""
    count = 0

    async def deny_the_tenth(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal count
        count += 1
        return web.Response(status=403) if count == 10 else await handler(request)

    async with faulty(deny_the_tenth) as server:
        row, ran = await run(server, ledger, "403 once", tree)
        assert ran.summary.requests["GET"] == 2
    assert row.is_whole and row.sent_twice == 1 and ran.summary.retries == 0, row


@pytest.mark.parametrize(
    ("status", "text", "says"),
    [(403, "", "403"), (413, "Upload exceeds quota.", "quota"), (401, "", "401")],
)
async def test_a_store_that_closes_in_the_middle_stops_the_run(
    ledger: Ledger, tmp_path: Path, status: int, text: str, says: str
) -> None:
    """Exit 3; what was said to be uploaded until then is there, and the rest is accounted for."""
    tree = make_tree(tmp_path / "tree", 200, 1000)
    count = 0

    async def close(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal count
        count += 1
        return await handler(request) if count <= 50 else web.Response(status=status, text=text)

    async with faulty(close) as server:
        row, ran = await run(server, ledger, f"{status} from the 51st on", tree)
    assert ran.summary.stopping is not None and says in ran.summary.stopping.why
    assert row.exit_code == 3 and 50 <= row.uploaded + ran.summary.failed < 200 and row.is_honest, row


@pytest.mark.parametrize(("gone_after", "exit_code"), [(128, 1), (20, 3)])
async def test_a_store_that_is_full_for_good_is_said_to_be(
    ledger: Ledger, tree: Path, gone_after: int, exit_code: int
) -> None:
    """507 to every PUT: each object fails after all its tries, and so many in a row stop the run."""

    async def full(_request: web.BaseRequest, _handler: Handler) -> web.StreamResponse:
        return web.Response(status=507)

    options = UploadOptions(retry=RetryOptions(retries=2, base_s=0.001), stop=StopRules(store_gone_after=gone_after))
    async with faulty(full) as server:
        row, ran = await run(server, ledger, f"507 to every PUT, {gone_after} are too many", tree, options)
    assert (row.uploaded, row.exit_code) == (0, exit_code) and row.is_honest, row
    assert all(": 507 Insufficient Storage" in failure.error for failure in ran.summary.failures)


async def test_connection_close_on_each_answer_costs_connections_only(ledger: Ledger, tree: Path) -> None:
    """One PUT for each object, each on a connection of its own."""

    async def close(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        answer.force_close()
        return answer

    async with faulty(close) as server:
        row, ran = await run(server, ledger, "Connection: close", tree)
    assert row.is_whole and row.sent_twice == 0, row
    assert ran.summary.connections == 41 and ran.summary.retries == 0


@pytest.mark.nginx
async def test_nginx_that_closes_after_each_answer_gets_everything(ledger: Ledger, tmp_path: Path) -> None:
    """`keepalive_timeout 0`: it says so in each answer, also to the run's OPTIONS and HEAD."""
    tree = make_tree(tmp_path / "tree", 100, 6000)
    with nginx_dav(locations="keepalive_timeout 0;") as server:
        target = NginxTarget(server, "closing")
        ran = await upload(tree, target, target.address[1], wire=WIRE)
        row = await judged(ledger, "Connection: close", tree, target, ran)
    assert row.is_whole and row.sent_twice == 0 and ran.summary.connections == 102, row


async def test_a_body_is_not_sent_to_its_end_when_it_is_refused_before(ledger: Ledger, tmp_path: Path) -> None:
    """503 as soon as the head is there, and the connection closed with the body unread: sent again, whole."""
    tree = make_tree(tmp_path / "tree", 4, 4_000_000)
    refused = 0

    async def before_the_body(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal refused
        if refused == 6:
            return await handler(request)
        refused += 1
        answer = web.Response(status=503)
        answer.force_close()
        return answer

    async with faulty(before_the_body) as server:
        row, _ = await run(server, ledger, "503 before the body is sent", tree)
    assert row.is_whole and row.sent_twice == 6, row
