"""Keystone's answers, its catalog, the variables that describe a login, and which of them counts first."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from bulkput.errors import BulkputError, Denied, StoreError, Throttled, Unavailable, UsageError
from bulkput.stores.swift.catalog import Wanted, account_url, storage_url
from bulkput.stores.swift.environment import login_from
from bulkput.stores.swift.given_token import GivenToken
from bulkput.stores.swift.keystone import KeystoneLogin
from bulkput.stores.swift.keystone_variables import keystone_login
from bulkput.stores.swift.keystoneauth import KeystoneauthLogin
from bulkput.stores.swift.login import Login, LoginRequest, Token
from bulkput.stores.swift.v1 import V1Login
from bulkput.transport.base import Answer

URL = "https://keystone.example:5000"
SWIFT = "https://swift.example/v1/AUTH_p"
PASSWORD = {"OS_AUTH_URL": URL, "OS_USERNAME": "u", "OS_PASSWORD": "geheim", "OS_PROJECT_NAME": "p"}
CREDENTIAL = {"OS_APPLICATION_CREDENTIAL_ID": "c", "OS_APPLICATION_CREDENTIAL_SECRET": "s"}
V1 = {"ST_AUTH": "http://v1.example/auth/v1.0", "ST_USER": "u", "ST_KEY": "k"}
GIVEN = {"OS_STORAGE_URL": SWIFT, "OS_AUTH_TOKEN": "t"}
ENDPOINT = {"interface": "public", "region_id": "east", "url": SWIFT}
CATALOG = [{"type": "compute", "endpoints": []}, {"type": "object-store", "endpoints": [ENDPOINT]}]
TIMES = {"issued_at": "2026-01-01T00:00:00.000000Z", "expires_at": "2026-01-01T01:00:00.000000Z"}


def answer(status: int, body: Any = b"", **headers: str) -> Answer:
    fields = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, "", fields, body if isinstance(body, bytes) else json.dumps(body).encode())


def without(environ: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in names}


def success(catalog: Any = CATALOG, **more: Any) -> Answer:
    return answer(201, {"token": {"catalog": catalog, **TIMES, **more}}, **{"X-Subject-Token": "gAAA"})


def versions(*hrefs: str) -> Answer:
    values = [{"id": f"v3.{number}", "links": [{"rel": "self", "href": href}]} for number, href in enumerate(hrefs)]
    return answer(300, {"versions": {"values": values}})


async def logged_in(login: Login, *answers: Answer) -> tuple[Token, list[LoginRequest]]:
    """The token, and what was asked for it; each of the answers has to be asked for."""
    left, asked = list(answers), list[LoginRequest]()

    async def ask(request: LoginRequest) -> Answer:
        asked.append(request)
        return left.pop(0)

    token = await login.token(ask)
    assert not left
    return token, asked


async def test_a_login_is_one_request_that_gives_token_url_and_life() -> None:
    """The secret is in its body, which no repr shows."""
    login = keystone_login(PASSWORD)
    token, (request,) = await logged_in(login, success())
    assert token == Token(SWIFT, "gAAA", 3600.0)
    assert (request.method, request.url) == ("POST", f"{URL}/v3/auth/tokens")
    assert request.headers["Content-Type"] == "application/json"
    assert b"geheim" in (request.body or b"") and request.secret == "geheim"
    assert "geheim" not in f"{login!r} {request!r}" and "gAAA" not in repr(token)


async def test_a_url_that_replaces_the_catalogs_gets_the_project_of_the_token() -> None:
    environ = {**PASSWORD, "OS_OBJECT_STORE_ENDPOINT_OVERRIDE": "https://a/v1/AUTH_%(project_id)s"}
    token, _ = await logged_in(keystone_login(environ), success(project={"id": "p"}))
    assert token.storage_url == "https://a/v1/AUTH_p"


@pytest.mark.parametrize(
    "times", [{"expires_at": None}, {"expires_at": TIMES["issued_at"]}, {"issued_at": "yesterday"}]
)
async def test_a_token_without_usable_times_has_no_known_life(times: Mapping[str, Any]) -> None:
    token, _ = await logged_in(keystone_login(PASSWORD), success(**times))
    assert token.lives_s is None


REFUSALS: Mapping[str, tuple[Answer, type[BulkputError], str]] = {
    "401": (answer(401), Denied, f"^login u: 401 refused by {URL}: check OS_USERNAME, OS_PASSWORD, "),
    "403": (answer(403), Denied, "403 refused by"),
    "403 with a receipt": (answer(403, Openstack_Auth_Receipt="r"), Denied, "wants a second factor: make an appl"),
    "401 with a receipt": (answer(401, Openstack_Auth_Receipt="r"), Denied, "wants a second factor: make an appl"),
    "400": (answer(400, {"error": {"message": "no"}}), UsageError, r"does not understand the login \(400 no\)"),
    "405": (answer(405), UsageError, r"no Keystone v3 at .* \(405\): OS_AUTH_URL is its address"),
    "300": (answer(300), UsageError, "answered 300 without a token: OS_AUTH_URL must name Keystone"),
    "302": (answer(302, Location="http://else/"), UsageError, "redirects to http://else/: OS_AUTH_URL must name"),
    "200, a page": (answer(200, b"<html>"), UsageError, "answered 200 without a token"),
    "201, a page": (answer(201, b"<html>"), UsageError, "answered 201 without a token"),
    "201, no token": (answer(201, {"token": {}}), UsageError, "answered 201 without a token"),
    "201, a list": (answer(201, [1], X_Subject_Token="t"), UsageError, "answered 201 without a token"),
    "201, a text": (answer(201, {"token": "t"}, X_Subject_Token="t"), UsageError, "answered 201 without a token"),
    "413": (answer(413), StoreError, "413"),
    "500": (answer(500), Unavailable, "500"),
    "503": (answer(503), Unavailable, "503"),
    "408": (answer(408), Unavailable, "408"),
}


@pytest.mark.parametrize("case", REFUSALS)
async def test_an_answer_without_a_token_is_an_error_that_says_what_to_do(case: str) -> None:
    """No text has the password."""
    given, kind, says = REFUSALS[case]
    with pytest.raises(kind, match=says) as caught:
        await logged_in(keystone_login(PASSWORD), given)
    assert "geheim" not in str(caught.value)


async def test_a_429_is_throttled_for_as_long_as_it_says() -> None:
    with pytest.raises(Throttled) as caught:
        await logged_in(keystone_login(PASSWORD), answer(429, Retry_After="7"))
    assert caught.value.retry_after_s == 7


async def test_after_a_404_the_login_goes_where_the_version_document_says() -> None:
    """The document, of all versions or of one, has v3 below another path. When TLS ends before Keystone, only the path
    of its addresses counts."""
    one = {"version": {"id": "v3.14", "links": [{"rel": "self", "href": f"{URL}/identity/v3/"}]}}
    plain = f"{URL.replace('https', 'http')}/identity/v3"
    for document in (versions(f"{URL}/identity/v3/"), versions(plain), answer(200, one)):
        token, asked = await logged_in(keystone_login(PASSWORD), answer(404), document, success())
        assert token.value == "gAAA"
        assert [(request.method, request.url) for request in asked] == [
            ("POST", f"{URL}/v3/auth/tokens"),
            ("GET", URL),
            ("POST", f"{URL}/identity/v3/auth/tokens"),
        ]
        assert asked[1].body is None


@pytest.mark.parametrize(
    ("document", "kind", "says"),
    [
        (versions("https://other.example/identity/v3"), UsageError, "on another server: set OS_AUTH_URL to that"),
        (versions(f"{URL}/v3"), Denied, "404 refused by .*: check OS_USERNAME(?!.* OS_AUTH_URL to)"),
        (
            versions("http://moved.example:5000/v3"),
            Denied,
            "404 refused by .*: check OS_USERNAME.*; if they are right, set OS_AUTH_URL to http://moved.example:5000, ",
        ),
        (versions(), UsageError, r"no Keystone v3 at .* \(404\)"),
        (answer(200, b"<html>"), UsageError, r"no Keystone v3 at .* \(404\)"),
        (answer(404), UsageError, r"no Keystone v3 at .* \(404\)"),
        (versions("ftp://x"), UsageError, r"no Keystone v3 at .* \(404\)"),
        (
            answer(200, {"versions": {"values": [{"id": "v2.0", "links": [{"href": URL}]}]}}),
            UsageError,
            "no Keystone v3",
        ),
        (answer(200, {"version": {"id": 3}}), UsageError, "no Keystone v3"),
    ],
)
async def test_a_password_goes_to_no_server_that_the_user_has_not_named(
    document: Answer, kind: type[BulkputError], says: str
) -> None:
    """After a 404, a version document that names another server or no v3 ends the login."""
    with pytest.raises(kind, match=says):
        await logged_in(keystone_login(PASSWORD), answer(404), document)


@pytest.mark.parametrize(
    ("catalog", "wanted", "says"),
    [
        (None, Wanted(), "a token without a catalog, as it does without a project"),
        ([], Wanted(), "a token without a catalog, as it does without a project"),
        ("junk", Wanted(), "a token without a catalog"),
        ([1, {"type": "dns"}], Wanted(), "has no object-store for this project, only dns"),
        (CATALOG, Wanted(region="west"), "no object-store with interface public in region west; it has public in east"),
        (CATALOG, Wanted(("admin", "internal")), "with interface admin or internal; it has public in east: set OS_REG"),
        ([{"type": "object-store"}], Wanted(), "it has no endpoint of it"),
        (
            [{"type": "object-store", "endpoints": [{"interface": "a", "region": "old"}, {"interface": "b"}]}],
            Wanted(),
            "it has a in old, b in no region: set",
        ),
        ([{"type": "object-store", "endpoints": [{"interface": "public"}]}], Wanted(), "no usable URL"),
        ([{"type": "object-store", "endpoints": [{**ENDPOINT, "url": f"{SWIFT}?x"}]}], Wanted(), "no usable URL"),
    ],
)
def test_a_catalog_without_the_endpoint_is_told_by_what_it_has(catalog: Any, wanted: Wanted, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        storage_url(catalog, wanted)


@pytest.mark.parametrize(
    ("fixed", "project", "url"),
    [
        (SWIFT, None, SWIFT),
        ("https://a/v1/AUTH_%(project_id)s", {"id": "p"}, "https://a/v1/AUTH_p"),
        ("https://a/v1/AUTH_%(project_id)s", None, "needs a project, and the token is for none"),
        ("https://a/v1/AUTH_%(project_id)s", {"id": None}, "needs a project, and the token is for none"),
        ("https://a/v1/AUTH_%(user_id)s", {"id": "p"}, "only %(project_id)s is filled in"),
        ("https://a/%(x)s/AUTH_%(project_id)s", {"id": "p"}, "only %(project_id)s is filled in"),
    ],
)
def test_a_url_that_replaces_the_catalogs_may_have_the_projects_id_and_no_other(
    fixed: str, project: Any, url: str
) -> None:
    if url.startswith("https://"):
        assert account_url(fixed, CATALOG, Wanted(), project) == url
        return
    with pytest.raises(UsageError, match=re.escape(url)):
        account_url(fixed, CATALOG, Wanted(), project)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"OS_AUTH_URL": f"{URL}/v2.0"}, "v2.0, which OpenStack removed in its release Queens"),
        ({"OS_AUTH_URL": f"{URL}/v2.0/"}, "v2.0, which OpenStack removed in its release Queens"),
        ({"OS_IDENTITY_API_VERSION": "2"}, "unset the variable, or set it to 3"),
        ({"OS_IDENTITY_API_VERSION": "2.0"}, "unset the variable, or set it to 3"),
        ({"OS_AUTH_TYPE": "v2password"}, "set it to v3password, and OS_AUTH_URL"),
        ({"OS_AUTH_TYPE": "v2token"}, "set it to v3token, and OS_AUTH_URL"),
        ({"OS_AUTH_TYPE": "v1password"}, "is v1 auth: set ST_AUTH, ST_USER and ST_KEY"),
        ({"OS_AUTH_URL": "keystone.example"}, "is not a URL"),
        ({"OS_AUTH_URL": "https://u:geheim@keystone.example"}, "OS_AUTH_URL has a user or password before its host"),
        ({"OS_USERNAME": ""}, "OS_AUTH_URL is set, and OS_USERNAME not"),
        ({"OS_PASSWORD": ""}, "OS_AUTH_URL is set, and OS_PASSWORD not"),
        ({"OS_USERNAME": "", "OS_PASSWORD": ""}, "OS_USERNAME and OS_PASSWORD not"),
        ({"OS_PASSWORD": "geheim\n"}, "OS_PASSWORD: its value has a control character"),
        ({"OS_INTERFACE": "outer"}, "OS_INTERFACE=outer: it is one of public, internal, admin"),
        ({"OS_INTERFACE": "internal,outer"}, "OS_INTERFACE=internal,outer: it is one of"),
        ({"OS_STORAGE_URL": f"{SWIFT}?x"}, r"^OS_STORAGE_URL has a \? or # in it"),
        ({"OS_OBJECT_STORE_ENDPOINT_OVERRIDE": f"{SWIFT}#x"}, "^OS_OBJECT_STORE_ENDPOINT_OVERRIDE has a "),
        ({"OS_OBJECT_STORE_ENDPOINT_OVERRIDE": "swift"}, "OS_OBJECT_STORE_ENDPOINT_OVERRIDE='swift' is not a URL"),
        ({"OS_AUTH_TYPE": "v3token"}, "OS_TOKEN not set"),
        (
            {"OS_AUTH_TYPE": "v3applicationcredential"},
            "OS_APPLICATION_CREDENTIAL_ID and OS_APPLICATION_CREDENTIAL_SECRET",
        ),
        ({"OS_APPLICATION_CREDENTIAL_SECRET": "geheim"}, "OS_APPLICATION_CREDENTIAL_ID not set"),
    ],
)
def test_wrong_variables_are_told_by_their_names(changed: Mapping[str, str], says: str) -> None:
    """No text has the password."""
    with pytest.raises(UsageError, match=says) as caught:
        login_from({**PASSWORD, **changed})
    assert "geheim" not in str(caught.value)


def test_an_application_credential_by_name_needs_its_user() -> None:
    named = {"OS_AUTH_URL": URL, "OS_APPLICATION_CREDENTIAL_NAME": "c", "OS_APPLICATION_CREDENTIAL_SECRET": "s"}
    with pytest.raises(UsageError, match=r"^OS_USERNAME not set"):
        login_from(named)
    assert login_from({**named, "OS_USERNAME": "u"}).user == "application credential c"


@pytest.mark.parametrize(
    ("environ", "kind", "user"),
    [
        ({**GIVEN}, GivenToken, "OS_AUTH_TOKEN"),
        ({**GIVEN, **V1}, GivenToken, "OS_AUTH_TOKEN"),
        ({**GIVEN, **V1, "OS_AUTH_URL": URL}, GivenToken, "OS_AUTH_TOKEN"),
        ({**GIVEN, **PASSWORD}, KeystoneLogin, "u"),
        ({**GIVEN, "OS_AUTH_URL": URL, **CREDENTIAL}, KeystoneLogin, "application credential c"),
        ({**V1, **PASSWORD}, V1Login, "u"),
        ({**PASSWORD}, KeystoneLogin, "u"),
        ({**PASSWORD, **CREDENTIAL}, KeystoneLogin, "application credential c"),
        ({**PASSWORD, **CREDENTIAL, "OS_AUTH_TYPE": "password"}, KeystoneLogin, "u"),
        ({**PASSWORD, **CREDENTIAL, "OS_AUTH_TYPE": "V3Password"}, KeystoneLogin, "u"),
        ({**PASSWORD, "OS_TOKEN": "t"}, KeystoneLogin, "u"),
        ({"OS_AUTH_URL": URL, "OS_TOKEN": "t"}, KeystoneLogin, "OS_TOKEN"),
        ({**PASSWORD, "OS_AUTH_TYPE": "v3totp"}, KeystoneauthLogin, "u"),
        ({"OS_AUTH_URL": URL, "OS_AUTH_TYPE": "v3oidcclientcredentials"}, KeystoneauthLogin, "v3oidcclientcredentials"),
    ],
)
def test_of_several_logins_the_first_of_the_table_counts(
    environ: Mapping[str, str], kind: type[Login], user: str
) -> None:
    """The table is that of `environment.py`, and of `keystone_variables.py` for Keystone."""
    login = login_from(environ)
    assert type(login) is kind and login.user == user


def test_a_given_token_beside_credentials_is_used_first() -> None:
    """And names the account's URL for the tokens that follow."""
    login = login_from({**GIVEN, **PASSWORD})
    assert login.given == Token(SWIFT, "t") and login.cannot_renew is None and login.place == SWIFT


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({}, "no credentials for swift://: set OS_CLOUD, or OS_AUTH_URL with"),
        ({"ST_AUTH": "http://v1.example", "ST_USER": "u"}, "^ST_KEY not set"),
        ({"OS_STORAGE_URL": SWIFT}, "no credentials for swift://"),
        ({"OS_STORAGE_URL": "swift.example", "OS_AUTH_TOKEN": "t"}, "OS_STORAGE_URL='swift.example' is not a URL"),
    ],
)
def test_an_environment_without_a_login_says_what_is_missing(environ: Mapping[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        login_from(environ)


@pytest.mark.parametrize(
    "changed",
    [
        {"OS_USERNAME": "other"},
        {"OS_PROJECT_NAME": "other"},
        {"OS_PROJECT_DOMAIN_NAME": "other"},
        {"OS_AUTH_URL": "https://other.example"},
        {"OS_REGION_NAME": "west"},
        {"OS_STORAGE_URL": SWIFT},
    ],
)
def test_another_account_is_another_place(changed: Mapping[str, str]) -> None:
    """The place is part of a journal's identity. With or without /v3 it is the same."""
    place = login_from(PASSWORD).place
    assert login_from({**PASSWORD, **changed}).place != place
    assert login_from({**PASSWORD, "OS_AUTH_URL": f"{URL}/v3/"}).place == place
    template = {**PASSWORD, "OS_OBJECT_STORE_ENDPOINT_OVERRIDE": "https://swift.example/v1/AUTH_%(project_id)s"}
    assert login_from(template).place.startswith(f"{place}, https://"), "a template names a store and no account"


NO_PROJECT = without(PASSWORD, "OS_PROJECT_NAME")
NAMED = {
    **without(NO_PROJECT, "OS_PASSWORD"),
    "OS_APPLICATION_CREDENTIAL_NAME": "ci",
    "OS_APPLICATION_CREDENTIAL_SECRET": "s",
}
TOTP = {**NO_PROJECT, "OS_AUTH_TYPE": "v3totp", "OS_PASSCODE": "1"}


@pytest.mark.parametrize("environ", [NO_PROJECT, NAMED, TOTP], ids=["password", "credential", "passcode"])
@pytest.mark.parametrize(
    "changed", [{"OS_USERNAME": "other"}, {"OS_USER_DOMAIN_NAME": "other"}], ids=["user", "domain"]
)
def test_without_a_project_the_account_is_the_users(environ: Mapping[str, str], changed: Mapping[str, str]) -> None:
    """Users of two domains may have one name, and application credentials of two users, too."""
    assert login_from({**environ, **changed}).place != login_from(environ).place


def test_a_variable_that_no_login_reads_may_be_anything() -> None:
    """Whether the login is ours or by a plugin of keystoneauth1."""
    strays = {"OS_NOTES": "a\nb", "OS_BOOT_CODE": "1\x00"}
    assert login_from({**PASSWORD, **strays}) == login_from(PASSWORD)
    assert login_from({**TOTP, **strays}).place == login_from(TOTP).place
