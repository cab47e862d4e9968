"""`bulkput doctor swift://...` against real servers, healthy and broken. Nothing of the probe stays."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime

import pytest

from bulkput.policy.temp_url import Place, Wish, sign
from tests.e2e.changes_relay import Asked, PassOn, Relay, Said, relay
from tests.e2e.cli import bulkput
from tests.e2e.doctor_lines import ON_THE_WAY, PROBE, bad, commands, steps, told
from tests.servers.judge import SwiftJudge
from tests.servers.swift import RealSwift
from tests.servers.threads import tcp_server

AT_SWIFT = [
    *ON_THE_WAY, "info", "container", "quota", "put", "get", "list", "copy", "large", "latency", "latency",
    "bulk-delete", "delete",
]  # fmt: skip


@pytest.fixture
def judge(swift: RealSwift) -> SwiftJudge:
    return SwiftJudge(swift.auth_url, swift.user, swift.key)


@pytest.fixture
def container(judge: SwiftJudge) -> str:
    """An empty container."""
    name = f"doctor-{uuid.uuid4().hex[:8]}"
    judge.put(name, "", b"")
    return name


@pytest.mark.swift
def test_a_healthy_swift_passes_every_step_and_keeps_nothing(
    swift: RealSwift, container: str, judge: SwiftJudge
) -> None:
    """bulkput doctor swift://c/p: exit 0, one line for each step in order, then the command to upload"""
    judge.put(container, "p/own", b"mine")
    ran = bulkput("doctor", f"swift://{container}/p", environ=swift.environment)
    assert (ran.exit_code, ran.err) == (0, ""), ran.out
    assert [step for _, step in steps(ran)] == AT_SWIFT
    assert bad(ran) == []
    assert "1 object, 4 B, policy " in told(ran, "container")
    assert "uploads use static ones" in told(ran, "large") and "a wrong MD5 is refused" in told(ran, "large")
    assert re.search("a token that lives 2[34] h", told(ran, "login"))
    assert commands(ran) == [f"bulkput upload SOURCE swift://{container}/p"]
    assert swift.key not in ran.out and "AUTH_tk" not in ran.out
    assert judge.names(container) == ["p/own"]


@pytest.mark.swift
def test_json_has_each_step_with_its_facts(swift: RealSwift, container: str) -> None:
    """bulkput doctor --json: one object, for programs"""
    ran = bulkput("doctor", "--json", f"swift://{container}", environ=swift.environment)
    (found,) = ran.rows
    assert (ran.exit_code, found["schema"], found["verdict"], found["left"]) == (0, 1, "ok", [])
    assert [each["step"] for each in found["findings"]] == AT_SWIFT
    assert found["commands"] == [f"bulkput upload SOURCE swift://{container}"]
    facts = {each["step"]: each["facts"] for each in found["findings"]}
    assert facts["info"]["info"]["slo"]["max_manifest_segments"] == 1000
    assert facts["login"]["lives_s"] > 80_000 and facts["large"]["is_checked"] is True
    assert swift.key not in ran.out


@pytest.mark.rgw
def test_cephs_gateway_passes_every_step_and_keeps_nothing(rgw: RealSwift) -> None:
    """bulkput doctor swift://c: uploads use dynamic large objects there, since no MD5 in a manifest is checked"""
    judge, container = SwiftJudge(rgw.auth_url, rgw.user, rgw.key), f"doctor-{uuid.uuid4().hex[:8]}"
    judge.put(container, "", b"")
    ran = bulkput("doctor", f"swift://{container}/p", environ=rgw.environment)
    assert ran.exit_code == 0, ran.out
    assert ([step for _, step in steps(ran)], bad(ran)) == (AT_SWIFT, [])
    assert "Ceph's gateway" in told(ran, "info")
    assert "any MD5 is taken for true" in told(ran, "large") and "uploads use dynamic ones" in told(ran, "large")
    assert judge.names(container) == []


@pytest.mark.swift
def test_a_port_where_nothing_listens_fails_at_connect(swift: RealSwift, container: str) -> None:
    """bulkput doctor with ST_AUTH at a wrong port: exit 3, and no later step is tried"""
    with tcp_server(lambda _: None) as server:
        pass  # its port is free again
    ran = bulkput("doctor", f"swift://{container}", environ={**swift.environment, "ST_AUTH": f"{server.url}/auth/v1.0"})
    assert (ran.exit_code, steps(ran)[-1]) == (3, ("fail", "connect")), ran.out
    assert "nothing listens on port" in told(ran, "connect")
    assert commands(ran)[-1] == f"bulkput doctor swift://{container}"


def hour_ahead(asked: Asked, pass_on: PassOn) -> Said:
    said = pass_on(asked)
    said.headers["Date"] = format_datetime(
        parsedate_to_datetime(said.headers["Date"]) + timedelta(hours=1), usegmt=True
    )
    return said


@pytest.mark.swift
def test_a_clock_an_hour_off_is_a_warning(swift: RealSwift, container: str) -> None:
    """bulkput doctor: exit 1, and every other step passes"""
    with relay(swift.auth_url, hour_ahead) as relayed:
        ran = bulkput("doctor", f"swift://{container}", environ={**swift.environment, "ST_AUTH": relayed.auth_url})
    assert (ran.exit_code, set(bad(ran))) == (1, {("warn", "clock")}), ran.out
    assert "its clock is 1 h ahead of this machine's" in ran.out
    assert "timedatectl" in commands(ran)


@pytest.mark.swift
def test_a_full_quota_fails(swift: RealSwift, judge: SwiftJudge) -> None:
    """bulkput doctor: exit 3, by what the container says and by the refused PUT; reading steps go on"""
    container = f"doctor-{uuid.uuid4().hex[:8]}"
    judge.put(container, "", b"", fields={"X-Container-Meta-Quota-Bytes": "1000"})
    judge.put(container, "own", b"x" * 1000)
    ran = bulkput("doctor", f"swift://{container}", environ=swift.environment)
    assert (ran.exit_code, bad(ran)) == (3, [("fail", "quota"), ("fail", "put")]), ran.out
    assert "container: 0 B left of 1000 B" in told(ran, "quota")
    assert "413 Upload exceeds quota." in told(ran, "put") and "ask for a higher quota" in told(ran, "put")
    assert commands(ran)[0].startswith(f"swift post {container} --meta quota-bytes:")
    assert judge.names(container) == ["own"]


@pytest.mark.swift
def test_the_quota_of_the_account_is_shown_to_its_users(swift: RealSwift) -> None:
    """bulkput doctor: a reseller has set it, here for an account of its own"""
    admin = SwiftJudge(swift.auth_url, "admin:admin", "admin")
    admin.put("doctor", "", b"")
    status, _, _ = admin._request("POST", "", None, {"X-Account-Quota-Bytes": "8192", "X-Account-Quota-Count": "9"})
    assert status == 204
    ran = bulkput(
        "doctor",
        "--read-only",
        "swift://doctor",
        environ={**swift.environment, "ST_USER": "admin:admin", "ST_KEY": "admin"},
    )
    assert ran.exit_code == 0, ran.out
    assert "account: 8.0 KiB left of 8.0 KiB; account: 9 objects left of 9" in told(ran, "quota")


@pytest.mark.swift
def test_a_user_who_may_only_read_fails_at_put(swift: RealSwift, judge: SwiftJudge) -> None:
    """bulkput doctor as another user of the account: exit 3, with the command for the container's owner"""
    container = f"doctor-{uuid.uuid4().hex[:8]}"
    judge.put(container, "", b"", fields={"X-Container-Read": "test:reader"})
    reader = {**swift.environment, "ST_USER": "test:reader", "ST_KEY": "reading"}
    ran = bulkput("doctor", f"swift://{container}", environ=reader)
    assert (ran.exit_code, bad(ran)) == (3, [("fail", "put")]), ran.out
    assert "403 Forbidden" in told(ran, "put")
    assert commands(ran)[0].startswith(f"swift post {container} --write-acl test:reader")
    assert judge.names(container) == []


@pytest.mark.swift
def test_a_user_who_may_only_write_is_warned_and_leaves_nothing(swift: RealSwift, judge: SwiftJudge) -> None:
    """bulkput doctor: the container, GET, list and COPY are refused; the probe is removed all the same"""
    container = f"doctor-{uuid.uuid4().hex[:8]}"
    judge.put(container, "", b"", fields={"X-Container-Write": "test:reader"})
    writer = {**swift.environment, "ST_USER": "test:reader", "ST_KEY": "reading"}
    ran = bulkput("doctor", f"swift://{container}", environ=writer)
    assert ran.exit_code == 1, ran.out
    assert {("warn", "container"), ("warn", "get"), ("warn", "list")} <= set(bad(ran)), ran.out
    assert ("ok", "put") in steps(ran) and ("ok", "delete") in steps(ran)
    assert judge.names(container) == []


@pytest.mark.swift
def test_a_container_that_is_not_there_is_not_made(swift: RealSwift, judge: SwiftJudge) -> None:
    """bulkput doctor swift://not-there: exit 1, and the command that makes it"""
    name = f"doctor-{uuid.uuid4().hex[:8]}"
    ran = bulkput("doctor", f"swift://{name}/p", environ=swift.environment)
    assert (ran.exit_code, bad(ran)) == (1, [("warn", "container")]), ran.out
    assert commands(ran) == [f"swift post {name}", f"bulkput doctor swift://{name}/p"]
    assert judge._request("HEAD", f"/{name}")[0] == 404


@pytest.mark.swift
def test_a_wrong_password_fails_at_the_login(swift: RealSwift) -> None:
    """bulkput doctor: exit 3; the password is not shown"""
    ran = bulkput("doctor", "swift://c", environ={**swift.environment, "ST_KEY": "not-this-one"})
    assert (ran.exit_code, steps(ran)[-1]) == (3, ("fail", "login")), ran.out
    assert "check ST_USER and ST_KEY" in told(ran, "login") and "not-this-one" not in ran.out


@pytest.mark.swift
def test_a_temporary_url_is_looked_at_without_credentials(container: str, judge: SwiftJudge) -> None:
    """bulkput doctor tempurl://, and of the URL itself: exit 0; with another key, exit 3. Nothing is written"""
    judge.set_key("the key", container)
    place = Place(storage_url=judge.storage_url, container=container, name="p/")
    urls = [
        sign(place, Wish(method="PUT", expires_s=int(time.time()) + 3600), key, "sha256").url
        for key in ("the key", "another")
    ]
    ran = bulkput("doctor", "tempurl://site/", environ={"BULKPUT_TEMPURL": urls[0]})
    assert (ran.exit_code, bad(ran)) == (0, []), ran.out
    assert [step for _, step in steps(ran)] == [*ON_THE_WAY, "container", "put"]
    assert "the store takes the signature, which ends in" in told(ran, "container")
    assert "whether uploads work is not proven" in ran.out
    assert commands(ran) == ["bulkput upload SOURCE tempurl://site/"]
    refused = bulkput("doctor", urls[1])
    assert (refused.exit_code, bad(refused)) == (3, [("fail", "container")]), refused.out
    assert "the store refuses the temporary URL" in told(refused, "container")
    assert commands(refused) == [f"bulkput doctor '{place.root}/p/?temp_url_sig=...'"]
    for said, url in ((ran, urls[0]), (refused, urls[1])):
        assert re.findall(r"temp_url_sig=([^&]+)", url)[0] not in said.out
    assert judge.names(container) == []


@contextmanager
def watched(swift: RealSwift, meddle: Callable[[Asked, PassOn], Said]) -> Iterator[tuple[Relay, dict[str, str]]]:
    """A relay, and the variables that lead through it."""
    with relay(swift.auth_url, meddle) as relayed:
        yield relayed, {**swift.environment, "ST_AUTH": relayed.auth_url}


@pytest.mark.swift
@pytest.mark.parametrize("field", ["X-Versions-Location", "X-History-Location", "X-Versions-Enabled"])
def test_nothing_is_written_where_old_versions_are_kept(swift: RealSwift, judge: SwiftJudge, field: str) -> None:
    """bulkput doctor: exit 1; a probe would stay as an old version, so only looks are timed"""
    container = f"doctor-{uuid.uuid4().hex[:8]}"
    judge.put(f"{container}-old", "", b"")
    judge.put(container, "", b"", fields={field: f"{container}-old"} if field.endswith("Location") else {})

    def tell(asked: Asked, pass_on: PassOn) -> Said:
        said = pass_on(asked)
        if field == "X-Versions-Enabled" and asked.path.endswith(container):  # as Swift says with object_versioning
            said.headers[field] = "True"
        return said

    with watched(swift, tell) as (relayed, environ):
        ran = bulkput("doctor", f"swift://{container}", environ=environ)
    assert (ran.exit_code, bad(ran)) == (1, [("warn", "container")]), ran.out
    assert steps(ran)[-1] == ("ok", "latency")
    assert {asked.method for asked in relayed.asked} == {"GET", "HEAD"}


@pytest.mark.swift
def test_read_only_writes_nothing(swift: RealSwift, container: str) -> None:
    """bulkput doctor --read-only: only GET and HEAD"""
    with watched(swift, lambda asked, pass_on: pass_on(asked)) as (relayed, environ):
        ran = bulkput("doctor", "--read-only", f"swift://{container}", environ=environ)
    assert (ran.exit_code, bad(ran)) == (0, []), ran.out
    assert "whether uploads work is not proven" in ran.out
    assert {asked.method for asked in relayed.asked} == {"GET", "HEAD"}


@pytest.mark.swift
def test_an_object_that_is_not_ours_is_not_removed(swift: RealSwift, container: str, judge: SwiftJudge) -> None:
    """bulkput doctor, while somebody overwrites the probe: exit 1, and the object stays and is named"""

    def overwrite(asked: Asked, pass_on: PassOn) -> Said:
        if asked.method == "POST" and "bulk-delete" in asked.path:  # the last request before the probe is removed
            for name in judge.names(container):
                if PROBE.fullmatch(name):
                    judge.put(container, name, b"somebody else's")
        return pass_on(asked)

    with watched(swift, overwrite) as (_, environ):
        ran = bulkput("doctor", f"swift://{container}", environ=environ)
    (left,) = judge.names(container)
    assert (ran.exit_code, bad(ran)) == (1, [("warn", "delete"), ("warn", "clean-up")]), ran.out
    assert judge.content(container, left) == b"somebody else's"
    assert left in told(ran, "clean-up") and f"bulkput rm swift://{container}/{left}" in commands(ran)


@pytest.mark.swift
def test_a_store_that_fails_in_the_middle_keeps_nothing(swift: RealSwift, container: str, judge: SwiftJudge) -> None:
    """bulkput doctor, with 503 to each GET, COPY and bulk-delete: warnings, and the probe is removed one by one"""

    def fail(asked: Asked, pass_on: PassOn) -> Said:
        is_of_probe = container in asked.path and asked.method == "GET" and "doctor-" in asked.path.rpartition("/")[2]
        if is_of_probe or asked.method in ("COPY", "POST"):
            return Said(503, b"out of order")
        return pass_on(asked)

    with watched(swift, fail) as (_, environ):
        ran = bulkput("doctor", f"swift://{container}", environ=environ)
    assert ran.exit_code == 1, ran.out
    assert {("warn", "get"), ("warn", "copy"), ("warn", "large"), ("warn", "bulk-delete")} <= set(bad(ran)), ran.out
    assert judge.names(container) == []


@pytest.mark.swift
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("held", ["PUT", "COPY"])
def test_an_interrupted_look_keeps_nothing(
    swift: RealSwift, container: str, judge: SwiftJudge, held: str, number: signal.Signals
) -> None:
    """bulkput doctor, then Ctrl-C while a request waits for its answer: exit 130; its object is removed"""
    is_held, may_answer = threading.Event(), threading.Event()

    def hold(asked: Asked, pass_on: PassOn) -> Said:
        said = pass_on(asked)
        if asked.method == held:
            is_held.set()
            may_answer.wait(20)
        return said

    with watched(swift, hold) as (_, environ):
        command = [sys.executable, "-m", "bulkput", "doctor", f"swift://{container}"]
        with subprocess.Popen(command, env={**os.environ, **environ}, stdout=-1, stderr=-1, text=True) as running:
            assert is_held.wait(30)
            running.send_signal(number)
            out, err = running.communicate(timeout=20)
        may_answer.set()
    assert running.returncode == 130, (out, err)
    assert "Interrupted" in out and "clean-up" not in out
    assert judge.names(container) == []
