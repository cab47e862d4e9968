"""Counts the objects of each container, if a run spreads them over several."""

from bulkput import events as ev
from bulkput.policy.spread import spread_of
from bulkput.recorder import Recorder
from bulkput.stores.base import Destination


def counting(emit: ev.Emit, recorder: Recorder, target: Destination) -> ev.Emit:
    """A receiver that counts, and passes each event on to `emit`."""
    spread = spread_of(target.root) if target.scheme == "swift" else None
    if spread is None:
        return emit
    objects = recorder.done_by["container"]

    def count(event: ev.Event) -> None:
        if isinstance(event, ev.Uploaded):
            objects[spread.container_of(event.upload.key)] += 1
        emit(event)

    return count
