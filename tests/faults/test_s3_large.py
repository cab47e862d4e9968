"""Large objects, copies and removals in a real S3 (Ceph's gateway) that meet faults: lost 0, wrong 0."""

import asyncio
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

import bulkput
from bulkput import CopyOptions, RemoveOptions
from bulkput import events as ev
from bulkput.devserver import Intercept
from bulkput.options import MIB, LargeOptions, RetryOptions, UploadOptions, WireOptions
from tests.faults.bucket import (
    Expiry,
    Meets,
    S3Target,
    after,
    cuts_the_answer,
    port_of,
    relayed,
    resets,
    says,
    with_etag,
)
from tests.faults.target import Ran, contents, upload
from tests.ledger import Ledger, Row
from tests.servers.rgw import RealRgw
from tests.servers.s3 import RealS3

PART = 5 * MIB
FILES, PARTS = 3, 3
EAGER = RetryOptions(retries=4, base_s=0.01, cap_s=0.1)
LARGE = UploadOptions(retry=EAGER, large=LargeOptions(above=1, part_size=PART))
WIRE = WireOptions(concurrency=8)
pytestmark = [pytest.mark.rgw, pytest.mark.timeout(180)]


@pytest.fixture
def target(rgw_s3: RealS3) -> S3Target:
    return S3Target.new(rgw_s3)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files of three parts each, the last of which is short."""
    root = tmp_path / "tree"
    root.mkdir()
    for n in range(FILES):
        (root / f"f{n}").write_bytes(Random(n).randbytes(PART * (PARTS - 1) + 1000 + n))
    return root


async def run(target: S3Target, tree: Path, intercept: Intercept, options: UploadOptions = LARGE) -> Ran:
    async with relayed(target, intercept) as running:
        return await upload(tree, target, port_of(running), wire=WIRE, options=options)


async def noted(ledger: Ledger, fault: str, target: S3Target, tree: Path, ran: Ran, *, least: int) -> Row:
    """The row of the ledger; `least` PUTs would have been enough."""
    return ledger.note(
        fault,
        target.name,
        source=await asyncio.to_thread(contents, tree),
        stored=await asyncio.to_thread(target.stored),
        uploaded=ran.uploaded,
        tried=least,
        puts=ran.summary.requests.get("PUT", 0),
        exit_code=ran.summary.exit_code,
    )


PART_FAULTS: dict[str, Intercept] = {
    "SlowDown": says(503, "SlowDown"),
    "InternalError": says(500, "InternalError"),
    "BadDigest": says(400, "BadDigest"),
    "200 with an error": says(200, "InternalError"),
    "reset": resets,
    "reset, stored": after(resets),
    "answer cut, stored": cuts_the_answer,
    "another ETag, stored": with_etag("0" * 32),
    "no ETag, stored": with_etag(None),
}


@pytest.mark.parametrize("fault", PART_FAULTS)
async def test_a_part_that_meets_a_fault_once_is_sent_once_more_and_no_other_part_is(
    ledger: Ledger, target: S3Target, tree: Path, fault: str
) -> None:
    """The second of three parts of each file"""
    meets = Meets("part", PART_FAULTS[fault], part=2)
    ran = await run(target, tree, meets)
    row = await noted(ledger, f"part: {fault}", target, tree, ran, least=FILES * PARTS)
    assert meets.count == FILES and row.is_whole and row.sent_twice == FILES, row
    assert await asyncio.to_thread(target.judge.unfinished, target.place) == []


COMPLETIONS: dict[str, Intercept] = {
    "200 with an error": says(200, "InternalError"),
    "SlowDown": says(503, "SlowDown"),
    "500": says(500, "InternalError"),
    "reset": resets,
    "reset, done": after(resets),
    "answer cut, done": cuts_the_answer,
    "200 with an error, done": after(says(200, "InternalError")),
    "NoSuchUpload, done": after(says(404, "NoSuchUpload")),
    "InvalidPart, done": after(says(400, "InvalidPart")),
}


@pytest.mark.parametrize("fault", COMPLETIONS)
async def test_a_completion_that_meets_a_fault_once_makes_the_object_and_sends_no_part_again(
    ledger: Ledger, target: S3Target, tree: Path, fault: str
) -> None:
    """Also if the store has done it, and the client does not know"""
    meets = Meets("complete", COMPLETIONS[fault])
    ran = await run(target, tree, meets)
    row = await noted(ledger, f"completion: {fault}", target, tree, ran, least=FILES * PARTS)
    assert meets.count == FILES and row.is_whole and row.sent_twice == 0, row
    assert await asyncio.to_thread(target.judge.unfinished, target.place) == []


@pytest.mark.parametrize("fault", ["200 with an error", "SlowDown", "reset"])
async def test_a_completion_that_always_fails_keeps_the_old_object_and_the_next_run_sends_no_part_again(
    ledger: Ledger, target: S3Target, tree: Path, fault: str
) -> None:
    """The old object is readable all the time; the next run completes what is there"""
    await asyncio.to_thread(target.judge.put, target.place, "f0", b"old")
    options = replace(LARGE, retry=RetryOptions(retries=1, base_s=0.01))
    ran = await run(target, tree, Meets("complete", COMPLETIONS[fault], times=None), options)
    assert (ran.summary.failed, ran.uploaded) == (FILES, set()) and ran.summary.exit_code != 0
    assert await asyncio.to_thread(target.stored) == {"f0": b"old"}
    assert [event for event in ran.events if isinstance(event, ev.PartsLeft)]
    again = await upload(tree, target, target.address[1], wire=WIRE, options=options)
    row = await noted(ledger, f"completion: {fault}, always; then another run", target, tree, again, least=0)
    assert row.is_whole and (again.summary.parts_found, again.summary.parts_sent) == (FILES * PARTS, 0), row
    assert await asyncio.to_thread(target.judge.unfinished, target.place) == []


async def test_a_part_that_always_fails_keeps_the_old_object(ledger: Ledger, target: S3Target, tree: Path) -> None:
    """The next run sends that part, and no other"""
    await asyncio.to_thread(target.judge.put, target.place, "f0", b"old")
    options = replace(LARGE, retry=RetryOptions(retries=1, base_s=0.01))
    ran = await run(target, tree, Meets("part", says(500, "InternalError"), times=None, part=3), options)
    assert (ran.summary.failed, ran.uploaded) == (FILES, set())
    assert await asyncio.to_thread(target.stored) == {"f0": b"old"}
    again = await upload(tree, target, target.address[1], wire=WIRE, options=options)
    row = await noted(ledger, "part: 500 always; then another run", target, tree, again, least=FILES)
    assert row.is_whole and (again.summary.parts_found, again.summary.parts_sent) == (FILES * (PARTS - 1), FILES), row


@pytest.mark.parametrize("fault", ["SlowDown", "InternalError", "reset, stored"])
async def test_a_beginning_that_meets_a_fault_once_loses_no_object(
    ledger: Ledger, target: S3Target, tree: Path, fault: str
) -> None:
    """CreateMultipartUpload. What it may have left is told, and not taken for ours."""
    meets = Meets("begin", PART_FAULTS[fault])
    ran = await run(target, tree, meets)
    row = await noted(ledger, f"beginning: {fault}", target, tree, ran, least=FILES * PARTS)
    assert meets.count == FILES and row.is_whole, row
    left = await asyncio.to_thread(target.judge.unfinished, target.place)
    assert ran.summary.uploads_abandoned == len(left) == (FILES if fault == "reset, stored" else 0)


async def test_a_whole_upload_that_is_gone_is_sent_again(ledger: Ledger, target: S3Target, tree: Path) -> None:
    """Somebody aborts each upload after its second part; the third is told NoSuchUpload"""
    removed: list[str] = []

    async def abort(request: object, pass_on: object) -> object:
        def all_of_them() -> None:
            client = target.server.client()
            for row in client.list_multipart_uploads(Bucket=target.place).get("Uploads", ()):
                client.abort_multipart_upload(Bucket=target.place, Key=row["Key"], UploadId=row["UploadId"])
                removed.append(row["Key"])

        if not removed:
            await asyncio.to_thread(all_of_them)
        return await pass_on(request)  # type: ignore[operator]

    ran = await run(target, tree, Meets("part", abort, part=3))  # type: ignore[arg-type]
    row = await noted(ledger, "uploads aborted by others", target, tree, ran, least=FILES * PARTS)
    assert removed and row.is_whole, row


async def test_keys_that_expire_under_parts_are_renewed(
    ledger: Ledger, rgw: RealRgw, target: S3Target, tree: Path, tmp_path: Path
) -> None:
    """The file of keys has another pair by then"""
    first, second = f"{tmp_path.name[-20:]}-a", f"{tmp_path.name[-20:]}-b"
    for name in (first, second):
        rgw.add_keys(name, f"secret-{name}")
    file = tmp_path / "credentials"

    def give(name: str) -> None:
        new = tmp_path / "new"
        new.write_text(f"[default]\naws_access_key_id = {name}\naws_secret_access_key = secret-{name}\n")
        new.replace(file)  # at once: it is read at any moment

    give(first)
    expiry = Expiry(first, "part", after=4)

    async def intercept(request: object, pass_on: object) -> object:
        answer = await expiry(request, pass_on)  # type: ignore[arg-type]
        if expiry.is_met.is_set():
            give(second)
        return answer

    async with relayed(target, intercept) as running:  # type: ignore[arg-type]
        destination, environ = target.by(port_of(running))
        environ = {name: text for name, text in environ.items() if "ACCESS_KEY" not in name}
        environ["AWS_SHARED_CREDENTIALS_FILE"] = str(file)
        seen: list[ev.Event] = []
        options = replace(LARGE, wire=WIRE)
        summary = await bulkput.upload([tree], destination, options=options, on_event=seen.append, environ=environ)
    row = await noted(ledger, "keys expire under parts", target, tree, Ran(summary, seen), least=FILES * PARTS)
    assert 0 < expiry.refused <= 2 * WIRE.concurrency and row.is_whole, row  # type: ignore[operator]


# --- copies and removals

NAMES = [f"a/{n}" for n in range(8)]
COPIES: dict[str, Intercept] = {
    "200 with an error": says(200, "InternalError"),
    "200 of nothing": says(200),
    "SlowDown": says(503, "SlowDown"),
    "reset, done": after(resets),
    "answer cut, done": cuts_the_answer,
}


@pytest.fixture
async def filled(target: S3Target) -> dict[str, bytes]:
    """Objects below a/, by name."""
    objects = {name: name.encode() * 100 for name in NAMES}
    for name, content in objects.items():
        await asyncio.to_thread(target.judge.put, target.place, name, content)
    return objects


def moved(objects: dict[str, bytes]) -> dict[str, bytes]:
    return {name.replace("a/", "b/"): content for name, content in objects.items()}


@pytest.mark.parametrize("fault", [fault for fault in COPIES if fault != "200 of nothing"])
@pytest.mark.parametrize("is_move", [False, True], ids=["copy", "move"])
async def test_a_copy_that_meets_a_fault_once_is_made(
    target: S3Target, filled: dict[str, bytes], fault: str, is_move: bool
) -> None:
    """bulkput cp -r, mv -r"""
    meets = Meets("copy", COPIES[fault])
    change = bulkput.move if is_move else bulkput.copy
    options = CopyOptions(is_recursive=True, retry=EAGER)
    async with relayed(target, meets) as running:
        to, environ = target.by(port_of(running))
        done = await change(f"{to}/a", f"{to}/b", options=options, environ=environ)
    assert (meets.count, done.failed, done.exit_code) == (len(NAMES), 0, 0)
    stored = await asyncio.to_thread(target.stored)
    assert stored == moved(filled) | ({} if is_move else filled)


@pytest.mark.parametrize("fault", ["200 with an error", "200 of nothing", "SlowDown"])
async def test_a_copy_that_always_fails_removes_no_source(
    target: S3Target, filled: dict[str, bytes], fault: str
) -> None:
    """bulkput mv -r"""
    options = CopyOptions(is_recursive=True, retry=RetryOptions(retries=1, base_s=0.01))
    async with relayed(target, Meets("copy", COPIES[fault], times=None)) as running:
        to, environ = target.by(port_of(running))
        done = await bulkput.move(f"{to}/a", f"{to}/b", options=options, environ=environ)
    assert done.failed > 0 and done.exit_code != 0
    assert await asyncio.to_thread(target.stored) == filled


@pytest.mark.parametrize("fault", ["SlowDown", "reset, done", "200 with an error"])
async def test_a_removal_that_meets_a_fault_once_is_done(
    target: S3Target, filled: dict[str, bytes], fault: str
) -> None:
    """bulkput rm -r: DeleteObjects"""
    meets = Meets("delete many", COPIES[fault])
    async with relayed(target, meets) as running:
        to, environ = target.by(port_of(running))
        options = RemoveOptions(is_recursive=True, retry=EAGER)
        done = await bulkput.remove(f"{to}/a", options=options, environ=environ)
    assert (meets.count, done.failed, done.exit_code) == (1, 0, 0), done
    assert len(filled) == len(NAMES) and await asyncio.to_thread(target.stored) == {}
