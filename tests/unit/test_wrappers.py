"""Retry, limit and observation around a store. The store here is a script: it fails as told, then serves."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

import pytest

from bulkput import events as ev
from bulkput.errors import Denied, SourceError, Stopped, StoreError, StoreGone, Throttled, Unavailable
from bulkput.model import Body, Limits, ObjectHeaders, Prefix, RemoteObject, Stored
from bulkput.options import RetryOptions
from bulkput.stores.base import Store
from bulkput.stores.powers import Powers
from bulkput.stores.slots import Slots
from bulkput.stores.tries import Brake, NoBrake, Tries
from bulkput.stores.wrappers import LimitedStore, ObservedStore, RetryingStore, wrap

HEADERS = ObjectHeaders()
RETRY = RetryOptions(retries=3, base_s=1.0, cap_s=30.0)


class Bytes:
    """A body in memory, in two pieces; counts how often it was read."""

    data = None
    md5 = None

    def __init__(self, content: bytes = b"abcd") -> None:
        self.size = self.length_hint = len(content)
        self._content = content
        self.reads = 0

    async def chunks(self) -> AsyncGenerator[bytes]:
        self.reads += 1
        yield self._content[:2]
        yield self._content[2:]


class ScriptedStore:
    """Keeps objects in a dict. `failures` are raised one per call, each after half of a body was read."""

    limits = Limits(max_name_bytes=7)

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.objects: dict[str, bytes] = {}
        self.calls: list[tuple[str, object]] = []
        self.in_flight = 0
        self.peak = 0
        self.gate: Callable[[str], Awaitable[object]] | None = None
        self.breaks_after: list[int] = []
        self.powers = Powers()
        self.is_closed = False

    async def _call(self, operation: str, what: object) -> None:
        self.calls.append((operation, what))
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            if self.gate is not None:
                await self.gate(str(what))
            if self.failures:
                raise self.failures.pop(0)
        finally:
            self.in_flight -= 1

    async def prepare(self) -> None:
        await self._call("prepare", "")

    async def put(self, key: str, body: Body, headers: ObjectHeaders) -> Stored:
        chunks = body.chunks()
        pieces = [await anext(chunks)]
        await self._call("put", key)
        pieces += [chunk async for chunk in chunks]
        self.objects[key] = b"".join(pieces)
        return Stored(key, len(self.objects[key]), None, None)

    async def list(
        self, prefix: str, *, delimiter: str | None = None, start_after: str | None = None
    ) -> AsyncGenerator[RemoteObject | Prefix, None]:
        self.calls.append(("list", start_after))
        left = self.breaks_after.pop(0) if self.breaks_after else None
        for name in sorted(self.objects):
            if not name.startswith(prefix) or (start_after is not None and name <= start_after):
                continue
            if left == 0:
                raise Unavailable("list", prefix, "reset")
            left = left - 1 if left is not None else None
            yield RemoteObject(name, 0, None, None, None)
        if left is not None:
            raise Unavailable("list", prefix, "reset")

    async def delete(self, keys: Iterable[str]) -> None:
        await self._call("delete", tuple(keys))

    async def stat(self, key: str) -> RemoteObject | None:
        await self._call("stat", key)
        return None

    async def copy(self, source: str, container: str, key: str, headers: ObjectHeaders, size: int) -> Stored:
        await self._call("copy", (source, container, key, size))
        return Stored(key, size, None, None)

    async def delete_many(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        await self._call("delete_many", keys)
        return ()

    async def get(self, key: str) -> AsyncGenerator[bytes, None]:
        await self._call("get", key)
        yield b"whole"

    async def ask_limits(self) -> Limits:
        await self._call("info", "")
        return Limits(max_name_bytes=9)

    async def aclose(self) -> None:
        self.is_closed = True


class Pauses:
    """Records the waits and does not wait."""

    def __init__(self, *, goes_on: bool = True) -> None:
        self.delays: list[float] = []
        self._goes_on = goes_on

    def check(self) -> None:
        pass

    async def pause(self, delay_s: float) -> bool:
        self.delays.append(delay_s)
        return self._goes_on


def gone() -> Unavailable:
    return Unavailable("put", "a", "Service Unavailable", status=503)


def retrying(store: Store, brake: Brake, events: list[ev.Event] | None = None) -> RetryingStore:
    return RetryingStore(store, Tries(RETRY, (events if events is not None else []).append, brake))


def wrapped(store: Store, *, emit: ev.Emit = lambda _event: None, brake: Brake | None = None) -> Store:
    """The whole stack, with one slot."""
    brake = brake or NoBrake()
    return wrap(store, tries=Tries(RETRY, emit, brake), slots=Slots(1), emit=emit, brake=brake)


async def test_a_failed_attempt_is_repeated_until_it_succeeds() -> None:
    """Each attempt sends the whole body, and each wait emits one Retrying event."""
    bare, pauses, body = ScriptedStore(gone(), gone()), Pauses(), Bytes()
    events: list[ev.Event] = []
    stored = await retrying(bare, pauses, events).put("a", body, HEADERS)
    assert (stored.size, bare.objects) == (4, {"a": b"abcd"})
    assert (len(bare.calls), body.reads, len(pauses.delays)) == (3, 3, 2)
    assert [(e.attempt, e.delay_s) for e in events if isinstance(e, ev.Retrying)] == list(enumerate(pauses.delays, 1))
    assert all(0 <= delay <= bound for delay, bound in zip(pauses.delays, (1, 2), strict=True))


async def test_the_last_error_has_the_number_of_attempts() -> None:
    """It is the store's own error, after one attempt and three retries."""
    last = gone()
    bare, pauses = ScriptedStore(gone(), gone(), gone(), last), Pauses()
    with pytest.raises(Unavailable) as caught:
        await retrying(bare, pauses).put("a", Bytes(), HEADERS)
    assert caught.value is last
    assert (len(bare.calls), len(pauses.delays), last.attempts) == (4, 3, 4)
    assert last.elapsed_s > 0
    assert "after 4 attempts in" in str(last)


async def test_the_wait_for_a_slot_does_not_count_as_retry_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """An object that waits long for its slots has all its attempts."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    slots = Slots(1)
    take = slots.take_at_once

    def take_late() -> bool:
        clock.now_s += 1_000.0
        return take()

    monkeypatch.setattr(slots, "take_at_once", take_late)
    tries = Tries(RETRY, lambda _event: None, Pauses())
    last = gone()
    store = wrap(
        ScriptedStore(gone(), gone(), gone(), last), tries=tries, slots=slots, emit=lambda _event: None, brake=NoBrake()
    )
    with pytest.raises(Unavailable) as caught:
        await store.put("a", Bytes(), HEADERS)
    assert caught.value is last
    assert last.attempts == 4 and last.elapsed_s < 100


@pytest.mark.parametrize(("attempt_s", "attempts"), [(90.0, 4), (160.0, 2), (1_000.0, 2)])
async def test_a_second_attempt_is_made_after_a_first_of_any_length(
    monkeypatch: pytest.MonkeyPatch, attempt_s: float, attempts: int
) -> None:
    """Further attempts are made only within 300 s of attempts and pauses."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)

    async def last_long(_key: str) -> None:
        clock.now_s += attempt_s

    bare = ScriptedStore(*(gone() for _ in range(4)))
    bare.gate = last_long
    with pytest.raises(Unavailable) as caught:
        await wrapped(bare, brake=Pauses()).put("a", Bytes(), HEADERS)
    assert caught.value.attempts == attempts
    assert caught.value.elapsed_s >= attempts * attempt_s


class Clock:
    """Goes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize(
    "error", [Denied("put", "a", "no", status=403), StoreError("put", "a", "no"), SourceError(b"a", "changed", "grew")]
)
async def test_a_permanent_error_is_not_retried(error: Exception) -> None:
    """Errors of the source are not retried either."""
    bare, pauses = ScriptedStore(error), Pauses()
    with pytest.raises(type(error)) as caught:
        await retrying(bare, pauses).put("a", Bytes(), HEADERS)
    assert caught.value is error
    assert (len(bare.calls), pauses.delays) == (1, [])


async def test_a_stop_in_a_pause_ends_the_retries() -> None:
    """The error of the last attempt is raised."""
    error = gone()
    bare, pauses = ScriptedStore(error), Pauses(goes_on=False)
    with pytest.raises(Unavailable) as caught:
        await retrying(bare, pauses).put("a", Bytes(), HEADERS)
    assert caught.value is error
    assert (len(bare.calls), len(pauses.delays), error.attempts) == (1, 1, 1)


async def test_retry_after_is_the_minimum_delay() -> None:
    """Retry-After is a floor."""
    pauses = Pauses()
    await retrying(ScriptedStore(Throttled("put", "a", "slow", retry_after_s=9.0)), pauses).put("a", Bytes(), HEADERS)
    assert 9.0 <= pauses.delays[0] <= 10.0


async def test_every_operation_is_retried() -> None:
    """Keys from an iterator are kept for the second attempt."""
    bare = ScriptedStore()
    store = retrying(bare, Pauses())
    for call in (
        store.prepare,
        lambda: store.stat("a"),
        lambda: store.delete(iter(["a", "b"])),
        store.ask_limits,
    ):
        bare.failures = [gone()]
        await call()
    assert bare.calls == [
        ("prepare", ""), ("prepare", ""), ("stat", "a"), ("stat", "a"),
        ("delete", ("a", "b")), ("delete", ("a", "b")), ("info", ""), ("info", ""),
    ]  # fmt: skip


async def listed(store: Store) -> list[str]:
    return [item.name async for item in store.list("")]


async def test_a_broken_listing_resumes_after_its_last_name() -> None:
    """No name comes twice or is left out."""
    bare = ScriptedStore()
    bare.objects = dict.fromkeys("abcde", b"")
    bare.breaks_after = [0, 2, 1, 0]
    assert await listed(retrying(bare, Pauses())) == list("abcde")
    assert bare.calls == [("list", after) for after in (None, None, "b", "c", "c")]


async def test_progress_of_a_listing_renews_its_retries() -> None:
    """A listing of millions of names may break many times."""
    bare = ScriptedStore()
    names = [f"{number:02}" for number in range(20)]
    bare.objects = dict.fromkeys(names, b"")
    bare.breaks_after = [1] * 20
    assert await listed(retrying(bare, Pauses())) == names


async def test_a_listing_without_progress_fails_after_its_retries() -> None:
    """The error has the number of attempts."""
    bare, pauses = ScriptedStore(), Pauses()
    bare.objects = dict.fromkeys("abc", b"")
    bare.breaks_after = [1, 0, 0, 0, 0, 0]
    names = []
    with pytest.raises(Unavailable) as caught:
        async for item in retrying(bare, pauses).list(""):
            names.append(item.name)
    # The first break comes after a name: it is a first try; three more follow it.
    assert (names, caught.value.attempts, len(pauses.delays)) == (["a"], 4, 3)


class Gate:
    """Lets calls in one by one, as the test says; knows who is inside."""

    def __init__(self) -> None:
        self.entered: asyncio.Queue[str] = asyncio.Queue()
        self.opened: dict[str, asyncio.Event] = {}

    async def __call__(self, what: str) -> None:
        self.opened[what] = asyncio.Event()
        self.entered.put_nowait(what)
        await self.opened[what].wait()


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_concurrent_operations_never_exceed_the_limit(concurrency: int) -> None:
    """Waiting operations start in the order in which they came."""
    bare, gate = ScriptedStore(), Gate()
    bare.gate = gate
    store = LimitedStore(bare, Slots(concurrency), NoBrake())
    keys = [f"k{number}" for number in range(8)]
    tasks = [asyncio.create_task(store.put(key, Bytes(), HEADERS)) for key in keys]
    order = []
    for _ in keys:
        order.append(await gate.entered.get())
        if len(order) >= concurrency:
            gate.opened[order[len(order) - concurrency]].set()
    for key in keys:
        gate.opened[key].set()
    await asyncio.gather(*tasks)
    assert order == keys
    assert bare.peak == concurrency


@pytest.mark.parametrize("error", [gone(), SourceError(b"a", "changed", "grew"), RuntimeError("a bug")])
async def test_a_failed_operation_releases_its_slot(error: Exception) -> None:
    """This holds for every error."""
    store = LimitedStore(ScriptedStore(error), Slots(1), NoBrake())
    with pytest.raises(type(error)):
        await store.put("a", Bytes(), HEADERS)
    assert (await store.put("b", Bytes(), HEADERS)).key == "b"


async def test_a_cancelled_operation_releases_its_slot() -> None:
    """It was inside the store or waited for its slot."""
    bare, gate = ScriptedStore(), Gate()
    bare.gate = gate
    store = LimitedStore(bare, Slots(1), NoBrake())
    inside = asyncio.create_task(store.put("inside", Bytes(), HEADERS))
    await gate.entered.get()
    waiting = asyncio.create_task(store.put("waiting", Bytes(), HEADERS))
    await asyncio.sleep(0)
    for task in (waiting, inside):
        task.cancel()
    await asyncio.gather(inside, waiting, return_exceptions=True)
    bare.gate = None
    assert (await store.put("next", Bytes(), HEADERS)).key == "next"


async def test_a_waiting_retry_holds_no_slot() -> None:
    """Another object is sent through the only slot."""
    waiting, go_on = asyncio.Event(), asyncio.Event()

    class WaitsForUs(NoBrake):
        async def pause(self, _delay_s: float) -> bool:
            waiting.set()
            await go_on.wait()
            return True

    bare = ScriptedStore(gone())
    store = wrapped(bare, brake=WaitsForUs())
    failing = asyncio.create_task(store.put("a", Bytes(), HEADERS))
    await waiting.wait()
    async with asyncio.timeout(5):
        await store.put("b", Bytes(), HEADERS)
    assert list(bare.objects) == ["b"]
    go_on.set()
    await failing
    assert list(bare.objects) == ["b", "a"]


async def test_a_listing_holds_no_slot() -> None:
    """A slow consumer of a listing does not block uploads."""
    bare = ScriptedStore()
    bare.objects = {"a": b"", "b": b""}
    store = wrapped(bare)
    listing = store.list("")
    await anext(listing)
    async with asyncio.timeout(5):
        await store.put("c", Bytes(), HEADERS)
    await listing.aclose()


async def test_each_attempt_emits_one_requested_event() -> None:
    """It has the error of the attempt, in order with the retries."""
    events: list[ev.Event] = []
    first, second = gone(), gone()
    store = wrapped(ScriptedStore(first, second), emit=events.append, brake=Pauses())
    await store.put("a", Bytes(), HEADERS)
    assert [type(event) for event in events] == [ev.Requested, ev.Retrying, ev.Requested, ev.Retrying, ev.Requested]
    requested = [event for event in events if isinstance(event, ev.Requested)]
    assert [(r.operation, r.key, r.error) for r in requested] == [
        ("put", "a", first), ("put", "a", second), ("put", "a", None),
    ]  # fmt: skip
    assert all(r.elapsed_s >= 0 for r in requested)
    assert all(r.size == Bytes().size for r in requested)
    assert [r.started_s for r in requested] == sorted(r.started_s for r in requested)


async def test_an_attempt_with_a_source_error_emits_requested_too() -> None:
    """The attempt was made; that it failed here does not hide it."""
    events: list[ev.Event] = []
    error = SourceError(b"a", "changed", "grew")
    with pytest.raises(SourceError):
        await ObservedStore(ScriptedStore(error), events.append).put("a", Bytes(), HEADERS)
    assert [event.error for event in events if isinstance(event, ev.Requested)] == [error]


async def test_requested_excludes_the_wait_for_a_slot() -> None:
    """An operation that has not begun is not reported."""
    events: list[ev.Event] = []
    bare, gate = ScriptedStore(), Gate()
    bare.gate = gate
    store = wrapped(bare, emit=events.append)
    tasks = [asyncio.create_task(store.put(key, Bytes(), HEADERS)) for key in ("a", "b")]
    assert await gate.entered.get() == "a"
    gate.opened["a"].set()
    assert await gate.entered.get() == "b"
    assert [event.key for event in events if isinstance(event, ev.Requested)] == ["a"]
    gate.opened["b"].set()
    await asyncio.gather(*tasks)


async def test_the_wrappers_pass_limits_and_close_on() -> None:
    """Limits as the bare store has them, its own when asked, and its end."""
    bare = ScriptedStore()
    store = wrapped(bare)
    assert store.limits.max_name_bytes == 7
    assert (await store.ask_limits()).max_name_bytes == 9
    await store.aclose()
    assert bare.is_closed


async def test_no_operation_starts_after_a_stop() -> None:
    """This includes operations that waited for their slot."""

    class Pulled(NoBrake):
        def check(self) -> None:
            raise Stopped

    bare = ScriptedStore()
    with pytest.raises(Stopped):
        await wrapped(bare, brake=Pulled()).put("a", Bytes(), HEADERS)
    assert bare.calls == []


@pytest.mark.parametrize(
    ("error", "is_stopped"),
    [
        (StoreGone("login", "http://keystone", "down"), True),
        (Denied("put", "a", "the token is refused", status=401), True),
        (Denied("put", "a", "no", status=403), False),
        (Unavailable("put", "a", "reset"), False),
    ],
)
async def test_a_login_that_fails_during_a_stop_fails_no_object(error: StoreError, is_stopped: bool) -> None:
    """Another object has reported it, or Ctrl-C has ended its pause. Without a stop, the object reports it."""

    class Pulled(NoBrake):
        """Is pulled while the request is in flight."""

        def check(self) -> None:
            if bare.calls:
                raise Stopped

    for brake, kind in ((Pulled(), Stopped if is_stopped else type(error)), (NoBrake(), type(error))):
        bare = ScriptedStore(error)
        with pytest.raises(kind):
            await LimitedStore(bare, Slots(1), brake).put("a", Bytes(), HEADERS)
        bare = ScriptedStore(error)
        with pytest.raises(kind):
            await LimitedStore(bare, Slots(1), brake).stat("a")


async def test_an_error_of_a_login_keeps_the_number_of_its_own_attempts() -> None:
    """The object's request was made once, the login within it nine times."""
    error = StoreGone("login", "http://keystone", "down")
    error.attempts, error.elapsed_s = 9, 60.0
    with pytest.raises(StoreGone, match=r"down after 9 attempts in 60\.0 s"):
        await retrying(ScriptedStore(error), Pauses()).put("a", Bytes(), HEADERS)


async def test_the_first_call_has_fewer_retries() -> None:
    """Before the first success, a wrong address is likelier than a restart."""
    pauses = Pauses()
    attempts = 0

    async def fail() -> None:
        nonlocal attempts
        attempts += 1
        raise gone()

    with pytest.raises(Unavailable):
        await Tries(RetryOptions(retries=5, first_retries=2), lambda _event: None, pauses)(fail, is_first_login=True)
    assert (attempts, len(pauses.delays)) == (3, 2)


def test_a_wrapped_store_has_only_the_powers_of_its_store() -> None:
    """Nor one that is None in the one and there in the other."""
    assert wrapped(ScriptedStore()).powers == Powers()  # type: ignore[arg-type]
    bare = ScriptedStore()
    bare.powers = Powers(checks_md5=False, storage_classes=True)
    assert wrapped(bare).powers == bare.powers  # type: ignore[arg-type]


async def test_optional_operations_are_retried_and_report_their_key() -> None:
    """The key of a copy is that of the new object; a bulk operation reports its first key."""
    bare, events, pauses = ScriptedStore(gone(), gone()), list[ev.Event](), Pauses()
    bare.powers = Powers(copy=bare.copy, delete_many=bare.delete_many)
    powers = wrapped(bare, emit=events.append, brake=pauses).powers  # type: ignore[arg-type]
    assert powers.copy is not None and powers.delete_many is not None
    assert await powers.copy("old", "c", "new", HEADERS, size=3) == Stored("new", 3, None, None)
    assert await powers.delete_many(("a", "b")) == ()
    requested = [(e.operation, e.key, e.error is None) for e in events if isinstance(e, ev.Requested)]
    assert requested == [("copy", "new", False), ("copy", "new", False), ("copy", "new", True), ("delete", "a", True)]
    assert len(pauses.delays) == 2


async def test_get_is_retried_before_the_first_piece_and_get_once_never() -> None:
    """`get` has retries, `get_once` has none."""
    bare, pauses = ScriptedStore(gone(), gone()), Pauses()
    bare.powers = Powers(get=bare.get, get_once=bare.get)
    powers = wrapped(bare, brake=pauses).powers  # type: ignore[arg-type]
    assert powers.get is not None and powers.get_once is not None
    with pytest.raises(Unavailable):
        _ = [piece async for piece in powers.get_once("a")]
    assert pauses.delays == []
    assert [piece async for piece in powers.get("a")] == [b"whole"]
    assert len(pauses.delays) == 1
