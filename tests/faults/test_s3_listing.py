"""Faults of a listing of S3: what is compared with a broken listing is neither skipped wrongly nor removed.

moto is asked for pages of ten rows, by the relay: it checks no signature.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from yarl import URL

from bulkput.devserver import Handler, Intercept
from bulkput.options import RetryOptions, SkipOptions, UploadOptions, WireOptions
from tests.faults.bucket import S3Target, cuts_the_answer, port_of, relayed, resets, says
from tests.faults.target import Ran, contents, make_tree, upload
from tests.ledger import Ledger
from tests.servers.s3 import RealS3

COUNT = 35
EXTRA = [f"extra/{n}" for n in range(3)] + [f"zz/{n}" for n in range(3)]
MIRROR = SkipOptions(mode="identical", delete_extra=True)


@dataclass(slots=True)
class Pages:
    """Lists ten rows at a time; the pages of these numbers, from 1, meet the fault, `times` times."""

    fault: Intercept
    number: int = 2
    times: int | None = 1
    count: int = 0

    async def __call__(self, request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        if "list-type=2" not in request.raw_path or "max-keys" in request.raw_path:
            return await pass_on(request)
        small = request.clone(rel_url=URL(f"{request.raw_path}&max-keys=10", encoded=True))
        is_first = not re.search("continuation-token|start-after", request.raw_path)
        if is_first != (self.number == 1) or self.count == self.times:
            return await pass_on(small)
        self.count += 1
        return await self.fault(small, pass_on)


def edited(edit: Callable[[bytes], bytes]) -> Intercept:
    """The server does what it is asked; the document of its answer is another one."""

    async def change(request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        answer = await pass_on(request)
        assert isinstance(answer, web.Response) and isinstance(answer.body, bytes)
        answer.body = edit(answer.body)
        return answer

    return change


def _without_token(body: bytes) -> bytes:
    """A page that says that there is more, and not where."""
    body = re.sub(rb"<NextContinuationToken>.*?</NextContinuationToken>", b"", body)
    return re.sub(rb"<IsTruncated>.*?</IsTruncated>", b"<IsTruncated>true</IsTruncated>", body)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree", COUNT, 500)


@pytest.fixture
async def target(moto: RealS3, tree: Path) -> S3Target:
    """A bucket with the tree, and objects that have no files."""
    target = S3Target.new(moto, "moto")
    for name, content in {**await asyncio.to_thread(contents, tree), **dict.fromkeys(EXTRA, b"x")}.items():
        await asyncio.to_thread(target.judge.put, target.place, name, content)
    return target


async def run(ledger: Ledger, target: S3Target, tree: Path, pages: Pages, fault: str) -> tuple[Ran, set[str]]:
    """Mirrors the tree; gives the names of the bucket's objects afterwards."""
    options = UploadOptions(skip=MIRROR, retry=RetryOptions(retries=3, base_s=0.001))
    async with relayed(target, pages) as running:
        ran = await upload(tree, target, port_of(running), wire=WireOptions(concurrency=16), options=options)
    stored, source = await asyncio.to_thread(target.stored), await asyncio.to_thread(contents, tree)
    extras = {name: content for name, content in stored.items() if name in EXTRA}
    row = ledger.note(
        f"listing: {fault}",
        target.name,
        source={**source, **extras},
        stored=stored,
        uploaded=[*source],
        tried=0,
        puts=ran.summary.requests.get("PUT", 0),
        exit_code=ran.summary.exit_code,
    )
    assert row.is_honest, row
    return ran, set(stored)


@pytest.mark.parametrize("number", [1, 2], ids=["first page", "later page"])
@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (says(503, "SlowDown"), "SlowDown"),
        (says(500, "InternalError"), "InternalError"),
        (resets, "reset"),
        (cuts_the_answer, "answer cut"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_page_that_meets_a_fault_once_is_asked_for_again(
    ledger: Ledger, target: S3Target, tree: Path, fault: Intercept, name: str, number: int
) -> None:
    """bulkput upload --skip identical --delete-extra: nothing is sent, and extras are removed"""
    pages = Pages(fault, number)
    ran, names = await run(ledger, target, tree, pages, name)
    assert (pages.count, ran.summary.skipped, ran.summary.uploaded) == (1, COUNT, 0)
    assert (ran.summary.exit_code, len(names)) == (0, COUNT)


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (says(503, "SlowDown"), "SlowDown"),
        (says(200, "InternalError"), "200 with an error"),
        (says(200), "200 of nothing"),
        (cuts_the_answer, "answer cut"),
        (edited(lambda body: body[: len(body) // 2]), "half a document"),
        (edited(_without_token), "truncated, without a token"),
        (edited(lambda body: b"<html>a proxy's page</html>"), "a page of a proxy"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("number", [1, 2], ids=["first page", "later page"])
async def test_with_a_listing_that_breaks_off_nothing_is_removed(
    ledger: Ledger, target: S3Target, tree: Path, fault: Intercept, name: str, number: int
) -> None:
    """It says so, and does not end with 0"""
    pages = Pages(fault, number, times=None)
    ran, names = await run(ledger, target, tree, pages, f"{name}, always")
    assert pages.count >= 1 and ran.summary.exit_code != 0
    assert names >= set(EXTRA)
