"""Sources whose ETags are not made of the bytes: an S3 that encrypts with KMS or the customer's key, MinIO
`--no-compat`.

moto has the objects. On the way its answers get what those give: another ETag, the same in each answer.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bulkput.devserver import DevServer, Handler, Intercept
from bulkput.engine.upload.upload import upload
from bulkput.engine.verify.verify import verify
from bulkput.options import LargeOptions, SkipMode, SkipOptions, UploadOptions
from bulkput.results import Summary
from tests.conftest import environ_of
from tests.e2e.s3_world import QUICK, Box, noise
from tests.servers.httprelay import Relay, relay
from tests.servers.judge import SwiftJudge
from tests.servers.s3 import RealS3

MIB = 1024 * 1024
IN_PARTS = LargeOptions(above=MIB, part_size=MIB)
SIZES = [(1000, LargeOptions()), (3 * MIB, LargeOptions()), (3 * MIB, IN_PARTS)]
IDS = ["small", "streamed", "in parts"]
KMS = {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": "arn:aws:kms:key"}
CUSTOMER = {"x-amz-server-side-encryption-customer-algorithm": "AES256"}
WITH_KEY = {"BULKPUT_S3_SSE_C_KEY": base64.b64encode(bytes(range(32))).decode()}

Named = Callable[[str], str]


def encrypted(md5: str) -> str:
    """What looks like an MD5, and is none."""
    return hashlib.sha256(md5.encode()).hexdigest()[:32]


def of_minio(md5: str) -> str:
    """16 random bytes: MinIO computes no MD5, which costs it time, unless a request has one."""
    return f"{encrypted(md5)}-1"


def of_one_part(md5: str) -> str:
    """As S3 makes it of an object that is sent in one part."""
    return f"{hashlib.md5(bytes.fromhex(md5)).hexdigest()}-1"


def shows(etag: Named, fields: Mapping[str, str], damages: list[int] | None = None) -> Intercept:
    """Answers have this ETag in place of the MD5, and these fields. The byte at each place of `damages` is changed, in
    one answer with an object for each."""
    left = damages if damages is not None else []

    async def change(request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        answer = await pass_on(request)
        assert isinstance(answer, web.Response) and isinstance(answer.body, bytes)
        if "list-type=2" in request.raw_path:
            answer.body = re.sub(rb"[0-9a-f]{32}", lambda found: etag(found[0].decode()).encode(), answer.body)
        elif "/x/a" in request.raw_path:
            answer.headers["ETag"] = f'"{etag(answer.headers["ETag"][1:33])}"'
            answer.headers.update(fields)
            if request.method == "GET" and left:
                at = left.pop(0)
                answer.body = answer.body[:at] + bytes([answer.body[at] ^ 1]) + answer.body[at + 1 :]
        return answer

    return change


class World:
    """An object `x/a` of moto as the source, a devserver as the destination."""

    def __init__(self, moto: RealS3, devserver: DevServer) -> None:
        self.box = Box(moto, moto.make_bucket())
        self.devserver = devserver

    async def run(
        self, content: bytes, intercept: Intercept, environ: Mapping[str, str] | None = None, **options: Any
    ) -> Summary:
        async with relay(self.box.server.endpoint, intercept) as relayed:
            return await self.copied(content, relayed, environ, **options)

    async def copied(
        self, content: bytes, relayed: Relay, environ: Mapping[str, str] | None = None, **options: Any
    ) -> Summary:
        if await asyncio.to_thread(self.box.judge.content, self.box.name, "x/a") != content:
            await asyncio.to_thread(self.box.judge.put, self.box.name, "x/a", content)
        through = self.box.through(relayed).server
        return await upload(
            [f"s3://{self.box.name}/x/"],
            "swift://c/y/",
            options=UploadOptions(retry=QUICK, **options),
            environ={**through.environment, **environ_of(self.devserver), **(environ or {})},
        )

    async def stored(self) -> bytes | None:
        own = self.devserver
        judge = SwiftJudge(own.auth_url, own.options.user, own.options.key)
        return await asyncio.to_thread(judge.content, "c", "y/a")


@pytest.fixture
def world(moto: RealS3, devserver: DevServer) -> World:
    return World(moto, devserver)


@pytest.mark.parametrize(("size", "large"), SIZES, ids=IDS)
@pytest.mark.parametrize(
    ("etag", "fields", "environ"),
    [(encrypted, KMS, {}), (encrypted, CUSTOMER, WITH_KEY), (of_minio, {}, {})],
    ids=["KMS", "SSE-C", "MinIO"],
)
async def test_an_object_whose_etag_is_not_made_of_its_bytes_is_copied(
    world: World, size: int, large: LargeOptions, etag: Named, fields: Mapping[str, str], environ: Mapping[str, str]
) -> None:
    content = noise(size)
    summary = await world.run(content, shows(etag, fields), environ, large=large)
    assert (summary.uploaded, summary.failed) == (1, 0), summary.failures
    assert await world.stored() == content


@pytest.mark.parametrize(("size", "large"), SIZES[:2], ids=IDS[:2])
async def test_an_object_with_a_random_etag_that_arrives_damaged_is_read_until_two_readings_are_equal(
    world: World, size: int, large: LargeOptions
) -> None:
    """Twice damaged, at two places: nothing of it is stored before."""
    content = noise(size)
    damages = [size // 2, size // 3]
    summary = await world.run(content, shows(of_minio, {}, damages), large=large)
    assert (summary.uploaded, summary.failed, damages) == (1, 0, []), summary.failures
    assert await world.stored() == content


@pytest.mark.parametrize("etag", [str, of_one_part, of_minio], ids=["plain", "one part", "random"])
async def test_a_part_that_arrives_damaged_is_never_stored(world: World, etag: Named) -> None:
    """The source proves the whole only, so it is read once more before the parts become an object."""
    content, damages = noise(3 * MIB), [MIB // 2]
    await world.run(content, shows(etag, {}, damages), large=IN_PARTS)
    assert damages == []
    assert await world.stored() in (None, content)


@pytest.mark.parametrize("size", [1000, 3 * MIB], ids=IDS[:2])
async def test_verify_reads_an_encrypted_object_before_it_says_that_the_copy_differs(world: World, size: int) -> None:
    """Then the bytes decide."""
    async with relay(world.box.server.endpoint, shows(encrypted, KMS)) as relayed:
        await world.copied(noise(size), relayed)
        environ = {**world.box.through(relayed).server.environment, **environ_of(world.devserver)}
        places = f"s3://{world.box.name}/x/", "swift://c/y/"
        assert (await verify(*places, environ=environ)).is_identical
        await asyncio.to_thread(world.box.judge.put, world.box.name, "x/a", noise(size, 1))
        assert (await verify(*places, environ=environ)).different == 1


@pytest.mark.parametrize(("mode", "sent"), [("identical", 1), ("unchanged", 0)])
async def test_an_encrypted_object_is_not_proven_identical_by_its_etag(world: World, mode: SkipMode, sent: int) -> None:
    """Its time and its size are as they were."""
    for expected in (1, sent):
        summary = await world.run(noise(1000), shows(encrypted, KMS), skip=SkipOptions(mode=mode))
        assert (summary.uploaded, summary.failed) == (expected, 0), summary.failures


async def test_a_journal_knows_the_version_of_an_encrypted_object(world: World, tmp_path: Path) -> None:
    """By its ETag, which is the same as long as the object is."""
    async with relay(world.box.server.endpoint, shows(encrypted, KMS)) as relayed:
        for content, expected in ((noise(1000, 1), 1), (noise(1000, 1), 0), (noise(1000, 2), 1)):
            summary = await world.copied(content, relayed, journal=str(tmp_path / "j.db"))
            assert (summary.uploaded, summary.failed) == (expected, 0), summary.failures
            assert await world.stored() == content
