"""`bulkput upload` from one Swift to another: a real OpenStack Swift, and the Swift of a real Ceph RGW."""

from __future__ import annotations

import random
import uuid

import pytest

from tests.e2e.cli import bulkput
from tests.servers.judge import SwiftJudge
from tests.servers.rgw import RealRgw
from tests.servers.swift import RealSwift

pytestmark = [pytest.mark.swift, pytest.mark.rgw]
MIB = 1024 * 1024


@pytest.mark.parametrize("processes", [(), ("--processes", "2")], ids=["one process", "two processes"])
def test_the_source_has_a_login_of_its_own(swift: RealSwift, rgw: RealRgw, processes: tuple[str, ...]) -> None:
    """Both are named alike, and each object is read with one login and written with the other."""
    container = f"two-{uuid.uuid4().hex[:8]}"
    old = SwiftJudge(swift.auth_url, swift.user, swift.key)
    new = SwiftJudge(rgw.auth_url, rgw.user, rgw.key)
    contents = {f"a/{number}": random.Random(number).randbytes(500) for number in range(20)}
    contents["large"] = random.Random(99).randbytes(2 * MIB)
    old.put(container, "")
    for name, content in contents.items():
        old.put(container, name, content, fields={"X-Object-Meta-Color": "red"})
    logins = rgw.environment | {f"BULKPUT_SOURCE_{name}": value for name, value in swift.environment.items()}
    url = f"swift://{container}/"
    ran = bulkput("upload", *processes, "--summary", "-", url, url, environ=logins)
    assert ran.exit_code == 0, ran.err
    assert ran.summary["uploaded"] == len(contents)
    assert {name: new.content(container, name) for name in new.names(container)} == contents
    assert new.head(container, "large")["X-Object-Meta-Color"] == "red"
    again = bulkput("upload", "--skip", "identical", "--summary", "-", url, url, environ=logins)
    assert (again.exit_code, again.summary["uploaded"]) == (0, 0), again.err


def test_half_a_login_of_the_source_is_one_sentence(swift: RealSwift, rgw: RealRgw) -> None:
    """What is missing is not taken from the login of the destination."""
    environ = rgw.environment | {"BULKPUT_SOURCE_ST_KEY": swift.key}
    ran = bulkput("upload", "swift://c/", "swift://d/", environ=environ)
    assert ran.exit_code == 2
    assert "the source's own login, by the variables BULKPUT_SOURCE_...: ST_AUTH and ST_USER not set" in ran.err


def test_a_login_of_the_source_is_refused_before_anything_is_written(swift: RealSwift, rgw: RealRgw) -> None:
    container = f"two-{uuid.uuid4().hex[:8]}"
    source = {f"BULKPUT_SOURCE_{name}": value for name, value in swift.environment.items()}
    wrong = rgw.environment | source | {"BULKPUT_SOURCE_ST_KEY": "wrong"}
    ran = bulkput("upload", f"swift://{container}/", f"swift://{container}/", environ=wrong)
    assert ran.exit_code == 3, ran.err
    assert swift.auth_url in ran.err and "wrong" not in ran.err
    assert container not in SwiftJudge(rgw.auth_url, rgw.user, rgw.key).containers()
