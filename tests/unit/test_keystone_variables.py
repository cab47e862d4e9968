"""What single OS_* variables do to a login by Keystone, and what its messages say of them."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from bulkput.stores.swift.keystone import KeystoneLogin, is_secret, root_of
from bulkput.stores.swift.keystone_variables import keystone_login
from bulkput.stores.swift.login import Login

URL = "https://keystone.example:5000"
USER = {"OS_AUTH_URL": URL, "OS_USERNAME": "u", "OS_PASSWORD": "geheim"}
PROJECT = {"OS_PROJECT_NAME": "p"}
PASSWORD = USER | PROJECT
SECRET = {"OS_AUTH_URL": URL, "OS_APPLICATION_CREDENTIAL_SECRET": "s"}
TOKEN = {"OS_AUTH_URL": URL, "OS_TOKEN": "t"}


def without(environ: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in names}


def ours(environ: Mapping[str, str]) -> KeystoneLogin:
    login: Login = keystone_login(environ)
    assert isinstance(login, KeystoneLogin)
    return login


@pytest.mark.parametrize(
    ("environ", "hint"),
    [
        (PASSWORD, "OS_USERNAME, OS_PASSWORD, OS_USER_DOMAIN_NAME, OS_PROJECT_NAME and OS_PROJECT_DOMAIN_NAME"),
        (USER | {"OS_PROJECT_ID": "i"}, "OS_USERNAME, OS_PASSWORD, OS_USER_DOMAIN_NAME and OS_PROJECT_ID"),
        (USER | {"OS_TENANT_ID": "i"}, "OS_USERNAME, OS_PASSWORD, OS_USER_DOMAIN_NAME and OS_TENANT_ID"),
        (PASSWORD | {"OS_TRUST_ID": "i"}, "OS_USERNAME, OS_PASSWORD, OS_USER_DOMAIN_NAME and OS_TRUST_ID"),
        (
            without(PASSWORD, "OS_USERNAME") | {"OS_USER_ID": "i"},
            "OS_USER_ID, OS_PASSWORD, OS_PROJECT_NAME and OS_PROJECT_DOMAIN_NAME",
        ),
        (
            SECRET | {"OS_APPLICATION_CREDENTIAL_ID": "i"},
            "OS_APPLICATION_CREDENTIAL_ID and _SECRET; it may have expired, or was removed",
        ),
        (
            SECRET | {"OS_APPLICATION_CREDENTIAL_NAME": "n", "OS_USER_ID": "i"},
            "OS_APPLICATION_CREDENTIAL_NAME and _SECRET; it may have expired, or was removed",
        ),
        (TOKEN | PROJECT, "OS_TOKEN, which may have expired, and OS_PROJECT_NAME and OS_PROJECT_DOMAIN_NAME"),
        (TOKEN | {"OS_PROJECT_ID": "i"}, "OS_TOKEN, which may have expired, and OS_PROJECT_ID"),
    ],
)
def test_a_refusal_names_the_variables_that_the_login_has_used(environ: Mapping[str, str], hint: str) -> None:
    assert ours(environ).credentials.hint == f"check {hint}"


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        (PASSWORD, "u in project p of default"),
        (PASSWORD | {"OS_PROJECT_DOMAIN_NAME": "D"}, "u in project p of D"),
        (USER | {"OS_PROJECT_ID": "i"}, "u in project i"),
        (USER | {"OS_DOMAIN_NAME": "D"}, "u in domain D"),
        (USER | {"OS_SYSTEM_SCOPE": "all"}, "u in system all"),
        (USER, "u of default"),
        (without(USER, "OS_USERNAME") | {"OS_USER_ID": "i"}, "i"),
        (SECRET | {"OS_APPLICATION_CREDENTIAL_ID": "i"}, "application credential i"),
        (
            SECRET | {"OS_APPLICATION_CREDENTIAL_NAME": "n", "OS_USERNAME": "u", "OS_USER_DOMAIN_ID": "d"},
            "application credential n of u of d",
        ),
        (TOKEN | PROJECT, "OS_TOKEN in project p of default"),
    ],
)
def test_a_place_says_whose_objects_they_are(environ: Mapping[str, str], place: str) -> None:
    assert ours(environ).place == f"{place} at {URL}"


@pytest.mark.parametrize(
    ("variables", "domain"),
    [
        ({}, {"id": "default"}),
        ({"OS_DEFAULT_DOMAIN": "d"}, {"id": "d"}),
        ({"OS_DEFAULT_DOMAIN": "d", "OS_DEFAULT_DOMAIN_NAME": "n"}, {"name": "n"}),
        ({"OS_DEFAULT_DOMAIN_NAME": "n", "OS_DEFAULT_DOMAIN_ID": "i"}, {"id": "i"}),
    ],
)
def test_names_without_a_domain_are_in_the_default_one(variables: Mapping[str, str], domain: Any) -> None:
    auth = json.loads(ours(PASSWORD | variables).credentials.document())["auth"]
    assert auth["identity"]["password"]["user"]["domain"] == auth["scope"]["project"]["domain"] == domain


@pytest.mark.parametrize(
    ("variables", "interfaces"),
    [
        ({}, ("public",)),
        ({"OS_INTERFACE": "internal"}, ("internal",)),
        ({"OS_ENDPOINT_TYPE": "adminURL"}, ("admin",)),
        ({"OS_INTERFACE": "Internal, public", "OS_ENDPOINT_TYPE": "adminURL"}, ("internal", "public")),
        ({"OS_INTERFACE": "public,internal,admin"}, ("public", "internal", "admin")),
    ],
)
def test_interfaces_have_old_and_new_names(variables: Mapping[str, str], interfaces: tuple[str, ...]) -> None:
    assert ours(PASSWORD | variables).wanted.interfaces == interfaces


@pytest.mark.parametrize(
    ("environ", "method", "renews_ahead"),
    [
        (PASSWORD | {"OS_AUTH_TYPE": "password", "OS_TOKEN": "t"}, "password", True),
        (PASSWORD | {"OS_AUTH_TYPE": "v3password", "OS_TOKEN": "t"}, "password", True),
        (PASSWORD | {"OS_AUTH_TYPE": "token", "OS_TOKEN": "t"}, "token", False),
        (PASSWORD | {"OS_AUTH_TYPE": "v3token", "OS_AUTH_TOKEN": "t"}, "token", False),
        (without(PASSWORD, "OS_PASSWORD") | {"OS_AUTH_TOKEN": "t"}, "token", False),
        (SECRET | {"OS_APPLICATION_CREDENTIAL_ID": "i"}, "application_credential", True),
    ],
)
def test_a_token_from_a_token_is_not_renewed_ahead(environ: Mapping[str, str], method: str, renews_ahead: bool) -> None:
    """It lives no longer than the one that it is made of."""
    login = ours(environ)
    assert login.credentials.identity["methods"] == [method]
    assert login.renews_ahead == renews_ahead


@pytest.mark.parametrize("end", ["", "/", "/v3", "/v3/", "//v3//", "/v3/auth/tokens", "/v3/auth/tokens/"])
def test_the_address_of_keystone_may_have_any_of_its_ends(end: str) -> None:
    assert root_of(URL + end) == URL
    assert root_of(f"{URL}/identity{end}") == f"{URL}/identity"


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("OS_PASSWORD", True),
        ("OS_APPLICATION_CREDENTIAL_SECRET", True),
        ("OS_TOKEN", True),
        ("OS_PASSCODE", True),
        ("OS_CODE", True),
        ("OS_USERNAME", False),
        ("OS_APPLICATION_CREDENTIAL_ID", False),
    ],
)
def test_secrets_are_known_by_the_ends_of_their_names(name: str, secret: bool) -> None:
    assert is_secret(name) == secret
