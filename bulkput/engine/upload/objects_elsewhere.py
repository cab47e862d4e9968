"""Reads the objects of a source that is a URL, in the process that has surveyed it or in another."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import field

from bulkput import events as ev
from bulkput.engine.stop import Stop
from bulkput.engine.upload.links import Links
from bulkput.engine.upload.open_source import opened_source
from bulkput.errors import Unsupported, printable
from bulkput.model import ObjectHeaders, RemoteObject
from bulkput.options import UploadOptions
from bulkput.payload.remote import RemoteOpener
from bulkput.policy.copied import fitted
from bulkput.policy.link_target import LinkTargets
from bulkput.record import frozen
from bulkput.sources.base import ObjectSource
from bulkput.stores.base import Configured, Store
from bulkput.transport.base import WireCount


@frozen
class ObjectsElsewhere:
    """What another process needs to read the objects (`sending.py:Elsewhere`)."""

    url: str
    targets: LinkTargets
    told: Configured | None = field(default=None, repr=False)
    """The login, if the source's store can hand it over."""

    @asynccontextmanager
    async def opened(
        self, destination: str, options: UploadOptions, emit: ev.Emit, stop: Stop, environ: Mapping[str, str]
    ) -> "AsyncIterator[OpenObjects]":
        """Open the source; sends no request. Raises UsageError."""
        async with opened_source(
            self.url,
            destination=destination,
            wire=options.wire,
            retry=options.retry,
            emit=emit,
            brake=stop,
            environ=environ,
            told=self.told,
        ) as origin:
            yield OpenObjects(origin.source, origin.count, self.targets)


@frozen
class OpenObjects:
    """The open source (`sending.py:OpenSource`)."""

    source: ObjectSource
    count: WireCount
    targets: LinkTargets

    def opener(self, store: Store, options: UploadOptions, emit: ev.Emit, *, large_above: int) -> RemoteOpener:
        return opener_of(self.source, store, options, emit, large_above=large_above)

    def links(self, store: Store, emit: ev.Emit) -> Links:
        return Links(store.powers.link, self.targets, emit)


def opener_of(
    source: ObjectSource, store: Store, options: UploadOptions, emit: ev.Emit, *, large_above: int
) -> RemoteOpener:
    """What opens the objects for an upload to `store`: see `Survey.opener`."""
    return RemoteOpener(
        source.fetch,
        source.read,
        options.body,
        emit,
        fits=_Fitting(store, emit),
        layout_of=source.layout,
        large_above=large_above,
    )


def takes_nothing(_name: bytes) -> bool:
    """For a single object: what its link leads to is not copied."""
    return False


class _Fitting:
    """Leaves out what the destination does not keep, and warns of that once for each kind of loss."""

    def __init__(self, store: Store, emit: ev.Emit) -> None:
        self._keeps_metadata = store.keeps_metadata
        self._keeps_expiry = store.powers.expire is not None
        self._emit = emit
        self._told: set[str] = set()

    def __call__(self, row: RemoteObject, kept: ObjectHeaders) -> ObjectHeaders:
        """Raises Unsupported if the copy could not be read."""
        found = fitted(kept, keeps_metadata=self._keeps_metadata, keeps_expiry=self._keeps_expiry)
        if found.is_unreadable:
            raise Unsupported("put", row.name, f"{found.lost[0]}, which the destination does not keep")
        for what in found.lost:
            if what not in self._told:
                self._told.add(what)
                self._emit(ev.Warned(f"{printable(row.name)}: {what}, which the destination does not keep"))
        return found.headers
