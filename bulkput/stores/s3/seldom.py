"""The powers of a bucket that few runs use: large objects, copies, removals by the thousand, the bucket itself.

Their code is imported when one of them is first called.
"""

from collections.abc import AsyncGenerator, Container, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from bulkput.model import Body, LargeUpload, ObjectHeaders, Stored, StoredPart, UnfinishedUpload
from bulkput.stores.powers import (
    Access,
    Checked,
    ContainerFacts,
    ContainerPage,
    LargeObjects,
    Refusal,
    Remains,
    Unfinished,
    Urls,
)

if TYPE_CHECKING:
    from bulkput.payload.in_memory import BytesBody
    from bulkput.payload.reading import Fetched
    from bulkput.stores.base import Configured
    from bulkput.stores.s3.bucket import Bucket
    from bulkput.stores.s3.copies import Copies
    from bulkput.stores.s3.multipart import Multipart
    from bulkput.stores.s3.requests import Way
    from bulkput.stores.s3.store import S3Store
    from bulkput.stores.s3.uploads import Uploads


class SeldomUsed:
    """Passes each call on to where it is answered."""

    def __init__(self, store: "S3Store", way: "Way") -> None:
        self._store = store
        self._way = way

    @cached_property
    def _uploads(self) -> "Uploads":
        from bulkput.stores.s3.uploads import Uploads  # noqa: PLC0415 - see above

        return Uploads(self._store.requests, self._store.bucket)

    async def hand_over(self, refused: "Configured | None") -> "Configured":
        from bulkput.stores.s3.handed_keys import handed_over  # noqa: PLC0415 - see above

        return await handed_over(self._way.credentials, self._way.settings, refused, self._store.context.wire)

    @cached_property
    def _multipart(self) -> "Multipart":
        from bulkput.stores.s3.multipart import Multipart  # noqa: PLC0415 - see above

        return Multipart(self._store, self._uploads)

    @cached_property
    def _copies(self) -> "Copies":
        from bulkput.stores.s3.copies import Copies  # noqa: PLC0415 - see above

        return Copies(self._store, self._uploads)

    @cached_property
    def _bucket(self) -> "Bucket":
        from bulkput.stores.s3.bucket import Bucket  # noqa: PLC0415 - see above

        return Bucket(self._store, self._way)

    @property
    def large(self) -> LargeObjects:
        return LargeObjects(
            begin=self._begin,
            list_parts=self._list_parts,
            send_part=self._send_part,
            complete=self._complete,
            abort=self._abort,
            fixes_headers=True,
            abort_spares_object=True,
            open=self._open,
            remains=self._remains,
        )

    @property
    def unfinished(self) -> Unfinished:
        return Unfinished(self._list_unfinished, self._parts_of_unfinished, self._abort_unfinished, self._store.url_of)

    @property
    def access(self) -> Access:
        keys = self._way.credentials.keys
        url = self._way.place(self._store.bucket).url + "/"
        user = keys.access_key if keys is not None else ""
        return Access(url=url, user=user, wire=self._store.context.wire, look=self.look, checks=self._tried_checksums)

    @property
    def urls(self) -> Urls:
        return Urls(self._base_url, self._is_public)

    async def copy(self, source: str, container: str, key: str, headers: ObjectHeaders, size: int) -> Stored:
        return await self._copies.copy(source, container, key, headers, size)

    async def correct(
        self, key: str, headers: ObjectHeaders, etags: Container[str | None], sizes: Sequence[int]
    ) -> str | None:
        return await self._copies.correct(key, headers, etags, sizes)

    async def delete_many(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        return await self._bucket.delete_many(keys)

    async def refuses_existing(self) -> Refusal:
        return await self._bucket.refuses_existing()

    async def containers(self, at: str) -> ContainerPage:
        from bulkput.stores.s3.account import page_of_buckets  # noqa: PLC0415 - see above

        return await page_of_buckets(self._store.requests, at, is_amazons=self._store.is_amazons)

    async def fetch(self, key: str, most: int) -> "Fetched | None":
        from bulkput.stores.s3.fetching import fetch  # noqa: PLC0415 - see above

        return await fetch(self._store, key, most)

    async def part_sizes(self, key: str) -> tuple[int, ...] | None:
        return await self._multipart.part_sizes(key)

    async def make_bucket(self) -> bool:
        return await self._bucket.make()

    async def remove_bucket(self) -> bool:
        return await self._bucket.remove()

    async def look(self) -> ContainerFacts:
        return await self._bucket.look()

    async def _tried_checksums(self, key: str, body: "BytesBody", headers: ObjectHeaders) -> Mapping[str, Checked]:
        from bulkput.stores.s3.tried import tried_checksums  # noqa: PLC0415 - see above

        return await tried_checksums(self._store, key, body, headers)

    async def _base_url(self) -> str:
        return self._way.place(self._store.bucket).url + "/"

    async def _is_public(self) -> bool:
        return await self._bucket.is_public()

    async def _begin(self, key: str, version: str, headers: ObjectHeaders) -> LargeUpload:
        return await self._multipart.begin(key, version, headers)

    async def _list_parts(self, upload: LargeUpload) -> tuple[StoredPart, ...]:
        return await self._multipart.list_parts(upload)

    async def _send_part(self, upload: LargeUpload, number: int, body: Body) -> StoredPart:
        return await self._multipart.send_part(upload, number, body)

    async def _complete(self, upload: LargeUpload, parts: Sequence[StoredPart], headers: ObjectHeaders) -> Stored:
        return await self._multipart.complete(upload, parts, headers)

    async def _abort(self, upload: LargeUpload) -> None:
        await self._multipart.abort(upload)

    async def _open(self, upload: LargeUpload) -> None:
        await self._multipart.open(upload)

    def _remains(self, upload: LargeUpload) -> Remains:
        return self._multipart.remains(upload)

    def _list_unfinished(self, prefix: str) -> AsyncGenerator[UnfinishedUpload, None]:
        return self._uploads.unfinished(prefix)

    async def _parts_of_unfinished(self, upload: UnfinishedUpload) -> tuple[StoredPart, ...] | None:
        from bulkput.stores.s3.multipart import as_stored  # noqa: PLC0415 - see above

        found = await self._uploads.parts(upload.key, upload.id)
        return tuple(map(as_stored, found)) if found is not None else None

    async def _abort_unfinished(self, upload: UnfinishedUpload) -> bool:
        return await self._uploads.abort(upload.key, upload.id)
