"""The shelf in a directory: what is stored is there again after a restart.

    ROOT/bulkput-devserver.json                          says that the directory is ours
    ROOT/drafts/TOKEN                                    large uploads under way; removed at the start
    ROOT/containers/HASH.TOKEN/container.json            name, time, headers
    ROOT/containers/HASH.TOKEN/HH/HASH.json              one object: name, size, ETag, headers, its data file
    ROOT/containers/HASH.TOKEN/HH/HASH.TOKEN.data        its bytes

HASH is the SHA-256 of the name, HH its first two digits: whatever the name, no path leaves ROOT and none is too long.
The rename of an object's .json is the moment it exists: it names a data file that is complete by then, so a crash
leaves the old object or the new one, and at worst a data file nobody names, removed at the next start. Nothing is
fsynced: this outlives its process, not a power cut. One server per directory.

A link in ROOT is never followed, whoever put it there: what it names is not served and not written to.

Every file operation runs in this shelf's threads; a small object takes one trip, a large one a trip per MiB.
"""

import asyncio
import hashlib
import json
import logging
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, BinaryIO, ParamSpec, TypeVar

from .content import PIECE, FileContent, open_no_link
from .record import ContainerRecord, StoredObject

_P = ParamSpec("_P")
_T = TypeVar("_T")
_MARK = "bulkput-devserver.json"
_INLINE = 1 << 16  # up to here an MD5 costs less (0.1 ms) than the trip to a thread
_log = logging.getLogger(__name__)


class DirectoryDraft:
    """An upload under way: bytes wait in memory up to 1 MiB, then go to a draft file."""

    def __init__(self, shelf: "DirectoryShelf") -> None:
        self.size = 0
        self._shelf = shelf
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._waiting: list[bytes] = []
        self._waiting_size = 0
        self._file: BinaryIO | None = None
        self._path = ""

    async def write(self, piece: bytes) -> None:
        """Append one piece."""
        self._waiting.append(piece)
        self._waiting_size += len(piece)
        self.size += len(piece)
        if self._waiting_size >= PIECE:
            await self._shelf.run(self._spill)

    async def finish(self) -> str:
        """No more will come: the MD5, in hex."""
        if self._file is not None:
            await self._shelf.run(self._spill)
        elif self.size <= _INLINE:
            self._digest()
        else:
            await self._shelf.run(self._digest)
        return self._md5.hexdigest()

    async def keep(self, container: ContainerRecord, stored: StoredObject) -> StoredObject:
        """The object, committed to its container's directory. Only after `finish`."""
        return await self._shelf.run(self._commit, container, stored)

    async def discard(self) -> None:
        """Remove the draft file, if there is one still."""
        if self._file is not None:
            await self._shelf.run(self._remove)

    def _digest(self) -> None:
        for piece in self._waiting:
            self._md5.update(piece)

    def _spill(self) -> None:
        if self._file is None:
            self._path = self._shelf.new_draft_path()
            self._file = open(self._path, "wb", buffering=0)  # noqa: SIM115 - lives until keep or discard
        self._digest()
        for piece in self._waiting:
            _write_all(self._file, piece)
        self._waiting.clear()
        self._waiting_size = 0

    def _commit(self, container: ContainerRecord, stored: StoredObject) -> StoredObject:
        base = _object_base(container, stored.name)
        path = f"{base}.{secrets.token_hex(8)}.data"
        if not os.path.isdir(os.path.dirname(path)):
            os.makedirs(os.path.dirname(path), exist_ok=True)
        if self._file is None:
            with open(path, "wb", buffering=0) as file:
                for piece in self._waiting:
                    _write_all(file, piece)
        else:
            self._file.close()
            os.rename(self._path, path)
            self._file = None
        kept = stored.placed(FileContent(path, self._shelf.threads))
        _write_object(base, kept)
        return kept

    def _remove(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            os.unlink(self._path)


class DirectoryShelf:
    """Records and bytes in files. `await load()` first. Raises ValueError for a directory that holds other things."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="devserver-files")

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call a function in one of the shelf's threads."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, lambda: function(*args, **kwargs))

    def new_draft_path(self) -> str:
        """A path for one large upload."""
        return os.path.join(self.root, "drafts", secrets.token_hex(16))

    async def load(self) -> list[tuple[ContainerRecord, Sequence[StoredObject]]]:
        """Make the directory ours, remove what a crash left, read what is stored."""
        return await self.run(self._load)

    async def aclose(self) -> None:
        """Let running file operations end."""
        await asyncio.to_thread(self.threads.shutdown)

    async def add_container(self, record: ContainerRecord) -> ContainerRecord:
        """A directory of its own for each life of a container: a new one never meets its predecessor's remains."""
        digest = hashlib.sha256(record.name.encode()).hexdigest()
        path = os.path.join(self.root, "containers", f"{digest}.{secrets.token_hex(8)}")
        placed = replace(record, shelf=path)
        await self.run(os.mkdir, path)
        await self.run(_write_container, placed)
        return placed

    async def update_container(self, record: ContainerRecord) -> None:
        """Write the container's headers."""
        await self.run(_write_container, record)

    async def drop_container(self, record: ContainerRecord) -> None:
        """Remove the directory of an empty container; its record first, so that a crash leaves none half alive."""
        await self.run(os.unlink, os.path.join(record.shelf, "container.json"))
        await self.run(shutil.rmtree, record.shelf)

    def draft(self) -> DirectoryDraft:
        """A new draft."""
        return DirectoryDraft(self)

    async def rewrite(self, container: ContainerRecord, stored: StoredObject) -> None:
        """Write an object's record over the old one."""
        await self.run(_write_object, _object_base(container, stored.name), stored)

    async def remove(self, container: ContainerRecord, stored: StoredObject) -> None:
        """Remove an object: its record first, which is the moment it is gone."""
        await self.run(os.unlink, _object_base(container, stored.name) + ".json")
        await self.remove_content(stored)

    async def remove_content(self, stored: StoredObject) -> None:
        """Remove the bytes of an object that is no longer named."""
        if isinstance(stored.content, FileContent):
            await self.run(os.unlink, stored.content.path)

    def _load(self) -> list[tuple[ContainerRecord, Sequence[StoredObject]]]:
        self.root = os.path.abspath(self.root)  # here, because it asks for the working directory
        os.makedirs(self.root, mode=0o700, exist_ok=True)
        mark = os.path.join(self.root, _MARK)
        for name in (_MARK, "drafts", "containers"):
            if os.path.islink(os.path.join(self.root, name)):
                raise ValueError(f"{os.path.join(self.root, name)} is a link, which no server has made")
        if os.listdir(self.root) and not os.path.exists(mark):
            raise ValueError(f"{self.root} holds other things and is no store's directory: name an empty one")
        _write_json(mark, {"format": 1})
        shutil.rmtree(os.path.join(self.root, "drafts"), ignore_errors=True)
        for folder in ("drafts", "containers"):
            os.makedirs(os.path.join(self.root, folder), exist_ok=True)
        found: list[tuple[ContainerRecord, Sequence[StoredObject]]] = []
        with os.scandir(os.path.join(self.root, "containers")) as folders:
            for entry in folders:
                if not entry.is_dir(follow_symlinks=False):
                    _log.warning("%s: not a directory of ours; left out", entry.path)
                    continue
                row = _read_json(os.path.join(entry.path, "container.json"))
                if row is None:  # the crash came between mkdir and its record, or while it was dropped
                    shutil.rmtree(entry.path)
                    continue
                headers = tuple((key, value) for key, value in row["headers"])
                record = ContainerRecord(row["name"], row["timestamp"], headers, entry.path)
                found.append((record, list(self._load_objects(entry.path))))
        return found

    def _load_objects(self, shelf: str) -> Iterator[StoredObject]:
        for folder, _, files in os.walk(shelf):
            if folder == shelf:
                continue
            named: set[str] = set()
            for file in files:
                row = _read_json(os.path.join(folder, file)) if file.endswith(".json") else None
                if row is None:
                    continue
                data = row.pop("data")
                path = os.path.join(folder, data)
                if os.path.basename(data) != data or not _is_file(path):
                    _log.warning("%s: its data file is missing; the object is left out", os.path.join(folder, file))
                    continue
                named.add(os.path.basename(path))
                headers = tuple((key, value) for key, value in row.pop("headers"))
                yield StoredObject(**row, headers=headers, content=FileContent(path, self.threads))
            for file in files:
                if file.endswith((".data", ".new")) and file not in named:
                    os.unlink(os.path.join(folder, file))


def _object_base(container: ContainerRecord, name: str) -> str:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return os.path.join(container.shelf, digest[:2], digest)


def _is_file(path: str) -> bool:
    """And not a link to one."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def _write_all(file: BinaryIO, data: bytes) -> None:
    """An unbuffered write may be short (at 2 GiB, or when the disk fills up)."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _write_container(record: ContainerRecord) -> None:
    row = {"name": record.name, "timestamp": record.timestamp, "headers": record.headers}
    _write_json(os.path.join(record.shelf, "container.json"), row)


def _write_object(base: str, stored: StoredObject) -> None:
    if not isinstance(stored.content, FileContent):
        raise TypeError(f"{stored.name} has no file")
    row = {
        "name": stored.name,
        "size": stored.size,
        "etag": stored.etag,
        "content_type": stored.content_type,
        "timestamp": stored.timestamp,
        "headers": stored.headers,
        "delete_at": stored.delete_at,
        "data": os.path.basename(stored.content.path),
    }
    _write_json(base + ".json", row)


def _write_json(path: str, row: dict[str, Any]) -> None:
    """Complete or not at all: written beside, renamed over."""
    with open(path + ".new", "wb", buffering=0, opener=open_no_link) as file:
        _write_all(file, json.dumps(row).encode())
    os.replace(path + ".new", path)


def _read_json(path: str) -> dict[str, Any] | None:
    """None when there is no such file. What is there was written whole, so it is not doubted further."""
    try:
        with open(path, encoding="ascii", opener=open_no_link) as file:
            row: dict[str, Any] = json.load(file)
    except FileNotFoundError:
        return None
    return row
