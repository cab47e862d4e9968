"""Clouds of clouds.yaml: openstacksdk's own plugin sends the same, and no file ends in anything but a sentence."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openstack.config import OpenStackConfig

from bulkput.errors import StoreGone, UsageError
from bulkput.options import WireOptions
from bulkput.stores.swift.clouds import of_cloud
from bulkput.stores.swift.environment import login_from
from bulkput.stores.swift.login import LoginRequest
from bulkput.transport.base import Answer

pytestmark = pytest.mark.filterwarnings("ignore")  # openstacksdk's, about what is deprecated in a file

TEXTS = st.sampled_from(["a", "b c", "Grüße", "0x1"])
USER = st.sampled_from(["username", "user_id", "user-id"])
PROJECT = st.sampled_from(["project_name", "project_id", "tenant_name", "tenant_id", "project-name"])


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """hypothesis wants no fixture that is made for each test but not for each example."""
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def one_of(names: st.SearchStrategy[str], texts: st.SearchStrategy[Any] = TEXTS) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(lambda name, text: {name: text}, names, texts)


def domains_of(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    return one_of(st.sampled_from([f"{kind}_domain_id", f"{kind}_domain_name", f"{kind}-domain-name"]))


def united(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(*parts).map(lambda dicts: {name: value for each in dicts for name, value in each.items()})


AUTH = united(
    one_of(USER),
    one_of(PROJECT),
    domains_of("user"),
    domains_of("project"),
    one_of(st.just("password"), TEXTS | st.integers(0, 99_999)),
    one_of(st.just("auth_url"), st.sampled_from(["https://k.example/v3", "https://k.example:5000/identity/v3/"])),
)
MOVED = st.sampled_from([None, "username", "password", "project_name"])
"""A setting that stands beside `auth` instead of in it."""


class SentError(Exception):
    pass


@given(AUTH, MOVED)
def test_openstacksdk_sends_the_same_login_for_a_cloud(
    directory: Path, auth: dict[str, Any], moved: str | None
) -> None:
    """Old and new names, with dashes and without, within `auth` and beside it; numbers are texts."""
    cloud = {"auth_type": "v3password", "auth": dict(auth)}
    if moved in auth:
        cloud[moved] = cloud["auth"].pop(moved)
    file = directory / "clouds.yaml"
    file.write_text(json.dumps({"clouds": {"c": cloud}}))

    class Session:
        def post(self, url: str, json: Any, **_: Any) -> NoReturn:
            raise SentError(url, json)

    async def ask(request: LoginRequest) -> Answer:
        raise SentError(request.url, json.loads(request.body or b""))

    plugin = OpenStackConfig([str(file)], [], secure_files=[], load_envvars=False).get_one("c").get_auth()
    with pytest.raises(SentError) as expected:
        plugin.get_access(Session())
    environ, _ = of_cloud({"OS_CLOUD": "c", "OS_CLIENT_CONFIG_FILE": str(file)}, WireOptions())
    with pytest.raises(SentError) as sent:
        login_from(environ).token(ask).send(None)
    assert sent.value.args == expected.value.args


KEYS = st.sampled_from(
    [
        "clouds", "c", "auth", "auth_url", "username", "password", "regions", "name", "values", "region_name", "verify",
        "interface", "profile", "auth_type", "cacert", "networks", "cert", "key", "auth_methods", "storage_url",
    ]
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.sampled_from(["a", "", "{x}", "geheim", "%(x)s", "v3totp"])
JUNK = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=4))


SOME = united(st.fixed_dictionaries({"auth": AUTH | JUNK}), st.dictionaries(KEYS, JUNK, max_size=4))


@settings(max_examples=300)
@given((JUNK | SOME).map(lambda cloud: {"clouds": {"c": cloud}}) | JUNK)
def test_whatever_a_file_has_is_settings_or_a_sentence(directory: Path, content: Any) -> None:
    """No error but one of the user's, on one line."""
    file = directory / "clouds.yaml"
    file.write_text(json.dumps(content))
    try:
        environ, wire = of_cloud({"OS_CLOUD": "c", "OS_CLIENT_CONFIG_FILE": str(file)}, WireOptions())
        login_from(environ)
    except (UsageError, StoreGone) as error:
        assert "\n" not in str(error)
    else:
        assert all(isinstance(text, str) for text in environ.values()) and isinstance(wire, WireOptions)
