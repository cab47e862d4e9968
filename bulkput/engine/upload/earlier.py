"""What is to become of the unfinished uploads of a key, when its object is stored (stores whose parts are no objects).

| the upload                                                      | then                                               |
|-----------------------------------------------------------------|----------------------------------------------------|
| was begun by an earlier run of this journal                     | is aborted                                         |
| was met when the parts of a file were looked for, or was begun  | is told, if it is still there: it may be that of   |
| by this run in vain                                             | a program that is running                          |

The journal is locked, so the runs that it knows have ended. No file that is sent whole is looked for: that would cost a
request for each.
"""

from collections.abc import Iterable, Mapping

from bulkput import events as ev
from bulkput.errors import Stopped, StoreError
from bulkput.model import UnfinishedUpload
from bulkput.stores.base import Store
from bulkput.stores.powers import Remains

_MOST = 100
"""Uploads of one key that are asked for their parts. What no rule of the bucket removes may be a year's."""


class EarlierUploads:
    """The unfinished uploads that one run does not go on with."""

    def __init__(self, store: Store, begun: Mapping[bytes, tuple[UnfinishedUpload, ...]], *, emit: ev.Emit) -> None:
        """`begun` has those that the journal knows, by the paths of their files."""
        self._store = store
        self._begun = begun
        self._emit = emit
        self._told: set[str] = set()

    def url(self, key: str) -> str | None:
        """What the verb `segments` takes for the uploads of the key; None if parts are objects."""
        unfinished = self._store.powers.unfinished
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
        known = {each.id: each for each in self._begun.get(path, ())}
        left = [each for each in known.values() if each.id != used and not await self._is_gone(each)]
        left += [each for each in met if each.id not in known]
        count = size = uploads = 0
        for each in left:
            if each.id in self._told:
                continue
            self._told.add(each.id)
            parts = await self._sizes(each) if uploads < _MOST else []
            if parts is not None:
                count, size, uploads = count + len(parts), size + sum(parts), uploads + 1
        if uploads:
            where = self.url(key) or key
            self._emit(ev.PartsLeft(key, count, size, where, is_resumed=False, uploads=uploads, is_strange=True))

    async def _is_gone(self, upload: UnfinishedUpload) -> bool:
        """Abort the upload."""
        unfinished = self._store.powers.unfinished
        if unfinished is None:
            return True
        try:
            await unfinished.abort(upload)
        except (StoreError, Stopped):
            return False
        return True

    async def _sizes(self, upload: UnfinishedUpload) -> list[int] | None:
        """The sizes of its parts, as far as they are shown; None if it is not there any more."""
        unfinished = self._store.powers.unfinished
        if unfinished is None:
            return None
        try:
            parts = await unfinished.parts(upload)
        except (StoreError, Stopped):
            return []
        return [part.size for part in parts] if parts is not None else None
