"""scripts/swift: what a person or a CI job may rely on, whatever happens to it or to what it runs."""

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
    """Where every Swift of this test lives: its processes can be told by it, and nothing may be left in it."""
    monkeypatch.setenv("SWIFT_DIR", str(tmp_path))
    return tmp_path


def test_run_stores_objects_passes_the_exit_status_on_and_leaves_nothing(place: Path) -> None:
    """A PUT and a GET inside `run` agree, CMD's status comes out, no process and no file stays."""
    done = subprocess.run(
        [SCRIPT, "run", sys.executable, "-c", ROUND_TRIP], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "some bytes\n", "")
    assert processes_of(place) == []
    assert list(place.iterdir()) == []


def test_sigterm_reaches_the_command_and_leaves_nothing(place: Path) -> None:
    """CMD gets the signal, may have the last word, and the servers are gone when the script is."""
    with running(["sh", "-c", 'trap "echo last word; exit 9" TERM; echo ready; while :; do read line; done']) as script:
        assert len(processes_of(place)) >= SERVERS
        script.send_signal(signal.SIGTERM)
        assert script.communicate()[0] == "last word\n"
    assert script.returncode == 9
    assert processes_of(place) == []
    assert list(place.iterdir()) == []


def test_servers_and_command_end_even_when_the_script_is_killed(place: Path) -> None:
    """SIGKILL leaves the script no time for anything: the kernel ends its children."""
    with running(["sh", "-c", "echo ready; read -r line"]) as script:  # no other program while we look
        processes = processes_of(place)
        assert len(processes) > SERVERS
        handles = [os.pidfd_open(pid) for pid in processes]
        script.kill()
        for handle in handles:
            assert select.select([handle], [], [], 10)[0], "a process outlived the script"
            os.close(handle)


def test_a_signal_during_the_start_leaves_nothing(place: Path) -> None:
    """Whoever loses patience while the servers come up need not clean up after them."""
    with subprocess.Popen([SCRIPT, "run", "true"]) as script:
        while not processes_of(place):
            assert script.poll() is None
            time.sleep(0.01)  # no event tells that the first server was started
        script.send_signal(signal.SIGTERM)
    assert script.returncode == 128 + signal.SIGTERM
    assert processes_of(place) == []
    assert list(place.iterdir()) == []


def test_a_server_that_does_not_start_is_named_with_its_last_words(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken memcached fails the script at once, its message on standard error, the other servers ended."""
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
    """A second `up` finds the first and prints the same lines; a second `down` has nothing to do."""
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
def test_mistakes_are_answered_before_anything_starts(place: Path, arguments: list[str], status: int) -> None:
    """Usage errors exit 2, a missing CMD exits 127 as in a shell; neither starts a server."""
    assert swift(*arguments).returncode == status
    assert list(place.iterdir()) == []


def swift(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, check=False)


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """`scripts/swift run COMMAND`, from the moment COMMAND said `ready`."""
    arguments = [SCRIPT, "run", *command]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as script:
        assert script.stdout is not None
        assert script.stdout.readline() == "ready\n"
        yield script


def processes_of(place: Path) -> list[int]:
    """The servers and the command of a Swift below `place`: each has a path in it in its environment."""
    marks = f"MEMCACHED_PORT_FILENAME={place}/".encode(), f":{place}/bulkput-swift-".encode()
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            environment = (directory / "environ").read_bytes()
        except OSError:
            continue  # ended meanwhile, or another user's
        if any(mark in environment for mark in marks):
            found.append(int(directory.name))
    return found
