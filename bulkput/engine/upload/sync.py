"""Compares an upload's files with the objects that exist: which files need not be sent, which objects are extra.

scan ──> pairs of file and listed object ──> sent · skipped · for the worker to examine · object without a file
"""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from bulkput import events as ev
from bulkput.engine.compare.evidence import evidence_of
from bulkput.engine.compare.merge_join import Pair
from bulkput.engine.compare.pairs import Pairing
from bulkput.engine.upload.mirror import Mirror
from bulkput.engine.upload.sending import Sending, skipper_of
from bulkput.errors import Stopped, StoreError, Unsupported, UsageError
from bulkput.model import Found, Listed, RemoteObject, Skip, SourceFile
from bulkput.payload.source_body import Opener
from bulkput.policy.directories import is_marker, is_others_marker
from bulkput.policy.manifest import manifest_key
from bulkput.policy.scope import Scope
from bulkput.policy.skip import COMPARING, REASONS
from bulkput.stores.base import Store

if TYPE_CHECKING:
    from bulkput.engine.upload.links import Links


class Sync:
    """Stands between the scan and the pipeline. Close it at the end."""

    def __init__(
        self,
        store: Store,
        scope: Scope,
        opener: Opener,
        sending: Sending,
        *,
        room: Callable[[], Awaitable[None]],
        roots: list[bytes],
        left_out: Callable[[], str | None],
        links: "Links | None" = None,
    ) -> None:
        """`scope` is that of `sending`, which has one. `left_out` is asked after the scan: see `Survey.left_out`."""
        options, stop, emit = sending.options, sending.stop, sending.emit
        self._mirror: Mirror | None = None
        if options.skip.is_mirror:
            self._mirror = Mirror(
                store,
                options,
                stop,
                roots,
                emit=emit,
                room=room,
                container=sending.container,
                prefix=scope.listing_prefix,
            )
        skipper = skipper_of(sending, store, opener, self._mirror.note_kept if self._mirror else None)
        if skipper is None:
            raise AssertionError("a run with a scope compares")
        self.skipper = skipper
        self._left_out = left_out
        self._links = links
        self._scope = scope
        self._manifest = manifest_key(options.manifest, scope.naming) if options.manifest is not None else None
        self._options = options
        self._stop = stop
        self._emit = emit
        self._pairing = Pairing(
            store=store,
            scope=scope,
            stop=stop,
            sees_all=options.skip.is_mirror,
            may_leave=True,
            is_mirror=options.skip.is_mirror,
        )

    async def found(self, scan: AsyncIterable[Found]) -> AsyncGenerator[Found, None]:
        """What the scan finds, with a Skip in place of each file that the listing proves to be stored.

        Raises UsageError if a listing is needed and the store has none, or if TMPDIR is full.
        """
        try:
            async with aclosing(self._pairing.pairs(scan)) as pairs:
                async for pair in pairs:
                    if self._stop.is_pulled:
                        return
                    if pair.nameless is not None:
                        yield pair.nameless
                    elif pair.file is None:
                        await self._take_object(pair)
                    elif (found := await self._take_file(pair, pair.file)) is not None:
                        if isinstance(found, SourceFile):
                            await self._note_link(pair, found)
                        yield found
        except Unsupported as error:
            raise UsageError(f"the store cannot be compared: {error.detail}") from None
        except Stopped:
            return
        except StoreError as error:  # the listing failed
            self._stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))

    async def _take_file(self, pair: Pair, file: SourceFile) -> Found | None:
        """The file, with the row if the worker must examine it; or a Skip. None for a directory without a marker."""
        if self._mirror is not None:
            self._mirror.note_file(file)
        if file.is_directory and not self._options.dir_markers:
            # An object that is no marker is of a file that was here before the directory: it is extra.
            if pair.row is not None and not is_marker(pair.row):
                await self._take_object(pair)
            elif pair.row is not None:
                await self.note_kept(pair.row)
            return None
        if pair.row is None and not pair.is_unlisted:
            return file
        if self._links is not None and pair.row is not None and self._links.has(file, pair.row):
            await self.note_kept(pair.row)
            mode = self._options.skip.mode
            return Skip(file.path, file.name, REASONS[mode], pair.row.name, there=pair.row) if mode != "none" else file
        is_link = self._links is not None and self._links.leads_to(file) is not None
        if is_link and self._options.skip.mode in COMPARING:
            return file  # another object, or a link to another one: what that holds is not looked at
        if self._options.skip.mode == "none":
            is_large = pair.row is not None and pair.row.large is not None and not file.is_directory
            # With its row, the worker reports the segments that stay when a large object is overwritten.
            return replace(file, listed=Listed(pair.row)) if is_large else file
        is_suffixed = not file.is_directory and bool(self._scope.gzip.suffix(file.name))
        if pair.row is None:
            return replace(file, listed=Listed(None, is_suffixed))
        found = self.skipper.by_listing(file, evidence_of(file, pair.row, is_suffixed=is_suffixed))
        if isinstance(found, Skip):
            await self.note_kept(pair.row)
        return found

    async def _note_link(self, pair: Pair, file: SourceFile) -> None:
        """Note what a link reads that the run puts: the listing has no row of it."""
        if self._mirror is None or self._links is None or (target := self._links.leads_to(file)) is None:
            return
        await self._mirror.note_link(pair.key.decode("utf-8", "surrogatepass"), target)

    async def _take_object(self, pair: Pair) -> None:
        """Note an object without a file: as extra, or as one that stays if it may have a file, filters left its file
        out, or it is the manifest, another program's marker, or named as the destination's prefix itself: no file has
        that name."""
        row = pair.row
        if self._mirror is None or row is None:
            return
        is_ours = not pair.is_unknown and not is_others_marker(row.name, row.bytes)
        is_ours = is_ours and row.name not in (self._manifest, self._scope.naming.prefix)
        if is_ours and self._scope.claims(row.name, is_directory=is_marker(row)):
            await self._mirror.note_extra(row)
        else:
            await self._mirror.note_kept(row)

    async def note_kept(self, row: RemoteObject) -> None:
        """Note the object of a file that stays as it is: a mirror removes nothing that it reads."""
        if self._mirror is not None:
            await self._mirror.note_kept(row)

    async def remove_extra(self, failed: int) -> None:
        """If this is a mirror, remove objects without files, or let them expire. Call it after all files are sent.
        Nothing is done if any files `failed`."""
        if self._mirror is not None:
            if not self._pairing.is_in_order:
                self._mirror.keep_all("a directory was changed while it was read")
            if (why := self._left_out()) is not None:
                self._mirror.keep_all(f"the source may have files for them: {why}")
            await self._mirror.remove(failed)

    def close(self) -> None:
        if self._mirror is not None:
            self._mirror.close()
