"""The manifest of a publish if its PUT fails, the run is stopped, or a listing lags behind."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

import bulkput
from bulkput import events as ev
from bulkput.devserver import DevServer, Handler
from bulkput.options import GzipOptions, RetryOptions, SkipOptions, UploadOptions, WalkOptions
from tests.conftest import environ_of

M = UploadOptions(manifest="m", retry=RetryOptions(retries=1, base_s=0.01))
Intercept = Callable[[web.BaseRequest, Handler], Awaitable[web.StreamResponse]]


def files(root: Path, count: int) -> Path:
    root.mkdir(exist_ok=True)
    for number in range(count):
        (root / f"{number:04d}").write_text(f"content {number}")
    return root


def refusing(method: str, path: str, status: int, times: int = 1_000) -> Intercept:
    """Answers the first requests of that kind with `status`."""
    left = [times]

    async def intercept(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.method == method and request.path.endswith(path) and left[0]:
            left[0] -= 1
            await request.read()
            return web.Response(status=status)
        return await handler(request)

    return intercept


async def objects(server: DevServer) -> list[str]:
    return [row.name async for row in bulkput.list_objects("swift://c", environ=environ_of(server))]


@pytest.mark.parametrize(("status", "code"), [(503, 1), (422, 1), (403, 3)])
async def test_a_manifest_that_cannot_be_put_makes_the_run_fail(tmp_path: Path, status: int, code: int) -> None:
    """The numbers add up, and a mirror removes nothing."""
    source = files(tmp_path / "now", 3)
    async with DevServer(intercept=refusing("PUT", "/c/m", status)) as server:
        environ = environ_of(server)
        await bulkput.upload(files(tmp_path / "before", 5), "swift://c", environ=environ)
        options = UploadOptions(manifest="m", retry=M.retry, skip=SkipOptions(delete_extra=True))
        summary = await bulkput.upload(source, "swift://c", options=options, environ=environ)
        assert (summary.exit_code, summary.uploaded, summary.failed, summary.found) == (code, 3, 1, 4)
        assert summary.failures[0].key == "m"
        assert len(await objects(server)) == 5


async def test_the_put_of_a_manifest_is_retried_and_proven(tmp_path: Path) -> None:
    """As that of any object; its MD5 goes along."""
    async with DevServer(intercept=refusing("PUT", "/c/m", 503, times=1)) as server:
        told: list[ev.Event] = []
        summary = await bulkput.upload(
            files(tmp_path, 3), "swift://c", options=M, environ=environ_of(server), on_event=told.append
        )
        assert (summary.exit_code, summary.uploaded, summary.retries) == (0, 4, 1)
        last = [event for event in told if isinstance(event, ev.Uploaded)][-1]
        assert (last.stored.key, last.stored.etag is not None) == ("m", True)


async def test_a_stopped_run_puts_no_manifest(tmp_path: Path) -> None:
    """It is stopped when its last file is uploaded."""
    async with DevServer() as server:
        stop, uploaded = bulkput.Stop(), []

        def tell(event: ev.Event) -> None:
            if isinstance(event, ev.Uploaded):
                uploaded.append(event)
                if len(uploaded) == 3:
                    stop.interrupt()

        environ = environ_of(server)
        summary = await bulkput.upload(
            files(tmp_path, 3), "swift://c", options=M, environ=environ, on_event=tell, stop=stop
        )
        assert (summary.exit_code, summary.uploaded, summary.adds_up) == (130, 3, True)
        assert "m" not in await objects(server)


async def test_a_run_that_is_stopped_while_it_sends_the_manifest_keeps_its_numbers(tmp_path: Path) -> None:
    """The manifest then counts as not sent."""
    stop = bulkput.Stop()
    over = asyncio.Event()

    async def intercept(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.method == "PUT" and request.path.endswith("/c/m"):
            stop.interrupt()
            await over.wait()
        return await handler(request)

    async with DevServer(intercept=intercept) as server:
        options = UploadOptions(manifest="m", wire=bulkput.WireOptions(timeout_s=3.0))
        environ = environ_of(server)
        summary = await bulkput.upload(files(tmp_path, 3), "swift://c", options=options, environ=environ, stop=stop)
        over.set()
        assert (summary.exit_code, summary.uploaded, summary.skipped, summary.adds_up) == (130, 3, 1, True)


@pytest.mark.parametrize("options", [UploadOptions(manifest="0", encode_names="percent"), M])
async def test_a_file_with_the_name_of_the_manifest_is_not_replaced_by_it(
    tmp_path: Path, options: UploadOptions
) -> None:
    """It fails before anything of that name is stored, or the run is refused at once."""
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / (options.manifest or "")).write_bytes(b"mine")
    (tmp_path / "s" / "other").write_bytes(b"x")
    async with DevServer() as server:
        environ = environ_of(server)
        if options.encode_names == "strict":
            with pytest.raises(bulkput.UsageError, match="as the manifest: give `manifest` another name"):
                await bulkput.upload(tmp_path / "s", "swift://c", options=options, environ=environ)
            excluded = UploadOptions(manifest="m", walk=WalkOptions(exclude=("m",)))
            assert (await bulkput.upload(tmp_path / "s", "swift://c", options=excluded, environ=environ)).failed == 0
            return
        summary = await bulkput.upload(tmp_path / "s", "swift://c", options=options, environ=environ)
        assert (summary.uploaded, summary.failed) == (1, 1)
        assert await objects(server) == ["other"]


async def test_a_compressed_tree_has_an_uncompressed_manifest(tmp_path: Path) -> None:
    """With gzip files, too: it lists their names and their stored sizes."""
    (tmp_path / "a").write_bytes(b"a" * 10_000)
    for store_as in ("encoding", "suffix"):
        async with DevServer() as server:
            environ = environ_of(server)
            gzip = GzipOptions(mode="always", store_as=store_as)  # type: ignore[arg-type]
            options = UploadOptions(manifest="m", gzip=gzip)
            assert (await bulkput.upload(tmp_path, "swift://c", options=options, environ=environ)).exit_code == 0
            async with bulkput.open_store("swift://c", environ=environ) as store:
                assert store.powers.get is not None
                content = b"".join([piece async for piece in store.powers.get("m")])
                row, head = json.loads(content), await store.stat("a.gz" if store_as == "suffix" else "a")
            assert head is not None and head.bytes is not None and head.bytes < 100
            assert (row["name"], row["bytes"], row["hash"]) == (head.name, head.bytes, head.hash)


async def test_a_listing_that_lags_behind_makes_nothing_missing_or_different(tmp_path: Path) -> None:
    """A HEAD decides: one for each name that the listing does not show as it is."""
    is_old = False

    async def intercept(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        if is_old and request.method == "GET" and "format=json" in request.query_string:
            assert isinstance(answer, web.Response) and isinstance(answer.body, bytes)
            rows = json.loads(answer.body)
            if rows:
                rows = [rows[0] | {"hash": "0" * 32, "bytes": 99}, *rows[2:]]
                rows.append(rows[-1] | {"name": "000z"})
            return web.json_response(rows)
        return answer

    async with DevServer(intercept=intercept) as server:
        environ = environ_of(server)
        await bulkput.upload(files(tmp_path, 4), "swift://c", options=M, environ=environ)
        is_old = True
        found = await bulkput.verify_manifest("swift://c/m", environ=environ)
        assert (found.is_identical, found.identical, found.ignored) == (True, 4, 1)
        assert found.requests["HEAD"] == 2


async def test_a_store_that_fails_stops_the_verification(tmp_path: Path) -> None:
    """Exit code 3, whether the manifest or the listing cannot be read."""
    for method, path in (("GET", "/c/m"), ("GET", "/c")):
        is_down = False

        async def intercept(
            request: web.BaseRequest, handler: Handler, path: str = path, method: str = method
        ) -> web.StreamResponse:
            if is_down and request.method == method and request.path.endswith(path):  # noqa: B023 - the test's own
                return web.Response(status=503)
            return await handler(request)

        async with DevServer(intercept=intercept) as server:
            environ = environ_of(server)
            await bulkput.upload(files(tmp_path, 4), "swift://c", options=M, environ=environ)
            is_down = True
            options = bulkput.ManifestOptions(retry=RetryOptions(retries=0, first_retries=0))
            found = await bulkput.verify_manifest("swift://c/m", options=options, environ=environ)
            assert (found.exit_code, found.is_identical) == (3, False)
