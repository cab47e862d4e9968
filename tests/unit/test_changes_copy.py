"""What a copy shows its tuner."""

from bulkput import events as ev
from bulkput.engine.objects.copy import _COPIES, _told_to
from bulkput.engine.tuner import Tuner
from bulkput.options import WireOptions


def test_the_tuner_of_a_copy_counts_copies_and_ignores_removals() -> None:
    """All events are passed on unchanged."""
    told: list[ev.Event] = []
    tuner = Tuner(WireOptions(), operations=_COPIES)
    emit = _told_to(told.append, tuner)
    now_s = 0.0
    for operation, limit in (("delete", 64), ("copy", 256)):
        for _ in range(6_000):
            now_s += 0.05 / tuner.slots.limit
            tuner.slots.had_to_wait = True
            emit(ev.Requested(operation, "k", now_s - 0.05, 0.05, None, None))
        assert tuner.slots.limit == limit
    assert {event.operation for event in told if isinstance(event, ev.Requested)} == {"delete", "copy"}
