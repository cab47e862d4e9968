"""Clouds of clouds.yaml, in front of a real Keystone and Swift. openstacksdk is the judge, with the same files."""

import base64
import hmac
import json
import os
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cli import Ran, bulkput
from tests.servers.certificates import Authority, Certificate, make_authority
from tests.servers.keystone import KeystoneSwift
from tests.servers.nginx import NginxDav, nginx_dav

pytestmark = [pytest.mark.keystone, pytest.mark.timeout(120)]
BY_SDK = """
import json, openstack, sys
store = openstack.connect(cloud=sys.argv[1], region_name=sys.argv[3] or None).object_store
print(json.dumps({each.name: each.etag for each in store.objects(sys.argv[2])}))
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for number in range(5):
        (root / f"{number}.txt").write_text(f"file {number}")
    return root


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def client(authority: Authority) -> Certificate:
    return authority.issue("client.example")


@pytest.fixture(scope="module")
def tls(keystone: KeystoneSwift, authority: Authority) -> Iterator[NginxDav]:
    """nginx before Keystone and Swift: it speaks TLS, and demands a certificate of the client."""
    address = keystone.environment["OS_AUTH_URL"].removesuffix("/v3")
    ways = {"/v3/": address, "/v1/": f"http://127.0.0.1:{keystone.swift_port}"}
    locations = "".join(f"location {path} {{ proxy_pass {there}; }}\n" for path, there in ways.items())
    with nginx_dav(certificate=authority.issue("127.0.0.1"), demands_client=True, locations=locations) as server:
        yield server


def auth_of(keystone: KeystoneSwift) -> dict[str, str]:
    names = ("AUTH_URL", "USERNAME", "PASSWORD", "PROJECT_NAME", "USER_DOMAIN_NAME", "PROJECT_DOMAIN_NAME")
    return {name.lower(): keystone.environment[f"OS_{name}"] for name in names}


def write(directory: Path, **clouds: Mapping[str, Any]) -> Path:
    """JSON is YAML."""
    (directory / "clouds.yaml").write_text(json.dumps({"clouds": clouds}))
    return directory


def judged(cwd: Path, cloud: str, container: str, region: str = "") -> dict[str, str]:
    """What openstacksdk lists."""
    command = [sys.executable, "-W", "ignore", "-c", BY_SDK, cloud, container, region]
    ran = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=True, env={**os.environ, "HOME": str(cwd)}
    )
    listed: dict[str, str] = json.loads(ran.stdout)
    return listed


def uploaded(tree: Path, cwd: Path, cloud: str, container: str, **environ: str) -> None:
    """bulkput upload, verify, ls: each says that all five are there."""
    ran = bulkput("upload", "--cloud", cloud, tree, f"swift://{container}", "--summary", "-", cwd=cwd, environ=environ)
    assert (ran.exit_code, ran.summary["uploaded"]) == (0, 5), ran.err
    assert ran.summary["requests"] == {"POST": 1, "PUT": 6}
    assert bulkput("verify", "--cloud", cloud, tree, f"swift://{container}", cwd=cwd, environ=environ).exit_code == 0
    listed = bulkput("ls", "--json", "--cloud", cloud, f"swift://{container}", cwd=cwd, environ=environ)
    found = {row["name"]: row["hash"] for row in listed.rows}
    assert len(found) == 5 and found == judged(cwd, cloud, container, environ.get("OS_REGION_NAME", ""))


@pytest.mark.parametrize("cloud", ["password", "credential"])
def test_a_cloud_means_what_it_means_to_openstacksdk(
    keystone: KeystoneSwift, tree: Path, tmp_path: Path, cloud: str
) -> None:
    """bulkput upload --cloud NAME, verify and ls, then openstacksdk's listing; one login each"""
    keystone.clouds_yaml(tmp_path / "clouds.yaml")
    before = len(keystone.logins())
    uploaded(tree, tmp_path, cloud, f"cloud-{cloud}")
    assert len(keystone.logins()) == before + 4


def test_os_cloud_is_the_same_as_the_flag_and_the_flag_wins(
    keystone: KeystoneSwift, tree: Path, tmp_path: Path
) -> None:
    """OS_CLOUD=expired bulkput upload --cloud password; the other variables do not count"""
    keystone.clouds_yaml(tmp_path / "clouds.yaml")
    strays = {**keystone.environment, "OS_PASSWORD": "wrong", "OS_USERNAME": "nobody", "OS_CLOUD": "expired"}
    uploaded(tree, tmp_path, "password", "flag", **strays)
    by_variable = bulkput("ls", "swift://flag", cwd=tmp_path, environ={**strays, "OS_CLOUD": "credential"})
    assert len(by_variable.out.splitlines()) == 5, by_variable.err
    ran = bulkput("ls", "swift://flag", cwd=tmp_path, environ=strays)
    assert ran.exit_code == 3 and f"(cloud expired of {tmp_path}/clouds.yaml)" in ran.err
    assert "check application_credential_id and _secret; it may have expired" in ran.err, ran.err
    assert len(ran.err.splitlines()) == 1 and keystone.expired.secret not in ran.err


def test_secure_yaml_regions_and_interfaces_choose_what_openstacksdk_chooses(
    keystone: KeystoneSwift, tree: Path, tmp_path: Path
) -> None:
    """A cloud of two regions: the first, and by OS_REGION_NAME the other. A list of interfaces."""
    auth = auth_of(keystone)
    secret = {"auth": {"password": auth.pop("password")}}
    two = {"auth": auth, "regions": ["RegionTwo", "RegionOne"], "interface": ["internal", "public"]}
    inside = {"auth": auth, "region_name": "RegionOne", "interface": ["internal", "public"]}
    write(tmp_path, two=two, inside=inside)
    (tmp_path / "secure.yaml").write_text(json.dumps({"clouds": {"two": secret, "inside": secret}}))
    uploaded(tree, tmp_path, "two", "first")
    uploaded(tree, tmp_path, "two", "second", OS_REGION_NAME="RegionOne")
    uploaded(tree, tmp_path, "inside", "inside")
    there = {name: judged(tmp_path, "two", name, "RegionOne") for name in ("second", "inside")}
    assert [len(names) for names in there.values()] == [5, 5]
    ran = bulkput("ls", "--cloud", "two", "swift://first", cwd=tmp_path, environ={"OS_REGION_NAME": "RegionOne"})
    assert ran.exit_code == 1
    ran = bulkput("ls", "--cloud", "two", "swift://first", cwd=tmp_path, environ={"OS_REGION_NAME": "Mars"})
    assert ran.exit_code == 2 and "Region Mars is not a valid region name" in ran.err


def test_certificates_of_a_cloud_reach_keystone_and_swift(
    keystone: KeystoneSwift, tree: Path, tmp_path: Path, tls: NginxDav, authority: Authority, client: Certificate
) -> None:
    """cacert, cert and key; an endpoint_override with the project's ID. openstacksdk reads the same file."""
    auth = auth_of(keystone) | {"auth_url": f"{tls.url}/v3"}
    common = {"auth": auth, "object_store_endpoint_override": f"{tls.url}/v1/AUTH_{keystone.project_id}"}
    template = {"object_store_endpoint_override": f"{tls.url}/v1/AUTH_%(project_id)s"}
    shown = {"cert": str(client.file), "key": str(client.key)}
    trusting = {**common, **shown, "cacert": str(authority.file)}
    write(
        tmp_path,
        trusting=trusting,
        template=trusting | template,
        careless={**common, **shown, "verify": False},
        stranger={**common, **shown},
        nameless={**common, "cacert": str(authority.file)},
    )
    uploaded(tree, tmp_path, "trusting", "certificates")
    uploaded(tree, tmp_path, "careless", "careless")
    assert len(_ls(tmp_path, "template").out.splitlines()) == 5
    stranger, nameless = _ls(tmp_path, "stranger"), _ls(tmp_path, "nameless")
    assert stranger.exit_code == 3 and "TLS certificate of 127.0.0.1 not accepted" in stranger.err
    assert nameless.exit_code == 2 and "No required SSL certificate was sent" in nameless.err, nameless.err
    assert len(_ls(tmp_path, "stranger", "--insecure").out.splitlines()) == 5
    assert len(_ls(tmp_path, "nameless", OS_CERT=str(client.file), OS_KEY=str(client.key)).out.splitlines()) == 5


def test_a_catalog_that_leaves_tls_is_warned_of_unless_that_is_meant(
    keystone: KeystoneSwift, tree: Path, tmp_path: Path, tls: NginxDav, authority: Authority, client: Certificate
) -> None:
    """Keystone by https://, Swift by http://: one warning; with storage_url in clouds.yaml none"""
    shown = {"cert": str(client.file), "key": str(client.key), "cacert": str(authority.file)}
    open_ = {"auth": auth_of(keystone) | {"auth_url": f"{tls.url}/v3"}, "region_name": "RegionOne", **shown}
    write(tmp_path, open=open_, meant=open_ | {"storage_url": keystone.storage_url()})
    ran = bulkput("upload", "--cloud", "open", tree, "swift://open", cwd=tmp_path)
    assert (ran.exit_code, ran.err.count("and it names http://127.0.0.1:")) == (0, 1), ran.err
    meant = bulkput("verify", "--cloud", "meant", tree, "swift://open", cwd=tmp_path)
    assert (meant.exit_code, meant.err.count("http://")) == (0, 0), meant.err
    assert bulkput("ls", "--cloud", "open", "swift://open", cwd=tmp_path).err.count("and it names http://") == 1


def _ls(cwd: Path, cloud: str, *more: str, **environ: str) -> Ran:
    return bulkput("ls", "--cloud", cloud, *more, "swift://certificates", cwd=cwd, environ=environ)


@pytest.mark.parametrize("way", ["v3totp", "v3multifactor"])
def test_a_one_time_password_logs_in(keystone: KeystoneSwift, tree: Path, tmp_path: Path, way: str) -> None:
    """auth_type v3totp, and with the password as second factor, by keystoneauth1; by OS_* as well"""
    auth = auth_of(keystone)
    if way == "v3totp":
        auth.pop("password")
    common = {"auth_type": way, "region_name": "RegionOne"}
    if way == "v3multifactor":
        common["auth_methods"] = "v3password,v3totp"
    secret = os.urandom(20)
    register(keystone, secret)
    write(tmp_path, once={**common, "auth": auth | {"passcode": passcode(secret)}})
    ran = bulkput("upload", "--cloud", "once", tree, f"swift://{way}", "--summary", "-", cwd=tmp_path)
    assert (ran.exit_code, ran.summary["requests"]) == (0, {"POST": 1, "PUT": 6}), ran.err
    settings = {**common, **auth, "passcode": passcode(secret)}
    environ = {f"OS_{name.upper()}": text for name, text in settings.items()}
    assert len(bulkput("ls", f"swift://{way}", environ=environ).out.splitlines()) == 5
    wrong = bulkput("ls", f"swift://{way}", environ={**environ, "OS_PASSCODE": "geheim"})
    assert wrong.exit_code == 3 and "login tester: 401 refused by" in wrong.err and "OS_PASSCODE" in wrong.err
    assert "geheim" not in wrong.err and len(wrong.err.splitlines()) == 1


def register(keystone: KeystoneSwift, secret: bytes) -> None:
    """Gives the user a secret for one-time passwords (Keystone's "Time-based One-time Password")."""
    who = {"name": "admin", "domain": {"id": "default"}}
    identity = {"methods": ["password"], "password": {"user": {**who, "password": "admin"}}}
    token = keystone.login({"identity": identity, "scope": {"project": who}})
    blob = base64.b32encode(secret).decode().rstrip("=")
    document = {"credential": {"type": "totp", "blob": blob, "user_id": keystone.user_id}}
    headers = {"Content-Type": "application/json", "X-Auth-Token": token}
    url = f"{keystone.environment['OS_AUTH_URL']}/credentials"
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(document).encode(), headers)).close()


def passcode(secret: bytes) -> str:
    """Gives the present one-time password (RFC 6238): six digits, good for half a minute and the next one."""
    digest = hmac.digest(secret, struct.pack(">Q", int(time.time()) // 30), "sha1")
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"
