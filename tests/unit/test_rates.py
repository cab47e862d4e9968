"""The service of shared rates by its own protocol, asked by aiohttp's client."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from bulkput.rates import RateService, RateServiceOptions


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def ask(run: str, objects: int, size: int = 0) -> dict[str, object]:
    return {"run": run, "objects": objects, "bytes": size}


async def test_an_ask_for_nothing_tells_the_cap(client: aiohttp.ClientSession) -> None:
    """At once; what has no cap is null."""
    async with (
        RateService(RateServiceOptions(objects_per_s=200.0)) as service,
        client.post(f"{service.url}/lease", json=ask("a", 0)) as answer,
    ):
        assert await answer.json() == {
            "objects": 0,
            "bytes": None,
            "for_s": 0.1,
            "cap": {"objects_per_s": 200.0, "bytes_per_s": None},
        }


async def test_two_runs_that_ask_for_all_get_half_of_it(client: aiohttp.ClientSession) -> None:
    """The status has both."""
    async with RateService(RateServiceOptions(objects_per_s=210.0)) as service:

        async def leased(run: str) -> int:
            async with client.post(f"{service.url}/lease", json=ask(run, 1000)) as answer:
                return int((await answer.json())["objects"])

        await leased("first")  # has the rest of its slot
        assert sorted(await asyncio.gather(leased("a"), leased("b"))) in ([10, 10], [10, 11])
        async with client.get(service.url) as answer:
            runs = (await answer.json())["runs"]
        assert [each["run"] for each in runs] == ["a", "b", "first"]
        assert runs[0]["wants"] is None and runs[0]["last_second"]["objects"] in (10, 11)


async def test_a_run_that_closes_its_connection_gets_nothing(client: aiohttp.ClientSession) -> None:
    """The one beside it gets all."""
    async with RateService(RateServiceOptions(objects_per_s=10.5)) as service:
        while True:  # use up what there is: the next ask waits
            try:
                async with asyncio.timeout(0.05), client.post(f"{service.url}/lease", json=ask("a", 9)) as answer:
                    await answer.read()
            except TimeoutError:
                break
        async with client.get(service.url) as answer:
            (shown,) = (await answer.json())["runs"]
        while shown["wants"] is not None:
            async with client.get(service.url) as answer:
                (shown,) = (await answer.json())["runs"]


async def test_a_second_ask_of_a_run_takes_the_place_of_its_first(client: aiohttp.ClientSession) -> None:
    """The first gets zeros."""
    async with RateService(RateServiceOptions(objects_per_s=1 / 60)) as service:
        url = f"{service.url}/lease"
        async with client.post(url, json=ask("a", 1)) as answer:
            assert (await answer.json())["objects"] == 1

        async def leased() -> dict[str, object]:
            async with client.post(url, json=ask("a", 1)) as answer:
                return dict(await answer.json())

        first = asyncio.create_task(leased())
        async with asyncio.timeout(20):
            while True:
                async with client.get(service.url) as answer:
                    if (await answer.json())["runs"][0]["wants"] is not None:
                        break
            second = asyncio.create_task(leased())
            assert (await first)["objects"] == 0
            assert (await second)["objects"] == 0, "after a second, since the next minute's request is not due"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"no json", "the ask is no JSON"),
        (b"[1]", "the ask is no JSON object"),
        (b'{"objects": 1}', "run is 1 to 100 letters, digits and ._:-"),
        (b'{"run": "a b", "objects": 1}', "run is 1 to 100 letters, digits and ._:-"),
        (b'{"run": "a", "process": ""}', "process is 1 to 100 letters, digits and ._:-"),
        (b'{"run": "a", "objects": -1}', "objects is a whole number from 0 to 9007199254740992"),
        (b'{"run": "a", "bytes": 1.5}', "bytes is a whole number from 0 to 9007199254740992"),
        (b'{"run": "a", "bytes": true}', "bytes is a whole number from 0 to 9007199254740992"),
    ],
)
async def test_an_ask_that_is_wrong_gets_a_sentence(client: aiohttp.ClientSession, body: bytes, told: str) -> None:
    """And 400."""
    async with (
        RateService(RateServiceOptions(objects_per_s=1.0)) as service,
        client.post(f"{service.url}/lease", data=body) as answer,
    ):
        assert (answer.status, await answer.json()) == (400, {"error": told})


@pytest.mark.parametrize("path", ["/", "/lease", "/other"])
@pytest.mark.parametrize("shown", [None, "Bearer wrong", "Basic geheim", "geheim", "Bearer gehe\u00efm"])
async def test_nobody_is_answered_without_the_token(
    client: aiohttp.ClientSession, path: str, shown: str | None
) -> None:
    """The answer does not have it, nor has the repr of the options."""
    options = RateServiceOptions(objects_per_s=1.0, token="geheim")
    fields = {"Authorization": shown} if shown is not None else {}
    async with RateService(options) as service, client.get(f"{service.url}{path}", headers=fields) as answer:
        assert answer.status == 401 and "geheim" not in await answer.text()
    assert "geheim" not in repr(options)


@pytest.mark.parametrize("field", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_no_web_page_uses_up_the_rate(client: aiohttp.ClientSession, field: dict[str, str]) -> None:
    """Browsers send these fields, and no client of ours does."""
    ask = b'{"run": "evil", "objects": 1000000}'
    async with (
        RateService(RateServiceOptions(objects_per_s=1.0)) as service,
        client.post(f"{service.url}/lease", data=ask, headers=field) as answer,
        client.get(service.url) as status,
    ):
        assert answer.status == 403
        assert "evil" not in await status.text()


async def test_a_path_that_is_not_there_is_404(client: aiohttp.ClientSession) -> None:
    """As JSON, like all answers."""
    async with (
        RateService(RateServiceOptions(objects_per_s=1.0)) as service,
        client.get(f"{service.url}/other") as answer,
    ):
        assert (answer.status, await answer.json()) == (404, {"error": "Not Found"})
