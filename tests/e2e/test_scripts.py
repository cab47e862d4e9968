"""scripts/swift and scripts/rgw: what people and CI jobs may rely on, even if they or their command is killed."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from tests.servers import rgw, swift
from tests.servers.rgw import why_missing

SERVERS = {swift.SCRIPT: 5, rgw.SCRIPT: 3}

ROUND_TRIP = """
import os, sys, urllib.request
def ask(method, url, body=None, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return urllib.request.urlopen(urllib.request.Request(url, body, names, method=method))
login = ask("GET", os.environ["ST_AUTH"], X_Auth_User=os.environ["ST_USER"], X_Auth_Key=os.environ["ST_KEY"])
url, token = login.headers["X-Storage-Url"], login.headers["X-Auth-Token"]
ask("PUT", url + "/box", X_Auth_Token=token)
ask("PUT", url + "/box/a%20name", b"some bytes", X_Auth_Token=token)
print(ask("GET", url + "/box/a%20name", X_Auth_Token=token).read().decode())
sys.exit(7)
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A script, and the directory of its servers: it identifies their processes, and must be empty afterwards."""

    script: Path
    directory: Path

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.script, *arguments], capture_output=True, text=True, check=False)

    def processes(self) -> list[int]:
        """Gives the process IDs of servers below the directory and of their commands, by their environments."""
        mark = f"{self.script.name.upper()}_ROOT={self.directory}/".encode()
        found = []
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                environment = (directory / "environ").read_bytes()
            except OSError:
                continue  # it has ended, or belongs to another user
            if mark in environment:
                found.append(int(directory.name))
        return found

    def is_empty(self) -> bool:
        return self.processes() == [] and list(self.directory.iterdir()) == []


def place_of(script: Path, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    if script == rgw.SCRIPT and (reason := why_missing()):
        pytest.skip(reason)
    monkeypatch.setenv(f"{script.name.upper()}_DIR", str(directory))
    return Place(script, directory)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """scripts/swift"""
    return place_of(swift.SCRIPT, tmp_path, monkeypatch)


@pytest.fixture(
    params=[
        pytest.param(swift.SCRIPT, marks=pytest.mark.swift, id="swift"),
        pytest.param(rgw.SCRIPT, marks=pytest.mark.rgw, id="rgw"),
    ]
)
def each(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """scripts/swift, then scripts/rgw"""
    return place_of(request.param, tmp_path, monkeypatch)


def test_run_gives_its_command_a_store_and_leaves_no_process_or_file(each: Place) -> None:
    """scripts/swift run CMD: CMD stores and reads an object; its exit status is that of the script."""
    done = each.call("run", sys.executable, "-c", ROUND_TRIP)
    assert (done.returncode, done.stdout, done.stderr) == (7, "some bytes\n", "")
    assert each.is_empty()


@pytest.mark.swift
def test_sigterm_reaches_the_command_and_leaves_no_process_or_file(place: Place) -> None:
    """scripts/swift run CMD, SIGTERM: CMD handles the signal and still prints; then the servers end."""
    command = ["sh", "-c", 'trap "echo last word; exit 9" TERM; echo ready; while :; do read line; done']
    with running(place, command) as script:
        assert len(place.processes()) >= SERVERS[place.script]
        script.send_signal(signal.SIGTERM)
        assert script.communicate()[0] == "last word\n"
    assert script.returncode == 9
    assert place.is_empty()


def test_servers_and_command_end_even_when_the_script_is_killed(each: Place) -> None:
    """scripts/swift run CMD, SIGKILL: the kernel ends its children."""
    with running(
        each, ["sh", "-c", "echo ready; read -r line"]
    ) as script:  # `read` is built into the shell: no process comes or goes
        processes = each.processes()
        assert len(processes) > SERVERS[each.script]
        handles = [os.pidfd_open(pid) for pid in processes]
        script.kill()
        for handle in handles:
            assert select.select([handle], [], [], 10)[0], "a process outlived the script"
            os.close(handle)


def test_a_signal_during_the_start_leaves_no_process_or_file(each: Place) -> None:
    """scripts/swift run true, SIGTERM before all servers are up."""
    with subprocess.Popen([each.script, "run", "true"]) as script:
        while not each.processes():
            assert script.poll() is None
            time.sleep(0.01)  # no event signals the start of the first server
        script.send_signal(signal.SIGTERM)
    assert script.returncode == 128 + signal.SIGTERM
    assert each.is_empty()


@pytest.mark.swift
def test_a_server_that_does_not_start_is_named_with_its_last_output(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """scripts/swift run true with a broken memcached: fails at once, and the other servers end."""
    programs = place.directory / "programs"
    programs.mkdir()
    (programs / "memcached").write_text("#!/bin/sh\necho it is broken\nexit 3\n")
    (programs / "memcached").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    done = place.call("run", "true")
    assert (done.returncode, done.stdout) == (1, "")
    assert "memcached ended with status 3\nit is broken" in done.stderr
    assert place.processes() == []


@pytest.mark.rgw
def test_a_tool_that_fails_is_named_with_its_last_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """scripts/rgw run true with a broken radosgw-admin: the servers end."""
    place = place_of(rgw.SCRIPT, tmp_path, monkeypatch)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "radosgw-admin").write_text("#!/bin/sh\necho no user\nexit 3\n")
    (programs / "radosgw-admin").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    done = place.call("run", "true")
    assert (done.returncode, done.stdout) == (1, "")
    assert "user ended with status 3\nno user" in done.stderr
    assert place.processes() == []


def test_up_and_down_may_be_repeated(each: Place) -> None:
    """scripts/swift up; up; env; down; down: the second `up` prints the same lines, the second `down` does nothing."""
    assert (each.call("env").returncode, each.call("down").returncode) == (1, 0)
    first, second, env = each.call("up"), each.call("up"), each.call("env")
    assert len(each.processes()) >= SERVERS[each.script]
    ended = each.call("down"), each.call("down")
    assert each.processes() == []
    assert first.stdout.startswith("export ST_AUTH=http://127.0.0.1:")
    assert "/auth/v1.0\nexport ST_USER=test:tester\nexport ST_KEY=testing\n" in first.stdout
    assert first.stdout == second.stdout == env.stdout
    assert "already up" in second.stderr
    assert [done.returncode for done in (first, second, env, *ended)] == [0, 0, 0, 0, 0]
    assert "not up" in ended[1].stderr
    assert each.call("env").returncode == 1


@pytest.mark.keystone
def test_the_lines_of_up_with_keystone_are_two_logins_of_one_user(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """scripts/swift up --keystone: its variables, then those of its comment, each with rclone; down --keystone"""
    monkeypatch.setenv("KEYSTONE_TOKEN_S", "600")
    monkeypatch.setenv("RCLONE_SWIFT_ENV_AUTH", "true")
    monkeypatch.setenv("RCLONE_CONFIG", os.devnull)
    up = place.call("up", "--keystone")
    assert (up.returncode, up.stderr) == (0, "")
    assert place.call("env", "--keystone").stdout == up.stdout
    assert up.stdout.startswith("export OS_AUTH_URL=http://127.0.0.1:") and "ST_" not in up.stdout
    credential = "\n".join(line[4:] for line in up.stdout.splitlines() if line.startswith("#   "))
    assert _shell(f"{up.stdout}\nrclone mkdir :swift:box") == ""
    assert _shell(f"{up.stdout}\n{credential}\nrclone lsf :swift:") == "box/\n"
    assert _lifetime_s(dict(line.removeprefix("export ").split("=") for line in up.stdout.splitlines()[:8])) == 600
    assert place.call("down", "--keystone").returncode == 0
    assert place.processes() == []


@pytest.mark.keystone
@pytest.mark.parametrize("value", ["", "4", "1h", "-20"])
def test_a_wrong_lifetime_of_tokens_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """KEYSTONE_TOKEN_S=1h scripts/swift run --keystone true: exit 1, and nothing is left"""
    monkeypatch.setenv("KEYSTONE_TOKEN_S", value)
    done = place.call("run", "--keystone", "true")
    said = f"scripts/swift: KEYSTONE_TOKEN_S={value}: give the life of a token in whole seconds, 5 or more\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)
    assert place.is_empty()


@pytest.mark.rgw
def test_a_second_store_runs_beside_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """scripts/rgw run scripts/rgw run CMD: the second has its own ports, and ends alone. Variables of another Ceph that
    the user works with do not reach it."""
    monkeypatch.setenv("CEPH_ARGS", "--mon-host 127.0.0.1:1")
    place = place_of(rgw.SCRIPT, tmp_path, monkeypatch)
    inner = f"{place.script} run sh -c 'echo $ST_AUTH'; echo $ST_AUTH; exec curl -sf $AWS_ENDPOINT_URL/swift/info"
    done = place.call("run", "sh", "-c", inner)
    assert (done.returncode, done.stderr) == (0, "")
    second, first, info = done.stdout.splitlines()
    assert first.startswith("http://127.0.0.1:") and second.startswith("http://127.0.0.1:") and first != second
    assert '"bulk_delete"' in info
    assert place.is_empty()


@pytest.mark.parametrize(
    ("arguments", "status"), [(["--help"], 0), ([], 2), (["run"], 2), (["run", "no-such-program"], 127)]
)
def test_wrong_arguments_start_no_server(each: Place, arguments: list[str], status: int) -> None:
    """scripts/swift with wrong arguments exits with 2; a missing CMD with 127, as in a shell."""
    assert each.call(*arguments).returncode == status
    assert each.is_empty()


@pytest.mark.rgw
def test_install_says_what_is_missing_where_it_cannot_install(tmp_path: Path) -> None:
    """scripts/rgw install without apt-get and without Ceph: exit 2"""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "dirname", "id", "sed"):
        (programs / name).symlink_to(shutil.which(name) or name)
    tools = rgw.SCRIPT.with_name("tools").read_text().replace(":/usr/sbin:/sbin", "")
    (tmp_path / "tools").write_text(tools)
    (tmp_path / "tools").chmod(0o755)
    (tmp_path / "rgw").write_text(rgw.SCRIPT.read_text().replace("$repo/scripts", str(tmp_path)))
    done = subprocess.run(
        ["/bin/sh", tmp_path / "rgw", "install"],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "scripts/tools: please install these first: ceph-common ceph-mon ceph-osd radosgw "
        "(Debian: sudo apt-get install ceph-common ceph-mon ceph-osd radosgw)\n"
        "scripts/rgw: no RGW here; tests and benchmarks leave it out\n"
    )


def _lifetime_s(environ: dict[str, str]) -> float:
    """Gives the life of a new token."""
    who = {"name": environ["OS_USERNAME"], "domain": {"id": "default"}, "password": environ["OS_PASSWORD"]}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": who}}}}
    url, headers = f"{environ['OS_AUTH_URL']}/auth/tokens", {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)) as answer:
        token = json.load(answer)["token"]
    issued, expires = (datetime.fromisoformat(token[name]) for name in ("issued_at", "expires_at"))
    return (expires - issued).total_seconds()


def _shell(script: str) -> str:
    done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def running(place: Place, command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Runs `scripts/swift run COMMAND` and yields once COMMAND has printed `ready`."""
    arguments = [str(place.script), "run", *command]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as script:
        assert script.stdout is not None
        assert script.stdout.readline() == "ready\n"
        yield script
