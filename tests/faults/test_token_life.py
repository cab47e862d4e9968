"""Tokens of a real Keystone that live five seconds: what takes longer than one goes on, whatever Keystone does.

All runs are made at once (`lives`), since each waits until a token has expired.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from bulkput import events as ev
from bulkput.devserver import Handler
from bulkput.options import RetryOptions, UploadOptions, WireOptions
from tests.e2e import cli
from tests.faults.cloud import Container, relayed, token_of, upload
from tests.faults.target import Ran, judged, make_tree
from tests.ledger import Ledger
from tests.servers.faultproxy import FaultProxy
from tests.servers.keystone import KeystoneSwift, real_keystone_swift

pytestmark = [pytest.mark.keystone, pytest.mark.timeout(120)]

TOKEN_S = 5
COUNT, PER_S = 28, 4
"""Objects of an upload that takes longer than a token lives. Few: a store that is so busy that it looks at requests
after seconds refuses tokens of this age with good reason."""
OPTIONS = UploadOptions(
    wire=WireOptions(concurrency=4, objects_per_s=PER_S), retry=RetryOptions(retries=6, base_s=0.1, cap_s=0.5)
)
NAMES = [f"{number:02}" for number in range(15)]


@dataclass(frozen=True, slots=True)
class Life:
    """An upload whose token expires while Keystone is down, or slow."""

    to: Container
    ran: Ran
    logins: int
    """Requests that reached Keystone."""
    rest: Ran | None = None
    """A second run with the same journal."""

    @property
    def warnings(self) -> list[str]:
        return [event.why for event in self.ran.events if isinstance(event, ev.Warned)]


@dataclass(frozen=True, slots=True)
class Verb:
    """A command whose token has expired before Swift looks at some of its requests."""

    ran: cli.Ran
    logins: int
    held: list[str]
    """Swift's answers to these."""
    to: Container


@dataclass(slots=True)
class Expiry:
    """Intercepts for both relays: Swift gets the first `most` requests that are `held` when their token has expired."""

    is_held: Callable[[web.BaseRequest], bool]
    most: int = 1
    answers: list[str] = field(default_factory=list)
    _held: int = 0
    _ends: dict[str, datetime] = field(default_factory=dict)

    async def at_keystone(self, request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        answer = await pass_on(request)
        end = json.loads(text_of(answer))["token"]["expires_at"]
        self._ends[token_of(answer)] = datetime.fromisoformat(end)
        return answer

    async def at_swift(self, request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        if self._held == self.most or not self.is_held(request):
            return await pass_on(request)
        self._held += 1
        await self.end_of(request.headers["X-Auth-Token"])
        answer = await pass_on(request)
        self.answers.append(f"{answer.status} {text_of(answer)}")
        return answer

    async def end_of(self, token: str) -> None:
        """Waits until the token has expired."""
        await asyncio.sleep(max(0.0, (self._ends[token] - datetime.now(UTC)).total_seconds()) + 0.1)


def text_of(answer: web.StreamResponse) -> str:
    assert isinstance(answer, web.Response) and isinstance(answer.body, bytes)
    return answer.body.decode()


async def outage(servers: KeystoneSwift, tree: Path, tmp_path: Path, back: type[ev.Event] | None) -> Life:
    """Keystone is down from the first object on, until the run emits an event of this kind; for good if that is None,
    and a second run follows."""
    options = replace(OPTIONS, journal=str(tmp_path / "journal")) if back is None else OPTIONS
    to = Container(servers)

    def watch(event: ev.Event) -> None:
        if isinstance(event, ev.Uploaded) and not is_down.is_set():
            is_down.set()
            proxy.refuse()
        elif back is not None and isinstance(event, back):
            proxy.listen()

    is_down = asyncio.Event()
    port = urlsplit(servers.environment["OS_AUTH_URL"]).port or 0
    async with FaultProxy("127.0.0.1", port) as proxy:
        environ = {**servers.environment, "OS_AUTH_URL": f"http://127.0.0.1:{proxy.port}/v3"}
        ran = await upload(tree, to, options, environ=environ, on_event=watch)
        logins, rest = proxy.count.requests, None
        if back is None:
            proxy.listen()
            rest = await upload(tree, to, replace(options, wire=WireOptions()), environ=environ)
    return Life(to, ran, logins, rest)


async def slow_login(servers: KeystoneSwift, tree: Path) -> Life:
    """Keystone answers the second login after the first token has expired; its count is that of logins until then."""
    expiry, tokens = Expiry(lambda _: False), list[str]()
    logins = 0

    async def hold(request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        nonlocal logins
        if len(tokens) < 2:
            logins += 1
        if len(tokens) == 1:
            await expiry.end_of(tokens[0])
        answer = await expiry.at_keystone(request, pass_on)
        tokens.append(token_of(answer))
        return answer

    async with relayed(servers, keystone=hold) as cloud:
        ran = await upload(tree, cloud, OPTIONS, environ=cloud.environ)
    return Life(cloud, ran, logins)


async def verb(servers: KeystoneSwift, tree: Path, words: str, expiry: Expiry) -> Verb:
    """`words` are a command, with the directory `tree`, and `url` of its objects without `/a`."""
    async with relayed(servers, keystone=expiry.at_keystone, swift=expiry.at_swift, rows=5) as cloud:
        stored = await asyncio.to_thread(cli.bulkput, "upload", tree, f"{cloud.url}/a", environ=servers.environment)
        assert stored.exit_code == 0, stored.err
        command = words.format(tree=tree, url=cloud.url).split()
        ran = await asyncio.to_thread(cli.bulkput, *command, environ=cloud.environ)
        return Verb(ran, cloud.logins, expiry.answers, Container(servers, cloud.place))


VERBS: Mapping[str, tuple[str, Expiry]] = {
    "ls": ("ls -r {url}/a/", Expiry(lambda request: "marker=" in request.raw_path)),
    "verify": ("verify {tree} {url}/a", Expiry(lambda request: "marker=" in request.raw_path)),
    "cp": ("cp -r {url}/a/ {url}/b/", Expiry(lambda request: request.method == "COPY", most=4)),
    "rm": ("rm -r --yes {url}/a/", Expiry(lambda request: "bulk-delete" in request.raw_path)),
}
OUTAGES: Mapping[str, type[ev.Event] | None] = {"before": ev.Warned, "after": ev.Retrying, "never": None}
"""Until Keystone is back: a renewal ahead of the expiry has failed, or a login after it, or for good."""


@dataclass(frozen=True, slots=True)
class Lives:
    uploads: Mapping[str, Life]
    verbs: Mapping[str, Verb]
    tree: Path


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lives]:
    tree, small = make_tree(tmp_path_factory.mktemp("tree"), COUNT, 300), tmp_path_factory.mktemp("small")
    for name in NAMES:
        (small / name).write_text(name)

    async def all_at_once(servers: KeystoneSwift) -> Lives:
        async with asyncio.TaskGroup() as tasks:
            uploads = {
                name: tasks.create_task(outage(servers, tree, tmp_path_factory.mktemp(name), back))
                for name, back in OUTAGES.items()
            }
            uploads["slow"] = tasks.create_task(slow_login(servers, tree))
            verbs = {name: tasks.create_task(verb(servers, small, *each)) for name, each in VERBS.items()}
        return Lives(
            {name: task.result() for name, task in uploads.items()},
            {name: task.result() for name, task in verbs.items()},
            tree,
        )

    with real_keystone_swift(TOKEN_S) as servers:
        yield asyncio.run(all_at_once(servers))


@pytest.mark.parametrize("back", ["before", "after"])
async def test_an_outage_of_keystone_around_the_end_of_a_token_costs_no_object(
    lives: Lives, ledger: Ledger, back: str
) -> None:
    """While the token lives, nothing but a warning: it says what is to come. After that, the login is retried."""
    life = lives.uploads[back]
    row = await judged(ledger, f"Keystone down until {back} the expiry", lives.tree, life.to, life.ran)
    assert row.is_whole, row
    assert life.logins >= 2 and (life.ran.summary.retries > 0) is (back == "after")
    (warning,) = life.warnings
    assert re.match(r"the token expires in [01] s, and there is no new one yet: login http://127.0.0.1:\d+", warning)
    assert life.ran.events.index(ev.Warned(warning)) > 2


async def test_a_keystone_that_stays_down_stops_the_run_when_the_token_has_expired(
    lives: Lives, ledger: Ledger
) -> None:
    """All retries of a login are made after that, whatever a renewal ahead has tried; a journal resumes the run."""
    life = lives.uploads["never"]
    row = await judged(ledger, "Keystone down for good", lives.tree, life.to, life.ran)
    summary = life.ran.summary
    assert row.is_honest and (row.exit_code, summary.failed, summary.retries) == (3, 1, OPTIONS.retry.retries), row
    assert summary.stopping is not None and "connection refused after 7 attempts" in summary.stopping.why
    assert summary.uploaded > 1 and len(life.warnings) == 1
    assert life.rest is not None and life.rest.summary.exit_code == 0
    assert life.rest.uploaded.isdisjoint(life.ran.uploaded) and len(life.rest.uploaded | life.ran.uploaded) == COUNT


async def test_a_renewal_that_outlasts_the_token_serves_all_requests_that_are_refused_meanwhile(
    lives: Lives, ledger: Ledger
) -> None:
    """They wait for its answer, and make no login of their own."""
    life = lives.uploads["slow"]
    row = await judged(ledger, "slow login", lives.tree, life.to, life.ran)
    assert row.is_whole and (life.logins, life.ran.summary.retries, life.warnings) == (2, 0, []), row


def outcome_of(lives: Lives, name: str) -> Verb:
    """A command that has succeeded after Swift had refused its first token."""
    found = lives.verbs[name]
    assert found.ran.exit_code == 0, found.ran.err
    assert found.logins >= 2 and found.held and all("401" in answer for answer in found.held)
    return found


def test_ls_goes_on_in_the_middle_of_a_listing(lives: Lives) -> None:
    found = outcome_of(lives, "ls")
    assert found.ran.out.splitlines() == [f"a/{name}" for name in NAMES]


def test_verify_goes_on_in_the_middle_of_a_listing(lives: Lives) -> None:
    found = outcome_of(lives, "verify")
    assert f"{len(NAMES)} identical" in found.ran.err


def test_copies_that_are_refused_are_made_again(lives: Lives) -> None:
    """Source and destination log in by themselves; four refused copies share the next login."""
    found = outcome_of(lives, "cp")
    assert f"{len(NAMES)} copied" in found.ran.err and len(found.held) == 4 and found.logins < 2 + 4
    assert found.to.stored() == {f"{place}/{name}": name.encode() for place in "ab" for name in NAMES}


def test_a_bulk_delete_that_is_refused_within_its_answer_is_made_again(lives: Lives) -> None:
    """Swift answers 200, with a 401 in the text, and removes nothing."""
    found = outcome_of(lives, "rm")
    assert found.held[0].startswith("200 ")
    assert f"{len(NAMES)} removed" in found.ran.err and found.to.stored() == {}
