"""`bulkput ls s3://` and `swift://`: the buckets and containers that the credentials may list, on real servers."""

import asyncio
import re
from collections.abc import Callable, Mapping

import pytest
from aiohttp import web

import bulkput as library
from bulkput.devserver import Handler, Intercept
from bulkput.engine.open_store import connected
from bulkput.errors import StoreGone, Unavailable, UsageError
from tests.e2e.cli import Ran, bulkput
from tests.servers.httprelay import relay
from tests.servers.judge import SwiftJudge
from tests.servers.s3 import RealS3
from tests.servers.swift import RealSwift

S3S = [pytest.param("rgw_s3", marks=pytest.mark.rgw), pytest.param("s3api", marks=pytest.mark.swift), "moto"]
PAGES = (["aa1", "aa2"], ["bb1"], [])


@pytest.fixture(params=S3S)
def s3(request: pytest.FixtureRequest) -> RealS3:
    found: RealS3 = request.getfixturevalue(request.param)
    return found


def ok(*words: str, environ: Mapping[str, str]) -> Ran:
    ran = bulkput(*words, environ=environ)
    assert (ran.exit_code, ran.err) == (0, ""), ran.err
    return ran


def test_ls_of_s3_alone_lists_the_buckets_of_the_keys(s3: RealS3) -> None:
    """bulkput ls s3://, ls -l s3:// and ls --json S3://: those that boto3 lists, with the time of each"""
    new = s3.make_bucket()
    names = [row["Name"] for row in s3.client().list_buckets()["Buckets"]]
    assert new in names
    assert ok("ls", "s3://", environ=s3.environment).out == "".join(f"{name}\n" for name in names)
    rows = {row["container"]: row for row in ok("ls", "--json", "S3://", environ=s3.environment).rows}
    assert list(rows) == names
    assert list(rows[new]) == ["container", "objects", "bytes", "last_modified"]
    assert (rows[new]["objects"], rows[new]["bytes"]) == (None, None)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?", rows[new]["last_modified"])
    (line,) = [line for line in ok("ls", "-l", "s3:///", environ=s3.environment).out.splitlines() if new in line]
    assert line.split() == ["-", rows[new]["last_modified"] + "Z", "-", new]


def test_ls_of_swift_alone_lists_the_containers_of_the_account(swift_or_rgw: RealSwift) -> None:
    """bulkput ls swift://, and ls --json swift://: with what is in each"""
    judge = SwiftJudge(swift_or_rgw.auth_url, swift_or_rgw.user, swift_or_rgw.key)
    environ = swift_or_rgw.environment

    async def make() -> None:
        async with connected("swift://listed-by-ls", environ=environ) as (store, _):
            await store.prepare()

    asyncio.run(make())
    rows = {row["container"]: row for row in ok("ls", "--json", "swift://", environ=environ).rows}
    assert (rows["listed-by-ls"]["objects"], rows["listed-by-ls"]["bytes"]) == (0, 0)
    assert sorted(rows) == sorted(judge.containers())
    assert ok("ls", "swift://", environ=environ).out == "".join(f"{name}\n" for name in rows)


def paged(page_at: Callable[[str], str]) -> Intercept:
    """Answers to `GET /` as a store that has pages: `page_at` gives the inside of that for a token."""

    async def meet(request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        if request.raw_path.partition("?")[0] != "/":
            return await pass_on(request)
        inside = page_at(request.query.get("continuation-token", ""))
        return web.Response(text=f"<ListAllMyBucketsResult>{inside}</ListAllMyBucketsResult>")

    return meet


def page_at(token: str) -> str:
    number = int(token.removeprefix("t/+") or 0)
    rows = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in PAGES[number])
    more = f"<ContinuationToken>t/+{number + 1}</ContinuationToken>" if number + 1 < len(PAGES) else ""
    return f"<Buckets>{rows}</Buckets>{more}"


async def listed(server: RealS3, endpoint: str) -> list[str]:
    environ = {**server.environment, "AWS_ENDPOINT_URL": endpoint}
    options = library.ListOptions(retry=library.RetryOptions(retries=0))
    return [row.name async for row in library.list_containers("s3://", options=options, environ=environ)]


async def test_pages_of_buckets_are_followed_to_the_last(moto: RealS3) -> None:
    """By their tokens; one page is empty."""
    async with relay(moto.endpoint, paged(page_at)) as relayed:
        assert await listed(moto, relayed.url) == ["aa1", "aa2", "bb1"]
        assert relayed.asked == ["GET /", *(f"GET /?continuation-token=t%2F%2B{number}" for number in (1, 2))]


@pytest.mark.parametrize(
    ("inside", "error", "said"),
    [
        ("<ContinuationToken>t</ContinuationToken>", Unavailable, "comes back to the same page, and has no end"),
        ("<Bucket><CreationDate>1</CreationDate></Bucket>", library.StoreError, "a bucket without a name"),
        ("<Bucket>", library.StoreError, "not XML of S3"),
    ],
)
async def test_pages_that_are_wrong_end_the_listing(
    moto: RealS3, inside: str, error: type[Exception], said: str
) -> None:
    """They are errors, never the end of a list."""
    async with relay(moto.endpoint, paged(lambda _token: inside)) as relayed:
        with pytest.raises(error, match=said):
            await listed(moto, relayed.url)


async def test_pages_of_buckets_that_lead_to_each_other_end_the_listing(moto: RealS3) -> None:
    """Two tokens in turn would be asked for without an end."""
    inside = {"": "t1", "t1": "t2", "t2": "t1"}
    pages = paged(lambda token: f"<ContinuationToken>{inside[token or '']}</ContinuationToken>")
    async with relay(moto.endpoint, pages) as relayed:
        with pytest.raises(Unavailable, match="comes back to the same page"):
            await listed(moto, relayed.url)
        assert len(relayed.asked) == 3


@pytest.mark.rgw
@pytest.mark.parametrize(
    ("words", "environ", "code", "said"),
    [
        (("ls", "-r", "s3://"), {}, 2, "-r is for the objects of one container: write s3://NAME"),
        (("ls", "https://"), {}, 2, "names no host"),
        (("upload", ".", "s3://"), {}, 2, "names no bucket: write s3://BUCKET[/PREFIX]"),
        (("rm", "-r", "--yes", "s3://"), {}, 2, "names no bucket"),
        (
            ("ls", "s3://"),
            {"AWS_SECRET_ACCESS_KEY": "geheim"},
            3,
            "list buckets: 403 SignatureDoesNotMatch: the secret",
        ),
        (("ls", "s3://"), {"AWS_ACCESS_KEY_ID": ""}, 2, "no credentials for s3://: set AWS_ACCESS_KEY_ID"),
    ],
)
def test_what_cannot_be_listed_is_one_sentence(
    rgw_s3: RealS3, words: tuple[str, ...], environ: dict[str, str], code: int, said: str
) -> None:
    """No secret is in it."""
    ran = bulkput(*words, environ={**rgw_s3.environment, **environ})
    assert (ran.exit_code, ran.out, ran.err.count("\n")) == (code, "", 1), ran.err
    assert said in ran.err and "geheim" not in ran.err


@pytest.mark.rgw
async def test_swifts_own_api_has_no_list_of_buckets(rgw_s3: RealS3) -> None:
    """Nor does it look like an account without buckets."""
    with pytest.raises(StoreGone, match="AWS_ENDPOINT_URL has to be the address of an S3"):
        await listed(rgw_s3, f"{rgw_s3.endpoint}/swift/v1")


async def test_only_an_account_has_containers_to_list(moto: RealS3) -> None:
    """Not a bucket, and not by levels."""
    for url, options in (("s3://bucket", None), ("https://h/", None), ("s3://", library.ListOptions(delimiter="/"))):
        with pytest.raises(UsageError):
            async for _ in library.list_containers(url, options=options, environ=moto.environment):
                pass


def test_sync_list_containers_gives_the_same(moto: RealS3) -> None:
    """bulkput.sync.list_containers, without an event loop."""
    new = moto.make_bucket()
    assert new in [row.name for row in library.sync.list_containers("s3://", environ=moto.environment)]
