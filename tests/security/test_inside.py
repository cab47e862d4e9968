"""No object of a run shows a secret: reprs, events, and the tracebacks of their errors."""

import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

import bulkput
from bulkput import events as ev
from bulkput.devserver import DevServer, DevServerOptions
from bulkput.engine.open_store import connected
from bulkput.errors import Denied
from bulkput.options import HeaderOptions, RetryOptions, UploadOptions, WireOptions
from bulkput.stores.base import Destination, StoreContext, open_destination
from bulkput.stores.swift.account import Account
from bulkput.stores.swift.environment import login_from
from bulkput.stores.swift.login import Login, LoginRequest
from bulkput.stores.tries import NoBrake, Tries
from bulkput.transport.base import Answer
from bulkput.transport.route import open_transport
from bulkput.transport.secrets import text_without_secrets
from tests.security.echo import ISSUED, Echo, echo_server, leaks, secret

HIDDEN = {"key": secret("key"), "token": secret("token"), "password": secret("password"), "issued": ISSUED}
ONCE = RetryOptions(retries=0, first_retries=0)
V1 = {"ST_AUTH": "http://127.0.0.1:1/auth/v1.0", "ST_USER": "a:b", "ST_KEY": HIDDEN["key"]}
GIVEN = {"OS_STORAGE_URL": "http://127.0.0.1:1/v1/a", "OS_AUTH_TOKEN": HIDDEN["token"]}
KEYSTONE = {
    "OS_AUTH_URL": "http://127.0.0.1:1/v3",
    "OS_USERNAME": "user",
    "OS_PASSWORD": HIDDEN["password"],
    "OS_PROJECT_NAME": "project",
}
BY_CREDENTIAL = {
    "OS_AUTH_URL": "http://127.0.0.1:1/v3",
    "OS_APPLICATION_CREDENTIAL_ID": "x",
    "OS_APPLICATION_CREDENTIAL_SECRET": HIDDEN["key"],
}
BY_TOKEN = {"OS_AUTH_URL": "http://127.0.0.1:1/v3", "OS_TOKEN": HIDDEN["token"]}
BEARER = {"BULKPUT_HTTP_TOKEN": HIDDEN["token"]}
BASIC = {"BULKPUT_HTTP_USER": "user", "BULKPUT_HTTP_PASSWORD": HIDDEN["password"]}


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        *((each, "swift://c") for each in (V1, GIVEN, KEYSTONE, BY_CREDENTIAL, BY_TOKEN)),
        (BEARER, "http://127.0.0.1:1/"),
        (BASIC, "http://127.0.0.1:1/"),
    ],
)
async def test_no_repr_contains_a_secret(environ: dict[str, str], url: str) -> None:
    """Stores, wrapped and bare; transports, logins, requests, tokens, accounts, options."""
    transport = open_transport(WireOptions(), user_agent="x")
    tries = Tries(ONCE, lambda _event: None, NoBrake())
    context = StoreContext(environ=environ, wire=WireOptions(), transport=transport, again=tries)
    bare = await open_destination(Destination.parse(url), context)
    shown = [bare, transport, tries, UploadOptions(), DevServerOptions(key=HIDDEN["key"])]
    async with connected(url, environ=environ) as (store, count):
        shown += [store, count]
    if url == "swift://c":
        login = login_from(environ)
        account = Account(login, context)
        shown += [login, *await requests_of(login), login.given, account]
        if login.given is not None:
            shown.append(await account.token())
    await transport.aclose()
    assert leaks(HIDDEN, "\n".join(map(repr, shown))) == []


async def requests_of(login: Login) -> list[LoginRequest]:
    """What a login would send."""
    sent: list[LoginRequest] = []

    async def refuse(request: LoginRequest) -> Answer:
        sent.append(request)
        return Answer(401, "Unauthorized", {}, b"")

    with suppress(Denied):
        await login.token(refuse)
    return sent


async def test_the_repr_of_a_store_context_omits_the_environment() -> None:
    """Third-party factories receive a context and may print it."""
    transport = open_transport(WireOptions(), user_agent="x")
    tries = Tries(ONCE, lambda _event: None, NoBrake())
    context = StoreContext(environ=BEARER, wire=WireOptions(), transport=transport, again=tries)
    await transport.aclose()
    assert leaks(HIDDEN, repr(context)) == []


async def test_no_repr_of_the_devserver_contains_a_secret() -> None:
    """The server, its options and its tokens."""
    async with DevServer(DevServerOptions(key=HIDDEN["key"])) as server:
        token = server.tokens.log_in("test:tester", HIDDEN["key"])
        assert token is not None
        shown = repr([server, server.options, server.tokens, token])
        assert leaks({**HIDDEN, "devserver": token.text}, shown) == []


def told(event: ev.Event | BaseException) -> str:
    """Gives the repr of an event or error, and the traceback of the error with all local variables."""
    lines = [repr(event)]
    error = getattr(event, "error", event)
    if isinstance(error, BaseException):
        lines += [str(error), repr(error), repr(vars(error)), repr(error.args)]
        lines += traceback.TracebackException.from_exception(error, capture_locals=True).format()
    return "\n".join(lines)


async def failing(tree: Path, url: str, environ: dict[str, str], transport: str) -> tuple[list[ev.Event], str]:
    seen: list[ev.Event] = []
    options = UploadOptions(
        retry=ONCE,
        wire=WireOptions(transport="aiohttp" if transport == "aiohttp" else "wire"),
        headers=HeaderOptions(cache_control="none"),
    )
    summary = await bulkput.upload([tree], url, options=options, on_event=seen.append, environ=environ)
    assert summary.exit_code in (1, 3) and summary.adds_up
    return seen, repr(summary)


def v1(echo: Echo) -> dict[str, str]:
    return {**V1, **echo.environment}


def bearer(_echo: Echo) -> dict[str, str]:
    return BEARER


@pytest.mark.parametrize("transport", ["wire", "aiohttp"])
@pytest.mark.parametrize("is_garbage", [False, True], ids=["refusal", "garbage"])
@pytest.mark.parametrize("variables", [v1, bearer])
async def test_no_event_contains_a_secret_that_a_server_repeats(
    tmp_path: Path, variables: Callable[[Echo], dict[str, str]], transport: str, is_garbage: bool
) -> None:
    """The tracebacks of its errors and their local variables contain none either."""
    for number in range(6):
        (tmp_path / f"{number}").write_text("x")
    with echo_server(400, 301, 409, 413, 503, 422, is_garbage=is_garbage) as echo:
        url = "swift://c" if variables is v1 else f"{echo.url}/d/"
        seen, summary = await failing(tmp_path, url, variables(echo), transport)
    assert any(isinstance(event, ev.Failed) for event in seen)
    assert leaks(HIDDEN, "\n".join([summary, *map(told, seen)])) == []


@pytest.mark.parametrize("login", [400, 403, 404, 301, 503])
@pytest.mark.parametrize("is_garbage", [False, True], ids=["refusal", "garbage"])
async def test_no_event_or_error_contains_a_key_that_a_server_repeats(
    tmp_path: Path, login: int, is_garbage: bool
) -> None:
    """The login fails: the run stops, or raises a UsageError whose message and traceback have no key."""
    (tmp_path / "a").write_text("x")
    with echo_server(login=login, is_garbage=is_garbage) as echo:
        try:
            seen, summary = await failing(tmp_path, "swift://c", v1(echo), "wire")
        except bulkput.UsageError as error:
            seen, summary = [], "".join(traceback.format_exception(error)) + repr(error)
        assert HIDDEN["key"] in echo.heads[0]
    assert leaks(HIDDEN, "\n".join([summary, *map(told, seen)])) == []


def password(echo: Echo) -> dict[str, str]:
    return {**echo.keystone, "OS_PASSWORD": HIDDEN["password"]}


def credential(echo: Echo) -> dict[str, str]:
    return {**BY_CREDENTIAL, "OS_AUTH_URL": f"{echo.url}/v3"}


def token(echo: Echo) -> dict[str, str]:
    return {**BY_TOKEN, "OS_AUTH_URL": f"{echo.url}/v3", "OS_PROJECT_ID": "p"}


def passcode(echo: Echo) -> dict[str, str]:
    """By a plugin of keystoneauth1."""
    return {**password(echo), "OS_AUTH_TYPE": "v3multifactor", "OS_AUTH_METHODS": "v3password"}


KEYSTONES = [password, credential, token, passcode]


@pytest.mark.parametrize("variables", KEYSTONES)
@pytest.mark.parametrize("login", [200, 300, 400, 401, 405, 418, 503])
@pytest.mark.parametrize("is_garbage", [False, True], ids=["answer", "garbage"])
async def test_no_event_or_error_contains_a_secret_that_keystone_repeats(
    variables: Callable[[Echo], dict[str, str]], login: int, is_garbage: bool
) -> None:
    """The whole document of the login comes back. Tracebacks are looked at with their local variables."""
    with echo_server(login=login, is_garbage=is_garbage) as echo:
        environ = variables(echo)
        error = await failed_login(environ)
        assert leaks(HIDDEN, " ".join(echo.documents)), "a secret was sent"
    assert leaks(HIDDEN, told(error)) == []


@pytest.mark.parametrize("variables", KEYSTONES)
async def test_no_error_of_a_catalog_contains_the_token(variables: Callable[[Echo], dict[str, str]]) -> None:
    """The login has worked, and the catalog has no such region."""
    with echo_server(login=201) as echo:
        error = await failed_login({**variables(echo), "OS_REGION_NAME": "west"})
    assert "in region west; it has public in east" in str(error)
    assert leaks(HIDDEN, told(error)) == []


async def failed_login(environ: dict[str, str]) -> bulkput.BulkputError:
    async with connected("swift://c", retry=ONCE, environ=environ) as (store, _):
        with pytest.raises(bulkput.BulkputError) as caught:
            await store.prepare()
    error, here = caught.value, caught.value.__traceback__
    assert here is not None
    return error.with_traceback(here.tb_next)  # without this function, which has the environment


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("X-Auth-Token", "tk/1+2", "a tk/1+2 b"),
        ("x-auth-token", "tk/1+2", "a tk%2F1%2B2 b"),
        ("X-Auth-Token", "tk/1+2", "a tk%2f1+2 b"),
        ("X-Auth-Token", "tk/1+2", r"a tk\/1+2 b"),
        ("X-Auth-Token", "tkAB12", "a TKab12 b"),
        ("X-Auth-Key", "two words", "a two words b"),
        ("X-Auth-Key", "two words", "a two%20words b"),
        ("X-Auth-Key", "pässe", "a pässe b"),
        ("X-Auth-Key", "pässe", "a pÃ¤sse b"),
        ("Authorization", "Bearer tk/1+2", "a tk/1+2 b"),
        ("Authorization", "Basic dXNlcjpwYXNz", "a dXNlcjpwYXNz b"),
        ("Authorization", "Basic dXNlcjpwYXNz", "a pass b"),
    ],
)
def test_a_repeated_secret_is_masked_in_any_encoding(name: str, value: str, text: str) -> None:
    """Plain, percent-encoded, escaped, in another case, in Latin-1; of Basic credentials also the password alone."""
    assert text_without_secrets(text, {name: value}) == "a *** b"


@pytest.mark.parametrize(
    "sent",
    [{}, {"X-Auth-User": "test"}, {"X-Auth-Key": "a"}, {"X-Auth-Key": ""}, {"Authorization": "Basic %%%"}],
)
def test_text_without_a_secret_is_not_masked(sent: dict[str, str]) -> None:
    """There is no secret, it is too short, or the credential is invalid."""
    assert text_without_secrets("a test", sent) == "a test"
