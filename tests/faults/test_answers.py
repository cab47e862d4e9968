"""Answers other than a plain success: uploads to a devserver whose answers to PUTs come from the test.

`test_run.py` and `tests/unit/test_status.py` test what an answer means for one request; here each test compares what
the store holds at the end with the files.
"""

import itertools
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp import web

from bulkput import events as ev
from bulkput.devserver import DevServer, Handler
from bulkput.options import RetryOptions, StopRules, UploadOptions, WireOptions
from tests.faults.target import NginxTarget, Ran, SwiftTarget, faulty, judged, make_tree, upload
from tests.ledger import Ledger, Row
from tests.servers.nginx import nginx_dav
from tests.servers.swift import RealSwift

WIRE = WireOptions(concurrency=16)


async def run(
    server: DevServer, ledger: Ledger, fault: str, tree: Path, options: UploadOptions | None = None
) -> tuple[Row, Ran]:
    """Uploads without a proxy and compares the store with the tree."""
    account = RealSwift(server.auth_url, server.options.user, server.options.key)
    target = SwiftTarget(account, "c", "devserver")
    ran = await upload(tree, target, server.port, wire=WIRE, options=options)
    return await judged(ledger, fault, tree, target, ran), ran


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree", 40, 1000)


def in_an_hour() -> str:
    """Gives an HTTP date one hour ahead; the client waits for `max_retry_after_s` at most."""
    return format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)


@pytest.mark.parametrize(("status", "form"), [(429, "seconds"), (498, "date"), (503, "seconds"), (503, "date")])
async def test_retry_after_delays_the_next_attempt_up_to_max_retry_after_s(
    ledger: Ledger, tree: Path, status: int, form: str
) -> None:
    """Retry-After, as seconds or as a date, is the least wait of each object; `max_retry_after_s` cuts an hour."""
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


async def test_a_store_that_fails_every_second_put_receives_every_object(ledger: Ledger, tree: Path) -> None:
    """It uses each temporary status in turn; each body is sent again whole, even if the answer came before its end."""
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
async def test_a_201_that_proves_nothing_is_followed_by_a_second_put(
    ledger: Ledger, tree: Path, lie: str, etag: str | None
) -> None:
    """The store answered 201 with a wrong ETag or none and stored nothing; the second answer is right."""
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


async def test_a_newer_version_in_the_store_is_kept(ledger: Ledger, tree: Path) -> None:
    """202 means that the store has a newer version: the file fails without a second attempt."""

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


async def test_a_single_403_causes_one_login_and_loses_no_object(ledger: Ledger, tree: Path) -> None:
    """radosgw answers 403 to an expired token, so bulkput logs in once and goes on."""
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
async def test_a_store_that_refuses_all_further_puts_stops_the_run(
    ledger: Ledger, tmp_path: Path, status: int, text: str, says: str
) -> None:
    """Exit code 3; each object reported as uploaded is stored, and every other file is accounted for."""
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
async def test_each_failure_on_a_full_store_says_insufficient_storage(
    ledger: Ledger, tree: Path, gone_after: int, exit_code: int
) -> None:
    """507 to every PUT: each object fails after all its attempts, and `store_gone_after` failures stop the run."""

    async def full(_request: web.BaseRequest, _handler: Handler) -> web.StreamResponse:
        return web.Response(status=507)

    options = UploadOptions(retry=RetryOptions(retries=2, base_s=0.001), stop=StopRules(store_gone_after=gone_after))
    async with faulty(full) as server:
        row, ran = await run(server, ledger, f"507 to every PUT, {gone_after} are too many", tree, options)
    assert (row.uploaded, row.exit_code) == (0, exit_code) and row.is_honest, row
    assert all(": 507 Insufficient Storage" in failure.error for failure in ran.summary.failures)


async def test_connection_close_costs_a_connection_for_each_object_and_no_retry(ledger: Ledger, tree: Path) -> None:
    """Each object takes one PUT on its own connection; login and container share the first object's."""

    async def close(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        answer.force_close()
        return answer

    async with faulty(close) as server:
        row, ran = await run(server, ledger, "Connection: close", tree)
    assert row.is_whole and row.sent_twice == 0, row
    assert ran.summary.connections == 40 and ran.summary.retries == 0


@pytest.mark.nginx
async def test_an_nginx_without_keepalive_receives_every_object(ledger: Ledger, tmp_path: Path) -> None:
    """`keepalive_timeout 0`: nginx closes the connection after each answer, also after OPTIONS and HEAD."""
    tree = make_tree(tmp_path / "tree", 100, 6000)
    with nginx_dav(locations="keepalive_timeout 0;") as server:
        target = NginxTarget(server, "closing")
        ran = await upload(tree, target, target.address[1], wire=WIRE)
        row = await judged(ledger, "Connection: close", tree, target, ran)
    assert row.is_whole and row.sent_twice == 0 and ran.summary.connections == 102, row


async def test_a_large_body_that_is_refused_before_its_end_is_sent_again_whole(ledger: Ledger, tmp_path: Path) -> None:
    """The server answers 503 after the head and closes the connection without reading the body."""
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
