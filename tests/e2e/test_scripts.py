"""scripts/swift: what people and CI jobs may rely on, even if it or its command is killed."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SCRIPT = str(Path(__file__).resolve().parents[2] / "scripts" / "swift")
SERVERS = 5

pytestmark = pytest.mark.swift

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


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the Swift: identifies its processes, and must be empty afterwards."""
    monkeypatch.setenv("SWIFT_DIR", str(tmp_path))
    return tmp_path


def test_run_gives_its_command_a_swift_and_leaves_no_process_or_file(place: Path) -> None:
    """scripts/swift run CMD: CMD stores and reads an object; its exit status is that of the script."""
    done = subprocess.run(
        [SCRIPT, "run", sys.executable, "-c", ROUND_TRIP], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "some bytes\n", "")
    assert processes_of(place) == []
    assert list(place.iterdir()) == []


def test_sigterm_reaches_the_command_and_leaves_no_process_or_file(place: Path) -> None:
    """scripts/swift run CMD, SIGTERM: CMD handles the signal and still prints; then the servers end."""
    with running(["sh", "-c", 'trap "echo last word; exit 9" TERM; echo ready; while :; do read line; done']) as script:
        assert len(processes_of(place)) >= SERVERS
        script.send_signal(signal.SIGTERM)
        assert script.communicate()[0] == "last word\n"
    assert script.returncode == 9
    assert processes_of(place) == []
    assert list(place.iterdir()) == []


def test_servers_and_command_end_even_when_the_script_is_killed(place: Path) -> None:
    """scripts/swift run CMD, SIGKILL: the kernel ends its children."""
    with running(
        ["sh", "-c", "echo ready; read -r line"]
    ) as script:  # `read` is built into the shell: no process comes or goes
        processes = processes_of(place)
        assert len(processes) > SERVERS
        handles = [os.pidfd_open(pid) for pid in processes]
        script.kill()
        for handle in handles:
            assert select.select([handle], [], [], 10)[0], "a process outlived the script"
            os.close(handle)


def test_a_signal_during_the_start_leaves_no_process_or_file(place: Path) -> None:
    """scripts/swift run true, SIGTERM before all servers are up."""
    with subprocess.Popen([SCRIPT, "run", "true"]) as script:
        while not processes_of(place):
            assert script.poll() is None
            time.sleep(0.01)  # no event signals the start of the first server
        script.send_signal(signal.SIGTERM)
    assert script.returncode == 128 + signal.SIGTERM
    assert processes_of(place) == []
    assert list(place.iterdir()) == []


def test_a_server_that_does_not_start_is_named_with_its_last_output(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """scripts/swift run true with a broken memcached: fails at once, and the other servers end."""
    programs = place / "programs"
    programs.mkdir()
    (programs / "memcached").write_text("#!/bin/sh\necho it is broken\nexit 3\n")
    (programs / "memcached").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    done = subprocess.run([SCRIPT, "run", "true"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "memcached ended with status 3\nit is broken" in done.stderr
    assert processes_of(place) == []


def test_up_and_down_may_be_repeated(place: Path) -> None:
    """scripts/swift up; up; env; down; down: the second `up` prints the same lines, the second `down` does nothing."""
    assert (swift("env").returncode, swift("down").returncode) == (1, 0)
    first, second, env = swift("up"), swift("up"), swift("env")
    assert len(processes_of(place)) >= SERVERS
    ended = swift("down"), swift("down")
    assert processes_of(place) == []
    assert first.stdout.startswith("export ST_AUTH=http://127.0.0.1:")
    assert first.stdout.endswith("/auth/v1.0\nexport ST_USER=test:tester\nexport ST_KEY=testing\n")
    assert first.stdout == second.stdout == env.stdout
    assert "already up" in second.stderr
    assert [done.returncode for done in (first, second, env, *ended)] == [0, 0, 0, 0, 0]
    assert "not up" in ended[1].stderr
    assert swift("env").returncode == 1


@pytest.mark.parametrize(
    ("arguments", "status"), [(["--help"], 0), ([], 2), (["run"], 2), (["run", "no-such-program"], 127)]
)
def test_wrong_arguments_start_no_server(place: Path, arguments: list[str], status: int) -> None:
    """scripts/swift with wrong arguments exits with 2; a missing CMD with 127, as in a shell."""
    assert swift(*arguments).returncode == status
    assert list(place.iterdir()) == []


def swift(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, check=False)


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Runs `scripts/swift run COMMAND` and yields once COMMAND has printed `ready`."""
    arguments = [SCRIPT, "run", *command]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as script:
        assert script.stdout is not None
        assert script.stdout.readline() == "ready\n"
        yield script


def processes_of(place: Path) -> list[int]:
    """Gives the process IDs of a Swift below `place`, found by paths in their environments."""
    marks = f"MEMCACHED_PORT_FILENAME={place}/".encode(), f":{place}/bulkput-swift-".encode()
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            environment = (directory / "environ").read_bytes()
        except OSError:
            continue  # it has ended, or belongs to another user
        if any(mark in environment for mark in marks):
            found.append(int(directory.name))
    return found
