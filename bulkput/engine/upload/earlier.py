"""What is to become of the unfinished uploads of a key, when its object is stored (stores whose parts are no objects).

| the upload                                                      | then                                               |
|-----------------------------------------------------------------|----------------------------------------------------|
| was begun by an earlier run of this journal, and every part in  | is aborted                                         |
| it is one that the journal knows                                |                                                    |
| was begun by an earlier run, and has other parts: somebody may  | is told, and stays in the journal                  |
| have gone on with it; or cannot be aborted                      |                                                    |
| was met when the parts of a file were looked for, or was begun  | is told, if it is still there: it may be that of   |
| by this run in vain                                             | a program that is running                          |

The journal is locked, so the runs that it knows have ended. A program that has joined one of their uploads, and has not
added a part to it, cannot be told from none: it begins again, and loses no object. No file that is sent whole is looked
for: that would cost a request for each.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from bulkput import events as ev
from bulkput.errors import Stopped, StoreError
from bulkput.model import StoredPart, UnfinishedUpload
from bulkput.stores.base import Store
from bulkput.stores.powers import Remains, Unfinished

_MOST = 100
"""Uploads of one key that are asked for their parts. What no rule of the bucket removes may be a year's."""


class UploadsInJournal(Protocol):
    """What the journal has of uploads in parts."""

    @property
    def uploads_begun(self) -> Mapping[bytes, tuple[UnfinishedUpload, ...]]:
        """Those that earlier runs have begun, by the paths of their files."""

    async def parts_of_file(self, path: bytes) -> set[tuple[int, str]]:
        """Number and MD5 of all parts that they have sent of a file."""

    def keep_upload(self, path: bytes, upload: UnfinishedUpload) -> None:
        """The upload stays, also when the file is stored."""


class EarlierUploads:
    """The unfinished uploads that one run does not go on with."""

    def __init__(self, store: Store, journal: UploadsInJournal, *, emit: ev.Emit) -> None:
        self._unfinished = store.powers.unfinished
        self._journal = journal
        self._emit = emit
        self._told: set[str] = set()
        """The ids of those that have been told, until their file is stored."""

    def url(self, key: str) -> str | None:
        """What the verb `segments` takes for the uploads of the key; None if parts are objects."""
        unfinished = self._unfinished
        return unfinished.url(key) if unfinished is not None and unfinished.url is not None else None

    def note_told(self, remains: Remains | None) -> None:
        """The run has told already that this upload stays."""
        if remains is not None and remains.upload is not None:
            self._told.add(remains.upload.id)

    async def settle(
        self, path: bytes, key: str, met: Iterable[UnfinishedUpload] = (), *, used: str | None = None
    ) -> None:
        """Apply the table above to the uploads of a file that is stored. `used` is the id of the one that became its
        object. Raises nothing: the object is there."""
        unfinished = self._unfinished
        if unfinished is None:
            return
        known = {each.id: each for each in self._journal.uploads_begun.get(path, ()) if each.id != used}
        left = [each for each in known.values() if await self._stays(unfinished, path, each)]
        for each in left:
            self._journal.keep_upload(path, each)
        left += [each for each in met if each.id not in known]
        count = size = uploads = 0
        for each in left:
            if each.id in self._told:
                self._told.discard(each.id)
                continue
            parts = await _parts(unfinished, each) if uploads < _MOST else ()
            if parts is not None:
                count, size, uploads = count + len(parts), size + sum(part.size for part in parts), uploads + 1
        if uploads:
            where = self.url(key) or key
            self._emit(ev.PartsLeft(key, count, size, where, is_resumed=False, uploads=uploads, is_strange=True))

    async def _stays(self, unfinished: Unfinished, path: bytes, upload: UnfinishedUpload) -> bool:
        """Abort an upload of an earlier run, if nobody has gone on with it."""
        try:
            parts = await unfinished.parts(upload)
            if parts is None:
                return False
            if parts and not {(part.number, part.md5) for part in parts} <= await self._journal.parts_of_file(path):
                return True
            await unfinished.abort(upload)
        except (StoreError, Stopped):
            return True
        return False


async def _parts(unfinished: Unfinished, upload: UnfinishedUpload) -> tuple[StoredPart, ...] | None:
    """Its parts, as far as they are shown; None if it is not there any more."""
    try:
        return await unfinished.parts(upload)
    except (StoreError, Stopped):
        return ()
