"""A store of another package for `parted://`: objects in memory, sent in parts as S3 takes them.

An object that was sent in parts is a plain one, whose ETag is made of those of its parts. Uploads in parts that were
neither completed nor aborted can be listed.
"""

import hashlib
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bulkput.errors import Exists, IntegrityError, NotFound, PartsRefused
from bulkput.model import (
    Body,
    LargeUpload,
    Limits,
    ObjectHeaders,
    Prefix,
    RemoteObject,
    Stored,
    StoredPart,
    UnfinishedUpload,
)
from bulkput.policy.etag import composite_etag
from bulkput.stores.base import Destination, StoreContext
from bulkput.stores.powers import LargeObjects, Powers, Refusal, Unfinished

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Upload:
    """An upload in parts. `begun` and the times of its parts are seconds before now."""

    key: str
    id: str
    begun: datetime
    parts: dict[int, tuple[StoredPart, bytes]] = field(default_factory=dict)


@dataclass
class Bucket:
    """What a test sets, and sees."""

    objects: dict[str, tuple[RemoteObject, bytes, tuple[int, ...]]] = field(default_factory=dict)
    """The row, the bytes, and the sizes of the parts, of each object by its name."""
    uploads: list[Upload] = field(default_factory=list)
    tells_sizes: bool = True
    refusal: Refusal = Refusal.ALWAYS
    asked: list[str] = field(default_factory=list)
    """The operations so far."""
    appears: dict[str, bytes] = field(default_factory=dict)
    """Objects that somebody else stores just before the PUT of their name."""
    aborts: list[str] = field(default_factory=list)
    """The keys of uploads that were aborted."""

    def sent(self, key: str, content: bytes, *sizes: int) -> None:
        """Somebody has sent the object in parts of these sizes; without sizes in one request."""
        self.keep(key, [content[sum(sizes[:n]) : sum(sizes[: n + 1])] for n in range(len(sizes))] or [content], sizes)

    def keep(
        self, key: str, contents: Sequence[bytes], sizes: tuple[int, ...], headers: ObjectHeaders | None = None
    ) -> Stored:
        headers = headers or ObjectHeaders()
        md5s = [hashlib.md5(content).hexdigest() for content in contents]
        etag, content = (composite_etag(md5s) if sizes else md5s[0]), b"".join(contents)
        now = datetime.now(UTC).isoformat()
        row = RemoteObject(
            key, len(content), etag, headers.content_type, now, encoding=headers.encoding, meta=headers.meta
        )
        self.objects[key] = row, content, sizes
        return Stored(key, len(content), etag, None)

    def begun(self, key: str, *ages_s: float, began_s: float, size: int = 10, tells_times: bool = True) -> Upload:
        """Somebody has begun an upload `began_s` seconds ago, and sent parts of `size` bytes at these ages."""
        now = datetime.now(UTC)
        made = Upload(key, f"id-{len(self.uploads)}", now - timedelta(seconds=began_s))
        for number, age_s in enumerate(ages_s, 1):
            self.add_part(made, number, bytes(size), now - timedelta(seconds=age_s) if tells_times else None)
        self.uploads.append(made)
        return made

    @staticmethod
    def add_part(upload: Upload, number: int, content: bytes, at: datetime | None) -> StoredPart:
        md5 = hashlib.md5(content).hexdigest()
        part = StoredPart(number, len(content), md5, at.isoformat() if at is not None else None)
        upload.parts[number] = part, content
        return part


BUCKETS: dict[str, Bucket] = {}


def install(place: Path) -> None:
    """Installs the package into a directory that is on the path for modules."""
    info = place / "bulkput_parted-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bulkput-parted\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[bulkput.stores]\nparted = tests.servers.parted:PartedStore\n")


class PartedStore:
    limits = Limits(max_parts=10_000)
    place = ""
    keeps_metadata = True

    def __init__(self, destination: Destination, _context: StoreContext) -> None:
        self._name = destination.root
        self.was_made = False
        self.powers = Powers(
            large=LargeObjects(
                begin=self._begin,
                list_parts=self._list_parts,
                send_part=self._send_part,
                complete=self._complete,
                abort=self._abort,
            ),
            unfinished=Unfinished(self._list_unfinished, self._parts_of, self._abort_unfinished),
            part_sizes=self._part_sizes,
            refuses_existing=self._refuses_existing,
            get=self._get,
        )

    @property
    def _bucket(self) -> Bucket:
        return BUCKETS[self._name]

    def _asked(self, operation: str) -> Bucket:
        if self._name not in BUCKETS:
            raise NotFound(operation, self._name, "there is no such bucket")
        self._bucket.asked.append(operation)
        return self._bucket

    async def prepare(self) -> None:
        self.was_made = self._name not in BUCKETS
        BUCKETS.setdefault(self._name, Bucket())

    async def undo_prepare(self) -> None:
        if self.was_made and not self._bucket.objects:
            del BUCKETS[self._name]

    async def put(self, key: str, body: Body, headers: ObjectHeaders) -> Stored:
        bucket = self._asked("put")
        content = b"".join([piece async for piece in body.chunks()])
        if body.md5 not in (None, actual := hashlib.md5(content).hexdigest()):
            raise IntegrityError("put", key, expected=body.md5 or "", actual=actual)
        self._refuse(bucket, key, headers)
        return bucket.keep(key, [content], (), headers)

    @staticmethod
    def _refuse(bucket: Bucket, key: str, headers: ObjectHeaders) -> None:
        if (content := bucket.appears.pop(key, None)) is not None:
            bucket.sent(key, content)
        if headers.only_new and key in bucket.objects and bucket.refusal is not Refusal.NEVER:
            raise Exists("put", key, "an object of this name is there already", status=412)

    async def list(
        self, prefix: str, *, delimiter: str | None = None, start_after: str | None = None
    ) -> AsyncGenerator[RemoteObject | Prefix, None]:
        objects = self._asked("list").objects
        for name in sorted(objects, key=str.encode):
            item: RemoteObject | Prefix = objects[name][0]
            if delimiter is not None and delimiter in name[len(prefix) :]:
                item = Prefix(prefix + name[len(prefix) :].partition(delimiter)[0] + delimiter)
            if name.startswith(prefix) and item.name.encode() > (start_after or "").encode():
                yield item
                start_after = item.name

    async def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._asked("delete").objects.pop(key, None)

    async def stat(self, key: str) -> RemoteObject | None:
        found = self._asked("stat").objects.get(key)
        return found[0] if found is not None else None

    async def ask_limits(self) -> Limits:
        return self.limits

    async def aclose(self) -> None: ...

    async def _get(self, key: str) -> AsyncGenerator[bytes, None]:
        found = self._asked("get").objects.get(key)
        if found is None:
            raise NotFound("get", key, "there is no object of that name")
        yield found[1]

    async def _part_sizes(self, key: str) -> tuple[int, ...] | None:
        bucket = self._asked("part sizes")
        if key not in bucket.objects:
            raise NotFound("part sizes", key, "there is no object of that name")
        return bucket.objects[key][2] if bucket.tells_sizes else None

    async def _refuses_existing(self) -> Refusal:
        return self._asked("refuses existing").refusal

    async def _begin(self, key: str, version: str, headers: ObjectHeaders) -> LargeUpload:
        if not self._uploads(key, version):
            self._bucket.uploads.append(Upload(key, version, datetime.now(UTC)))
        return LargeUpload(key, version, headers)

    def _uploads(self, key: str, name: str) -> Sequence[Upload]:
        return [each for each in self._asked("uploads").uploads if (each.key, each.id) == (key, name)]

    async def _list_parts(self, upload: LargeUpload) -> tuple[StoredPart, ...]:
        return tuple(part for each in self._uploads(upload.key, upload.id) for part, _ in each.parts.values())

    async def _send_part(self, upload: LargeUpload, number: int, body: Body) -> StoredPart:
        content = b"".join([piece async for piece in body.chunks()])
        (found,) = self._uploads(upload.key, upload.id)
        return self._bucket.add_part(found, number, content, datetime.now(UTC))

    async def _complete(self, upload: LargeUpload, parts: Sequence[StoredPart], headers: ObjectHeaders) -> Stored:
        (found,) = self._uploads(upload.key, upload.id)
        self._refuse(self._bucket, upload.key, headers)
        if lost := tuple(part.number for part in parts if found.parts.get(part.number, (None,))[0] != part):
            raise PartsRefused("complete", upload.key, "a part is not what was sent", numbers=lost, status=400)
        self._bucket.uploads.remove(found)
        contents = [found.parts[part.number][1] for part in sorted(parts, key=lambda part: part.number)]
        return self._bucket.keep(upload.key, contents, tuple(map(len, contents)), headers)

    async def _abort(self, upload: LargeUpload) -> None:
        for found in self._uploads(upload.key, upload.id):
            self._bucket.uploads.remove(found)

    async def _list_unfinished(self, prefix: str) -> AsyncGenerator[UnfinishedUpload, None]:
        found = [each for each in self._asked("list uploads").uploads if each.key.startswith(prefix)]
        for each in sorted(found, key=lambda each: (each.key.encode(), each.begun)):
            yield UnfinishedUpload(each.key, each.id, each.begun.isoformat())

    async def _parts_of(self, upload: UnfinishedUpload) -> tuple[StoredPart, ...] | None:
        found = self._uploads(upload.key, upload.id)
        return tuple(part for part, _ in found[0].parts.values()) if found else None

    async def _abort_unfinished(self, upload: UnfinishedUpload) -> bool:
        found = self._uploads(upload.key, upload.id)
        for each in found:
            self._bucket.uploads.remove(each)
            self._bucket.aborts.append(each.key)
        return bool(found)
