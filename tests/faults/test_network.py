"""A proxy breaks the network in front of a real nginx and a real Swift: every object is stored, the exit code is 0."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bulkput import events as ev
from bulkput.engine.open_store import connected
from bulkput.options import RetryOptions, UploadOptions, WireOptions
from bulkput.testing.given import HEADERS, whole
from tests.faults.target import NginxTarget, SwiftTarget, Target, judged, make_tree, new_place, upload
from tests.ledger import Ledger
from tests.servers.faultproxy import Cut, Delay, Fault, FaultProxy, Flip, Mute, Pieces, Plan, Say, Trickle, always, mix
from tests.servers.nginx import NginxDav
from tests.servers.swift import RealSwift

FILE_SIZE = 6000
QUICK_TIMEOUT_S = {"nginx": 0.5, "swift": 2.0}
"""Request timeout per server. A healthy Swift answers in a tenth of it on two busy cores."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A target, a tree that it stores within about a second, and the number of requests in flight."""

    target: Target
    tree: Path
    concurrency: int

    @property
    def wire(self) -> WireOptions:
        return WireOptions(concurrency=self.concurrency)

    def some(self, fault: Fault) -> Plan:
        """Plans `fault` first for connections that have carried a request, then for new ones."""
        return always(fault, skip=self.target.prepares + self.concurrency, at_most=self.concurrency + 8)

    @asynccontextmanager
    async def behind(self, plan: Plan, *, receive_buffer: int | None = None) -> AsyncIterator[FaultProxy]:
        host, port = await asyncio.to_thread(lambda: self.target.address)
        async with FaultProxy(host, port, plan, receive_buffer=receive_buffer) as proxy:
            yield proxy


@pytest.fixture
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Ground:
    """Chosen by the server's name. Swift gets fewer files: it stores 70 objects/s on two cores, nginx thousands."""
    server = request.getfixturevalue(request.param)
    if request.param == "nginx":
        return Ground(NginxTarget(server, new_place()), make_tree(tmp_path / "tree", 120, FILE_SIZE), 16)
    return Ground(SwiftTarget(server, new_place()), make_tree(tmp_path / "tree", 20, FILE_SIZE), 8)


def on_each(name: str, *, nginx: Sequence[object], swift: Sequence[object]) -> pytest.MarkDecorator:
    """Runs a test with each server and its own faults. Swift is slow and gets only those that differ from nginx."""
    cases = [pytest.param("nginx", one, marks=pytest.mark.nginx, id=f"nginx-{one}") for one in nginx]
    cases += [pytest.param("swift", one, marks=pytest.mark.swift, id=f"swift-{one}") for one in swift]
    return pytest.mark.parametrize(("ground", name), cases, indirect=["ground"])


BREAKS = [Cut("before the request"), Cut("in the request", after=3000), Cut("before the answer"), Cut("in the answer")]


@on_each("fault", nginx=[*BREAKS, Cut("in the answer", "FIN"), Delay(0.1), Pieces(1)], swift=[*BREAKS[1:], Pieces(1)])
async def test_a_broken_or_slow_connection_loses_no_object(ground: Ground, ledger: Ledger, fault: Fault) -> None:
    """At each moment of a request: bulkput resends an unanswered request and waits for a slow answer."""
    async with ground.behind(ground.some(fault)) as proxy:
        ran = await upload(ground.tree, ground.target, proxy.port, wire=ground.wire)
    row = await judged(ledger, str(fault), ground.tree, ground.target, ran)
    assert proxy.count.faults[str(fault)] >= ground.concurrency
    assert row.is_whole, row


@on_each("by", nginx=["RST", "FIN"], swift=["FIN"])
async def test_stale_connections_lose_no_object(ground: Ground, ledger: Ledger, by: str) -> None:
    """The server silently closes each kept-alive connection before its second request."""
    fault = Cut("before the request", "RST" if by == "RST" else "FIN")
    async with ground.behind(always(fault, from_request=2)) as proxy:
        ran = await upload(ground.tree, ground.target, proxy.port, wire=ground.wire)
    row = await judged(ledger, f"stale kept-alive, {by}", ground.tree, ground.target, ran)
    assert proxy.count.faults[str(fault)] >= row.objects // 2
    assert row.is_whole, row


@pytest.mark.nginx
async def test_stale_connections_cost_no_attempt(nginx: NginxDav) -> None:
    """Without any retries, no PUT fails as long as new connections work."""
    target = NginxTarget(nginx, new_place())
    wire, once = WireOptions(concurrency=8), RetryOptions(retries=0)
    async with FaultProxy(*target.address, always(Cut("before the request"), from_request=2)) as proxy:
        destination, environ = target.by(proxy.port)
        async with connected(destination, wire=wire, retry=once, environ=environ) as (store, _):
            await asyncio.gather(*(store.put(f"{n}", whole(b"x"), HEADERS) for n in range(8)))
            await store.put("last", whole(b"x"), HEADERS)


@on_each("fault", nginx=[Mute(), Trickle()], swift=[Mute()])
async def test_a_hanging_server_loses_no_object(ground: Ground, ledger: Ledger, fault: Mute | Trickle) -> None:
    """Each hanging request meets its deadline and is sent again."""
    timeout_s = QUICK_TIMEOUT_S[ground.target.name]
    wire = WireOptions(concurrency=ground.concurrency, timeout_s=timeout_s, min_rate=1024 * 1024)
    async with ground.behind(always(fault, skip=ground.target.prepares, at_most=6)) as proxy:
        ran = await upload(ground.tree, ground.target, proxy.port, wire=wire)
    row = await judged(ledger, str(fault), ground.tree, ground.target, ran)
    assert proxy.count.faults[str(fault)] == 6
    assert row.is_whole, row


@on_each("when", nginx=["from the start", "in the middle"], swift=["in the middle"])
async def test_connections_refused_for_a_while_lose_no_object(ground: Ground, ledger: Ledger, when: str) -> None:
    """No server listens until the client has tried three times."""
    at = {"from the start": 0, "in the middle": 10}[when]
    refused: list[str] = []
    uploaded = 0

    def watch(event: ev.Event) -> None:
        nonlocal uploaded
        match event:
            case ev.Uploaded():
                uploaded += 1
                if uploaded == at:
                    proxy.refuse()
            case ev.Retrying() if "connection refused" in str(event.error):
                refused.append(event.error.key)
                if len(refused) == 3:
                    proxy.listen()

    async with ground.behind(Plan()) as proxy:
        if at == 0:
            proxy.refuse()
        ran = await upload(ground.tree, ground.target, proxy.port, wire=ground.wire, on_event=watch)
    row = await judged(ledger, f"connection refused {when}", ground.tree, ground.target, ran)
    assert len(refused) >= 3
    assert row.is_whole, row


EARLY = Say(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
HALF = Cut("in the request", after=2_000_000)


@on_each("fault", nginx=[EARLY, HALF, replace(HALF, by="FIN")], swift=[EARLY, HALF])
async def test_a_large_body_that_is_cut_off_or_unread_is_sent_again_whole(
    ground: Ground, ledger: Ledger, tmp_path: Path, fault: Say | Cut
) -> None:
    """The connection breaks in the body, or the server answers 201 at its first bytes and stores nothing."""
    tree = make_tree(tmp_path / "large", 3, 8_000_000)
    plan = always(fault, skip=ground.target.prepares, at_most=5)
    async with ground.behind(plan, receive_buffer=64 * 1024) as proxy:
        ran = await upload(tree, ground.target, proxy.port, wire=replace(ground.wire, examines_http=False))
    row = await judged(ledger, f"{fault}, 8 MB", tree, ground.target, ran)
    assert proxy.count.faults[str(fault)] == 5
    assert row.is_whole, row


@pytest.mark.swift
@pytest.mark.parametrize(("count", "size"), [(20, FILE_SIZE), (3, 3_000_000)], ids=["small", "streamed"])
async def test_damaged_bytes_are_sent_again(
    swift: RealSwift, ledger: Ledger, tmp_path: Path, count: int, size: int
) -> None:
    """Swift refuses a small object by its ETag (422); the answer's ETag reveals a damaged streamed one."""
    ground = Ground(SwiftTarget(swift, new_place()), make_tree(tmp_path / "tree", count, size), 8)
    async with ground.behind(always(Flip(4000), skip=1, at_most=6)) as proxy:
        ran = await upload(ground.tree, ground.target, proxy.port, wire=ground.wire)
    row = await judged(ledger, f"{Flip(0)}, {size} bytes", ground.tree, ground.target, ran)
    assert proxy.count.faults[str(Flip(0))] == 6
    assert row.is_whole, row


@pytest.mark.swift
async def test_a_streamed_object_that_failed_as_damaged_is_not_in_the_store(
    swift: RealSwift, ledger: Ledger, tmp_path: Path
) -> None:
    """A streamed PUT carries no ETag, so Swift stores any bytes; bulkput removes them again."""
    ground = Ground(SwiftTarget(swift, new_place()), make_tree(tmp_path / "tree", 2, 3_000_000), 8)
    options = UploadOptions(retry=RetryOptions(retries=1, base_s=0.01))
    async with ground.behind(always(Flip(4000), skip=1)) as proxy:
        ran = await upload(ground.tree, ground.target, proxy.port, wire=ground.wire, options=options)
    row = await judged(ledger, "flips a bit of each body, 3000000 bytes", ground.tree, ground.target, ran)
    if (row.uploaded, row.exit_code) != (0, 1):
        pytest.fail(f"not even honest: {row}")
    assert row.wrong == 0, row


@on_each("transport", nginx=["wire", "aiohttp"], swift=["wire"])
async def test_a_bad_network_loses_no_object(ground: Ground, ledger: Ledger, transport: str) -> None:
    """Each request draws a reset, a delay or neither; `rclone check` finds no difference afterwards."""
    wire = WireOptions(transport="wire" if transport == "wire" else "aiohttp")
    async with ground.behind(mix(p_reset=0.15, p_delay=0.15, delay_s=0.05, seed=1, per="request")) as proxy:
        ran = await upload(ground.tree, ground.target, proxy.port, wire=wire)
    row = await judged(ledger, f"resets and delays at random, {transport}", ground.tree, ground.target, ran)
    assert sum(proxy.count.faults.values()) >= 5 and len(proxy.count.faults) >= 3
    assert row.is_whole, row
    check = await asyncio.to_thread(_rclone_check, ground.tree, ground.target)
    assert check.returncode == 0 and f"{row.objects} matching files" in check.stderr, check.stderr


def _rclone_check(tree: Path, target: Target) -> subprocess.CompletedProcess[str]:
    environ = {"RCLONE_CONFIG": os.devnull}
    match target:
        case SwiftTarget(server, place):
            where = f":swift:{place}"
            environ |= {"RCLONE_SWIFT_AUTH": server.auth_url, "RCLONE_SWIFT_USER": server.user}
            environ |= {"RCLONE_SWIFT_KEY": server.key}
        case NginxTarget():
            where = str(target.root)
        case _:
            raise AssertionError(target)
    return subprocess.run(
        ["rclone", "check", str(tree), where],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
