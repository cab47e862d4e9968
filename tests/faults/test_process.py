"""Processes are killed, disks are full, host names do not resolve: bulkput reports what is stored and what is not."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bulkput import events as ev
from bulkput import upload as upload_to
from bulkput.devserver import DevServer
from bulkput.options import RetryOptions, UploadOptions, WireOptions
from tests.e2e.cli import bulkput
from tests.faults.target import NginxTarget, Ran, SwiftTarget, Target, contents, judged, make_tree, new_place, upload
from tests.ledger import Ledger, Row
from tests.servers.certificates import make_authority
from tests.servers.faultprocess import ProxyProcess
from tests.servers.faultproxy import FaultProxy, Mute, always
from tests.servers.nginx import nginx_dav
from tests.servers.swift import RealSwift


@pytest.mark.parametrize(
    ("server", "count", "concurrency"),
    [
        pytest.param("nginx", 300, 16, marks=pytest.mark.nginx),
        pytest.param("swift", 20, 8, marks=pytest.mark.swift),
    ],
)
async def test_a_balancer_that_is_killed_and_restarted_loses_no_object(
    request: pytest.FixtureRequest, ledger: Ledger, tmp_path: Path, server: str, count: int, concurrency: int
) -> None:
    """The proxy gets SIGKILL midway; it restarts on its port after three refused connections."""
    real = request.getfixturevalue(server)
    target: Target = NginxTarget(real, new_place()) if server == "nginx" else SwiftTarget(real, new_place())
    tree = make_tree(tmp_path / "tree", count, 6000)
    restarts: list[asyncio.Task[None]] = []
    uploaded = missed = 0

    def watch(event: ev.Event) -> None:
        nonlocal uploaded, missed
        match event:
            case ev.Uploaded():
                uploaded += 1
                if uploaded == 5:
                    asyncio.get_running_loop().call_soon(proxy.kill)
            case ev.Retrying() if "connection refused" in str(event.error):
                missed += 1
                if missed == 3:
                    restarts.append(asyncio.create_task(asyncio.to_thread(proxy.start)))

    with await asyncio.to_thread(lambda: ProxyProcess(*target.address)) as proxy:
        retry = RetryOptions(base_s=0.05, cap_s=1.0)
        wire = WireOptions(concurrency=concurrency)
        ran = await upload(tree, target, proxy.port, wire=wire, options=UploadOptions(retry=retry), on_event=watch)
        await asyncio.gather(*restarts)
        count_since = await asyncio.to_thread(proxy.stop)
    row = await judged(ledger, "proxy killed and restarted", tree, target, ran)
    assert len(restarts) == 1 and count_since.requests >= row.objects // 2
    assert row.is_whole, row


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "none", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small file system to fill needs root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


FULL = RetryOptions(retries=2, base_s=0.001)


@pytest.mark.nginx
async def test_each_file_that_a_full_disk_refuses_is_reported_as_failed(
    small_disk: Path, ledger: Ledger, tmp_path: Path
) -> None:
    """nginx answers 500: each uploaded object is whole, each other file is a failure, and the exit code is 1."""
    tree = make_tree(tmp_path / "tree", 100, 20_000)
    with nginx_dav(small_disk / "files") as server:
        target = NginxTarget(server, "full")
        port = target.address[1]
        ran = await upload(tree, target, port, wire=WireOptions(concurrency=8), options=UploadOptions(retry=FULL))
        row = await judged(ledger, "disk full for good", tree, target, ran)
    assert row.is_honest and 10 < row.uploaded < 60 and row.exit_code == 1, row
    assert ran.summary.failed == 100 - row.uploaded
    assert all(": 500 Internal Server Error" in failure.error for failure in ran.summary.failures)


@pytest.mark.nginx
async def test_a_disk_that_is_full_for_a_while_loses_no_object(
    small_disk: Path, ledger: Ledger, tmp_path: Path
) -> None:
    """The disk gets free space after ten failed attempts."""
    tree = make_tree(tmp_path / "tree", 30, 20_000)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(800_000))
    failed = 0

    def watch(event: ev.Event) -> None:
        nonlocal failed
        failed += isinstance(event, ev.Retrying)
        if failed == 10:
            asyncio.get_running_loop().call_soon(ballast.unlink, True)

    with nginx_dav(small_disk / "files") as server:
        target = NginxTarget(server, "full")
        port = target.address[1]
        ran = await upload(tree, target, port, wire=WireOptions(concurrency=8), on_event=watch)
        row = await judged(ledger, "disk full for a while", tree, target, ran)
    assert failed >= 10 and row.is_whole, row


def noted(ledger: Ledger, fault: str, tree: Path, target: Target, rows: list[dict[str, Any]], code: int) -> Row:
    """Compares the store with the rows of `--json`. A killed run reports no requests, so these count as 0."""
    uploaded = [row["key"] for row in rows if row["event"] == "uploaded"]
    source, stored = contents(tree), target.stored()
    return ledger.note(
        fault, target.name, source=source, stored=stored, uploaded=uploaded, tried=0, puts=0, exit_code=code
    )


async def killed(
    command: list[str], environ: Mapping[str, str], signals: list[int], *, after: int
) -> tuple[int, list[Any]]:
    """Starts a run and sends it `signals[0]` after `after` uploads; gives its exit code and rows.

    Each later signal follows the message that the run prints about the one before.
    """
    rows: list[Any] = []
    run = await asyncio.create_subprocess_exec(*command, env={**os.environ, **environ}, stdout=PIPE, stderr=PIPE)
    assert run.stdout is not None and run.stderr is not None
    while sum(row["event"] == "uploaded" for row in rows) < after:
        rows.append(json.loads(await run.stdout.readline()))
    run.send_signal(signals[0])
    for number in signals[1:]:
        assert b"interrupt again to leave now" in await run.stderr.readline()
        run.send_signal(number)
    out, err = await run.communicate()
    assert b"Traceback" not in err
    assert run.returncode is not None
    return run.returncode, rows + [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize(
    ("fault", "signals", "exit_code"),
    [("SIGINT twice", [signal.SIGINT, signal.SIGINT], 130), ("SIGKILL", [signal.SIGKILL], -signal.SIGKILL)],
)
async def test_a_run_that_is_killed_has_reported_no_false_success(
    devserver: DevServer, ledger: Ledger, tmp_path: Path, fault: str, signals: list[int], exit_code: int
) -> None:
    """bulkput upload --json, killed while its requests hang: no object is partial; a second run stores the rest."""
    tree = make_tree(tmp_path / "tree", 60, 1000)
    account = RealSwift(devserver.auth_url, devserver.options.user, devserver.options.key)
    target = SwiftTarget(account, "c", "devserver")
    hangs = always(Mute(), skip=target.prepares + 20)
    async with FaultProxy("127.0.0.1", devserver.port, hangs) as proxy:
        destination, environ = await asyncio.to_thread(target.by, proxy.port)
        command = [sys.executable, "-m", "bulkput", "upload", str(tree), destination, "--json", "--concurrency", "4"]
        code, rows = await killed(command, environ, signals, after=20)
    row = await asyncio.to_thread(noted, ledger, fault, tree, target, rows, code)
    assert row.is_honest and (row.uploaded, row.exit_code) == (20, exit_code), row
    ran = await upload(tree, target, devserver.port, wire=WireOptions())
    row = await judged(ledger, f"{fault}, then run again", tree, target, ran)
    assert row.is_honest and row.exit_code == 0, row
    assert await asyncio.to_thread(target.stored) == contents(tree)


def test_a_login_host_that_does_not_resolve_stops_a_swift_run(tmp_path: Path) -> None:
    """bulkput upload with an unresolvable ST_AUTH: exit code 3 and one line that names the host."""
    tree = make_tree(tmp_path / "tree", 5, 10)
    environ = {"ST_AUTH": "http://nowhere.invalid/auth/v1.0", "ST_USER": "a:b", "ST_KEY": "c"}
    ran = bulkput("upload", tree, "swift://c", "--retries", "0", "--summary", "-", environ=environ)
    assert ran.exit_code == 3 and "Traceback" not in ran.err
    assert "cannot resolve host name nowhere.invalid" in ran.err
    assert ran.summary["uploaded"] == 0 and "cannot resolve" in ran.summary["stopped"]


@pytest.mark.parametrize(("count", "exit_code"), [(5, 1), (200, 3)])
async def test_a_plain_http_host_that_does_not_resolve_fails_each_object(
    tmp_path: Path, count: int, exit_code: int
) -> None:
    """Each failure names the host; 128 failures in a row mean that the store is gone and stop the run."""
    tree = make_tree(tmp_path / "tree", count, 10)
    options = UploadOptions(retry=RetryOptions(retries=0))
    summary = await upload_to([tree], "http://nowhere.invalid/", options=options, environ={})
    assert (summary.uploaded, summary.exit_code) == (0, exit_code)
    assert all("cannot resolve host name nowhere.invalid" in failure.error for failure in summary.failures)
    assert summary.failed >= min(count, 128)


@pytest.mark.nginx
async def test_a_certificate_of_another_host_stops_the_run_before_any_request(ledger: Ledger, tmp_path: Path) -> None:
    """The exit code is 3 although retries are left: no token and no body reaches the wrong host."""
    tree = make_tree(tmp_path / "tree", 100, 1000)
    (tmp_path / "authority").mkdir()
    certificate = make_authority(tmp_path / "authority").issue("other.example")
    wire = WireOptions(ca_file=str(certificate.authority))
    with nginx_dav(certificate=certificate) as server:
        target = NginxTarget(server, "x")
        seen: list[ev.Event] = []
        summary = await upload_to(
            [tree], f"{server.url}/x/", options=UploadOptions(wire=wire), on_event=seen.append, environ={}
        )
        row = await judged(ledger, "certificate of another host", tree, target, Ran(summary, seen))
    assert (row.uploaded, row.exit_code, summary.requests) == (0, 3, {}) and not target.stored(), row
    assert summary.stopping is not None and "TLS certificate of 127.0.0.1 not accepted" in summary.stopping.why
