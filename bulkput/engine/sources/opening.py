"""Makes bodies of a source's objects, with the headers that the destination keeps."""

from bulkput import events as ev
from bulkput.errors import Unsupported, printable
from bulkput.model import ObjectHeaders, RemoteObject
from bulkput.options import BodyOptions
from bulkput.payload.remote import Fits, RemoteOpener
from bulkput.policy.copied import fitted
from bulkput.sources.base import ObjectSource
from bulkput.stores.base import Store


def opener_of(
    source: ObjectSource, options: BodyOptions, emit: ev.Emit, *, fits: Fits, large_above: int
) -> RemoteOpener:
    """What opens the objects. `fits` is of `Fitting`, or changes nothing."""
    return RemoteOpener(
        source.fetch, source.read, options, emit, fits=fits, layout_of=source.layout, large_above=large_above
    )


class Fitting:
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
