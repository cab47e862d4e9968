"""Uploads to a real S3 (Ceph's gateway) that meet faults: lost 0, wrong 0, with 64 in flight."""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bulkput import events as ev
from bulkput.engine.open_store import connected
from bulkput.model import ObjectHeaders
from bulkput.options import RetryOptions, UploadOptions, WireOptions
from bulkput.testing.given import whole
from tests.faults.bucket import (
    Clock,
    Expiry,
    Meets,
    Region,
    S3Target,
    after,
    cuts_the_answer,
    port_of,
    relayed,
    resets,
    says,
    with_etag,
)
from tests.faults.target import EAGER, Ran, judged, make_tree, upload
from tests.ledger import Ledger, Row
from tests.servers.faultproxy import Cut, Delay, Fault, FaultProxy, Flip, Pieces, always, mix
from tests.servers.rgw import RealRgw
from tests.servers.s3 import RealS3
from tests.servers.s3_judges import rclone_differences

COUNT, SIZE, IN_FLIGHT = 150, 6000, 64
WIRE = WireOptions(concurrency=IN_FLIGHT)


@pytest.fixture
def target(rgw_s3: RealS3) -> S3Target:
    return S3Target.new(rgw_s3)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree", COUNT, SIZE)


# --- the network

BREAKS = [Cut("before the request"), Cut("in the request", after=3000), Cut("before the answer"), Cut("in the answer")]


@pytest.mark.rgw
@pytest.mark.parametrize("fault", [*BREAKS, Cut("in the answer", "FIN"), Delay(0.1), Pieces(1), Flip(4000)], ids=str)
async def test_a_broken_connection_a_slow_answer_and_damaged_bytes_lose_no_object(
    ledger: Ledger, target: S3Target, tree: Path, fault: Fault
) -> None:
    """First on connections that have carried a request, then on new ones. S3 refuses damaged bytes."""
    plan = always(fault, skip=IN_FLIGHT, at_most=IN_FLIGHT + 8)
    async with FaultProxy(*target.address, plan) as proxy:
        ran = await upload(tree, target, proxy.port, wire=WIRE)
    row = await judged(ledger, str(fault), tree, target, ran)
    assert proxy.count.faults[str(fault)] >= IN_FLIGHT
    assert row.is_whole, row


@pytest.mark.rgw
async def test_a_bad_network_loses_no_object(ledger: Ledger, target: S3Target, tree: Path) -> None:
    """Each request draws a reset, a delay or neither; `rclone check --download` finds no difference afterwards."""
    plan = mix(p_reset=0.15, p_delay=0.15, delay_s=0.05, seed=1, per="request")
    async with FaultProxy(*target.address, plan) as proxy:
        ran = await upload(tree, target, proxy.port, wire=WIRE)
    row = await judged(ledger, "resets and delays at random", tree, target, ran)
    assert sum(proxy.count.faults.values()) >= 20 and row.is_whole, row
    assert await asyncio.to_thread(rclone_differences, target.server, tree, target.place) == []


# --- answers

ONCE = {
    "SlowDown": says(503, "SlowDown"),
    "SlowDown, Retry-After": says(503, "SlowDown", {"Retry-After": "1"}),
    "SlowDown, 429": says(429, "TooManyRequests"),
    "503 without a document": says(503),
    "InternalError": says(500, "InternalError"),
    "RequestTimeout": says(400, "RequestTimeout"),
    "OperationAborted": says(409, "OperationAborted"),
    "BadDigest": says(400, "BadDigest"),
    "200 with an error": says(200, "InternalError"),
    "200 without an ETag, stored": with_etag(None),
    "200 with another ETag, stored": with_etag("0" * 32),
    "200 of nothing": says(200),
    "reset, not stored": resets,
    "reset, stored": after(resets),
    "answer cut, stored": cuts_the_answer,
    "InternalError, stored": after(says(500, "InternalError")),
}


async def run(
    ledger: Ledger, target: S3Target, tree: Path, intercept: object, fault: str, options: UploadOptions | None = None
) -> tuple[Row, Ran]:
    """Uploads through a relay with this intercept."""
    async with relayed(target, intercept) as running:  # type: ignore[arg-type]
        ran = await upload(tree, target, port_of(running), wire=WIRE, options=options)
    return await judged(ledger, fault, tree, target, ran), ran


@pytest.mark.rgw
@pytest.mark.parametrize("fault", ONCE)
async def test_an_answer_that_passes_loses_no_object(ledger: Ledger, target: S3Target, tree: Path, fault: str) -> None:
    """The first PUT of each object meets it."""
    meets = Meets("put", ONCE[fault])
    row, _ = await run(ledger, target, tree, meets, fault)
    assert meets.count == COUNT and row.is_whole, row


@pytest.mark.rgw
async def test_retry_after_of_slow_down_is_respected(ledger: Ledger, target: S3Target, tree: Path) -> None:
    """One second, where the pauses of ours are shorter."""
    meets = Meets("put", says(503, "SlowDown", {"Retry-After": "1"}))
    row, ran = await run(ledger, target, tree, meets, "SlowDown, Retry-After of 1 s")
    delays = [event.delay_s for event in ran.events if isinstance(event, ev.Retrying)]
    assert len(delays) == COUNT and min(delays) >= 1 and row.is_whole, row


@pytest.mark.rgw
@pytest.mark.parametrize("fault", ["SlowDown", "200 with an error", "200 of nothing", "reset, stored"])
async def test_an_answer_that_never_passes_is_told(ledger: Ledger, target: S3Target, tree: Path, fault: str) -> None:
    """Nothing is called uploaded that is not there."""
    options = UploadOptions(retry=RetryOptions(retries=1, base_s=0.01, cap_s=0.02))
    meets = Meets("put", ONCE[fault], times=None)
    row, _ = await run(ledger, target, tree, meets, f"{fault}, always", options)
    assert row.is_honest and row.uploaded < COUNT and row.exit_code != 0, row


# --- keys, regions, clocks


@pytest.fixture
def two_pairs(rgw: RealRgw, tmp_path: Path) -> "Pairs":
    """Gives keys to botocore by a program (`credential_process`): the first pair, until it is given the second one."""
    names = [f"{tmp_path.name[-20:]}-{n}" for n in "ab"]
    for name in names:
        rgw.add_keys(name, f"secret-{name}")
    return Pairs(tmp_path, *names)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Two pairs of keys of one user. The program notes each call."""

    directory: Path
    first: str
    second: str

    def environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment in which the program gives the keys."""
        program = self.directory / "program.py"
        program.write_text(
            "import pathlib\n"
            f"here = pathlib.Path({str(self.directory)!r})\n"
            "with open(here / 'calls', 'a') as calls: calls.write('.')\n"
            "print((here / 'keys.json').read_text())\n"
        )
        config = self.directory / "config"
        config.write_text(f"[default]\ncredential_process = {sys.executable} {program}\n")
        self.give(self.first)
        hidden = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        return {name: text for name, text in environ.items() if name not in hidden} | {"AWS_CONFIG_FILE": str(config)}

    def give(self, name: str) -> None:
        """The pair that the program gives from now on."""
        pair = {"Version": 1, "AccessKeyId": name, "SecretAccessKey": f"secret-{name}"}
        (self.directory / "keys.json").write_text(json.dumps(pair))

    @property
    def calls(self) -> int:
        return len((self.directory / "calls").read_text())


@dataclass(frozen=True, slots=True)
class WithPairs(S3Target):
    """The target, with keys from the program."""

    pairs: Pairs | None = None

    def by(self, port: int) -> tuple[str, Mapping[str, str]]:
        destination, environ = S3Target.by(self, port)
        assert self.pairs is not None
        return destination, self.pairs.environ(environ)


@pytest.mark.rgw
@pytest.mark.parametrize("are_newer", [True, False], ids=["newer keys", "no newer keys"])
async def test_keys_that_expire_under_64_requests_are_asked_for_once(
    ledger: Ledger, target: S3Target, tree: Path, two_pairs: Pairs, are_newer: bool
) -> None:
    """From the 40th PUT on, the store refuses the first pair. Without a newer one the run ends, and says why."""
    expiry = Expiry(two_pairs.first)
    to = WithPairs(target.server, target.place, target.name, pairs=two_pairs)

    async def renew() -> None:
        await expiry.is_met.wait()
        if are_newer:
            two_pairs.give(two_pairs.second)

    renewing = asyncio.create_task(renew())
    row, ran = await run(ledger, to, tree, expiry, f"keys expire, {'' if are_newer else 'no '}newer ones")
    await renewing
    assert 0 < expiry.refused <= 2 * IN_FLIGHT and row.is_honest, row
    if are_newer:
        assert row.is_whole and ran.summary.retries == 0 and two_pairs.calls == 2, (row, two_pairs.calls)
    else:
        assert row.exit_code != 0 and 0 < row.uploaded < 40, row
        (failed, *_) = [event for event in ran.events if isinstance(event, ev.Failed)]
        assert "have expired" in str(failed.error)


@pytest.mark.rgw
@pytest.mark.parametrize("way", [301, 400])
async def test_the_region_of_a_bucket_is_learned_once(ledger: Ledger, target: S3Target, tree: Path, way: int) -> None:
    """The bucket is not in AWS_REGION; with 64 in flight one request is refused."""
    region = Region("eu-west-9", 301 if way == 301 else 400)
    row, ran = await run(ledger, target, tree, region, f"another region, {way}")
    assert region.refused == 1 and ran.summary.retries == 0 and row.is_whole, row


@pytest.mark.rgw
async def test_many_in_flight_are_sent_again_for_what_one_of_them_has_learned(target: S3Target) -> None:
    """64 PUTs at once, without a look at the bucket before them: each is refused once, and none fails."""
    region = Region("eu-west-9", 301)
    async with relayed(target, region) as running:
        environ = {**target.server.environment, "AWS_ENDPOINT_URL": running.url}
        wire, url = WireOptions(concurrency=IN_FLIGHT, first_concurrency=IN_FLIGHT), f"s3://{target.place}"
        async with connected(url, wire=wire, retry=RetryOptions(retries=0), environ=environ) as (store, _):
            await asyncio.gather(*(store.put(f"n{n}", whole(b"%d" % n), ObjectHeaders()) for n in range(IN_FLIGHT)))
    assert region.refused > 1
    stored = await asyncio.to_thread(target.stored)
    assert stored == {f"n{n}": b"%d" % n for n in range(IN_FLIGHT)}


@pytest.mark.parametrize("ahead_s", [3600, -3600], ids=["late", "early"])
async def test_a_clock_an_hour_off_is_corrected_once(ledger: Ledger, moto: RealS3, tree: Path, ahead_s: int) -> None:
    """moto takes what is signed with another time; the relay refuses as S3 does."""
    clock = Clock(ahead_s)
    row, ran = await run(ledger, S3Target.new(moto, "moto"), tree, clock, f"clock {-ahead_s} s ahead")
    assert clock.refused == 1 and ran.summary.retries == 0 and row.is_whole, row


# --- conditions


@pytest.mark.rgw
@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (after(resets), "412 after a lost answer"),
        (says(409, "ConditionalRequestConflict"), "409, another request"),
        (after(says(503, "SlowDown")), "412 after SlowDown, stored"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_condition_refuses_no_object_that_the_same_run_has_stored(
    ledger: Ledger, target: S3Target, tree: Path, fault: object, name: str
) -> None:
    """bulkput upload --if-exists fail: a second PUT of what the first one has stored is answered by 412."""
    meets = Meets("put", fault)  # type: ignore[arg-type]
    row, _ = await run(ledger, target, tree, meets, name, replace(UploadOptions(retry=EAGER), if_exists="fail"))
    assert meets.count == COUNT and row.is_whole, row
