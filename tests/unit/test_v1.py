"""Logins by v1 auth: what the answer says, and what is wrong with it."""

import asyncio
from collections.abc import Mapping

import pytest

from bulkput.errors import BulkputError, Denied, UsageError
from bulkput.stores.swift.environment import login_from
from bulkput.stores.swift.login import LoginRequest, Token
from bulkput.transport.base import Answer

AUTH, STORE = "http://v1.example/auth/v1.0", "http://store.example/v1/a"
V1 = {"ST_AUTH": AUTH, "ST_USER": "u", "ST_KEY": "geheim"}
GIVEN = {"OS_STORAGE_URL": STORE, "OS_AUTH_TOKEN": "t"}
GRANTED = {"X-Storage-Url": f"{STORE}/", "X-Auth-Token": "t"}


def token_of(fields: Mapping[str, str], status: int = 200, **environ: str) -> Token:
    async def ask(request: LoginRequest) -> Answer:
        assert (request.method, request.url) == ("GET", AUTH)
        assert request.headers == {"X-Auth-User": "u", "X-Auth-Key": "geheim"}
        return Answer(status, "", fields, b"")

    return asyncio.run(login_from(V1 | environ).token(ask))


@pytest.mark.parametrize(
    ("expires", "lives_s"),
    [
        (None, None),
        ("86400", 86_400),
        ("0", 0),
        ("soon", None),
        ("-1", None),
        ("²", None),
        ("9" * 400, 999999999999999),
    ],
)
def test_a_token_lives_as_long_as_the_server_says(expires: str | None, lives_s: float | None) -> None:
    """None: it does not say, or not in seconds."""
    more = {"X-Auth-Token-Expires": expires} if expires is not None else {}
    assert token_of(GRANTED | more) == Token(STORE, "t", lives_s)


def test_a_given_url_replaces_that_of_the_server() -> None:
    assert token_of({"X-Auth-Token": "t"}, OS_STORAGE_URL="http://other/v1/b/").storage_url == "http://other/v1/b"
    assert login_from(V1 | {"OS_STORAGE_URL": "http://other/v1/b/"}).place == "http://other/v1/b"
    assert login_from(V1).place == f"u at {AUTH}"


@pytest.mark.parametrize(
    ("fields", "status", "kind", "says"),
    [
        (GRANTED, 401, Denied, f"^login u: 401 refused by {AUTH}: check ST_USER and ST_KEY$"),
        (GRANTED, 403, Denied, f"^login u: 403 refused by {AUTH}: check ST_USER and ST_KEY$"),
        *(
            (GRANTED, status, UsageError, f"answers {status} there: a usual one")
            for status in (300, 400, 404, 405, 410, 412)
        ),
        ({}, 200, UsageError, "answers 200 without X-Storage-Url: a usual one"),
        ({"X-Auth-Token": "t"}, 200, UsageError, "answers 200 without X-Storage-Url: a usual one"),
        ({"X-Storage-Url": STORE}, 200, UsageError, "answers 200 without X-Auth-Token: a usual one"),
        ({**GRANTED, "X-Auth-Token": ""}, 204, UsageError, "answers 204 without X-Auth-Token: a usual one"),
        ({**GRANTED, "X-Storage-Url": "store/v1/a"}, 200, UsageError, "names no usable URL of the account"),
        ({**GRANTED, "X-Storage-Url": f"{STORE}#x"}, 200, UsageError, "names no usable URL of the account"),
    ],
)
def test_an_answer_without_a_usable_token_says_what_to_do(
    fields: Mapping[str, str], status: int, kind: type[BulkputError], says: str
) -> None:
    with pytest.raises(kind, match=says):
        token_of(fields, status)


@pytest.mark.parametrize("status", [404, 200])
def test_a_wrong_path_names_st_auth_its_value_and_a_usual_one(status: int) -> None:
    """A query of the value may be a secret."""

    async def ask(request: LoginRequest) -> Answer:
        return Answer(status, "", {}, b"")

    with pytest.raises(UsageError) as caught:
        asyncio.run(login_from(V1 | {"ST_AUTH": "http://v1.example/v1?key=geheim"}).token(ask))
    told = "answers 404 there" if status == 404 else "answers 200 without X-Storage-Url"
    assert str(caught.value) == (
        f"ST_AUTH=http://v1.example/v1?... is no v1 login, the server {told}: a usual one is"
        " http://host:8080/auth/v1.0 (the URL of a Keystone is for OS_AUTH_URL)"
    )


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        (V1 | {"ST_KEY": "geheim\n"}, "^ST_KEY: its value has a control character"),
        (V1 | {"ST_USER": "u\n"}, r"^ST_USER: the value 'u\\n' has a control character"),
        (V1 | {"ST_AUTH": "v1.example"}, "^ST_AUTH='v1.example' is not a URL"),
        (V1 | {"ST_AUTH": "http://u:geheim@v1.example"}, "^ST_AUTH has a user or password before its host"),
        (GIVEN | {"OS_AUTH_TOKEN": "geheim\n"}, "^OS_AUTH_TOKEN: its value has a control character"),
    ],
)
def test_a_variable_that_cannot_be_sent_is_told_and_no_secret_shown(environ: Mapping[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        login_from(environ)
    assert "geheim" not in str(caught.value)
