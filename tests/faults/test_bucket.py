"""The faults of `bucket.py` are what they are meant to be, as boto3 sees them through a relay in front of moto."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from botocore.exceptions import BotoCoreError, ClientError

from bulkput.devserver import Handler
from tests.faults.bucket import (
    Clock,
    Expiry,
    Kind,
    Meets,
    Region,
    S3Target,
    after,
    cuts_the_answer,
    kind_of,
    number_of,
    port_of,
    relayed,
    resets,
    says,
    with_etag,
)
from tests.servers.httprelay import Relay
from tests.servers.s3 import RealS3


@pytest.fixture
def target(moto: RealS3) -> S3Target:
    return S3Target.new(moto, "moto")


def through(target: S3Target, running: Relay, **others: str) -> RealS3:
    """The server as a client sees it through the relay."""
    return replace(target.server, endpoint=f"http://127.0.0.1:{port_of(running)}", **others)


async def put(target: S3Target, running: Relay, key: str = "o", **others: str) -> Any:
    """What boto3 makes of a PUT: its answer, or the error."""

    def send() -> Any:
        client = through(target, running, **others).client()
        try:
            return client.put_object(Bucket=target.place, Key=key, Body=b"hello")
        except (ClientError, BotoCoreError) as error:
            return error

    return await asyncio.to_thread(send)


def code(error: Any) -> str:
    assert isinstance(error, ClientError), error
    return str(error.response["Error"]["Code"])


async def test_each_request_is_known_by_its_kind(target: S3Target) -> None:
    """As boto3 makes them"""
    seen: list[tuple[Kind, int]] = []

    async def note(request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        seen.append((kind_of(request), number_of(request)))
        return await pass_on(request)

    def ask(client: Any) -> None:
        where = {"Bucket": target.place, "Key": "a b"}
        client.put_object(**where, Body=b"hello")
        client.copy_object(Bucket=target.place, Key="c", CopySource={"Bucket": target.place, "Key": "a b"})
        upload = client.create_multipart_upload(**where)["UploadId"]
        client.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"x" * (5 << 20))
        source = {"Bucket": target.place, "Key": "a b"}
        client.upload_part_copy(**where, UploadId=upload, PartNumber=2, CopySource=source)
        rows = client.list_parts(**where, UploadId=upload)["Parts"]
        parts = [{"PartNumber": row["PartNumber"], "ETag": row["ETag"]} for row in rows]
        client.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
        client.head_object(**where)
        client.delete_objects(Bucket=target.place, Delete={"Objects": [{"Key": "none"}]})
        client.delete_object(**where)

    async with relayed(target, note) as running:
        await asyncio.to_thread(ask, through(target, running).client())
    kinds = ("put", "copy", "begin", "part", "copy part", "read", "complete", "read", "delete many", "remove")
    assert seen == [(kind, {"part": 1, "copy part": 2}.get(kind, 0)) for kind in kinds]


@pytest.mark.parametrize(
    ("fault", "is_stored", "told"),
    [
        (says(503, "SlowDown", {"Retry-After": "1"}), False, lambda said: code(said) == "SlowDown"),
        (resets, False, lambda said: "Connection" in type(said).__name__),
        (after(resets), True, lambda said: "Connection" in type(said).__name__),
        (cuts_the_answer, True, lambda said: isinstance(said, BotoCoreError) or "ETag" in said),
        (with_etag("0" * 32), True, lambda said: said["ETag"] == '"' + "0" * 32 + '"'),
        (with_etag(None), True, lambda said: "ETag" not in said),
    ],
    ids=["says", "resets", "stored, resets", "cut", "another etag", "no etag"],
)
async def test_the_first_request_for_an_object_meets_its_fault_and_the_second_does_not(
    target: S3Target, fault: Any, is_stored: bool, told: Callable[[Any], bool]
) -> None:
    """What the client is told, and whether the object is there"""
    meets = Meets("put", fault)
    async with relayed(target, meets) as running:
        assert told(await put(target, running))
        assert (await asyncio.to_thread(target.stored)) == ({"o": b"hello"} if is_stored else {})
        assert (await put(target, running))["ETag"] == '"5d41402abc4b2a76b9719d911017c592"'
    assert meets.count == 1


@pytest.mark.parametrize("way", [301, 400])
async def test_another_region_is_refused_and_named(target: S3Target, way: Any) -> None:
    """In a field, or in the document. botocore itself learns from either, and asks again"""
    region = Region("eu-west-9", way)
    async with relayed(target, region) as running:
        await put(target, running)
        refused = region.refused
        assert "ETag" in await put(target, running, region="eu-west-9")
    assert refused >= 1 and region.refused == refused


async def test_another_time_is_refused(target: S3Target) -> None:
    """RequestTimeTooSkewed; five minutes are not"""
    for ahead_s, is_refused in ((3600, True), (-3600, True), (300, False)):
        clock = Clock(ahead_s)
        async with relayed(target, clock) as running:
            said = await put(target, running)
        assert (clock.refused > 0) == is_refused
        assert code(said) == "RequestTimeTooSkewed" if is_refused else "ETag" in said


async def test_expired_keys_are_refused_from_then_on_and_others_are_not(target: S3Target) -> None:
    """ExpiredToken"""
    expiry = Expiry(target.server.access_key, after=2)
    async with relayed(target, expiry) as running:
        assert "ETag" in await put(target, running)
        assert code(await put(target, running)) == "ExpiredToken" and expiry.is_met.is_set()
        assert "ETag" in await put(target, running, access_key="another")
        assert code(await put(target, running)) == "ExpiredToken" and expiry.refused == 2
