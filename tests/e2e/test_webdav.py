"""Uploads to WebDAV and nginx servers: missing directories, and uploads that break off."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import bulkput
from bulkput.engine.objects.remove import remove
from bulkput.engine.open_store import connected
from bulkput.errors import Conflict, NotFound, SourceError
from bulkput.options import RetryOptions, SkipOptions, UploadOptions, WireOptions
from bulkput.results import Summary
from bulkput.testing.given import HEADERS, ONCE, Pieces, whole
from tests.e2e.cli import bulkput as command
from tests.servers.nginx import NginxDav, nginx_dav
from tests.servers.wsgidav import WsgiDav

DIRECTORIES = ["", "a/", "a/b/", "a/b/c/", "ü d/"]


pytestmark = pytest.mark.timeout(180)  # WsgiDAV takes its time on a busy machine


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Twelve files in each of five directories, and an empty one."""
    tree = tmp_path / "tree"
    for directory in DIRECTORIES:
        (tree / directory).mkdir(parents=True, exist_ok=True)
        for number in range(12):
            (tree / directory / f"f{number}").write_text(f"{directory}{number}")
    (tree / "empty" / "inside").mkdir(parents=True)
    return tree


@pytest.fixture
def place(webdav: WsgiDav) -> tuple[str, Path]:
    """A URL on WsgiDAV that does not exist yet, and the directory of its files."""
    name = uuid.uuid4().hex
    return f"{webdav.url}/deep/{name}/", webdav.root / "deep" / name


@pytest.fixture(scope="module")
def bare_nginx() -> Iterator[NginxDav]:
    with nginx_dav(methods="PUT DELETE MKCOL", makes_parents=False) as server:
        yield server


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def upload(tree: Path, url: str, **options: object) -> Summary:
    chosen = UploadOptions(retry=RetryOptions(retries=0), **options)  # type: ignore[arg-type]
    return asyncio.run(bulkput.upload([tree], url, options=chosen, environ={}))


def test_upload_creates_missing_directories_on_webdav(tree: Path, place: tuple[str, Path]) -> None:
    """bulkput upload TREE URL: creates each directory once; a second run makes no request for directories"""
    url, root = place
    first = upload(tree, url)
    assert (first.exit_code, first.uploaded, files(root)) == (0, 60, files(tree))
    assert not (root / "empty").exists()
    again = upload(tree, url)
    assert again.exit_code == 0 and files(root) == files(tree)
    assert again.requests == {"OPTIONS": 1, "HEAD": 1, "PUT": 60, "PROPFIND": 60, "MOVE": 120}


@pytest.mark.nginx
def test_upload_creates_missing_directories_on_nginx(tree: Path, bare_nginx: NginxDav) -> None:
    """bulkput upload TREE URL, with create_full_put_path off: nginx answers such a PUT with 500"""
    name = uuid.uuid4().hex
    first = upload(tree, f"{bare_nginx.url}/{name}/x/")
    assert (first.exit_code, files(bare_nginx.root / name / "x")) == (0, files(tree))
    again = upload(tree, f"{bare_nginx.url}/{name}/x/")
    assert again.requests == {"OPTIONS": 1, "HEAD": 1, "PUT": 60}


@pytest.mark.nginx
def test_a_server_without_mkcol_fails_files_in_missing_directories(tree: Path, nginx: NginxDav) -> None:
    """bulkput upload TREE URL, with dav_methods PUT alone: one sentence names the directory and the setting"""
    with nginx_dav(makes_parents=False) as server:
        ran = command("upload", tree, f"{server.url}/", "--retries", "0")
        assert ran.exit_code == 1 and files(server.root) == {f"f{n}": str(n).encode() for n in range(12)}
    assert "the directory /a/ is not there, and the server makes none (MKCOL: 405)" in ran.err
    assert "create_full_put_path on" in ran.err


def test_dir_markers_creates_empty_directories_on_webdav(tree: Path, place: tuple[str, Path]) -> None:
    """bulkput upload --dir-markers: creates directories instead of marker objects; --skip knows them"""
    url, root = place
    summary = upload(tree, url, dir_markers=True)
    assert summary.exit_code == 0 and (root / "empty" / "inside").is_dir()
    assert files(root) == files(tree)
    again = upload(tree, url, dir_markers=True, skip=SkipOptions(mode="existing"))
    assert (again.exit_code, again.failed) == (0, 0) and files(root) == files(tree)


@pytest.mark.nginx
def test_dir_markers_creates_empty_directories_on_nginx(tree: Path, bare_nginx: NginxDav) -> None:
    """bulkput upload --dir-markers --skip MODE, with MKCOL: nginx redirects a HEAD of a directory"""
    name = uuid.uuid4().hex
    for mode in ("none", "existing", "identical"):
        options = SkipOptions(mode=mode)  # type: ignore[arg-type]
        summary = upload(tree, f"{bare_nginx.url}/{name}/", dir_markers=True, skip=options)
        assert summary.exit_code == 0 and (bare_nginx.root / name / "empty" / "inside").is_dir()


GOOD = b"the good one" * 1000


@pytest.mark.parametrize("knows_size", [True, False])
async def test_a_source_that_fails_during_a_put_leaves_the_old_object_unchanged(
    place: tuple[str, Path], knows_size: bool
) -> None:
    """store.put on WsgiDAV: no temporary object remains either"""
    url, root = place
    failure = SourceError(b"/some/file", "changed", "while it was read")
    body = Pieces((b"a" * 200_000, b"b" * 200_000), knows_size=knows_size, failure=failure)
    async with connected(url, retry=ONCE, environ={}) as (store, _):
        await store.put("x", whole(GOOD), HEADERS)
        with pytest.raises(SourceError):
            await store.put("x", body, HEADERS)
    assert await asyncio.to_thread(files, root) == {"x": GOOD}


async def test_webdav_is_recognised_although_the_destination_does_not_exist(webdav: WsgiDav) -> None:
    """store.put: OPTIONS of a missing directory is answered 404, so bulkput asks the directory above"""
    name = uuid.uuid4().hex
    body = Pieces((b"a" * 200_000,), failure=SourceError(b"/some/file", "changed", "while it was read"))
    async with connected(f"{webdav.url}/{name}/a/b/", retry=ONCE, environ={}) as (store, count):
        await store.put("x", whole(GOOD), HEADERS)
        assert count.requests["MOVE"] == 1
        with pytest.raises(SourceError):
            await store.put("x", body, HEADERS)
    assert await asyncio.to_thread(files, webdav.root / name / "a" / "b") == {"x": GOOD}


def test_connections_cut_in_the_middle_of_puts_leave_the_old_objects_unchanged(
    place: tuple[str, Path], tmp_path: Path
) -> None:
    """bulkput.upload of a small and a large file, cut after 50 000 bytes at each attempt"""
    url, root = place
    tree = tmp_path / "tree"
    tree.mkdir()
    for name, size in (("small", 100_000), ("large", 3_000_000)):
        (tree / name).write_bytes(b"n" * size)
    root.mkdir(parents=True)
    for name in ("small", "large"):
        (root / name).write_bytes(GOOD)
    summary = asyncio.run(_cut(tree, url))
    assert summary.failed == 2 and summary.exit_code in (1, 3)
    assert {name: content for name, content in files(root).items() if not name.endswith(".part")} == {
        "small": GOOD,
        "large": GOOD,
    }
    again = upload(tree, url, skip=SkipOptions(mode="existing"))
    assert again.uploaded == 2 and {name: files(root)[name] for name in ("small", "large")} == files(tree)


async def _cut(tree: Path, url: str) -> Summary:
    """Uploads through a relay that closes each connection after 50 000 bytes."""
    host, _, path = url.removeprefix("http://").partition("/")
    port = int(host.rpartition(":")[2])

    relaying: set[asyncio.Task[None]] = set()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        relaying.add(task)
        there_reader, there = await asyncio.open_connection("127.0.0.1", port)

        async def back() -> None:
            while piece := await there_reader.read(65_536):
                writer.write(piece)

        answers = asyncio.create_task(back())
        room = 50_000
        try:
            while room > 0 and (piece := await reader.read(min(room, 65_536))):
                room -= len(piece)
                there.write(piece)
                await there.drain()
        finally:
            there.transport.abort()
            writer.transport.abort()
            answers.cancel()
            relaying.discard(task)

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    async with server:
        passing = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/{path}"
        options = UploadOptions(retry=RetryOptions(retries=1, base_s=0.01), wire=WireOptions(concurrency=2))
        summary = await bulkput.upload([tree], passing, options=options, environ={})
        while relaying:
            await asyncio.wait(tuple(relaying))
        return summary


async def test_a_directory_with_an_objects_name_is_never_replaced(place: tuple[str, Path]) -> None:
    """store.put and remove: MOVE with Overwrite: T would delete the whole directory"""
    url, root = place
    async with connected(url, retry=ONCE, environ={}) as (store, _):
        await store.put("d/inside", whole(GOOD), HEADERS)
        with pytest.raises(Conflict, match="a directory of that name"):
            await store.put("d", whole(b"x"), HEADERS)
        with pytest.raises(Conflict):
            await store.put("d", Pieces((b"x" * 100_000,)), HEADERS)
        with pytest.raises((Conflict, NotFound)):
            await store.put("d/inside/below", whole(b"x"), HEADERS)
    assert await asyncio.to_thread(files, root) == {"d/inside": GOOD}
    changes = await remove(f"{url}d", environ={})
    assert changes.exit_code == 1 and await asyncio.to_thread(files, root) == {"d/inside": GOOD}


@pytest.mark.nginx
@pytest.mark.parametrize("mode", ["existing", "unchanged"])
def test_a_file_is_not_skipped_if_its_object_has_another_size(nginx: NginxDav, tmp_path: Path, mode: str) -> None:
    """bulkput upload --skip MODE to plain HTTP: the size counts as well, even with --skip existing"""
    name = uuid.uuid4().hex
    (tmp_path / "x").write_bytes(b"whole")
    (nginx.root / name).mkdir()
    (nginx.root / name / "x").write_bytes(b"who")
    summary = upload(tmp_path, f"{nginx.url}/{name}/", skip=SkipOptions(mode=mode))  # type: ignore[arg-type]
    assert summary.uploaded == 1 and (nginx.root / name / "x").read_bytes() == b"whole"
    again = upload(tmp_path, f"{nginx.url}/{name}/", skip=SkipOptions(mode="existing"))
    assert again.uploaded == 0
