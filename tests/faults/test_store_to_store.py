"""An upload from one store to another meets faults of its source: what is stored is one version, whole, or nothing."""

from __future__ import annotations

import asyncio
import random
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bulkput.devserver import Handler, Intercept
from bulkput.engine.upload.upload import upload
from bulkput.options import LargeOptions, RetryOptions, SkipOptions, UploadOptions
from bulkput.results import Summary
from tests.e2e.cli import bulkput
from tests.e2e.s3_world import Box, after, faulty, noise
from tests.faults.target import new_place
from tests.faults.test_kill import LOGGED, killed_midway
from tests.servers.judge import SwiftJudge
from tests.servers.nginx import nginx_dav
from tests.servers.s3 import RealS3
from tests.servers.swift import RealSwift

MIB = 1024 * 1024
QUICK = RetryOptions(retries=3, base_s=0.01)


class World:
    """A bucket as the source, a container as the destination."""

    def __init__(self, box: Box, swift: RealSwift) -> None:
        self.box = box
        self.swift = swift
        self.judge = SwiftJudge(swift.auth_url, swift.user, swift.key)
        self.container = new_place()
        self.judge.put(self.container, "")

    def put(self, name: str, content: bytes) -> None:
        self.box.judge.put(self.box.name, f"x/{name}", content)

    async def run(self, box: Box, **options: Any) -> Summary:
        given = UploadOptions(retry=QUICK, **options)
        environ = {**box.server.environment, **self.swift.environment}
        return await upload([f"s3://{box.name}/x/"], f"swift://{self.container}/y/", options=given, environ=environ)

    def stored(self, name: str) -> bytes | None:
        return self.judge.content(self.container, f"y/{name}")


@pytest.fixture
def world(swift: RealSwift, rgw_s3: RealS3) -> World:
    return World(Box(rgw_s3, rgw_s3.make_bucket()), swift)


def breaking(at: int, *, damages: bool = False) -> Intercept:
    """Passes `at` bytes of the answer on, then closes the connection, or goes on with a wrong byte."""

    async def meet(request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        answer = await pass_on(request)
        assert isinstance(answer, web.Response) and isinstance(answer.body, bytes)
        if damages:
            body = answer.body[:at] + bytes([answer.body[at] ^ 1]) + answer.body[at + 1 :]
            return web.Response(status=answer.status, headers=answer.headers, body=body)
        streamed = web.StreamResponse(status=answer.status, headers=answer.headers)
        await streamed.prepare(request)
        await streamed.write(answer.body[:at])
        assert request.transport is not None
        request.transport.abort()
        return streamed

    return meet


_DAMAGES = breaking(7 * MIB, damages=True)


@pytest.mark.parametrize("size", [1000, 3 * MIB], ids=["small", "streamed"])
@pytest.mark.parametrize("damages", [False, True], ids=["breaks off", "is damaged"])
async def test_an_answer_of_the_source_that_is_wrong_is_read_again(world: World, size: int, *, damages: bool) -> None:
    """It never becomes an object: the MD5 of the source's ETag is what the destination checks."""
    content = noise(size)
    world.put("a", content)
    async with faulty(world.box) as (through, faults, _):
        faults.at("GET", has="/x/a", meet=breaking(size // 2, damages=damages))
        summary = await world.run(through)
    assert (summary.uploaded, summary.failed) == (1, 0)
    assert await asyncio.to_thread(world.stored, "a") == content


async def test_an_object_sent_in_parts_is_proven_by_the_etag_of_its_parts(swift: RealSwift, s3api: RealS3) -> None:
    """Its ETag is no MD5 of its bytes. What arrives damaged is read again."""
    world = World(Box(s3api, s3api.make_bucket()), swift)
    parts = {1: noise(5 * MIB, 1), 2: noise(5 * MIB, 2), 3: noise(9, 3)}
    upload_id = world.box.left("x/a", parts)
    world.box.complete("x/a", upload_id)
    async with faulty(world.box) as (through, faults, relayed):
        faults.meets.append((lambda request: request.method == "GET" and request.path.endswith("/x/a"), _DAMAGES, 1))
        summary = await world.run(through)
        asked = [each for each in relayed.asked if each.startswith("GET") and "/x/a" in each]
    assert (summary.uploaded, summary.failed, len(asked)) == (1, 0, 2)
    assert await asyncio.to_thread(world.stored, "a") == b"".join(parts.values())


@pytest.mark.parametrize("large", [LargeOptions(), LargeOptions(above=MIB, part_size=MIB)], ids=["whole", "in parts"])
async def test_an_object_that_is_overwritten_while_it_is_read_is_copied_again(
    world: World, large: LargeOptions
) -> None:
    """The new version, whole: no part of it is of the other one."""
    world.put("a", noise(3 * MIB, 1))
    async with faulty(world.box) as (through, faults, _):
        faults.at("GET", has="/x/a", meet=after(lambda: world.put("a", noise(3 * MIB, 2))))
        summary = await world.run(through, large=large)
    assert (summary.uploaded, summary.failed) == (1, 0), summary.failures
    assert await asyncio.to_thread(world.stored, "a") == noise(3 * MIB, 2)


async def test_an_object_that_is_overwritten_again_and_again_fails(world: World) -> None:
    """Nothing of it is stored."""
    versions = iter(range(100))
    world.put("a", noise(3 * MIB, next(versions)))
    async with faulty(world.box) as (through, faults, _):
        overwrites = after(lambda: world.put("a", noise(3 * MIB, next(versions))))
        faults.at("GET", has="/x/a", meet=overwrites, times=50)
        summary = await world.run(through)
    assert (summary.uploaded, summary.failed) == (0, 1)
    assert "overwritten while" in str(summary.failures[0].error)
    assert await asyncio.to_thread(world.stored, "a") is None


async def test_an_object_that_vanishes_fails_and_the_others_are_copied(world: World) -> None:
    for name in ("a", "b"):
        world.put(name, b"1")

    def vanish() -> None:
        world.box.client.delete_object(Bucket=world.box.name, Key="x/a")

    async with faulty(world.box) as (through, faults, _):
        faults.at("GET", has="/x/a", meet=after(vanish))
        summary = await world.run(through)
    assert (summary.uploaded, summary.failed) == (1, 1)
    assert "vanished" in str(summary.failures[0].error)


async def test_a_listing_of_the_source_that_breaks_off_removes_nothing(world: World) -> None:
    """A mirror does not take what it has not seen for extra."""
    world.put("a", b"1")
    world.judge.put(world.container, "y/extra", b"1")

    async def refuses(_request: web.BaseRequest, _pass_on: Handler) -> web.StreamResponse:
        return web.Response(status=500)

    async with faulty(world.box) as (through, faults, _):
        seen: Callable[[web.BaseRequest], bool] = lambda request: "list-type" in request.raw_path  # noqa: E731
        looks = iter([False])
        faults.meets.append((lambda request: seen(request) and next(looks, True), refuses, 100))
        summary = await world.run(through, skip=SkipOptions(mode="identical", delete_extra=True))
    assert summary.exit_code != 0
    assert await asyncio.to_thread(world.stored, "extra") == b"1"


@pytest.mark.parametrize(("kills", "objects"), [(3, 400)])
def test_a_repeatedly_killed_copy_ends_with_every_object(
    swift: RealSwift, tmp_path: Path, kills: int, objects: int
) -> None:
    """Only what was in flight, or not yet in the journal, is sent twice."""
    chance = random.Random(kills)
    source, log, journal = tmp_path / "source", tmp_path / "access.log", tmp_path / "up.db"
    source.mkdir()
    for number in range(objects):
        (source / f"f{number:05d}").write_bytes(chance.randbytes(chance.randint(0, 4096)))
    place = f"swift://{new_place()}/x/"
    assert bulkput("upload", source, place, environ=swift.environment).exit_code == 0
    with nginx_dav(locations=LOGGED.replace("LOG", str(log))) as nginx, pytest.MonkeyPatch.context() as patch:
        for name, value in swift.environment.items():
            patch.setenv(name, value)
        command = ["upload", "--concurrency", "32", "--journal", str(journal), place, f"{nginx.url}/k/"]
        allowed = sum(killed_midway(command, chance.randint(1, 2 * objects // kills)) for _ in range(kills))
        last = bulkput(*command, "--summary", "-")
        assert last.exit_code == 0 and last.summary["found"] == objects, last.err
        subprocess.run(["diff", "-r", source, nginx.root / "k"], check=True)
    puts = Counter(re.findall(r'"PUT /k/(\S+) HTTP/1.1" 20[14]', log.read_text()))
    assert len(puts) == objects
    assert puts.total() - objects <= allowed
