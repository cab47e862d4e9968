"""`python -m bulkput.devserver`: the local store in a process of its own."""

import ast
import asyncio
import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import bulkput.devserver
from bulkput.devserver import DevServer, DevServerOptions, Latency, serve
from bulkput.devserver.__main__ import parse_latency


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bulkput.devserver", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    with start("--until-stdin-closes", "--latency", "put=0.01,head=0.02") as process:
        yield process
        process.kill()


def ready_line(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def log_in(line: dict[str, object]) -> str:
    request = urllib.request.Request(
        str(line["auth_url"]), headers={"X-Auth-User": str(line["user"]), "X-Auth-Key": str(line["key"])}
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.headers["X-Storage-Url"]


def test_the_ready_line_has_the_url_of_a_listening_server(process: subprocess.Popen[str]) -> None:
    """A login works as soon as the JSON line is printed."""
    line = ready_line(process)
    assert log_in(line) == line["storage_url"]
    assert str(line["port"]) in str(line["auth_url"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_with_exit_code_0(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Nothing is printed on stderr."""
    ready_line(process)
    process.send_signal(number)
    assert process.stderr is not None
    assert (process.wait(10), process.stderr.read()) == (0, "")


def test_the_server_ends_with_its_parent(process: subprocess.Popen[str]) -> None:
    """A killed parent closes the pipe, so no orphan keeps the port."""
    ready_line(process)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(10) == 0


@pytest.mark.parametrize("arguments", [["--host", "0.0.0.0"], ["--latency", "brew=1"], ["--latency", "put=-1"]])
def test_an_invalid_option_is_one_sentence_and_exit_code_2(arguments: list[str]) -> None:
    """There is no traceback."""
    with start(*arguments) as process:
        assert process.wait(20) == 2
        assert process.stderr is not None
        text = process.stderr.read()
    assert ("error: " in text, "Traceback" in text) == (True, False)


def test_latencies_are_parsed_per_verb() -> None:
    """They come in one argument or in several; the last value of a verb counts."""
    assert parse_latency(["put=0.27,head=0.03", "PUT=1"]) == Latency(put=1.0, head=0.03)
    for wrong in ("put", "put=x", "brew=1", ""):
        with pytest.raises(ValueError):
            parse_latency([wrong])


async def test_serve_reports_readiness_and_ends_at_a_signal() -> None:
    """`bulkput serve` calls it; the signal handlers are restored at the end."""
    ports: list[int] = []

    def ready(server: DevServer) -> None:
        ports.append(server.port)
        asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGTERM)

    await asyncio.wait_for(serve(DevServerOptions(), ready=ready), 10)
    assert ports[0] > 0
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_a_port_in_use_is_an_os_error() -> None:
    """The first server keeps running."""
    async with DevServer() as first:
        with pytest.raises(OSError, match="address already in use"):
            async with DevServer(DevServerOptions(port=first.port)):
                pass


async def test_using_an_unstarted_server_raises_runtime_error() -> None:
    """The message names `async with`."""
    with pytest.raises(RuntimeError, match="async with"):
        _ = DevServer().traffic


def test_the_devserver_imports_no_client_code() -> None:
    """It uses only its own folder, the standard library, aiohttp and, if installed, uvloop."""
    roots: set[str] = set()
    for path in Path(bulkput.devserver.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Import(names=names):
                    roots.update(name.name for name in names)
                case ast.ImportFrom(module=module, level=0):
                    roots.add(str(module))
                case ast.ImportFrom(level=level):
                    assert level == 1, path
    foreign = {root for root in roots if root.partition(".")[0] not in sys.stdlib_module_names}
    assert foreign == {"aiohttp", "uvloop"}
