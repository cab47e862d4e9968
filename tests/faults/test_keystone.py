"""Faults of logins at a real Keystone, and of tokens at a real Swift: one login serves all workers, nothing is lost."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from bulkput import events as ev
from bulkput import upload as upload_to
from bulkput.devserver import Handler
from bulkput.engine.open_store import connected
from bulkput.options import RetryOptions, UploadOptions, WireOptions
from tests.e2e.cli import bulkput
from tests.faults.cloud import Answering, Faulty, Revoking, refusal_of, relayed, token_of, upload
from tests.faults.target import EAGER, judged, make_tree
from tests.ledger import Ledger
from tests.servers.faultproxy import Cut, FaultProxy, Mute, Plan, Say, always
from tests.servers.keystone import KeystoneSwift

pytestmark = pytest.mark.keystone

COUNT, AFTER = 90, 20
WIRE = WireOptions(concurrency=64)
OPTIONS = UploadOptions(wire=WIRE, retry=EAGER)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tree(tmp_path_factory.mktemp("tree"), COUNT, 300)


@pytest.fixture(scope="module")
def refusal(keystone: KeystoneSwift) -> Answering:
    return refusal_of(keystone)


async def test_a_revoked_token_costs_one_login_and_no_object(
    keystone: KeystoneSwift, ledger: Ledger, tree: Path, refusal: Answering
) -> None:
    """64 requests are in flight when Swift refuses their token."""
    async with relayed(keystone, swift=Revoking(refusal, AFTER)) as cloud:
        ran = await upload(tree, cloud, OPTIONS, environ=cloud.environ)
        row = await judged(ledger, "token revoked", tree, cloud, ran)
        assert (cloud.logins, ran.summary.retries) == (2, 0)
    assert row.is_whole and 1 <= row.sent_twice <= 64, row


def limited(retry_after: int) -> Answering:
    return lambda: web.Response(status=429, headers={"Retry-After": str(retry_after)})


def unavailable() -> web.Response:
    return web.Response(status=503)


def page() -> web.Response:
    return web.Response(text="<html><title>We will be back soon</title>", content_type="text/html")


@pytest.mark.parametrize("number", [1, 2])
async def test_a_rate_limited_login_waits_once_for_all_workers(
    keystone: KeystoneSwift, ledger: Ledger, tree: Path, refusal: Answering, number: int
) -> None:
    """429 with Retry-After, as public clouds say it: to the first login, or to the one that 64 refused requests need"""
    answers = Faulty(limited(1), (number,))
    async with relayed(keystone, keystone=answers, swift=Revoking(refusal, AFTER)) as cloud:
        ran = await upload(tree, cloud, OPTIONS, environ=cloud.environ)
        row = await judged(ledger, f"429 to login {number}", tree, cloud, ran)
        assert (cloud.logins, ran.summary.retries) == (3, 1)
    (retrying,) = (event for event in ran.events if isinstance(event, ev.Retrying))
    assert retrying.delay_s >= 1 and retrying.error.operation == "login"
    assert row.is_whole, row


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        ("closed connection", None),
        ("503", unavailable),
        ("page of a gateway", page),
    ],
)
async def test_a_login_in_the_middle_of_a_run_is_tried_again(
    keystone: KeystoneSwift, ledger: Ledger, tree: Path, refusal: Answering, fault: str, answer: Answering | None
) -> None:
    """Also where something else answers for Keystone: at the start of a run, that is a wrong OS_AUTH_URL."""
    answers = Faulty(answer, (2, 3))
    async with relayed(keystone, keystone=answers, swift=Revoking(refusal, AFTER)) as cloud:
        ran = await upload(tree, cloud, OPTIONS, environ=cloud.environ)
        row = await judged(ledger, f"login: {fault}", tree, cloud, ran)
        # The first close hits a kept-alive connection, and so costs no try.
        assert (cloud.logins, ran.summary.retries) == (4, 1 if answer is None else 2)
    assert row.is_whole, row


async def test_a_keystone_that_stays_down_stops_the_run_and_a_journal_resumes_it(
    keystone: KeystoneSwift, ledger: Ledger, tree: Path, tmp_path: Path, refusal: Answering
) -> None:
    """One object fails, the rest is skipped; the second run sends what the first did not."""
    options = UploadOptions(wire=WIRE, retry=RetryOptions(retries=4, base_s=0.01), journal=str(tmp_path / "journal"))
    answers, revoking = Faulty(unavailable, range(2, 7)), Revoking(refusal, AFTER)
    async with relayed(keystone, keystone=answers, swift=revoking) as cloud:
        ran = await upload(tree, cloud, options, environ=cloud.environ)
        row = await judged(ledger, "Keystone down", tree, cloud, ran)
        rest = await upload(tree, cloud, options, environ=cloud.environ)
        whole = await judged(ledger, "Keystone down, resumed", tree, cloud, rest)
        assert cloud.logins == 1 + 5 + 1
    summary = ran.summary
    assert row.is_honest and (row.exit_code, summary.failed, summary.retries) == (3, 1, 4), row
    assert summary.skipped == COUNT - summary.uploaded - 1 > 0
    assert summary.stopping is not None and "after 5 attempts" in summary.stopping.why
    assert (whole.lost, whole.wrong, whole.exit_code) == (0, 0, 0), whole
    assert rest.uploaded.isdisjoint(ran.uploaded) and len(rest.uploaded | ran.uploaded) == COUNT


@pytest.mark.parametrize("way", ["password", "application credential"])
async def test_credentials_that_are_no_longer_valid_stop_the_run(
    keystone: KeystoneSwift, ledger: Ledger, tree: Path, refusal: Answering, way: str
) -> None:
    """The password is changed, or the application credential deleted, in the middle: Keystone says no once."""
    spoilt = await asyncio.to_thread(keystone.another_user, f"user-of-{way}")
    spoil = spoilt.change_password if way == "password" else spoilt.delete_credential

    async def on_login(request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        if request.method == "POST" and revoking.is_met.is_set():
            await asyncio.to_thread(spoil)
        return await pass_on(request)

    revoking = Revoking(refusal, AFTER)
    async with relayed(keystone, keystone=on_login, swift=revoking) as cloud:
        environ = spoilt.environment if way == "password" else spoilt.application_credential
        ran = await upload(tree, cloud, OPTIONS, environ=cloud.through(environ))
        row = await judged(ledger, f"{way} no longer valid", tree, cloud, ran)
        assert cloud.logins == 2
    summary = ran.summary
    assert row.is_honest and (row.exit_code, summary.failed, summary.retries) == (3, 1, 0), row
    assert summary.skipped == COUNT - summary.uploaded - 1 > 0
    assert summary.stopping is not None
    variable = "OS_PASSWORD" if way == "password" else "OS_APPLICATION_CREDENTIAL_ID"
    assert variable in summary.stopping.why and "refused by http://127.0.0.1" in summary.stopping.why


async def test_tokens_that_are_refused_in_the_middle_of_a_run_stop_it(
    keystone: KeystoneSwift, ledger: Ledger, tree: Path, refusal: Answering
) -> None:
    """Swift accepts no token any more, as with a wrong clock: a login or two, one failed object, one sentence."""
    revoking = Revoking(refusal, AFTER, is_for_good=True)
    async with relayed(keystone, swift=revoking) as cloud:
        ran = await upload(tree, cloud, OPTIONS, environ=cloud.environ)
        row = await judged(ledger, "every token refused", tree, cloud, ran)
        # A third is for an object that began with the second token, and was refused before any other was again.
        assert cloud.logins in (2, 3)
    assert row.is_honest and (row.exit_code, ran.summary.failed, ran.summary.retries) == (3, 1, 0), row
    assert ran.summary.stopping is not None and "401 the store refuses even a new token" in ran.summary.stopping.why


async def short_lived(request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
    """Tells the client that its token lives 0.4 s."""
    answer = await pass_on(request)
    assert isinstance(answer, web.Response) and isinstance(answer.body, bytes)
    said = json.loads(answer.body)
    issued_at = datetime.fromisoformat(said["token"]["issued_at"])
    said["token"]["expires_at"] = (issued_at + timedelta(seconds=0.4)).isoformat()
    return web.json_response(said, status=answer.status, headers={"X-Subject-Token": token_of(answer)})


async def test_others_go_on_while_a_renewal_ahead_waits_for_its_answer(
    keystone: KeystoneSwift, ledger: Ledger, tree: Path
) -> None:
    """The second login gets its answer when ten more objects are stored with the first token."""
    logins = meanwhile = 0
    enough = asyncio.Event()

    async def hold(request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        nonlocal logins
        logins += 1
        if logins == 2:
            await enough.wait()
        return await (short_lived(request, pass_on) if logins == 1 else pass_on(request))

    def watch(event: ev.Event) -> None:
        nonlocal meanwhile
        meanwhile += logins == 2 and isinstance(event, ev.Uploaded)
        if meanwhile == 10:
            enough.set()

    options = UploadOptions(wire=WireOptions(concurrency=16, objects_per_s=COUNT), retry=EAGER)
    async with relayed(keystone, keystone=hold) as cloud:
        ran = await upload(tree, cloud, options, environ=cloud.environ, on_event=watch)
        row = await judged(ledger, "slow renewal ahead", tree, cloud, ran)
    assert enough.is_set() and (ran.summary.retries, row.sent_twice) == (0, 0)
    assert row.is_whole, row


async def test_tokens_that_expire_before_their_requests_are_looked_at_stop_the_run(
    keystone: KeystoneSwift, tree: Path, refusal: Answering
) -> None:
    """Tokens live 0.4 s, and Swift answers after 0.5 s: no more than three new logins."""

    async def dawdle(_request: web.BaseRequest, _pass_on: Handler) -> web.StreamResponse:
        await asyncio.sleep(0.5)
        return refusal()

    async with relayed(keystone, keystone=short_lived, swift=dawdle) as cloud:
        ran = await upload(tree, cloud, OPTIONS, environ=cloud.environ)
        assert (cloud.logins, ran.summary.exit_code, ran.summary.failed) == (4, 3, 0)
    assert ran.summary.stopping is not None
    assert "401 tokens live 0.4 s here, and the store looks at a request only after that" in ran.summary.stopping.why


VERBS: Mapping[str, tuple[str, ...]] = {
    "upload": ("{tree}", "{url}"),
    "ls": ("{url}",),
    "cp": ("-r", "{url}/a/", "{url}/b/"),
    "mv": ("-r", "{url}/a/", "{url}/b/"),
    "rm": ("-r", "--yes", "{url}"),
    "verify": ("{tree}", "{url}"),
    "segments": ("{url}",),
}


@pytest.mark.parametrize("verb", VERBS)
async def test_a_store_that_accepts_no_token_gets_two_logins_and_one_sentence(
    keystone: KeystoneSwift, tree: Path, refusal: Answering, verb: str
) -> None:
    """bulkput VERB, with clocks of Keystone and Swift that differ: exit 3"""
    refusing = Revoking(refusal, 0, is_for_good=True)
    refusing.is_met.set()
    async with relayed(keystone, swift=refusing) as cloud:
        words = [word.format(tree=tree, url=cloud.url) for word in VERBS[verb]]
        ran = await asyncio.to_thread(bulkput, verb, *words, environ=cloud.environ)
        assert (ran.exit_code, cloud.logins) == (3, 2), ran.err
    said = [line for line in ran.err.splitlines() if "401" in line]
    assert len(said) == 1 and "401 the store refuses even a new token: " in said[0], ran.err


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        (None, "connection refused after 4 attempts"),
        (always(Cut("before the answer")), "write https:// in its URL) after 4 attempts"),
        (always(Mute()), "no answer in time after 4 attempts"),
        (always(Say(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")), "503 No after 4 attempts"),
    ],
    ids=["refused", "reset", "silent", "503"],
)
async def test_a_keystone_that_is_down_at_the_start_ends_the_run_after_few_tries(
    keystone: KeystoneSwift, tree: Path, plan: Plan | None, says: str
) -> None:
    """Four, of which each takes `timeout_s` at most: exit 3 with one sentence."""
    retries: list[ev.Retrying] = []
    options = UploadOptions(wire=WireOptions(timeout_s=0.5), retry=RetryOptions(base_s=0.01))
    address = urlsplit(keystone.environment["OS_AUTH_URL"])
    async with FaultProxy("127.0.0.1", address.port or 0, plan) as proxy:
        if plan is None:
            proxy.refuse()
        summary = await upload_to(
            [tree],
            "swift://down",
            options=options,
            on_event=lambda event: retries.append(event) if isinstance(event, ev.Retrying) else None,
            environ={**keystone.environment, "OS_AUTH_URL": f"http://127.0.0.1:{proxy.port}/v3"},
        )
        assert proxy.count.requests == (0 if plan is None else 4)
    assert (summary.exit_code, len(retries), summary.failed, summary.adds_up) == (3, 3, 0, True)
    assert summary.stopping is not None and says in summary.stopping.why


@pytest.mark.parametrize(
    ("moment", "number"),
    [("first, paused", signal.SIGINT), ("first, silent", signal.SIGTERM), ("second, paused", signal.SIGTERM)],
)
async def test_a_signal_during_a_login_ends_the_run(
    keystone: KeystoneSwift, tree: Path, refusal: Answering, moment: str, number: int
) -> None:
    """bulkput upload, then a signal while a login waits for its Retry-After or its answer: exit 130, nothing failed"""
    is_first, is_silent = moment.startswith("first"), moment.endswith("silent")
    faulty = Faulty(None if is_silent else limited(100), (1,) if is_first else (2,), is_silent=is_silent)
    async with relayed(keystone, keystone=faulty, swift=Revoking(refusal, AFTER)) as cloud:
        command = (sys.executable, "-m", "bulkput", "upload", "--timeout", "1", "--summary", "-", tree, cloud.url)
        environ = {**os.environ, **cloud.environ}
        run = await asyncio.create_subprocess_exec(*command, env=environ, stdout=PIPE, stderr=PIPE)
        await faulty.is_met.wait()
        run.send_signal(number)
        async with asyncio.timeout(10):  # far below the pause
            out, err = await run.communicate()
        assert cloud.logins == (1 if is_first else 2)
    assert (run.returncode, b"Traceback" in err) == (130, False), err
    summary = json.loads(out)
    assert (summary["failed"], summary["stopped"]) == (0, "interrupted")
    assert summary["found"] == summary["uploaded"] + summary["skipped"]


async def test_a_login_that_is_cancelled_is_taken_over_by_a_request_that_waits_for_it(
    keystone: KeystoneSwift, refusal: Answering
) -> None:
    """None of the others loses a try. A part of a file is cancelled so when another part fails."""
    arrived: asyncio.Queue[None] = asyncio.Queue()
    go_on = asyncio.Event()

    async def hold(request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        arrived.put_nowait(None)
        await go_on.wait()
        return await pass_on(request)

    async with (
        relayed(keystone, keystone=hold, swift=Revoking(refusal, 0)) as cloud,
        connected(cloud.url, retry=RetryOptions(retries=0), environ=cloud.environ) as (store, _),
    ):
        first, *others = [asyncio.create_task(store.stat(f"{n}")) for n in range(64)]
        await arrived.get()
        first.cancel()
        await arrived.get()
        go_on.set()
        assert set(await asyncio.gather(*others, return_exceptions=True)) == {None}
        assert cloud.logins == 2
