"""The account: one login at a time, a token that is renewed ahead, and what a 403 means."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from bulkput.errors import (
    BulkputError,
    Conflict,
    Denied,
    NotFound,
    StoreError,
    StoreGone,
    Throttled,
    Unavailable,
    Unsupported,
    UsageError,
)
from bulkput.options import RetryOptions, WireOptions
from bulkput.stores.base import StoreContext
from bulkput.stores.swift.account import Account
from bulkput.stores.swift.login import Ask, Token
from bulkput.stores.tries import NoBrake, Tries
from bulkput.transport.route import open_transport


@dataclass
class Scripted:
    """A login that gives what the test says, and sends nothing."""

    outcomes: Iterator[Token | BulkputError]
    renews_ahead: bool = True
    given: Token | None = None
    cannot_renew: str | None = None
    user: str = "somebody"
    url: str | None = None
    place: str = "here"
    logins: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """A login waits for it."""

    async def token(self, ask: Ask) -> Token:
        self.logins += 1
        await self.gate.wait()
        outcome = next(self.outcomes)
        if isinstance(outcome, BulkputError):
            raise outcome
        return outcome


@dataclass
class Clock:
    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


def tokens(*lives_s: float | None) -> list[Token]:
    return [Token("http://store/v1/a", f"t{number}", each) for number, each in enumerate(lives_s)]


def account_of(
    login: Scripted, clock: Clock | None = None, *, retries: int = 0, warnings: list[str] | None = None
) -> Account:
    wire = WireOptions()
    tries = Tries(RetryOptions(retries=retries, base_s=0.001), lambda _event: None, NoBrake())
    context = StoreContext(
        environ={},
        wire=wire,
        transport=open_transport(wire, user_agent="x"),
        again=tries,
        warn=(warnings if warnings is not None else []).append,
    )
    login.gate.set()
    return Account(login, context, clock=clock or Clock())


async def test_workers_that_begin_together_share_one_login() -> None:
    """The first logs in, the others get its token."""
    login = Scripted(iter(tokens(60)))
    account = account_of(login)
    login.gate.clear()
    workers = [asyncio.create_task(account.token()) for _ in range(64)]
    await asyncio.sleep(0)
    login.gate.set()
    assert len({id(token) for token in await asyncio.gather(*workers)}) == 1
    assert login.logins == 1


async def test_if_the_worker_that_logs_in_is_cancelled_the_next_one_does() -> None:
    """The others wait on, and none of them fails for it."""
    (only,) = tokens(60)
    login = Scripted(iter((only,)))
    account = account_of(login)
    login.gate.clear()
    first, *others = [asyncio.create_task(account.token()) for _ in range(8)]
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    login.gate.set()
    assert {id(token) for token in await asyncio.gather(*others)} == {id(only)}
    assert (first.cancelled(), login.logins) == (True, 2)


@pytest.mark.parametrize(("lives_s", "renewed_at_s"), [(20, 16), (100, 80), (300, 240), (3600, 3540), (86_400, 86_340)])
async def test_a_token_is_renewed_before_it_expires(lives_s: float, renewed_at_s: float) -> None:
    """A minute before, or after four fifths of a short life; not earlier."""
    first, second = tokens(lives_s, lives_s)
    login, clock = Scripted(iter((first, second))), Clock()
    account = account_of(login, clock)
    assert await account.token() is first
    clock.now_s += renewed_at_s - 0.1
    assert (await account.token() is first, login.logins) == (True, 1)
    clock.now_s += 0.2
    assert (await account.token() is second, login.logins) == (True, 2)


async def test_other_workers_go_on_with_the_old_token_while_it_is_renewed() -> None:
    """Nobody but the one who renews it waits."""
    first, second = tokens(20, 20)
    login, clock = Scripted(iter((first, second))), Clock()
    account = account_of(login, clock)
    await account.token()
    clock.now_s += 17
    login.gate.clear()
    renewing = asyncio.create_task(account.token())
    await asyncio.sleep(0)
    assert (await account.token() is first, login.logins) == (True, 2)
    login.gate.set()
    assert await renewing is second


DOWN = Unavailable("login", "http://keystone", "down")


async def test_a_renewal_ahead_that_fails_costs_nothing_until_the_token_is_refused() -> None:
    """It is one try without retries; the token serves on, a warning says so, and a 401 logs in again."""
    first, second = tokens(20, 20)
    login, clock, warnings = Scripted(iter((first, DOWN, second))), Clock(), list[str]()
    account = account_of(login, clock, retries=5, warnings=warnings)
    await account.token()
    clock.now_s += 17
    assert await account.token() is first
    assert (await account.token() is first, login.logins) == (True, 2)
    assert warnings == ["the token expires in 3 s, and there is no new one yet: login http://keystone: down"]
    assert (await account.renewed(first, 401) is second, login.logins) == (True, 3)


async def test_a_renewal_ahead_that_is_cancelled_is_made_by_the_next_request() -> None:
    first, second = tokens(20, 20)
    login, clock = Scripted(iter((first, second))), Clock()
    account = account_of(login, clock)
    await account.token()
    clock.now_s += 17
    login.gate.clear()
    renewing = asyncio.create_task(account.token())
    await asyncio.sleep(0)
    renewing.cancel()
    await asyncio.wait([renewing])
    login.gate.set()
    assert (await account.token() is second, login.logins) == (True, 3)


@pytest.mark.parametrize("lives_s", [-10.0, 0.0])
async def test_a_token_that_has_expired_when_it_comes_is_not_renewed_at_each_request(lives_s: float) -> None:
    """The server's clock is wrong, perhaps. The token is used until it is refused."""
    first, second = tokens(lives_s, lives_s)
    login, clock = Scripted(iter((first, second))), Clock()
    account = account_of(login, clock)
    for _ in range(3):
        assert await account.token() is first
        clock.now_s += 1
    assert login.logins == 1
    assert await account.renewed(first, 401) is second


@pytest.mark.parametrize(
    ("error", "again_s"),
    [
        (DOWN, 10),
        (Throttled("login", "", "slow down", retry_after_s=1), 10),
        (Throttled("login", "", "slow down", retry_after_s=25), 25),
        (Denied("login", "somebody", "refused"), None),
    ],
)
async def test_a_renewal_ahead_that_fails_is_tried_again_before_the_token_expires(
    error: BulkputError, again_s: float | None
) -> None:
    """Ten seconds later, or when the server wants it. A refusal is not repeated: it may lock the user out."""
    first, second = tokens(3600, 3600)
    login, clock = Scripted(iter((first, error, second))), Clock()
    account = account_of(login, clock)
    await account.token()
    clock.now_s += 3541
    assert (await account.token() is first, login.logins) == (True, 2)
    clock.now_s += (again_s or 59) - 0.1
    assert (await account.token() is first, login.logins) == (True, 2)
    clock.now_s += 0.2
    assert await account.token() is (second if again_s is not None else first)


async def test_workers_whose_token_expires_during_a_renewal_ahead_that_fails_log_in_with_retries() -> None:
    """They wait for it, and one of them makes the login that serves all."""
    first, second = tokens(20, 20)
    login, clock = Scripted(iter((first, DOWN, DOWN, second))), Clock()
    account = account_of(login, clock, retries=5)
    await account.token()
    clock.now_s += 17
    login.gate.clear()
    ahead = asyncio.create_task(account.token())
    await asyncio.sleep(0)
    refused = [asyncio.create_task(account.renewed(first, 401)) for _ in range(8)]
    await asyncio.sleep(0)
    login.gate.set()
    assert {id(token) for token in await asyncio.gather(*refused)} == {id(second)}
    assert (await ahead in (first, second), login.logins) == (True, 4)


async def test_a_login_that_has_worked_before_is_repeated_when_something_else_answers() -> None:
    """A page of a gateway, for example: the variables were right at the start. At the start it is a wrong URL."""
    first, second = tokens(20, 20)
    login = Scripted(iter((first, UsageError("no Keystone there"), second)))
    account = account_of(login, retries=1)
    await account.token()
    assert (await account.renewed(first, 401) is second, login.logins) == (True, 3)
    with pytest.raises(UsageError, match="no Keystone there"):
        await account_of(Scripted(iter((UsageError("no Keystone there"),))), retries=1).token()


@pytest.mark.parametrize("lives_s", [20.0, None])
async def test_a_token_that_would_come_again_or_does_not_say_is_not_renewed_ahead(lives_s: float | None) -> None:
    """TempAuth answers a login with the token that it gave before."""
    (first,) = tokens(lives_s)
    login, clock = Scripted(iter((first,)), renews_ahead=lives_s is None), Clock()
    account = account_of(login, clock)
    await account.token()
    clock.now_s += 1_000_000
    assert (await account.token() is first, login.logins) == (True, 1)


@pytest.mark.parametrize("status", [401, 403, 200])
async def test_the_first_refusal_gets_a_new_login(status: int) -> None:
    """radosgw answers 403 to an expired token. What comes with 200 is a bulk-delete that says 401 within."""
    first, second = tokens(86_400, 86_400)
    login = Scripted(iter((first, second)))
    account = account_of(login)
    await account.token()
    assert (await account.renewed(first, status) is second, login.logins) == (True, 2)


@pytest.mark.parametrize(("lives_s", "young_s"), [(None, 60), (20, 10), (86_400, 60)])
async def test_a_403_to_the_new_token_means_no_while_that_is_young(lives_s: float | None, young_s: float) -> None:
    """The requests of others that get it do not log in again. When the token is old, it may have expired."""
    first, second, third = tokens(lives_s, lives_s, lives_s)
    login, clock = Scripted(iter((first, second, third))), Clock()
    account = account_of(login, clock)
    await account.token()
    assert await account.renewed(first, 403) is second
    assert await account.renewed(second, 403, is_again=True) is None
    clock.now_s += young_s - 1
    assert (await account.renewed(second, 403), login.logins) == (None, 2)
    clock.now_s += 2
    assert (await account.renewed(second, 403) is third, login.logins) == (True, 3)


@pytest.mark.parametrize(("age_s", "logs_in"), [(9, False), (11, True)])
async def test_a_second_401_in_a_row_means_no_to_a_young_token_only(age_s: float, logs_in: bool) -> None:
    """A busy server may look at a request only when the token has expired that was new when it was sent."""
    first, second, third = tokens(20, 20, 20)
    login, clock = Scripted(iter((first, second, third))), Clock()
    account = account_of(login, clock)
    await account.token()
    assert await account.renewed(first, 401) is second
    clock.now_s += age_s
    assert await account.renewed(second, 401, is_again=True) is (third if logs_in else None)


async def test_a_worker_whose_token_is_not_the_present_one_gets_that_without_a_login() -> None:
    """Another worker's request was refused before."""
    first, second = tokens(60, 60)
    login = Scripted(iter((first, second)))
    account = account_of(login)
    await account.token()
    await account.renewed(first, 401)
    assert (await account.renewed(first, 401) is second, login.logins) == (True, 2)


async def test_a_given_token_that_is_refused_is_followed_by_a_login() -> None:
    """OS_AUTH_TOKEN beside OS_PASSWORD."""
    given, second = tokens(None, 60)
    login = Scripted(iter((second,)), given=given)
    account = account_of(login)
    assert (await account.token() is given, login.logins) == (True, 0)
    assert await account.renewed(given, 403) is second


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Denied("login", "somebody", "refused"), Denied),
        (DOWN, StoreGone),
        (Conflict("login", "http://keystone", "refused", status=409), StoreGone),
    ],
)
async def test_a_login_that_fails_after_a_refusal_is_final(error: BulkputError, kind: type[StoreError]) -> None:
    """Each worker gets an error that stops the run, and none tries again."""
    (first,) = tokens(60)
    login = Scripted(iter((first, error)))
    account = account_of(login)
    await account.token()
    for _ in range(2):
        with pytest.raises(kind) as caught:
            await account.renewed(first, 401)
        assert caught.value.stops_run
    assert login.logins == 2


@pytest.mark.parametrize("error", [StoreError, Unsupported, NotFound, Conflict, Unavailable, Throttled])
@pytest.mark.parametrize("is_first", [True, False])
async def test_a_login_that_fails_in_any_way_stops_the_run(error: type[StoreError], is_first: bool) -> None:
    """Nobody takes its error for the answer to a request of his own: a copy that is not supported, or no object."""
    (first,) = tokens(60)
    refused = error("login", "http://keystone", "no", status=418)
    login = Scripted(iter((refused,) if is_first else (first, refused)))
    account = account_of(login)
    if not is_first:
        await account.token()
    for _ in range(1 if is_first else 2):
        with pytest.raises(StoreGone, match=r"^login http://keystone: 418 no$"):
            await (account.token() if is_first else account.renewed(first, 401))
    assert login.logins == (1 if is_first else 2)


async def test_all_tokens_are_used_at_the_url_of_the_first() -> None:
    """A catalog of several regions may have another order at the next login."""
    first, second = tokens(60, 60)
    elsewhere = replace(second, storage_url="http://other/v1/a")
    account = account_of(Scripted(iter((first, elsewhere))))
    await account.token()
    assert await account.renewed(first, 401) == second == await account.token()


HTTPS = "https://keystone/v3"


@pytest.mark.parametrize(
    ("url", "store", "place", "is_warned"),
    [
        (HTTPS, "http://store", "somebody", True),
        (HTTPS, "http://store", "http://store", False),
        (HTTPS, "https://store", "somebody", False),
        ("http://k/v3", "http://store", "somebody", False),
        (None, "http://store", "somebody", False),
    ],
)
async def test_a_token_that_came_by_https_and_is_sent_by_http_is_warned_of(
    url: str | None, store: str, place: str, is_warned: bool
) -> None:
    """Before anything is sent, once, and not if the user has named that URL, or logs in by http:// himself."""
    first, second = (replace(each, storage_url=store) for each in tokens(60, 60))
    warned: list[str] = []
    account = account_of(Scripted(iter((first, second)), url=url, place=place), warnings=warned)
    await account.token()
    assert ["names http://store for the account" in text for text in warned] == [True] * is_warned
    await account.renewed(first, 401)
    assert len(warned) == is_warned


async def test_a_login_that_nobody_answers_stops_the_run() -> None:
    login = Scripted(iter((Unavailable("login", "http://keystone", "connection refused"),)))
    with pytest.raises(StoreGone, match="connection refused") as caught:
        await account_of(login).token()
    assert caught.value.stops_run
