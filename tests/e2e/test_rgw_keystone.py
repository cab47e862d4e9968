"""A real Ceph RGW behind a real Keystone, as most clouds have it."""

import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest

from tests.e2e.cli import bulkput
from tests.servers import rgw
from tests.servers.judge import SwiftJudge
from tests.servers.keystone import KeystoneSwift, real_keystone_swift

pytestmark = [pytest.mark.rgw, pytest.mark.keystone, pytest.mark.timeout(120)]
LIFE_S = 5


@pytest.fixture(scope="module")
def cloud() -> Iterator[KeystoneSwift]:
    """A Keystone whose tokens live five seconds. The Swift in its catalog is not the store of these tests."""
    if reason := rgw.why_missing():
        pytest.skip(reason)
    with real_keystone_swift(LIFE_S) as running:
        yield running


@pytest.fixture(scope="module")
def storage_url(cloud: KeystoneSwift) -> Iterator[str]:
    """The project's account in an RGW that asks this Keystone."""
    with rgw.started(cloud.environment["OS_AUTH_URL"]) as running:
        host = running.auth_url.removesuffix("/auth/v1.0")
        yield f"{host}/swift/v1/AUTH_{cloud.project_id}"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """100 files."""
    for n in range(100):
        (tmp_path / f"{n:02d}").write_text(str(n))
    return tmp_path


def names(cloud: KeystoneSwift, storage_url: str, container: str) -> list[str]:
    return SwiftJudge("", "", "", storage_url, cloud.token()).names(container)


def logins(cloud: KeystoneSwift) -> int:
    """How often bulkput has logged in. RGW logs in too, to ask about tokens."""
    return sum(agent.startswith("bulkput/") for agent in cloud.logins())


def test_an_upload_outlives_its_tokens(cloud: KeystoneSwift, storage_url: str, tree: Path) -> None:
    """bulkput upload --rate 15, for seven seconds, with an application credential; verify"""
    environ = {**cloud.application_credential, "OS_STORAGE_URL": storage_url}
    ran = bulkput("upload", tree, "swift://longer/p", "--rate", "15", "--summary", "-", environ=environ)
    assert (ran.exit_code, ran.summary["uploaded"], ran.summary["failed"]) == (0, 100, 0), ran.err
    # A token is renewed after four fifths of its life, and again where a request with the old one was too slow.
    assert 2 <= logins(cloud) <= ran.summary["elapsed_s"] / LIFE_S * 2 + 1
    assert bulkput("verify", tree, "swift://longer/p", environ=environ).exit_code == 0
    assert names(cloud, storage_url, "longer") == [f"p/{n:02d}" for n in range(100)]


def test_a_public_container_is_written_to_and_read_without_a_token(
    cloud: KeystoneSwift, storage_url: str, tree: Path
) -> None:
    """bulkput upload; RGW answers 409 to the PUT of the container. The project is a tenant, so its address is enough"""
    judge = SwiftJudge("", "", "", storage_url, cloud.token())
    judge.put("public", "", b"")
    judge.post("public", "", {"X-Container-Read": ".r:*"})
    environ = {**cloud.environment, "OS_STORAGE_URL": storage_url}
    ran = bulkput("upload", tree, "swift://public", environ=environ)
    assert ran.exit_code == 0, ran.err
    with urllib.request.urlopen(f"{storage_url}/public/42") as answer:
        assert answer.read() == b"42"


def test_rgw_answers_401_to_an_expired_token_and_bulkput_logs_in_again(
    cloud: KeystoneSwift, storage_url: str, tree: Path
) -> None:
    """bulkput upload, with OS_AUTH_TOKEN expired and a password beside it"""
    token, status = cloud.token(), 0
    while status < 400:
        asked = urllib.request.Request(storage_url, headers={"X-Auth-Token": token}, method="HEAD")
        try:
            with urllib.request.urlopen(asked) as answer:
                status = answer.status
        except HTTPError as error:
            status = error.code
            error.close()
        time.sleep(0.1)  # no event says that a token has expired
    assert status == 401
    before = logins(cloud)
    environ = {**cloud.environment, "OS_STORAGE_URL": storage_url, "OS_AUTH_TOKEN": token}
    ran = bulkput("upload", tree, "swift://expired/p", "--summary", "-", environ=environ)
    assert (ran.exit_code, ran.summary["uploaded"]) == (0, 100), ran.err
    assert logins(cloud) >= before + 1
    assert len(names(cloud, storage_url, "expired")) == 100


def test_a_project_in_which_the_user_has_no_right_role_is_refused(
    cloud: KeystoneSwift, storage_url: str, tree: Path
) -> None:
    """bulkput upload: RGW answers 401 to a role that it does not accept, also to a new token"""
    environ = {**cloud.environment, "OS_PROJECT_NAME": "readers", "OS_STORAGE_URL": storage_url}
    ran = bulkput("upload", tree, "swift://readers/p", "--concurrency", "1", environ=environ)
    assert ran.exit_code == 3
    said = "make container readers: 401 the store refuses even a new token: the user has no role that it accepts"
    assert said in ran.err
