"""Independent runs that share one rate: `bulkput rate` and `--rate-shared`, each a process of its own."""

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from urllib.request import urlopen

import pytest
from aiohttp import web

import bulkput
from bulkput import events as ev
from bulkput.devserver import DevServer, Handler, ResourceKind, parse_target
from bulkput.engine.stop import Stop
from bulkput.options import UploadOptions, WireOptions
from tests.conftest import environ_of
from tests.e2e.cli import Ran
from tests.e2e.cli import bulkput as run
from tests.faults.target import faulty
from tests.faults.test_run import files
from tests.servers.devserver import devserver_process
from tests.servers.rate import rate_process


@asynccontextmanager
async def counting() -> AsyncIterator[tuple[DevServer, list[float]]]:
    """A store that notes when each PUT of an object came."""
    came: list[float] = []

    async def note(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.method == "PUT" and parse_target(request.raw_path).kind is ResourceKind.OBJECT:
            came.append(time.monotonic())
        return await handler(request)

    async with faulty(note) as server:
        yield server, came


async def uploaded(folder: Path, url: str, server: DevServer, shared: str, *flags: str) -> Ran:
    words = ("upload", "--summary", "-", "--rate-shared", shared, *flags, folder, url)
    return await asyncio.to_thread(run, *words, environ=environ_of(server))


def sent(trace: Path) -> list[float]:
    """When the PUTs of a run were sent, by its `--trace`, on the clock of all runs."""
    head, *rows = map(json.loads, trace.read_text().splitlines())
    began_s = datetime.fromisoformat(head["began"]).timestamp()
    return [began_s + row["started_s"] for row in rows if row["operation"] == "put"]


def most_in_a_second(came: list[float]) -> int:
    """Of each second since the first one."""
    seconds = [sum(begin <= each < begin + 1 for each in came) for begin in came if begin >= came[0] + 1]
    return max(seconds)


async def test_three_runs_together_never_exceed_the_cap_in_any_second(tmp_path: Path) -> None:
    """200/s; each run gets its third, so that none ends long before another.

    The store counts what it has read: under load it reads late what came before, hence its twentieth more."""
    async with counting() as (server, came):
        with rate_process("--rate", "200/s") as service:
            for n in range(3):
                (tmp_path / f"{n}").mkdir()
                files(tmp_path / f"{n}", 400)
            ran = await asyncio.gather(
                *(
                    uploaded(
                        tmp_path / f"{n}",
                        f"swift://c/{n}",
                        server,
                        service.url,
                        "--trace",
                        str(tmp_path / f"{n}.trace"),
                    )
                    for n in range(3)
                )
            )
            with urlopen(service.url) as answer:
                status = json.load(answer)
    assert [each.exit_code for each in ran] == [0, 0, 0]
    assert [each.summary["uploaded"] for each in ran] == [400, 400, 400]
    assert all(each.summary["rates"]["is_shared"] for each in ran)
    assert len(came) == 1200
    assert most_in_a_second(sorted(at for n in range(3) for at in sent(tmp_path / f"{n}.trace"))) <= 200
    assert most_in_a_second(came) <= 210
    elapsed = [each.summary["elapsed_s"] for each in ran]
    assert min(elapsed) > 0.5 * max(elapsed)
    assert len(status["runs"]) == 3 and sum(each["total"]["objects"] for each in status["runs"]) >= 1200


async def test_a_run_alone_gets_nearly_the_whole_cap(tmp_path: Path) -> None:
    """Four fifths and more of 100/s; the requests to the service are not counted as those to the store."""
    async with counting() as (server, came):
        with rate_process("--rate", "100/s") as service:
            ran = await uploaded(files(tmp_path, 300), "swift://c", server, service.url)
    assert ran.exit_code == 0
    assert ran.summary["requests"] == {"GET": 1, "PUT": 301}
    assert 80 <= 299 / (came[-1] - came[0]) <= 105
    assert "of 100/s requests (shared with other runs)" in ran.err


async def test_a_lower_rate_of_its_own_holds_beside_the_shared_one(tmp_path: Path) -> None:
    """25/s of 1000/s."""
    async with counting() as (server, came):
        with rate_process("--rate", "1000/s") as service:
            ran = await uploaded(files(tmp_path, 50), "swift://c", server, service.url, "--rate", "25/s")
    assert ran.exit_code == 0 and 49 / (came[-1] - came[0]) <= 28


async def test_bytes_are_shared_too(tmp_path: Path) -> None:
    """A streamed file and small ones, at 1 MiB/s; requests have no cap."""
    content = os.urandom(2 * 1024 * 1024)
    (tmp_path / "large").write_bytes(content)
    async with counting() as (server, _):
        with rate_process("--bandwidth", "1M/s") as service:
            began_s = time.monotonic()
            ran = await uploaded(files(tmp_path, 5), "swift://c", server, service.url)
            took_s = time.monotonic() - began_s
            with urlopen(service.url) as answer:
                (shown,) = json.load(answer)["runs"]
    assert ran.exit_code == 0 and ran.summary["uploaded"] == 6
    assert 2 <= took_s < 20
    assert shown["total"]["bytes"] >= len(content) and shown["total"]["objects"] == 0


async def test_a_run_waits_for_a_service_that_was_killed_and_goes_on_with_the_next(tmp_path: Path) -> None:
    """It says so once, the watchdog names what it waits for, nothing is sent meanwhile, and nothing is lost."""
    warned, stalled, seen = asyncio.Event(), asyncio.Event(), []

    def watch(event: ev.Event) -> None:
        seen.append(event)
        if isinstance(event, ev.Warned):
            warned.set()
        if isinstance(event, ev.Stalled):
            stalled.set()

    async with counting() as (server, came):
        with rate_process("--rate", "100/s") as first:
            options = UploadOptions(wire=WireOptions(rate_shared=first.url), stall_s=0.5)
            running = asyncio.create_task(
                bulkput.upload(
                    files(tmp_path, 200), "swift://c", options=options, on_event=watch, environ=environ_of(server)
                )
            )
            while len(came) < 50:
                await asyncio.sleep(0.01)
            first.kill()
            killed_s = time.monotonic()
            await warned.wait()
            await stalled.wait()
        with rate_process("--rate", "100/s", port=first.port):
            again_s = time.monotonic()
            summary = await running
    assert (summary.uploaded, summary.failed, summary.retries) == (200, 0, 0)
    assert not [each for each in came if killed_s + 0.5 < each < again_s - 1]
    warnings = [event.why for event in seen if isinstance(event, ev.Warned)]
    assert len(warnings) == 2 and "does not answer" in warnings[0] and "is there again" in warnings[1]
    (told, *_) = [event for event in seen if isinstance(event, ev.Stalled)]
    words = f"waiting for the shared rate: {first.url} does not answer"
    assert words in [row.what for row in told.in_flight]


async def test_an_interrupted_run_does_not_wait_for_the_service(tmp_path: Path) -> None:
    """Each file is accounted for."""
    stop = Stop()

    def watch(event: ev.Event) -> None:
        if isinstance(event, ev.Warned):
            stop.interrupt()

    async with counting() as (server, came):
        with rate_process("--rate", "50/s") as service:
            running = asyncio.create_task(
                bulkput.upload(
                    files(tmp_path, 300),
                    "swift://c",
                    options=UploadOptions(wire=WireOptions(rate_shared=service.url)),
                    on_event=watch,
                    stop=stop,
                    environ=environ_of(server),
                )
            )
            while len(came) < 10:
                await asyncio.sleep(0.01)
            service.kill()
            summary = await running
    assert summary.adds_up and summary.exit_code == 130 and summary.failed == 0
    assert summary.uploaded == len(came) < 300


async def test_a_run_of_several_processes_is_one_row_with_all_that_they_send(tmp_path: Path) -> None:
    """--processes 2, beside a run of one process. The cap holds for all of them."""
    for n in range(2):
        (tmp_path / f"{n}").mkdir()
        files(tmp_path / f"{n}", 400)
    async with counting() as (server, came):
        with rate_process("--rate", "150/s") as service:
            ran = await asyncio.gather(
                uploaded(tmp_path / "0", "swift://c/0", server, service.url, "--processes", "2"),
                uploaded(tmp_path / "1", "swift://c/1", server, service.url),
            )
            with urlopen(service.url) as answer:
                runs = json.load(answer)["runs"]
    assert [each.exit_code for each in ran] == [0, 0] and len(came) == 800
    assert sorted(each["processes"] for each in runs) == [1, 2]
    assert all(400 <= each["total"]["objects"] <= 480 for each in runs)


def test_a_copy_within_the_store_pays_for_each_of_its_objects(tmp_path: Path) -> None:
    """Both of its ends share one run's leases."""
    with devserver_process() as server, rate_process("--rate", "1000/s") as service:
        assert run("upload", files(tmp_path, 30), "swift://c", environ=server.environment).exit_code == 0
        words = ("cp", "-r", "--rate-shared", service.url, "swift://c", "swift://d")
        ran = run(*words, environ=server.environment)
        with urlopen(service.url) as answer:
            (shown,) = json.load(answer)["runs"]
    assert ran.exit_code == 0 and "30 copied" in ran.err and "(shared with other runs)" in ran.err
    assert shown["total"]["objects"] >= 30


def test_a_removal_pays_for_each_of_its_objects(tmp_path: Path) -> None:
    """One bulk-delete removes thirty."""
    with devserver_process() as server, rate_process("--rate", "1000/s") as service:
        assert run("upload", files(tmp_path, 30), "swift://c", environ=server.environment).exit_code == 0
        ran = run("rm", "-r", "--yes", "--rate-shared", service.url, "swift://c", environ=server.environment)
        with urlopen(service.url) as answer:
            (shown,) = json.load(answer)["runs"]
    assert ran.exit_code == 0 and "30 removed" in ran.err
    assert shown["total"]["objects"] >= 30


def test_a_service_that_is_not_there_stops_the_run_before_it_begins(tmp_path: Path) -> None:
    """Exit 3 and one sentence; the store has got nothing."""
    with devserver_process() as server:
        with rate_process("--rate", "10/s") as service:
            gone = service.url
        ran = run("upload", "--rate-shared", gone, files(tmp_path, 3), "swift://c", environ=server.environment)
        listed = run("ls", "swift://c", environ=server.environment)
    assert ran.exit_code == 3
    assert ran.err == (
        f"bulkput: --rate-shared: the service of the shared rate does not answer at {gone}: cannot connect to"
        f" {gone.removeprefix('http://')}: connection refused; start it there, or correct the URL\n"
    )
    assert listed.exit_code != 0


def test_what_takes_the_connection_and_never_answers_holds_the_start_for_four_seconds(tmp_path: Path) -> None:
    """Exit 3 and one sentence; the store has got nothing."""
    with devserver_process() as server, socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began_s = time.monotonic()
        ran = run("upload", "--rate-shared", url, files(tmp_path, 3), "swift://c", environ=server.environment)
        took_s = time.monotonic() - began_s
        listed = run("ls", "swift://c", environ=server.environment)
    assert ran.exit_code == 3
    assert ran.err == (
        f"bulkput: --rate-shared: the service of the shared rate does not answer at {url} within 4 s:"
        " start it there, or correct the URL\n"
    )
    assert 4 <= took_s < 8, "the rest is the start of the command"
    assert listed.exit_code != 0


async def test_an_interrupt_ends_the_wait_for_a_silent_service_at_once(tmp_path: Path) -> None:
    """Long before the four seconds are over; nothing was sent."""
    stop, asked = Stop(), asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    async with counting() as (server, came), await asyncio.start_server(hold, "127.0.0.1", 0) as silent:
        url = "http://{}:{}".format(*silent.sockets[0].getsockname())
        options = UploadOptions(wire=WireOptions(rate_shared=url))
        running = asyncio.create_task(
            bulkput.upload(files(tmp_path, 3), "swift://c", options=options, stop=stop, environ=environ_of(server))
        )
        await asked.wait()
        stop.interrupt()
        async with asyncio.timeout(2):
            summary = await running
    assert summary.adds_up and summary.exit_code == 130 and not came


def test_another_server_at_the_url_is_no_service(tmp_path: Path) -> None:
    """A Swift answers 401 to all without a token of its own, and a path of it 404."""
    with devserver_process() as server:
        url = server.auth_url.partition("/auth")[0]
        ran = run("upload", "--rate-shared", f"{url}/auth", files(tmp_path, 3), "swift://c", environ=server.environment)
    assert ran.exit_code == 3 and "is no service of shared rates" in ran.err and "name the URL" in ran.err


@pytest.mark.parametrize(
    ("given", "told"),
    [({}, "wants a token; set BULKPUT_RATE_TOKEN"), ({"BULKPUT_RATE_TOKEN": "wrong-w0rd"}, "refuses the token of")],
    ids=["none", "another"],
)
def test_without_its_token_a_service_gives_nothing(tmp_path: Path, given: dict[str, str], told: str) -> None:
    """With it, it does. No output has one of the tokens."""
    secret = {"BULKPUT_RATE_TOKEN": "geheim-w0rt"}
    with devserver_process() as server, rate_process("--rate", "1000/s", environ=secret) as service:
        words = ("upload", "-v", "--json", "--rate-shared", service.url, files(tmp_path, 3), "swift://c")
        refused = run(*words, environ=server.environment | given)
        taken = run(*words, environ=server.environment | secret)
        shown = run("config", environ=secret)
    assert (refused.exit_code, taken.exit_code) == (3, 0) and told in refused.err
    for ran in (refused, taken, shown):
        assert "geheim-w0rt" not in ran.out + ran.err and "wrong-w0rd" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "rate needs a rate to share: --rate 500/s, --bandwidth 100M/s, or both"),
        (("--rate", "5", "--listen", "0.0.0.0:0"), "--listen 0.0.0.0:0: other machines may reach it"),
        (("--rate", "5", "--listen", "host:port"), "--listen host:port: write PORT or HOST:PORT"),
        (("--rate", "5", "--listen", "70000"), "--listen 70000: a port is a number up to 65535"),
        (("--rate", "5", "--listen", "nobody.invalid:0"), "nobody.invalid:0: no address is known for this name"),
        (("--rate", "5", "--listen", "192.0.2.7:0"), "192.0.2.7:0: this is no address of this machine"),
        (("--rate", "5", "--listen", "a..b:0"), "a..b:0: this is no name of a host"),
    ],
    ids=["no rate", "open to all", "no port", "too high a port", "no such host", "not ours", "no name"],
)
def test_mistakes_are_one_sentence_and_exit_2(words: tuple[str, ...], told: str) -> None:
    """Nothing is served."""
    ran = run("rate", *words, environ={"BULKPUT_RATE_TOKEN": "" if "0.0.0.0:0" in words else "w0rd"})
    assert ran.exit_code == 2 and told in ran.err and len(ran.err.splitlines()) == 1


def test_a_port_that_is_taken_is_a_mistake() -> None:
    """Exit 2, with the address, and what to do."""
    with rate_process("--rate", "5") as service:
        ran = run("rate", "--rate", "5", "--listen", str(service.port))
    assert (ran.exit_code, ran.out) == (2, "")
    assert ran.err == (
        f"bulkput: rate --listen 127.0.0.1:{service.port}: another program has this port:"
        " name another one, or 0 for any that is free\n"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_ends_the_service_with_exit_0(number: signal.Signals) -> None:
    """As it ends `bulkput serve`."""
    with rate_process("--rate", "5") as service:
        service.process.send_signal(number)
        assert service.process.wait(10) == 0
