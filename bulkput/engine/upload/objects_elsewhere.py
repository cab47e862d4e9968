"""Reads the objects of a source that is a URL, in the process that has surveyed it or in another."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import field

from bulkput import events as ev
from bulkput.engine.sources.open_source import opened_source
from bulkput.engine.sources.opening import Fitting, opener_of
from bulkput.engine.stop import Stop
from bulkput.engine.upload.links import Links
from bulkput.options import UploadOptions
from bulkput.payload.remote import RemoteOpener
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
            options=options,
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
        return opener_of(self.source, options.body, emit, fits=Fitting(store, emit), large_above=large_above)

    def links(self, store: Store, emit: ev.Emit) -> Links:
        return Links(store.powers.link, self.targets, emit)


def takes_nothing(_name: bytes) -> bool:
    """For a single object: what its link leads to is not copied."""
    return False
