"""Copies in parts in S3 that fail: no unfinished upload stays, or it is told."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from bulkput import events as ev
from bulkput.devserver import Handler
from bulkput.engine.objects.copy import copy
from bulkput.options import HeaderOptions, RetryOptions
from bulkput.stores.s3 import copies
from bulkput.stores.s3.store import S3Store
from bulkput.verb_options import CopyOptions
from tests.e2e.s3_world import MIB, PART, Box, faulty, noise, says

SIZE = 2 * PART + 70_001
REFUSED = says(400, "InvalidRequest")


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch, box: Box) -> Box:
    """Copies above 6 MiB go in parts of 5; there is one object `a` of three."""
    monkeypatch.setattr(S3Store, "limits", replace(S3Store.limits, max_object_bytes=6 * MIB))
    monkeypatch.setattr(copies, "_PART", PART)
    box.judge.put(box.name, "a", noise(SIZE))
    return box


def copied(box: Box, told: list[ev.Event], **options: Any) -> Awaitable[Any]:
    given = CopyOptions(retry=RetryOptions(retries=0), headers=HeaderOptions(meta=(("New", "2"),)), **options)
    url = f"s3://{box.name}"
    return copy(f"{url}/a", f"{url}/b", options=given, on_event=told.append, environ=box.server.environment)


def warnings(told: list[ev.Event]) -> list[str]:
    return [event.why for event in told if isinstance(event, ev.Warned) and "may have stayed" in event.why]


@pytest.mark.parametrize("is_removed", [True, False])
async def test_a_copy_that_fails_leaves_no_upload_or_tells_of_it(in_parts: Box, *, is_removed: bool) -> None:
    """bulkput cp: a part is refused, and perhaps the removal, too"""
    told: list[ev.Event] = []
    async with faulty(in_parts) as (behind, faults, _):
        faults.at("PUT", has="partNumber=2", meet=REFUSED, times=9)
        if not is_removed:
            faults.at("DELETE", has="uploadId", meet=REFUSED, times=9)
        done = await copied(behind, told)
    assert (done.done, done.failed, len(await asyncio.to_thread(in_parts.unfinished))) == (0, 1, not is_removed)
    assert [f"s3://{in_parts.name}/b" in why for why in warnings(told)] == [] if is_removed else [True]


async def test_a_copy_that_is_cancelled_while_it_begins_leaves_no_upload(in_parts: Box) -> None:
    """The store has begun it, and its answer is still under way."""
    told: list[ev.Event] = []
    copying: asyncio.Future[Any]

    async def cancels(request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        answer = await pass_on(request)
        copying.cancel()
        return answer

    async with faulty(in_parts) as (behind, faults, relayed):
        faults.at("POST", has="?uploads", meet=cancels)
        copying = asyncio.ensure_future(copied(behind, told))
        with pytest.raises(asyncio.CancelledError):
            await copying
        assert relayed.count("DELETE") == 1
    assert (await asyncio.to_thread(in_parts.unfinished), warnings(told)) == ([], [])


async def test_a_copy_that_is_cancelled_twice_while_it_begins_tells_of_its_upload(in_parts: Box) -> None:
    """The second time it waits for the answer, which names the upload."""
    told: list[ev.Event] = []
    copying: asyncio.Future[Any]
    is_over = asyncio.Event()

    async def cancels(request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        answer = await pass_on(request)
        copying.cancel()
        asyncio.get_running_loop().call_later(0.2, copying.cancel)
        await is_over.wait()
        return answer

    async with faulty(in_parts) as (behind, faults, relayed):
        faults.at("POST", has="?uploads", meet=cancels)
        copying = asyncio.ensure_future(copied(behind, told))
        with pytest.raises(asyncio.CancelledError):
            await copying
        is_over.set()
        assert relayed.count("DELETE") == 0
    assert [f"s3://{in_parts.name}/b" in why for why in warnings(told)] == [True]
