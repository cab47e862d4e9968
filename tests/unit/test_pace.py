"""The token bucket, and the waits of requests and pieces for it, on a clock that the test sets."""

import asyncio
import math
from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.activity import current
from bulkput.engine.open_store import pace_of as pace_of_run
from bulkput.engine.stop import Stop
from bulkput.errors import Stopped, Unavailable, UsageError
from bulkput.model import Body, ObjectHeaders, Stored
from bulkput.options import RetryOptions, WireOptions
from bulkput.payload.in_memory import BytesBody
from bulkput.policy.pace import Bucket, bytes_bucket, piece_size, requests_bucket
from bulkput.stores.pace import Pace, PacedStore
from bulkput.stores.powers import Powers
from bulkput.stores.s3.checksums import Checksums
from bulkput.stores.slots import Slots
from bulkput.stores.tries import Brake, NoBrake, Tries
from bulkput.stores.wrappers import LimitedStore, wrap
from bulkput.transport.pacing import putting_off, sends_again
from tests.unit.test_wrappers import Bytes, Pauses, ScriptedStore

HEADERS = ObjectHeaders()
ANY_RATE = st.floats(1e-3, 1e9)


def test_requests_are_due_one_after_the_other() -> None:
    """The first at once, the next each after half a second."""
    bucket, due = requests_bucket(2.0), []
    for _ in range(4):
        bucket = bucket.take(1, now_s=10.0)
        due.append(bucket.due_s)
    assert due == [10.0, 10.5, 11.0, 11.5]


@pytest.mark.parametrize(
    ("per_s", "burst"), [(500.0, 50.0), (10.0, 1.0), (0.5, 1.0)], ids=["fast", "ten per second", "30 per minute"]
)
def test_an_idle_bucket_saves_a_tenth_of_a_second_and_at_least_one_request(per_s: float, burst: float) -> None:
    """However long it was idle."""
    bucket, at_once = requests_bucket(per_s).take(1, now_s=0.0), 0
    while (bucket := bucket.take(1, now_s=1_000.0)).due_s <= 1_000.0:
        at_once += 1
    assert at_once == burst


def test_a_body_larger_than_the_burst_waits_until_all_of_it_is_paid_for() -> None:
    """It does not go into debt, so the rate holds for it too."""
    assert bytes_bucket(1_000.0).take(5_000, now_s=0.0).due_s == 5.0


def test_what_is_given_back_can_be_taken_again() -> None:
    """A request that was cancelled costs the others nothing."""
    bucket = requests_bucket(1.0).take(1, now_s=0.0)
    assert bucket.take(30, now_s=0.0).give_back(30).take(1, now_s=0.0) == bucket.take(1, now_s=0.0)


@given(per_s=ANY_RATE, burst=st.floats(0, 1e6), first=st.floats(0, 10), steps=st.data())
def test_no_time_has_more_than_the_rate_and_the_burst(
    per_s: float, burst: float, first: float, steps: st.DataObject
) -> None:
    """Between any two moments, with pauses and with amounts that are given back."""
    bucket, now_s = Bucket(per_s, burst, first), 0.0
    sent: list[tuple[float, float]] = []
    takes = st.tuples(st.floats(0, 1e4), st.floats(0, 100), st.booleans())
    for amount, pause_s, is_cancelled in steps.draw(st.lists(takes, max_size=30)):
        now_s += pause_s
        taken = bucket.take(amount, now_s)
        bucket = taken.give_back(amount) if is_cancelled else taken
        if not is_cancelled:
            # Rounded: what is given back leaves a moment that differs in its last digit.
            sent.append((round(max(taken.due_s, now_s), 6), amount))
    sent.sort(key=lambda each: each[0])  # stable: of one moment, in the order of the takes
    most = max(burst, first)
    for start in range(len(sent)):
        total = 0.0
        for at_s, amount in sent[start:]:
            total += amount
            # What left at the first moment was paid for before it.
            allowed = (at_s - sent[start][0]) * per_s + most + sent[start][1]
            assert total <= allowed * (1 + 1e-6) + 1e-3 * per_s


@given(per_s=ANY_RATE, amounts=st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 100)), max_size=30))
def test_no_later_taker_is_due_before_an_earlier_one(per_s: float, amounts: list[tuple[float, float]]) -> None:
    """And each has its time from the moment it takes: it waits for the amounts before its own, and for no other."""
    bucket, now_s, due, before = bytes_bucket(per_s), 0.0, [], 0.0
    for amount, pause_s in amounts:
        now_s += pause_s
        before += amount
        bucket = bucket.take(amount, now_s)
        due.append(bucket.due_s)
        assert bucket.due_s <= now_s + before / per_s + 1e-6 * abs(bucket.due_s) + 1e-6
    assert all(earlier <= later for earlier, later in pairwise(due))


@given(bytes_per_s=st.floats(1, 1e10))
def test_a_body_gets_a_piece_each_second_among_256(bytes_per_s: float) -> None:
    """Or pieces of a KiB, if the rate is that low."""
    size = piece_size(bytes_per_s)
    assert size == 1024 or 256 * size <= bytes_per_s


class Clock:
    """Goes on by the pauses that it is asked for: it is the brake too."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.steps: list[object] = []

    def __call__(self) -> float:
        return self.now_s

    def check(self) -> None:
        pass

    async def pause(self, delay_s: float) -> bool:
        self.steps += current().steps[-1:]
        until_s = self.now_s + delay_s
        await asyncio.sleep(0)  # others run meanwhile
        self.now_s = max(self.now_s, until_s)
        return True


def pace_of(clock: Clock, *, objects_per_s: float | None = None, bytes_per_s: float | None = None) -> Pace:
    return Pace(WireOptions(objects_per_s=objects_per_s, bytes_per_s=bytes_per_s), clock, clock=clock)


def wrapped(bare: ScriptedStore, pace: Pace | None, slots: Slots, brake: Brake) -> PacedStore:
    tries = Tries(RetryOptions(base_s=0), lambda _event: None, brake)
    return wrap(bare, tries=tries, slots=slots, emit=lambda _event: None, brake=brake, pace=pace)  # type: ignore[arg-type, return-value]


def test_without_a_rate_there_is_no_pace_and_no_wrapper() -> None:
    """Nothing of it is in a request's way."""
    assert pace_of_run(WireOptions(), NoBrake()) is None
    pace = pace_of(Clock(), objects_per_s=1)
    assert isinstance(wrapped(ScriptedStore(), None, Slots(1), NoBrake())._store, LimitedStore)
    assert isinstance(wrapped(ScriptedStore(), pace, Slots(1), NoBrake())._store, PacedStore)


async def test_puts_keep_the_rate_in_their_order() -> None:
    """Twenty at four per second: the last leaves 4.75 s after the first."""
    clock, bare = Clock(), ScriptedStore()
    store = wrapped(bare, pace_of(clock, objects_per_s=4), Slots(64), clock)
    await asyncio.gather(*(store.put(f"{n}", BytesBody.of(b"x"), HEADERS) for n in range(20)))
    assert [what for _, what in bare.calls] == [f"{n}" for n in range(20)]
    assert clock.now_s == pytest.approx(104.75)


async def test_each_attempt_pays_again() -> None:
    """Two failures and a success are three requests, and three times the bytes."""
    clock = Clock()
    pace = pace_of(clock, objects_per_s=1, bytes_per_s=1_000)
    bare = ScriptedStore(Unavailable("put", "a", "reset"), Unavailable("put", "a", "reset"))
    await wrapped(bare, pace, Slots(1), Pauses()).put("a", BytesBody.of(b"x" * 4_000), HEADERS)
    told = pace.so_far()
    assert (told.requests, told.sent, len(bare.calls)) == (3, 12_000, 3)
    assert clock.now_s == pytest.approx(112.0)


async def test_what_the_transport_sends_again_is_charged_to_those_that_follow() -> None:
    """The transport does so at once, on a connection that had died; the next request waits twice as long."""
    clock, bare = Clock(), ScriptedStore()
    pace = pace_of(clock, objects_per_s=1, bytes_per_s=1_000)

    async def resend(_key: str) -> None:
        sends_again("GET")  # a login does not count
        sends_again("PUT")

    bare.gate = resend
    store = wrapped(bare, pace, Slots(1), clock)
    await store.put("a", BytesBody.of(b"x" * 100), HEADERS)
    assert clock.now_s == pytest.approx(100.1)
    await store.put("b", BytesBody.of(b"x" * 100), HEADERS)
    assert clock.now_s == pytest.approx(102.0)
    told = pace.so_far()
    assert (told.requests, told.sent) == (4, 400)


async def test_whatever_is_sent_again_is_charged() -> None:
    """HEAD, DELETE and bulk-delete: the last one for each of its objects."""
    clock, bare = Clock(), ScriptedStore()
    pace = pace_of(clock, objects_per_s=1, bytes_per_s=None)
    methods = iter(("HEAD", "DELETE"))

    async def resend(_key: str) -> None:
        sends_again(next(methods))

    bare.gate = resend
    store = wrapped(bare, pace, Slots(1), clock)
    await store.stat("a")
    await store.delete(("a",))
    assert pace.so_far().requests == 4


@pytest.mark.parametrize("puts", [1, 2, 5])
async def test_what_is_reached_is_never_shown_as_more_than_the_rate(puts: int) -> None:
    """The first request costs no time by itself."""
    clock = Clock()
    pace = pace_of(clock, objects_per_s=1 / 60, bytes_per_s=None)
    store = wrapped(ScriptedStore(), pace, Slots(1), clock)
    for number in range(puts):
        await store.put(str(number), BytesBody.of(b""), HEADERS)
    assert pace.so_far().reached_objects_per_s == pytest.approx(1 / 60)
    clock.now_s += 600
    assert pace.so_far().reached_objects_per_s < 1 / 60


async def test_a_request_that_waits_for_its_rate_holds_no_slot() -> None:
    """The only slot is free while the second request waits for an hour."""
    stop, slots = Stop(), Slots(1)
    pace = Pace(WireOptions(objects_per_s=1 / 3_600), stop)
    store = wrapped(ScriptedStore(), pace, slots, stop)
    await store.put("a", BytesBody.of(b"x"), HEADERS)
    waiting = asyncio.create_task(store.put("b", BytesBody.of(b"x"), HEADERS))
    while not pace.is_waiting:
        await asyncio.sleep(0)
    assert slots.take_at_once()
    slots.leave()
    stop.interrupt()
    with pytest.raises(Stopped):
        await waiting


async def test_a_stop_ends_all_waits_for_a_rate_at_once() -> None:
    """That of the first in the queue, those behind it, and those of a body that is being sent."""
    stop, bare = Stop(), ScriptedStore()
    pace = Pace(WireOptions(objects_per_s=1 / 3_600, bytes_per_s=1), stop)
    store = wrapped(bare, pace, Slots(8), stop)
    waiting = [asyncio.create_task(store.put("a", Bytes(b"x" * 9_000), HEADERS))]
    waiting += [asyncio.create_task(store.put(f"{n}", BytesBody.of(b"x" * 9_000), HEADERS)) for n in range(5)]
    while not pace.is_waiting:
        await asyncio.sleep(0)
    stop.interrupt()
    async with asyncio.timeout(10):
        assert all(isinstance(end, Stopped) for end in await asyncio.gather(*waiting, return_exceptions=True))
    assert bare.objects == {} and not pace.is_waiting


async def test_a_cancelled_wait_costs_nothing() -> None:
    """The next request is due when the cancelled one was."""
    stop, clock = Stop(), Clock()
    pace = Pace(WireOptions(objects_per_s=0.001), stop, clock=clock)
    await pace.admit()
    waiting = asyncio.create_task(pace.admit())
    while not pace.is_waiting:
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    clock.now_s += 1_000
    await pace.admit()
    assert pace.so_far().requests == 2


async def test_a_streamed_body_is_paid_for_by_its_pieces() -> None:
    """It goes through in order; at 256 000 bytes/s, a KiB at a time."""
    clock, bare = Clock(), ScriptedStore()
    pace = pace_of(clock, bytes_per_s=256_000)
    content = bytes(range(250)) * 4_096
    await wrapped(bare, pace, Slots(1), clock).put("a", Bytes(content), HEADERS)
    assert bare.objects == {"a": content}
    assert clock.now_s == pytest.approx(104.0)
    assert "waiting for the rate that was asked for" in clock.steps


async def test_a_body_that_is_read_for_a_checksum_is_paid_for_once() -> None:
    """S3 reads it before it sends it, for the signature over plain HTTP: only what is sent counts."""
    clock, content = Clock(), b"x" * 3_000
    hashed: list[str] = []

    class Signing(ScriptedStore):
        async def put(self, key: str, body: Body, headers: ObjectHeaders) -> Stored:
            said = await Checksums("sha256", is_tls=False, is_directory_bucket=False).of(body)
            hashed.append(said.payload)
            return await super().put(key, body, headers)

    pace, bare = pace_of(clock, bytes_per_s=1_000), Signing()
    await wrapped(bare, pace, Slots(1), clock).put("a", Bytes(content), HEADERS)
    assert (bare.objects, hashed) == ({"a": content}, [sha256(content).hexdigest()])
    assert (pace.so_far().sent, clock.now_s) == (3_000, pytest.approx(103.0))


async def test_the_deadline_of_a_request_is_put_off_by_what_its_body_waits() -> None:
    """By all of it, before it waits."""
    clock = Clock()
    pace = pace_of(clock, bytes_per_s=1_000)
    moved: list[float] = []
    with putting_off(moved.append):
        for _ in range(3):
            await pace.admit_piece(2_000)
    assert [seconds for seconds in moved if seconds] == pytest.approx([2.0, 2.0, 2.0])


async def test_a_piece_waits_for_one_new_request_and_not_for_the_queue() -> None:
    """A server would give up a body that waits behind thousands of others."""
    clock = Clock()
    pace = pace_of(clock, bytes_per_s=1_000)
    queue = [asyncio.create_task(pace.admit(size=1_000)) for _ in range(50)]
    while not pace.is_waiting:
        await asyncio.sleep(0)
    await pace.admit_piece(1_000)
    assert clock.now_s <= 103
    await asyncio.gather(*queue)
    assert clock.now_s == pytest.approx(151)


async def test_waits_for_a_rate_do_not_use_up_the_time_for_retries() -> None:
    """A body that waits for a thousand seconds in each attempt has all its attempts."""
    clock = Clock()
    failures = [Unavailable("put", "a", "reset") for _ in range(4)]

    class Reading(ScriptedStore):
        """Fails after it has read the whole body; the attempts are timed on the test's clock."""

        async def put(self, key: str, body: Body, headers: ObjectHeaders) -> Stored:
            began_s = clock()
            assert [chunk async for chunk in body.chunks()]
            if failures:
                error = failures.pop()
                error.took_s = clock() - began_s
                raise error
            return Stored(key, 0, None, None)

    pace = pace_of(clock, bytes_per_s=9)
    tries = Tries(RetryOptions(retries=4, base_s=0), lambda _event: None, clock)
    paced = PacedStore(Reading(), pace)  # type: ignore[arg-type]
    await tries(lambda: paced.put("a", Bytes(b"x" * 9_000), HEADERS))
    assert failures == [] and clock.now_s == pytest.approx(100 + 5 * 1_000)


async def test_requests_for_objects_pay_and_others_do_not() -> None:
    """A removal of several objects pays for each, by one request or by several."""
    bare, clock = ScriptedStore(), Clock()
    bare.powers = Powers(copy=bare.copy, delete_many=bare.delete_many)
    pace = pace_of(clock, objects_per_s=1_000)
    store = wrapped(bare, pace, Slots(1), clock)
    paid = []

    async def pays(call: object) -> None:
        before = pace.so_far().requests
        await call  # type: ignore[misc]
        paid.append(pace.so_far().requests - before)

    assert store.powers.copy is not None and store.powers.delete_many is not None
    await pays(store.prepare())
    await pays(store.ask_limits())
    await pays(store.stat("a"))
    await pays(store.delete(iter("abc")))
    await pays(store.powers.delete_many(tuple("abcde")))
    await pays(store.powers.copy("old", "c", "new", HEADERS, size=3))
    assert paid == [0, 0, 1, 3, 5, 1]


async def test_the_time_in_which_something_waits_counts_once() -> None:
    """However many wait: the share of a run in which its rate was the limit."""
    clock = Clock()
    pace = pace_of(clock, objects_per_s=10)
    await asyncio.gather(*(pace.admit() for _ in range(21)))
    clock.now_s += 2
    told = pace.so_far()
    assert (told.requests, told.over_s, told.waited_s) == (21, pytest.approx(4.0), pytest.approx(2.0))
    assert told.waited_share == pytest.approx(0.5)


@pytest.mark.parametrize("rate", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("name", ["objects_per_s", "bytes_per_s"])
def test_a_rate_that_would_send_nothing_is_refused(name: str, rate: float) -> None:
    """With its name and what it may be."""
    with pytest.raises(UsageError, match=rf"`wire.{name}` is a number above 0"):
        WireOptions(**{name: rate})  # type: ignore[arg-type]
