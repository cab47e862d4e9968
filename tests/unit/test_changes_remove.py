"""What a Remover does with what its store says. The store here is a script."""

import asyncio
from collections.abc import Iterable

import pytest

from bulkput.engine.objects.changes import ChangeTally
from bulkput.engine.objects.remove import Remover
from bulkput.engine.stop import Stop
from bulkput.errors import BulkputError, Denied, StoreError, Unavailable, Unsupported
from bulkput.events import Change, Done
from bulkput.model import Limits, RemoteObject
from bulkput.options import StopRules
from bulkput.policy.retry import FailurePolicy
from bulkput.stores.powers import Powers


class ScriptedStore:
    """Removes many at once but for `refused`; `failures` are what single requests meet, by name."""

    def __init__(self, *, refused: Iterable[str] = (), knows_bulk: bool = True) -> None:
        self.refused = frozenset(refused)
        self.knows_bulk = knows_bulk
        self.bulk_failure: BulkputError | None = None
        self.failures: dict[str, Exception] = {}
        self.bulks: list[tuple[str, ...]] = []
        self.singles: list[str] = []
        self.in_flight = self.peak = 0

    @property
    def powers(self) -> Powers:
        return Powers(delete_many=self.delete_many)

    async def ask_limits(self) -> Limits:
        return Limits(max_deletes=100)

    async def delete_many(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        self.bulks.append(keys)
        if not self.knows_bulk:
            raise Unsupported("delete", keys[0], "no")
        if self.bulk_failure is not None:
            raise self.bulk_failure
        return tuple(key for key in keys if key in self.refused)

    async def delete(self, keys: Iterable[str]) -> None:
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        await asyncio.sleep(0.01)
        self.in_flight -= 1
        for key in keys:
            self.singles.append(key)
            if key in self.failures:
                raise self.failures[key]


def rows(count: int, start: int = 0) -> tuple[RemoteObject, ...]:
    return tuple(RemoteObject(f"{n:03}", 1, None, None, None) for n in range(start, start + count))


def remover(store: ScriptedStore, *, workers: int = 8) -> tuple[Remover, ChangeTally, list[Change]]:
    told: list[Change] = []
    tally = ChangeTally(told.append, Stop(), FailurePolicy(StopRules()))
    return Remover(store, tally, workers=workers), tally, told  # type: ignore[arg-type]


async def test_objects_left_by_a_bulk_delete_are_removed_in_parallel() -> None:
    """At most 8 removals run at once, and each object is reported once."""
    store = ScriptedStore(refused=(row.name for row in rows(40)))
    made, tally, told = remover(store)
    await made.prepare()
    await made.remove(rows(100))
    assert (tally.done, len(store.singles), store.peak) == (100, 40, 8)
    assert sorted(change.name for change in told) == [row.name for row in rows(100)]


async def test_a_refused_object_does_not_end_bulk_delete_for_later_batches() -> None:
    """Later batches use bulk-delete as before."""
    store = ScriptedStore(refused=["000"])
    made, tally, _ = remover(store)
    await made.prepare()
    for start in range(0, 300, 100):
        assert made.batch == 100
        await made.remove(rows(100, start))
    assert (tally.done, len(store.bulks), store.singles) == (300, 3, ["000"])


async def test_a_store_without_bulk_delete_gets_one_bulk_request() -> None:
    """After that request, a batch is one object."""
    store = ScriptedStore(knows_bulk=False)
    made, tally, _ = remover(store)
    await made.prepare()
    await made.remove(rows(100))
    assert (tally.done, len(store.bulks), made.batch) == (100, 1, 1)


async def test_an_object_that_cannot_be_removed_fails_alone() -> None:
    """All other objects are removed."""
    store = ScriptedStore(refused=["000", "001"])
    store.failures["001"] = Unavailable("delete", "001", "busy", status=503)
    made, tally, told = remover(store)
    await made.prepare()
    await made.remove(rows(10))
    assert (tally.done, tally.failed) == (9, 1)
    assert [change.name for change in told if change.done is Done.FAILED] == ["001"]


@pytest.mark.parametrize("workers", [1, 4])
async def test_a_denied_removal_ends_the_run(workers: int) -> None:
    """No further object is requested."""
    store = ScriptedStore(refused=(row.name for row in rows(40)))
    store.failures = {row.name: Denied("delete", row.name, "no", status=403) for row in rows(40)}
    made, tally, _ = remover(store, workers=workers)
    await made.prepare()
    await made.remove(rows(40))
    assert tally.stop.is_pulled and tally.failed == len(store.singles) <= workers


async def test_a_bulk_delete_refused_as_a_whole_falls_back_to_single_deletes() -> None:
    """For example, the store answers the POST with 204."""
    store = ScriptedStore()
    store.bulk_failure = StoreError("delete", "000", "No Content", status=204)
    made, tally, _ = remover(store)
    await made.prepare()
    await made.remove(rows(10))
    assert (tally.done, tally.failed, len(store.singles)) == (10, 0, 10)


async def test_a_denied_bulk_delete_of_a_move_leaves_the_other_objects_copied() -> None:
    """One object fails; the others are copied and not removed."""
    store = ScriptedStore()
    store.bulk_failure = Denied("delete", "another", "no", status=401)
    told: list[Change] = []
    tally = ChangeTally(told.append, Stop(), FailurePolicy(StopRules()))
    made = Remover(store, tally, moved_to=lambda row: "to/" + row.name)  # type: ignore[arg-type]
    await made.prepare()
    await made.remove(rows(10))
    assert (tally.failed, tally.kept, store.singles) == (1, 9, [])
    assert str(told[0].error) == "delete 000: 401 no; it is copied, and not removed"


async def test_each_object_of_a_failed_bulk_delete_is_named_in_its_own_error() -> None:
    """Each by its own name, not by that of the first."""
    store = ScriptedStore()
    store.bulk_failure = Unavailable("delete", "000", "busy", status=503)
    made, tally, told = remover(store)
    await made.prepare()
    await made.remove(rows(3))
    assert (tally.failed, store.singles) == (3, [])
    assert [str(change.error) for change in told] == [f"delete {n:03}: 503 busy" for n in range(3)]
