"""The real Keystone of the tests: what is in it, with rclone and openstacksdk as judges of the environments."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

import pytest

from tests.servers.judge import SwiftJudge
from tests.servers.keystone import KeystoneSwift

pytestmark = [pytest.mark.keystone, pytest.mark.timeout(180)]

OPENSTACK = """
import json, sys, openstack
clouds = [openstack.connect(cloud=name) for name in sys.argv[1:]] or [openstack.connect()]
print(json.dumps([cloud.object_store.get_endpoint() for cloud in clouds]))
"""


def openstack(environ: dict[str, str], *clouds: str) -> list[str]:
    """Gives the storage URLs that openstacksdk finds, each by a login of its own."""
    command = [sys.executable, "-W", "ignore", "-c", OPENSTACK, *clouds]
    done = subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    urls: list[str] = json.loads(done.stdout)
    return urls


@pytest.mark.parametrize("way", ["environment", "application_credential", "application_credential_name"])
def test_rclone_lists_the_account_by_each_environment(keystone: KeystoneSwift, way: str) -> None:
    """OS_* ... rclone lsf :swift:"""
    keystone.judge().put(way, "")
    environ = {**os.environ, **getattr(keystone, way), "RCLONE_CONFIG": os.devnull, "RCLONE_SWIFT_ENV_AUTH": "true"}
    done = subprocess.run(["rclone", "lsf", ":swift:"], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and f"{way}/" in done.stdout.splitlines(), done.stderr


def test_openstacksdk_finds_the_same_account_by_token_and_clouds_yaml(keystone: KeystoneSwift, tmp_path: Path) -> None:
    """OS_TOKEN=..., and OS_CLIENT_CONFIG_FILE=clouds.yaml"""
    before = len(keystone.logins())
    clouds = {"OS_CLIENT_CONFIG_FILE": str(keystone.clouds_yaml(tmp_path / "clouds.yaml"))}
    assert openstack(clouds, "password", "credential") == [keystone.storage_url()] * 2
    assert openstack(keystone.by_token()) == [keystone.storage_url()]
    agents = keystone.logins()[before:]
    assert sum("openstacksdk" in agent for agent in agents) == 3
    assert sum("urllib" in agent for agent in agents) == 1


def test_the_catalog_has_each_address_and_swift_answers_there(keystone: KeystoneSwift) -> None:
    """Two regions, three interfaces; RegionTwo has an account of its own"""
    token = keystone.token()
    headers = {"X-Auth-Token": token, "X-Subject-Token": token}
    ask = urllib.request.Request(f"{keystone.environment['OS_AUTH_URL']}/auth/tokens", headers=headers)
    with urllib.request.urlopen(ask) as answer:
        catalog = json.load(answer)["token"]["catalog"]
    (swift,) = (service for service in catalog if service["type"] == "object-store")
    found = {(row["interface"], row["region"]): row["url"] for row in swift["endpoints"]}
    one = {(interface, "RegionOne"): keystone.storage_url(interface) for interface in ("public", "internal", "admin")}
    assert found == {**one, ("public", "RegionTwo"): keystone.storage_url(region="RegionTwo")}
    assert len(set(found.values())) == 4
    keystone.judge().put("here", "")
    boxes = {place: SwiftJudge("", "", "", url, token).containers() for place, url in found.items()}
    assert all("here" in boxes[place] for place in one)
    assert "here" not in boxes["public", "RegionTwo"]


def test_logins_that_must_fail_do(keystone: KeystoneSwift) -> None:
    """An expired application credential; a user without a role in the project"""
    credential = {"id": keystone.expired.id, "secret": keystone.expired.secret}
    expired = {"methods": ["application_credential"], "application_credential": credential}
    stranger = {"name": "stranger", "domain": {"id": "default"}, "password": keystone.environment["OS_PASSWORD"]}
    roleless = {"methods": ["password"], "password": {"user": stranger}}
    assert keystone.login({"identity": roleless})
    for auth in ({"identity": expired}, {"identity": roleless, "scope": {"project": {"id": keystone.project_id}}}):
        with pytest.raises(HTTPError) as refused:
            keystone.login(auth)
        assert refused.value.code == 401
