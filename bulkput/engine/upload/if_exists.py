"""Sends a file only if nothing is stored under its name: `if_exists`.

    [HEAD] ──> PUT with If-None-Match: * ──201──> [HEAD] ──> stored
                        └──refused──> HEAD ──> this run's own, after a lost answer · skipped · failed

The condition is in the PUT itself. What it is worth depends on the store (`stores/powers.py:Refusal`):

| the store refuses   | HEAD before          | HEAD after                                           |
|---------------------|----------------------|------------------------------------------------------|
| always              | -                    | -                                                    |
| at rest (Swift)     | -                    | of two runs at once both may get a 201, and one mark |
|                     |                      | stands: the other run has failed                     |
| never               | so that nothing that | the same, if the store keeps metadata, and so a      |
|                     | is there is replaced | mark; the other's PUT may still be to come           |

With `skip.mode='existing'` and no `if_exists`, the condition is in each PUT of a name that seemed to be free, if the
store refuses always or at rest: what has appeared since is skipped. There is no HEAD before or after, no mark, and no
warning; an object that has appeared costs a HEAD. At S3s other than Amazon's, the run finds out by some requests what
the store refuses, and the store sends a HEAD of its own before it completes a file in parts. If the store never
refuses, or does not tell, the PUT has no condition.

The HEAD after a PUT waits twice as long as the PUT took, 30 s at most: a request that has begun before this one ended
may end later. With `if_exists='skip'` it makes no difference who has stored the object, and there is no HEAD after.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from copy import copy
from dataclasses import replace
from functools import partial

from bulkput import events as ev
from bulkput.activity import doing
from bulkput.engine.compare.evidence import digests, examined
from bulkput.engine.stop import Stop
from bulkput.engine.upload.sent import Sent
from bulkput.errors import Exists, PartsInVain, Stopped, StoreError, UsageError, printable
from bulkput.events import Verdict
from bulkput.model import ObjectHeaders, RemoteObject, Skip, Stored, Upload
from bulkput.options import IfExists
from bulkput.payload.source_body import Opened
from bulkput.policy.compare import Evidence, Judgement, judge
from bulkput.policy.directories import is_marker
from bulkput.policy.if_exists import MARK, REASONS, Outcome, decide, has_mark, needs_comparison
from bulkput.stores.base import Store
from bulkput.stores.powers import Refusal

Send = Callable[[Upload], Awaitable[Sent]]
OnKept = Callable[[RemoteObject], Awaitable[None]]


class NewOnly:
    """Sends the objects of one run, each only if its name is free."""

    def __init__(
        self,
        store: Store,
        mode: IfExists,
        emit: ev.Emit,
        stop: Stop,
        *,
        adds_suffix: Callable[[bytes], bool],
        mark: str,
        on_kept: OnKept | None = None,
        is_implied: bool = False,
    ) -> None:
        """`adds_suffix`: whether the object of this file name is a gzip file named after it. `mark` is the run's own,
        the same in all its processes: another may have sent the file before it died. `on_kept` is called with
        each object that stays in place of a file that is skipped. `is_implied`: by `skip.mode`, see above. Raises
        UsageError if the store has no such condition."""
        self.is_implied = is_implied
        self._stop = stop
        self._on_kept = on_kept
        if store.powers.refuses_existing is None:
            raise UsageError("this store cannot tell whether an object is new: `if_exists` needs another one")
        self._refuses_existing = store.powers.refuses_existing
        self._store = store
        self._mode = mode
        self._emit = emit
        self._adds_suffix = adds_suffix
        self._mark = ((MARK, mark),) if store.keeps_metadata and not is_implied else ()
        self._asking = asyncio.Lock()
        self._refusal: Refusal | None = None
        """None if the store was not asked yet."""

    def comparing(self) -> "NewOnly":
        """The same for an object that may be there if it holds the same: the manifest of a release that is complete."""
        other = copy(self)
        other._mode = "differs"
        return other

    def marked(self, headers: ObjectHeaders) -> ObjectHeaders:
        """The headers with the condition and this run's mark."""
        return replace(headers, only_new=True, meta=(*headers.meta, *self._mark))

    async def put(self, upload: Upload, file: Opened | None, send: Send, *, looks_first: bool = False) -> Sent | Skip:
        """Send the file by `send`, or decide what becomes of it if its name is taken. `file` is None for a directory
        and for a pipe. `looks_first`: by a HEAD, since sending takes long.

        Raises Exists if the file fails for the object that is there.
        """
        refusal = await self._refusal_of_store()
        if self.is_implied and refusal is Refusal.NEVER:
            return await send(upload)
        began_s = time.monotonic()
        if refusal is Refusal.NEVER or (looks_first and not self.is_implied):
            there = await self._look(upload.key)
            if there is not None:
                return await self._settled(upload, file, there, Exists("put", upload.key, _THERE))
        try:
            sent = await send(replace(upload, headers=self.marked(upload.headers)))
        except Exists as error:
            return await self._refused(upload, file, error, send)
        if refusal is Refusal.ALWAYS or self._mode == "skip" or not self._mark:
            return sent
        took_s = sent.stored.took_s if sent.stored.took_s is not None else time.monotonic() - began_s
        return await self._confirmed(sent, file, pause_s=min(_PATIENCE * took_s, _MOST_S))

    async def _refused(self, upload: Upload, file: Opened | None, error: Exists, send: Send) -> Sent | Skip:
        is_ours = False
        try:
            there = await self._look(upload.key)
            if there is None:
                error.detail += "; it cannot be seen now: somebody may have removed it"
                raise error
            if self.is_implied and there.link is not None and await self._store.stat(upload.key) is None:
                return await send(upload)  # a link that leads nowhere is no object
            settled = await self._settled(upload, file, there, error)
            is_ours = isinstance(settled, Sent)
            return settled
        finally:
            if error.in_vain is not None and not is_ours:
                error.in_vain.tell()

    async def _confirmed(self, sent: Sent, file: Opened | None, *, pause_s: float) -> Sent | Skip:
        """`sent` if its object stands, which another run may have replaced in the same moment. Raises Exists."""
        key = sent.upload.key
        try:
            with doing("waiting before a look at what is stored"):
                await self._stop.pause(pause_s)
            there = await self._look(key)
        except Stopped:  # it is stored; an interrupted run does not say that all is well
            return sent
        if there is None:
            raise Exists("put", key, "it was stored, and somebody has removed it in the same moment")
        if has_mark(there, self._mark):
            return sent
        return await self._settled(sent.upload, file, there, Exists("put", key, _THERE))

    async def _refusal_of_store(self) -> Refusal:
        """The store is asked once."""
        if self._refusal is None:
            async with self._asking:
                if self._refusal is None:
                    self._refusal = await (self._told_at_best() if self.is_implied else self._refuses_existing())
                    if self._refusal is Refusal.NEVER and not self.is_implied:
                        self._emit(ev.Warned(_NOT_KEPT_APART))
        return self._refusal

    async def _told_at_best(self) -> Refusal:
        """The answer, for a run that can do without."""
        try:
            return await self._refuses_existing()
        except StoreError:
            return Refusal.NEVER

    async def _look(self, key: str) -> RemoteObject | None:
        stat_itself = self._store.powers.stat_itself
        return await (stat_itself(key) if stat_itself is not None else self._store.stat(key))

    async def _settled(self, upload: Upload, file: Opened | None, there: RemoteObject, error: Exists) -> Sent | Skip:
        is_ours = has_mark(there, self._mark)
        found = Verdict.NOT_COMPARABLE
        if needs_comparison(self._mode, is_ours=is_ours or (not self._mark and error.attempts > 1)):
            found = await self._compared(upload, file, there)
        is_same = found is Verdict.IDENTICAL
        is_ours = is_ours or (not self._mark and is_same and error.attempts > 1)
        source = upload.source
        match decide(self._mode, is_ours=is_ours, is_same=is_same):
            case Outcome.STORED:
                return self._stored(upload, file, there, error.in_vain)
            case Outcome.SKIPPED:
                if self._on_kept is not None:
                    await self._on_kept(there)
                row = there if there.large is None and there.link is None else await self._store.stat(upload.key)
                return Skip(source.path, source.name, REASONS[self._mode], upload.key, there=row)
            case Outcome.CHANGED:
                error.detail = "an earlier attempt of this run has stored another version of the file"
            case Outcome.FAILED:
                error.detail = self._why(there, found)
        raise error

    def _stored(self, upload: Upload, file: Opened | None, there: RemoteObject, parts: PartsInVain | None) -> Sent:
        """The receipt for this run's own object. `there` is the manifest alone if it was sent in parts."""
        stored = Stored(upload.key, there.bytes or 0, there.hash, None)
        if parts is not None:
            stored = Stored(upload.key, parts.size, None, None)
        size, mtime_ns = (file.size, file.version.mtime_ns) if file is not None else (stored.size, 0)
        count, found_bytes = (parts.count, parts.found_bytes) if parts is not None else (0, 0)
        upload = replace(upload, headers=self.marked(upload.headers))
        return Sent(upload, stored, size, mtime_ns, None, count, found_bytes)

    def _why(self, there: RemoteObject, found: Verdict) -> str:
        since = f", stored {printable(there.last_modified)}" if there.last_modified else ""
        other = ""
        if self._mode == "differs":
            is_other = found is Verdict.DIFFERENT
            other = " with other bytes" if is_other else " and nothing proves that it holds the same"
        return f"an object of this name is there already{since}{other}: `if_exists={self._mode!r}` keeps it"

    async def _compared(self, upload: Upload, file: Opened | None, there: RemoteObject) -> Verdict:
        """Whether the object holds what the file holds. Raises SourceError, StoreError."""
        source = upload.source
        if source.is_directory:
            return Verdict.IDENTICAL if is_marker(there) else Verdict.DIFFERENT
        if file is None:  # a pipe cannot be read again; its mark tells
            return Verdict.IDENTICAL if has_mark(there, self._mark) else Verdict.NOT_COMPARABLE
        evidence = Evidence(file.size, there, is_suffixed=self._adds_suffix(source.name))
        judged, _ = await examined(self._store, evidence, judge, partial(digests, file, file.size))
        return judged.verdict if isinstance(judged, Judgement) else Verdict.NOT_COMPARABLE


_THERE = "an object of this name is there already"
_NOT_KEPT_APART = (
    "`if_exists` looks for each object before it is sent: this store may overwrite what another run stores at the same"
    " moment"
)
_PATIENCE = 2.0
"""By how much longer than this run's PUT another run's may take, to be found out."""
_MOST_S = 30.0
"""Seconds: a PUT of several GiB takes minutes."""
