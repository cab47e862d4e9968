"""The manifest of a publish (`manifest`): what the events of an upload say is stored is noted, and put last of all.

    events ──> rows in memory ──a thousand at once──> notes on disk ──end of the run──> a file, in order ──> PUT

It is put only if everything else is there, so a reader of the manifest finds all that it names. If anything failed, or
the run was stopped, the manifest of the run before stays.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from bulkput import events as ev
from bulkput.activity import doing
from bulkput.engine.compare.keys import scope_of_upload
from bulkput.engine.stop import Stop
from bulkput.engine.upload.sent import Sent
from bulkput.errors import BulkputError, SourceError, Stopped, UsageError, printable
from bulkput.journal.uninterrupted import uninterrupted
from bulkput.model import Found, ObjectHeaders, Reason, Skip, SourceFile, Upload
from bulkput.options import NamingOptions, UploadOptions
from bulkput.payload.body import BodyOpener
from bulkput.policy.filters import Filters
from bulkput.policy.gzip_names import GzipNames
from bulkput.policy.manifest import MEDIA_TYPE, Published, check_manifest, manifest_key, published
from bulkput.policy.naming import object_name
from bulkput.policy.retry import FailurePolicy
from bulkput.recorder import Recorder
from bulkput.sources.paths import is_pipe
from bulkput.sources.published import PublishedNotes
from bulkput.stores.base import Store

if TYPE_CHECKING:
    from bulkput.engine.upload.if_exists import NewOnly

_BATCH = 1_000
"""Rows that wait in memory before they are written to disk. The scan waits meanwhile, so few more come."""
_SHOWN = b"the manifest"
"""The path of the manifest in events. It is no file of the sources."""


class Publication:
    """Collects what an upload publishes, event by event. Close it at the end."""

    def __init__(self, options: UploadOptions, stop: Stop) -> None:
        """`options.manifest` must be set. Raises UsageError if other options contradict it."""
        check_manifest(options)
        self._options = options
        self._name = options.manifest or ""
        self._stop = stop
        self._rows: list[Published] = []
        self._notes = PublishedNotes()
        self._writing = asyncio.Lock()

    def receiver(self, emit: ev.Emit) -> ev.Emit:
        """A receiver that passes all events to `emit`, and notes what is published."""

        def take(event: ev.Event) -> None:
            if isinstance(event, ev.Uploaded | ev.Skipped) and (row := published(event)) is not None:
                self._rows.append(row)
            emit(event)

        return take

    async def room(self) -> None:
        """Write the rows to disk if many wait. The scan waits here. Raises UsageError if TMPDIR is full."""
        if len(self._rows) >= _BATCH:
            await self._write()

    async def _write(self) -> None:
        async with self._writing:
            rows, self._rows = self._rows, []
            if rows:
                await uninterrupted(self._notes.add, rows)

    async def put(
        self,
        store: Store,
        opener: BodyOpener,
        naming: NamingOptions,
        recorder: Recorder,
        emit: ev.Emit,
        *,
        new_only: "NewOnly | None",
    ) -> None:
        """Put the manifest, if nothing failed and the run is not being stopped. A dry run only tells that it would.

        With `if_exists='fail'` it replaces no other, which may be there if it says the same. A publish that skips what
        is there replaces it: it has to name what is new."""
        if recorder.failed or self._stop.is_pulled:
            return
        key = manifest_key(self._name, naming)
        source = SourceFile(_SHOWN, self._name.encode(), 0, time.time_ns())
        if self._options.dry_run:
            if recorder.found_files:
                emit(ev.Discovered(source))
                emit(ev.Skipped(Skip(_SHOWN, source.name, Reason.DRY_RUN, key)))
            return
        await self._write()
        if self._notes.are_empty:
            emit(ev.Warned(f"nothing was published, so the manifest {printable(key)} is not written"))
            return
        headers = ObjectHeaders(content_type=MEDIA_TYPE, expires_in_s=self._options.headers.expires_in_s)
        emit(ev.Discovered(source))
        try:
            emit(await self._sent(store, opener, Upload(source, key, headers), new_only))
        except Stopped:
            emit(ev.Skipped(Skip(_SHOWN, source.name, Reason.STOPPED, key)))
        except asyncio.CancelledError:  # an interrupted run is out of time, or the caller cancelled it
            emit(ev.Skipped(Skip(_SHOWN, source.name, Reason.STOPPED, key)))
            raise
        except BulkputError as error:
            emit(ev.Failed(_SHOWN, key, error))
            if (order := FailurePolicy(self._options.stop).failed(error)) is not None:
                self._stop.pull(order)

    async def _sent(
        self, store: Store, opener: BodyOpener, upload: Upload, new_only: "NewOnly | None"
    ) -> ev.Uploaded | ev.Skipped:
        """Write the manifest to a file, and put that. Raises UsageError if TMPDIR is full, StoreError, Stopped."""
        began_s = time.monotonic()
        with doing("writing the manifest"):
            await uninterrupted(self._notes.write)
        self._stop.check()
        file = await opener.open(replace(upload.source, target=self._notes.path))
        mtime_ns = file.version.mtime_ns

        async def send(upload: Upload) -> Sent:
            return Sent(upload, await store.put(upload.key, file, upload.headers), file.size, mtime_ns, None)

        upload = replace(upload, headers=replace(upload.headers, mtime_ns=mtime_ns))
        new_only = new_only.comparing() if new_only is not None and self._options.if_exists == "fail" else None
        with doing("sending the manifest"):
            sent = await (new_only.put(upload, file, send) if new_only is not None else send(upload))
        if isinstance(sent, Skip):  # a release that is complete, published again
            return ev.Skipped(sent)
        return ev.Uploaded(sent.upload, sent.stored, file.size, mtime_ns, time.monotonic() - began_s)

    async def aclose(self) -> None:
        """Remove what is on disk."""
        await uninterrupted(self._notes.close)


def guarded(
    found: Iterator[Found],
    roots: list[bytes],
    naming: NamingOptions,
    options: UploadOptions,
    *,
    filters: Filters,
    gzip: GzipNames,
) -> Iterator[Found]:
    """`found`, in which a file that would get the manifest's name is an error: it would be replaced at the end.

    Blocking. Raises UsageError if the sources are no place for a manifest, or if such a file is there now.
    """
    if pipe := next(filter(is_pipe, roots), None):
        raise UsageError(
            f"{printable(pipe)} is a pipe, which makes one object: `manifest` is for directories and files"
        )
    key = manifest_key(options.manifest or "", naming)
    if options.files is None:
        scope = scope_of_upload(roots, naming, options, filters, gzip)
        for path in scope.sources_of(key) or ():
            if os.path.isfile(path) and scope.claims(key):
                raise UsageError(_clash(key, f"{printable(path)} would be"))
    return _without(found, lambda file: _key(file, naming, gzip) == key, _clash(key, "it would be"))


def _without(found: Iterator[Found], is_manifest: Callable[[SourceFile], bool], why: str) -> Iterator[Found]:
    for each in found:
        if isinstance(each, SourceFile) and is_manifest(each):
            yield SourceError(each.path, "collision", why)
        else:
            yield each


def _clash(key: str, what: str) -> str:
    return (
        f"{what} the object {printable(key)}, as the manifest: give `manifest` another name, or exclude the file with"
        " `walk.exclude`"
    )


def _key(file: SourceFile, naming: NamingOptions, gzip: GzipNames) -> str | None:
    try:
        key = object_name(file.name, prefix=naming.prefix, encode=naming.encode)
    except SourceError:
        return None
    return key if file.is_directory else key + gzip.suffix(file.name)
