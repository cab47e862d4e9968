"""Faults while a large object is sent in parts: it is complete in the end, or what was there before stays readable."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bulkput import events as ev
from bulkput.devserver import DevServer, Intercept
from bulkput.options import UploadOptions, WireOptions
from tests.faults.parted import (
    COUNT,
    LARGE,
    MANIFEST,
    PART,
    SIZE,
    answers,
    beats,
    before,
    big,
    damages,
    failure,
    loses_the_answer,
    noise,
    of_kind,
    outcome,
    resets,
    run,
    site,
    with_etag,
)
from tests.faults.target import EAGER, SwiftTarget, Target, contents, make_tree, new_place, upload
from tests.ledger import Ledger
from tests.servers.faultproxy import FaultProxy, mix
from tests.servers.swift import RealSwift

BOTH = pytest.mark.parametrize("mode", ["slo", "dlo"])


def large(mode: str):
    return replace(LARGE, mode=mode)


@BOTH
@pytest.mark.parametrize(
    "fault",
    [
        resets,
        loses_the_answer,
        answers(503),
        answers(429),
        answers(408),
        answers(499),
        answers(401),
        with_etag("0" * 32),
    ],
    ids=["reset", "lost answer", "503", "429", "408", "499", "401", "wrong etag"],
)
async def test_a_part_that_meets_a_fault_once_is_sent_once_more_and_no_other_part_is(
    tmp_path: Path, fault: Intercept, mode: str
) -> None:
    """Part 3 of ten."""
    async with site() as there:
        there.meets(3, fault)
        ran = await run(there, big(tmp_path), large=large(mode))
        assert await there.content() == noise()
        assert ran.summary.exit_code == 0
        assert dict(there.numbers) == {number: 1 + (number == 3) for number in range(1, COUNT + 1)}
        assert len(there.segments()) == COUNT and not of_kind(ran, ev.PartsLeft)


@BOTH
@pytest.mark.parametrize(
    "fault",
    [resets, answers(503), answers(403), answers(400, b"no"), answers(202), answers(413, b"Upload exceeds quota.")],
    ids=["reset", "503", "403", "400", "202", "quota"],
)
async def test_a_part_that_always_fails_leaves_the_old_object_and_the_next_run_sends_what_is_missing(
    tmp_path: Path, fault: Intercept, mode: str
) -> None:
    """Part 7 of ten; the run says which parts stay, and the next one sends none of them again."""
    async with site() as there:
        await run(there, big(tmp_path, b"o"))
        there.always_meets(7, fault)
        ran = await run(there, big(tmp_path), large=large(mode))
        assert ran.summary.failed == 1 and ran.summary.exit_code in (1, 3)
        assert await there.content() == b"o"
        left = there.segments()
        (told,) = of_kind(ran, ev.PartsLeft)
        assert (told.key, told.count, told.size) == ("big", len(left), sum(map(len, left.values()))) and left
        sent = there.puts.copy()
        there.recovers()
        again = await run(there, tmp_path / "big", large=large(mode))
        assert (await there.content(), again.summary.exit_code) == (noise(), 0)
        assert set(there.puts - sent) == set(there.segments()) - set(left)
        assert (again.summary.parts_found, again.summary.parts_sent) == (len(left), COUNT - len(left))


@BOTH
async def test_a_part_that_always_arrives_damaged_fails_the_file_and_is_not_taken_by_the_next_run(
    tmp_path: Path, mode: str
) -> None:
    """Part 7 of ten. The next run finds other bytes under its name, and sends all parts under other names."""
    async with site() as there:
        await run(there, big(tmp_path, b"o"))
        there.always_meets(7, damages(there))
        ran = await run(there, big(tmp_path), large=large(mode))
        assert (ran.summary.exit_code, await there.content()) == (1, b"o")
        assert "MD5" in failure(ran) and of_kind(ran, ev.PartsLeft)
        there.recovers()
        again = await run(there, tmp_path / "big", large=large(mode))
        assert (again.summary.exit_code, await there.content()) == (0, noise())


@BOTH
async def test_a_token_that_expires_under_many_parts_is_renewed_once(tmp_path: Path, mode: str) -> None:
    """It is revoked when part 5 comes; no part is retried."""
    async with site() as there:
        there.meets(5, before(there.server.tokens.revoke))
        ran = await run(there, big(tmp_path), large=large(mode))
        assert (ran.summary.exit_code, ran.summary.retries, await there.content()) == (0, 0, noise())


REFUSALS = [
    (
        answers(400, b"Manifest must be valid JSON.\n"),
        "400 the manifest is refused: Bad Request: Manifest must be valid JSON.",
    ),
    (answers(413, b"Too many object-backed segments in SLO manifest"), "413 the manifest is refused: Too many object"),
    (answers(422, b"Unprocessable"), "422 the manifest is refused: Unprocessable"),
    (answers(404, b"gone"), "404 the container was not there"),
    (answers(409, b"a link"), "409 the manifest is refused: Conflict: a link"),
    (answers(503, b"busy"), "503 the manifest is refused: Service Unavailable: busy"),
    (answers(500), "500 the manifest is refused: Internal"),
    (answers(201, fields={"ETag": '"' + "0" * 32 + '"'}), "composed of parts whose MD5s have MD5"),
    (answers(201), "composed of parts whose MD5s have MD5"),
    (answers(200), "the manifest is refused"),
    (answers(202), "the answer broke off before its outcome"),
    (resets, "put big: "),
]


@pytest.mark.parametrize(("fault", "words"), REFUSALS, ids=[words[:30] for _, words in REFUSALS])
async def test_a_manifest_that_is_always_refused_leaves_the_old_object_and_all_parts(
    tmp_path: Path, fault: Intercept, words: str
) -> None:
    """The failure says why, in the server's words. The next run sends only the manifest."""
    async with site() as there:
        await run(there, big(tmp_path, b"old" * 50), large=replace(LARGE, part_size=50))
        old = await there.content()
        there.always_meets(MANIFEST, fault)
        ran = await run(there, big(tmp_path))
        assert (ran.summary.exit_code, await there.content()) == (1, old)
        assert words in failure(ran)
        assert [(told.count, told.size) for told in of_kind(ran, ev.PartsLeft)] == [(COUNT, SIZE)]
        sent = there.puts.copy()
        there.recovers()
        again = await run(there, tmp_path / "big")
        assert (again.summary.exit_code, await there.content(), there.puts) == (0, noise(), sent)


@BOTH
@pytest.mark.parametrize(
    "fault",
    [
        resets,
        loses_the_answer,
        answers(503),
        answers(404),
        answers(401),
        answers(422),
        answers(201),
        with_etag("0" * 32),
        with_etag(None),
    ],
    ids=["reset", "lost answer", "503", "404", "401", "422", "201, not stored", "wrong etag", "no etag"],
)
async def test_a_manifest_that_meets_a_fault_once_costs_no_part(tmp_path: Path, fault: Intercept, mode: str) -> None:
    """Each part is sent once, and the object is whole."""
    async with site() as there:
        there.meets(MANIFEST, fault)
        ran = await run(there, big(tmp_path), large=large(mode))
        assert (ran.summary.exit_code, await there.content()) == (0, noise())
        assert set(there.numbers.values()) == {1} and not of_kind(ran, ev.PartsLeft)


@BOTH
async def test_a_manifest_that_is_stored_under_a_wrong_etag_needs_no_second_one(tmp_path: Path, mode: str) -> None:
    """The answer's ETag is wrong, and a HEAD shows the right one."""
    async with site() as there:
        there.always_meets(MANIFEST, with_etag("0" * 32))
        ran = await run(there, big(tmp_path), large=large(mode))
        assert (ran.summary.exit_code, there.manifests, await there.content()) == (0, 1, noise())


@BOTH
async def test_a_container_that_is_deleted_before_the_manifest_is_made_again(tmp_path: Path, mode: str) -> None:
    """Both containers, the objects' and the segments': all parts are sent again."""

    def delete() -> None:
        there.server.store.containers.pop("c")
        there.server.store.containers.pop("c_segments")

    async with site() as there:
        there.meets(MANIFEST, before(delete))
        ran = await run(there, big(tmp_path), large=large(mode))
        assert (ran.summary.exit_code, await there.content()) == (0, noise())


LONG = noise(50 * 100, seed=3)
"""A file of fifty parts of 100 bytes: its manifest is sent with a heartbeat."""
FIFTY = replace(LARGE, part_size=100)


@pytest.mark.parametrize("transport", ["wire", "aiohttp"])
async def test_heartbeats_in_drips_are_read_to_their_outcome(tmp_path: Path, transport: str) -> None:
    """The outcome arrives in pieces of three bytes, behind fifty spaces."""
    async with site() as there:
        there.meets(MANIFEST, drips)
        wire = WireOptions(transport=transport)  # type: ignore[arg-type]
        ran = await run(there, big(tmp_path, LONG), large=FIFTY, wire=wire)
        assert (ran.summary.exit_code, ran.summary.retries, await there.content()) == (0, 0, LONG)
        assert there.manifests == 1


async def drips(request, handler):
    """Stores the manifest, and gives the server's own answer in drips."""
    answer = await handler(request)
    assert answer.status == 202
    report = answer._report
    answer._report = b""
    for _ in range(50):
        await answer.write(b" ")
    said = b"\r\n\r\n" + report
    for start in range(0, len(said), 3):
        await answer.write(said[start : start + 3])
        await asyncio.sleep(0)
    return answer


BROKEN = [
    beats(b" ", b" ", cut=True),
    beats(b" ", outcome("201 Created")[:-20], cut=True),
    beats(b" ", outcome("201 Created")[:-20]),
    beats(b" ", b" "),
    beats(b"<html>busy</html>"),
    beats(b" ", b"[1, 2]"),
    beats(b" ", outcome("503 Service Unavailable")),
    beats(b" ", outcome("500 Internal Error")),
    beats(b" ", outcome("499 Client Disconnect")),
    beats(b" ", outcome("nonsense")),
]


@pytest.mark.parametrize("fault", BROKEN)
async def test_an_answer_with_heartbeats_that_proves_nothing_is_asked_for_again(
    tmp_path: Path, fault: Intercept
) -> None:
    """Cut off, no JSON, a list, no status, or a temporary error."""
    async with site() as there:
        there.meets(MANIFEST, fault)
        ran = await run(there, big(tmp_path, LONG), large=FIFTY)
        assert (ran.summary.exit_code, await there.content()) == (0, LONG)
        assert there.manifests == 2 and set(there.numbers.values()) == {1}


async def test_an_outcome_with_a_wrong_etag_or_none_is_proven_by_a_head(tmp_path: Path) -> None:
    """The first outcome is of a manifest that was not stored, so the HEAD finds nothing and it is sent again."""
    async with site() as there:
        there.meets(
            MANIFEST,
            beats(b" ", outcome("201 Created", Etag='"' + "0" * 32 + '"')),
            beats(b" ", outcome("201 Created")),
        )
        ran = await run(there, big(tmp_path, LONG), large=FIFTY)
        assert (ran.summary.exit_code, there.manifests, await there.content()) == (0, 3, LONG)


@pytest.mark.parametrize("problem", ["Etag Mismatch", "Size Mismatch", "404 Not Found"])
async def test_errors_behind_heartbeats_name_the_part_and_leave_the_old_object(tmp_path: Path, problem: str) -> None:
    """The server says in each of three rounds that a part is wrong, although it is right."""
    async with site() as there:
        await run(there, big(tmp_path, b"o"))

        async def refuse(request, handler):
            first = sorted(there.segments())[0]
            errors = [[f"/c_segments/{first}", problem]]
            return await beats(b" ", outcome("400 Bad Request", Errors=errors))(request, handler)

        there.always_meets(MANIFEST, refuse)
        ran = await run(there, big(tmp_path, LONG), large=FIFTY)
        assert (ran.summary.exit_code, await there.content()) == (1, b"o")
        assert f"00000001: {problem}" in failure(ran) and there.manifests == 3
        assert [told.count for told in of_kind(ran, ev.PartsLeft)] == [50]


async def test_a_refusal_behind_heartbeats_is_shown_in_the_servers_words(tmp_path: Path) -> None:
    """409, and Errors that name no part."""
    async with site() as there:
        there.always_meets(MANIFEST, beats(b" ", outcome("409 Conflict", Errors=[["/other/thing", "409 Conflict"]])))
        ran = await run(there, big(tmp_path, LONG), large=FIFTY)
        assert ran.summary.exit_code == 1 and "409 the manifest is refused: " in failure(ran)
        assert await there.content() is None


async def through_a_bad_network(ledger: Ledger, root: Path, target: Target, mode: str, seed: int) -> None:
    """Uploads six files of twenty parts through a proxy that resets and delays requests; all of them arrive."""
    tree = root / "tree"
    make_tree(tree, 6, 20 * PART + 1)
    plan = mix(p_reset=0.1, p_delay=0.1, delay_s=0.01, seed=seed, per="request")
    options = UploadOptions(retry=EAGER, large=replace(LARGE, mode=mode))  # type: ignore[arg-type]
    host, port = await asyncio.to_thread(lambda: target.address)
    async with FaultProxy(host, port, plan) as proxy:
        ran = await upload(tree, target, proxy.port, wire=WireOptions(), options=options)
    assert proxy.count.faults.total() > 10
    row = ledger.note(
        f"resets and delays at random, in parts, {mode}",
        target.name,
        source=await asyncio.to_thread(contents, tree),
        stored=await asyncio.to_thread(target.stored),
        uploaded=ran.uploaded,
        tried=6 * 21,
        puts=ran.summary.requests["PUT"] - 2,
        exit_code=ran.summary.exit_code,
    )
    assert row.is_whole
    assert ran.summary.parts_sent == 6 * 21


@BOTH
async def test_a_bad_network_loses_no_part(tmp_path: Path, devserver: DevServer, ledger: Ledger, mode: str) -> None:
    """Resets at all moments of requests, and delays, to a devserver."""
    server = RealSwift(devserver.auth_url, devserver.options.user, devserver.options.key)
    await through_a_bad_network(ledger, tmp_path, SwiftTarget(server, "c", "devserver"), mode, 5)


@pytest.mark.swift
@BOTH
async def test_a_bad_network_loses_no_part_of_a_real_swift(
    tmp_path: Path, swift: RealSwift, ledger: Ledger, mode: str
) -> None:
    """The same to OpenStack Swift."""
    await through_a_bad_network(ledger, tmp_path, SwiftTarget(swift, new_place()), mode, 6)
