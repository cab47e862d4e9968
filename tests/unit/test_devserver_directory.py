"""The local store on a directory: what survives, and what a crash may leave."""

import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bulkput.devserver.content import FileContent, MemoryContent
from bulkput.devserver.directory import DirectoryShelf
from bulkput.devserver.memory import MemoryShelf
from bulkput.devserver.record import StoredObject
from bulkput.devserver.store import Container, Store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await opened(tmp_path)
    yield store
    await store.aclose()


async def opened(root: Path) -> Store:
    store = Store(DirectoryShelf(str(root)))
    await store.load()
    return store


async def put(store: Store, container: Container, name: str, data: bytes) -> StoredObject:
    draft = store.draft()
    for start in range(0, len(data), 100_000):
        await draft.write(data[start : start + 100_000])
    etag = await draft.finish()
    assert await store.keep(
        container,
        draft,
        StoredObject(name, len(data), etag, "x/y", store.now(), (("X-Object-Meta-A", "é"),), MemoryContent(())),
    )
    await draft.discard()
    return container.objects[name]


async def read(stored: StoredObject) -> bytes:
    return b"".join([piece async for piece in stored.content.read(0, stored.size)])


def files(root: Path) -> list[str]:
    return sorted(os.path.relpath(os.path.join(at, file), root) for at, _, names in os.walk(root) for file in names)


NAMES = ["a/../b", "../../../x", "/", "n" * 1024, "é" * 512, "a\nb", ".json", "\U0001f600"]


async def test_all_is_there_again_after_a_restart(tmp_path: Path) -> None:
    """Names, bytes, headers, times and totals; nothing depends on the process."""
    store = await opened(tmp_path)
    await store.create("c/x".replace("/", " "), (("X-Container-Meta-A", "1"),))
    container = store.containers["c x"]
    bodies = {name: name.encode() * 3 for name in NAMES} | {"large": os.urandom(3_000_000), "empty": b""}
    before = {name: await put(store, container, name, body) for name, body in bodies.items()}
    await store.aclose()

    store = await opened(tmp_path)
    again = store.containers["c x"]
    assert again.record == container.record
    assert again.bytes_used == sum(map(len, bodies.values()))
    assert again.objects == before
    for name, body in bodies.items():
        assert await read(again.objects[name]) == body
    await store.aclose()


async def test_no_name_leaves_the_directory(store: Store, tmp_path: Path) -> None:
    """Whatever a container or an object is called, its files lie below the container's folder."""
    for name in ("..", ".", "c"):
        await store.create(name, ())
        for key in NAMES:
            content = (await put(store, store.containers[name], key, b"x")).content
            assert isinstance(content, FileContent)
            assert os.path.realpath(content.path).startswith(str(tmp_path / "containers") + os.sep)
    assert {path.name for path in tmp_path.iterdir()} == {"containers", "drafts", "bulkput-devserver.json"}


async def test_an_overwritten_object_leaves_no_file_behind(store: Store, tmp_path: Path) -> None:
    """One record and one data file for each object, none after its deletion, no folder after its container's."""
    await store.create("c", ())
    container = store.containers["c"]
    for size in (10, 2_500_000, 0):
        await put(store, container, "o", b"x" * size)
        assert len(files(tmp_path)) == 4
    assert await store.delete(container, "o")
    assert len(files(tmp_path)) == 2
    assert await store.drop("c")
    assert files(tmp_path) == ["bulkput-devserver.json"]
    assert list((tmp_path / "containers").iterdir()) == []


async def test_a_reader_keeps_the_object_it_opened(store: Store) -> None:
    """An object replaced or deleted while it is read is read to its end."""
    await store.create("c", ())
    container = store.containers["c"]
    data = os.urandom(2_500_000)
    pieces = (await put(store, container, "o", data)).content.read(0, len(data))
    got = await anext(pieces)
    await put(store, container, "o", b"new")
    assert got + b"".join([piece async for piece in pieces]) == data


async def test_a_discarded_draft_leaves_no_file(store: Store, tmp_path: Path) -> None:
    """However far it came."""
    for size in (10, 2_500_000):
        draft = store.draft()
        await draft.write(b"x" * size)
        await draft.discard()
    assert files(tmp_path) == ["bulkput-devserver.json"]


async def test_what_a_crash_left_is_removed_at_the_start(tmp_path: Path) -> None:
    """Drafts, data files nobody names, half-made records and containers; the complete object stays."""
    store = await opened(tmp_path)
    await store.create("c", ())
    stored = await put(store, store.containers["c"], "o", b"kept")
    await store.aclose()
    good = files(tmp_path)
    assert isinstance(stored.content, FileContent)
    (tmp_path / "drafts" / "abc").write_bytes(b"half")
    Path(stored.content.path.replace(".data", "0.data")).write_bytes(b"half")
    Path(stored.content.path + ".json.new").write_bytes(b"{")
    (tmp_path / "containers" / "unfinished").mkdir()

    store = await opened(tmp_path)
    assert files(tmp_path) == good
    assert list(store.containers) == ["c"]
    assert await read(store.containers["c"].objects["o"]) == b"kept"
    await store.aclose()


async def test_a_record_without_its_bytes_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An object that cannot be read is none, and the log says so."""
    store = await opened(tmp_path)
    await store.create("c", ())
    stored = await put(store, store.containers["c"], "o", b"gone")
    await store.aclose()
    assert isinstance(stored.content, FileContent)
    Path(stored.content.path).unlink()
    store = await opened(tmp_path)
    assert store.containers["c"].objects == {}
    assert "its data file is missing" in caplog.text
    await store.aclose()


async def test_a_directory_with_other_things_is_refused(tmp_path: Path) -> None:
    """Nothing of anybody's is removed as a leftover."""
    (tmp_path / "thesis.tex").write_text("years of work")
    shelf = DirectoryShelf(str(tmp_path))
    with pytest.raises(ValueError, match="holds other things"):
        await Store(shelf).load()
    await shelf.aclose()
    assert files(tmp_path) == ["thesis.tex"]


async def test_metadata_alone_can_be_rewritten(tmp_path: Path) -> None:
    """The bytes stay where they are, and a restart knows the new headers."""
    store = await opened(tmp_path)
    await store.create("c", ())
    container = store.containers["c"]
    old = await put(store, container, "o", b"bytes")
    changes = replace(old, headers=(("X-Object-Meta-B", "2"),), timestamp=store.now())
    assert await store.rewrite(container, "o", changes)
    await store.aclose()
    store = await opened(tmp_path)
    fresh = store.containers["c"].objects["o"]
    assert (fresh.headers, fresh.content) == ((("X-Object-Meta-B", "2"),), old.content)
    assert fresh.etag == hashlib.md5(b"bytes").hexdigest()
    await store.aclose()


async def test_a_write_to_a_dropped_container_is_not_kept() -> None:
    """Its container went while the body came: the caller answers 404."""
    store = Store(MemoryShelf())
    await store.create("c", ())
    container, draft = store.containers["c"], store.draft()
    assert await store.drop("c")
    stored = StoredObject("o", 0, "", "x/y", store.now(), (), MemoryContent(()))
    assert not await store.keep(container, draft, stored)
    await store.create("c", ())
    assert not await store.keep(container, draft, stored)
    assert store.containers["c"].objects == {}


async def test_pieces_are_cut_where_a_range_says() -> None:
    """Every range of a body in three pieces."""
    content = MemoryContent((b"abc", b"d", b"efgh"))
    for start in range(9):
        for stop in range(start, 9):
            assert b"".join([piece async for piece in content.read(start, stop)]) == b"abcdefgh"[start:stop]
