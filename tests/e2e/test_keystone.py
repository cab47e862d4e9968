"""Logins by a real Keystone, with openstacksdk, rclone and the swift client on the same variables as judges."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.e2e.cli import Ran, bulkput
from tests.servers.keystone import KeystoneSwift
from tests.servers.swift import SCRIPT

pytestmark = [pytest.mark.keystone, pytest.mark.timeout(120)]
SWIFT = SCRIPT.parents[1] / ".tools" / "swift-venv" / "bin" / "swift"
BY_SDK = """
import json, openstack, sys
store = openstack.connect().object_store
print(json.dumps({each.name: each.etag for each in store.objects(sys.argv[1])}))
"""
WAYS: Mapping[str, Callable[[KeystoneSwift], Mapping[str, str]]] = {
    "password": lambda cloud: cloud.environment,
    "password, ids": lambda cloud: {
        **without(cloud.environment, "OS_USERNAME", "OS_USER_DOMAIN_NAME", "OS_PROJECT_NAME", "OS_PROJECT_DOMAIN_NAME"),
        "OS_USER_ID": cloud.user_id,
        "OS_PROJECT_ID": cloud.project_id,
    },
    "password, names of before 2014": lambda cloud: {
        **without(cloud.environment, "OS_PROJECT_NAME"),
        "OS_TENANT_NAME": cloud.environment["OS_PROJECT_NAME"],
        "OS_ENDPOINT_TYPE": "publicURL",
    },
    "password, address without a version": lambda cloud: {
        **cloud.environment,
        "OS_AUTH_URL": cloud.environment["OS_AUTH_URL"].removesuffix("/v3"),
    },
    "application credential": lambda cloud: cloud.application_credential,
    "application credential by name": lambda cloud: cloud.application_credential_name,
    "token": lambda cloud: cloud.by_token(),
}


def without(environ: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in names}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for number in range(5):
        (root / f"{number}.txt").write_text(f"file {number}")
    return root


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_log_in_means_what_it_means_to_openstacksdk(keystone: KeystoneSwift, tree: Path, way: str) -> None:
    """bulkput upload, ls and verify, then openstacksdk's listing by the same variables"""
    environ, container = WAYS[way](keystone), f"way{list(WAYS).index(way)}"
    before = len(keystone.logins())
    ran = bulkput("upload", tree, f"swift://{container}", "--summary", "-", environ=environ)
    assert (ran.exit_code, ran.summary["uploaded"]) == (0, 5), ran.err
    assert ran.summary["requests"] == {"POST": 1, "PUT": 6}
    assert len(keystone.logins()) == before + 1
    assert len(bulkput("ls", f"swift://{container}", environ=environ).out.splitlines()) == 5
    assert bulkput("verify", tree, f"swift://{container}", environ=environ).exit_code == 0

    judged = subprocess.run(
        [sys.executable, "-c", BY_SDK, container],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(judged.stdout)
    rows = bulkput("ls", "--json", f"swift://{container}", environ=environ).rows
    assert found == {row["name"]: row["hash"] for row in rows}


@pytest.mark.parametrize("way", ["password", "application credential"])
def test_rclone_finds_nothing_to_do_with_the_same_variables(keystone: KeystoneSwift, tree: Path, way: str) -> None:
    """bulkput upload, then rclone check with env_auth"""
    environ = WAYS[way](keystone)
    assert bulkput("upload", tree, "swift://rclone/p", environ=environ).exit_code == 0
    settings = {"RCLONE_CONFIG": os.devnull, "RCLONE_SWIFT_ENV_AUTH": "true"}
    judged = subprocess.run(
        ["rclone", "check", str(tree), ":swift:rclone/p"],
        env={**os.environ, **environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stderr
    assert "5 matching files" in judged.stderr


def test_a_region_and_an_interface_choose_what_the_swift_client_chooses(keystone: KeystoneSwift, tree: Path) -> None:
    """bulkput upload to RegionTwo; the swift client finds it there, and not in RegionOne"""
    there = {**keystone.environment, "OS_REGION_NAME": "RegionTwo"}
    inside = {**keystone.environment, "OS_INTERFACE": "internal", "OS_ENDPOINT_TYPE": "internalURL"}
    assert bulkput("upload", tree, "swift://region", environ=there).exit_code == 0
    assert bulkput("upload", tree, "swift://interface", environ=inside).exit_code == 0
    listed = {
        name: subprocess.run(
            [SWIFT, "list", name], env={**os.environ, **environ}, capture_output=True, text=True, check=True
        ).stdout.splitlines()
        for name, environ in (("region", there), ("interface", inside))
    }
    assert [len(names) for names in listed.values()] == [5, 5]
    assert bulkput("ls", "swift://region", environ=keystone.environment).exit_code == 1


def test_a_given_storage_url_replaces_the_catalogs(keystone: KeystoneSwift, tree: Path) -> None:
    """OS_STORAGE_URL names the second region, OS_REGION_NAME nothing that there is."""
    environ = {**keystone.environment, "OS_REGION_NAME": "Mars"}
    environ["OS_STORAGE_URL"] = keystone.storage_url(region="RegionTwo")
    assert bulkput("upload", tree, "swift://given", environ=environ).exit_code == 0
    two = {**keystone.environment, "OS_REGION_NAME": "RegionTwo"}
    assert bulkput("verify", tree, "swift://given", environ=two).exit_code == 0


@pytest.mark.parametrize("token", ["valid", "refused"])
def test_a_given_token_is_used_first_and_credentials_give_the_next(
    keystone: KeystoneSwift, tree: Path, token: str
) -> None:
    """OS_AUTH_TOKEN and OS_STORAGE_URL beside a password: no login if the token is good, else one."""
    given = {"OS_STORAGE_URL": keystone.storage_url(), "OS_AUTH_TOKEN": keystone.token() if token == "valid" else "old"}
    before = len(keystone.logins())
    ran = bulkput("upload", tree, f"swift://{token}", environ={**keystone.environment, **given})
    assert ran.exit_code == 0, ran.err
    assert len(keystone.logins()) == before + (0 if token == "valid" else 1)


def test_a_journal_goes_on_with_another_way_to_log_in_to_the_account(
    keystone: KeystoneSwift, tree: Path, tmp_path: Path
) -> None:
    """A password, then an application credential, then a token for the account: it is the same one. Not so a region."""
    journal = str(tmp_path / "up.db")
    given = {"OS_STORAGE_URL": keystone.storage_url(), "OS_AUTH_TOKEN": keystone.token()}
    sent = []
    for environ in (keystone.environment, keystone.application_credential, given):
        ran = bulkput("upload", "--journal", journal, tree, "swift://ways", "--summary", "-", environ=environ)
        assert ran.exit_code == 0, ran.err
        sent.append(ran.summary["uploaded"])
    assert sent == [5, 0, 0]
    assert bulkput("verify", "--journal", journal, tree, "swift://ways", environ=keystone.environment).exit_code == 0
    elsewhere = {**keystone.environment, "OS_REGION_NAME": "RegionTwo"}
    ran = bulkput("upload", "--journal", journal, tree, "swift://ways", environ=elsewhere)
    assert (ran.exit_code, "name another journal" in ran.err) == (2, True), ran.err
    refused = {**keystone.environment, "OS_PASSWORD": "wrong"}
    ran = bulkput("upload", "--journal", journal, tree, "swift://ways", environ=refused)
    assert (ran.exit_code, "stopped: login tester: 401 refused" in ran.err) == (3, True), ran.err


WRONG: Mapping[str, tuple[Mapping[str, str], int, str]] = {
    "password": ({"OS_PASSWORD": "not-this-one"}, 3, "check OS_USERNAME, OS_PASSWORD, OS_USER_DOMAIN_NAME, "),
    "user": ({"OS_USERNAME": "nobody"}, 3, "login nobody: 401 refused by http"),
    "project": ({"OS_PROJECT_NAME": "nothing"}, 3, "OS_PROJECT_NAME and OS_PROJECT_DOMAIN_NAME"),
    "no role": ({"OS_USERNAME": "stranger"}, 3, "login stranger: 401 refused by http"),
    "user's domain": ({"OS_USER_DOMAIN_NAME": "Partners"}, 3, "OS_USER_DOMAIN_NAME"),
    "project's domain": ({"OS_PROJECT_DOMAIN_NAME": "Mars"}, 3, "OS_PROJECT_DOMAIN_NAME"),
    "region": ({"OS_REGION_NAME": "Mars"}, 2, "in region Mars; it has "),
    "interface": ({"OS_INTERFACE": "outside"}, 2, "OS_INTERFACE=outside: it is one of public, internal, admin"),
    "no Swift": ({"OS_PROJECT_NAME": "without-swift"}, 2, "catalog has no object-store for this project, only"),
    "no project": ({"OS_PROJECT_NAME": ""}, 2, "set OS_PROJECT_NAME or OS_PROJECT_ID"),
    "no right": ({"OS_PROJECT_NAME": "readers"}, 3, "403 Forbidden"),
    "path": ({"OS_AUTH_URL": "{host}/identity"}, 2, "OS_AUTH_URL is its address, with /v3 behind it or without"),
    "not Keystone": ({"OS_AUTH_URL": "{swift}"}, 2, "OS_AUTH_URL"),
    "down": ({"OS_AUTH_URL": "http://127.0.0.1:1/v3"}, 3, "cannot connect to 127.0.0.1:1: connection refused"),
    "TLS": ({"OS_AUTH_URL": "{tls}"}, 3, "the server does not speak TLS there; should the URL begin with http://?"),
    "CA": ({"OS_CACERT": "/nothing/ca.pem"}, 2, "cannot read certificates from /nothing/ca.pem"),
    "version": ({"OS_IDENTITY_API_VERSION": "2"}, 2, "v2.0 was removed in OpenStack Queens"),
    "version in the address": ({"OS_AUTH_URL": "{host}/v2.0"}, 2, "removed in its release Queens"),
    "type": ({"OS_AUTH_TYPE": "v2password"}, 2, "set it to v3password"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_setting_gets_one_sentence_and_shows_no_secret(keystone: KeystoneSwift, case: str) -> None:
    """bulkput ls with one variable changed: exit 2 for what is written wrongly, 3 for what is refused"""
    changed, code, sentence = WRONG[case]
    host = keystone.environment["OS_AUTH_URL"].removesuffix("/v3")
    swift = keystone.storage_url().partition("/v1")[0]
    places = {"host": host, "swift": swift, "tls": host.replace("http:", "https:")}
    environ = {**keystone.environment, **{name: value.format(**places) for name, value in changed.items()}}
    ran = bulkput("ls", "swift://c", environ=environ)
    assert (ran.exit_code, ran.out) == (code, "")
    assert sentence in ran.err, ran.err
    _is_one_sentence_without(ran, environ["OS_PASSWORD"])


def test_an_expired_credential_and_an_expired_token_say_so(keystone: KeystoneSwift) -> None:
    credential = bulkput("ls", "swift://c", environ=keystone.by_credential(keystone.expired))
    assert (credential.exit_code, "may have expired" in credential.err) == (3, True), credential.err
    _is_one_sentence_without(credential, keystone.expired.secret)
    old = {**keystone.by_token(), "OS_TOKEN": "gAAAAAold"}
    token = bulkput("ls", "swift://c", environ=old)
    assert (token.exit_code, "OS_TOKEN, which may have expired" in token.err) == (3, True), token.err
    _is_one_sentence_without(token, "gAAAAAold")


def test_the_token_is_in_nothing_that_a_run_writes(keystone: KeystoneSwift, tree: Path, tmp_path: Path) -> None:
    """bulkput upload -v --json --trace --journal, by a token that the test knows"""
    environ = keystone.by_token()
    files = ("--trace", tmp_path / "trace", "--journal", tmp_path / "journal", "--summary", tmp_path / "summary")
    ran = bulkput("upload", "-v", "--json", *files, tree, "swift://secret", environ=environ)
    assert ran.exit_code == 0, ran.err
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert environ["OS_TOKEN"] not in ran.out + ran.err
    assert environ["OS_TOKEN"].encode() not in written and b"gAAAAA" not in written


def _is_one_sentence_without(ran: Ran, secret: str) -> None:
    assert secret not in ran.err
    told = [line for line in ran.err.splitlines() if not line.startswith("bulkput: retrying in ")]
    assert len(told) == 1 and told[0].startswith("bulkput: "), ran.err
