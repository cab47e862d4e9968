"""From the requests of a run to its limit."""

import asyncio

import pytest

from bulkput import events as ev
from bulkput.engine.pool import pool
from bulkput.engine.tuner import Tuner
from bulkput.errors import BulkputError, Throttled, Unavailable
from bulkput.options import WireOptions


class Answers:
    """Requests that are answered one after the other, at a given pace."""

    def __init__(self, tuner: Tuner) -> None:
        self._tuner = tuner
        self.now_s = 1.0

    def come(self, count: int, *, per_s: float, error: BulkputError | None = None, operation: str = "put") -> None:
        for _ in range(count):
            self.now_s += 1 / per_s
            self._tuner.slots.had_to_wait = True
            self._tuner(ev.Requested(operation, "k", self.now_s - 0.05, 0.05, 1, error))


def tuned(options: WireOptions) -> tuple[Tuner, Answers, list[ev.Event]]:
    """A tuner, a way to feed it, and what it reports."""
    events: list[ev.Event] = []
    tuner = Tuner(options)
    tuner.report_to(events.append)
    return tuner, Answers(tuner), events


def test_a_configured_concurrency_is_never_changed() -> None:
    """It is reported once."""
    tuner, answers, events = tuned(WireOptions(concurrency=7))
    answers.come(5_000, per_s=100)
    answers.come(100, per_s=100, error=Throttled("put", "k", "slow down"))
    assert tuner.slots.limit == 7
    assert events == [ev.Tuned(7, "as asked for")]


def test_every_change_of_the_limit_is_reported() -> None:
    """The store accepts any number of requests."""
    tuner, answers, events = tuned(WireOptions())
    for _ in range(30):
        answers.come(200, per_s=tuner.slots.limit / 0.05)
    assert tuner.slots.limit == WireOptions().max_concurrency
    limits = [event.limit for event in events if isinstance(event, ev.Tuned)]
    assert limits[0] == 64 and limits[-1] == 256 and limits == sorted(limits)


def test_answers_to_requests_of_the_earlier_limit_are_ignored() -> None:
    """As many answers are ignored as requests were in flight at the change."""
    tuner, answers, _ = tuned(WireOptions())
    while tuner.slots.limit == 64:
        answers.come(1, per_s=1_000)
    assert tuner.slots.limit == 128
    answers.come(64, per_s=1)  # over a minute
    assert tuner.slots.limit == 128
    answers.come(2_000, per_s=3_000)
    assert tuner.slots.limit == 256


def test_a_wave_of_refusals_halves_the_limit_once() -> None:
    """64 requests in flight are refused together."""
    tuner, answers, _ = tuned(WireOptions())
    answers.come(10, per_s=1_000)
    answers.come(64, per_s=1_000, error=Throttled("put", "k", "slow down"))
    assert tuner.slots.limit == 32
    answers.come(16, per_s=1_000, error=Throttled("put", "k", "slow down"))
    assert tuner.slots.limit == 16


def test_a_few_refusals_do_not_lower_the_limit() -> None:
    """A store with a limit per second refuses some requests at full use."""
    tuner, answers, _ = tuned(WireOptions())
    before = tuner.slots.limit
    for _ in range(20):
        answers.come(60, per_s=100)
        answers.come(3, per_s=100, error=Throttled("put", "k", "slow down"))
    assert tuner.slots.limit >= before


def test_a_store_without_successes_causes_no_division_by_zero() -> None:
    """Zero objects per second is a valid rate."""
    tuner, answers, _ = tuned(WireOptions())
    answers.come(5_000, per_s=50, error=Unavailable("put", "k", "reset"))
    assert 1 <= tuner.slots.limit <= 256


def test_a_tuner_counts_only_uploads() -> None:
    """Deletions, listings and logins do not change the limit."""
    tuner, answers, _ = tuned(WireOptions())
    answers.come(10_000, per_s=1_000, operation="delete")
    assert tuner.slots.limit == 64


async def test_the_number_of_workers_follows_the_limit() -> None:
    """It is a quarter higher, so files are read while they wait for a slot."""
    tuner, answers, _ = tuned(WireOptions())
    gate = asyncio.Event()

    async def handle(_item: int) -> None:
        await gate.wait()

    def workers() -> int:
        return sum(task.get_name().startswith("bulkput-worker") for task in asyncio.all_tasks())

    async with pool(handle, workers=tuner.workers, backlog=1_000) as made:
        tuner.resizes(made)
        for item in range(400):
            await made.submit(item)
        assert workers() == 80
        for _ in range(30):
            answers.come(200, per_s=tuner.slots.limit / 0.05)
        assert workers() == 320
        gate.set()
    answers.come(2_000, per_s=10, error=Throttled("put", "k", "slow down"))  # after the end: nothing to resize
    assert tuner.slots.limit < 256


def test_the_limit_follows_the_chosen_operations() -> None:
    """They are copies for `cp`; removals between them are ignored."""
    tuner = Tuner(WireOptions(), operations=frozenset(("copy", "put")))
    answers = Answers(tuner)
    for operation, limit in (("delete", 64), ("copy", 256)):
        for _ in range(30):
            answers.come(200, per_s=tuner.slots.limit / 0.05, operation=operation)
        assert tuner.slots.limit == limit


class Waits:
    """A pace that has held requests back for a share of the time."""

    def __init__(self, answers: list["Answers"], share: float) -> None:
        self._answers = answers
        self._share = share

    @property
    def waited_s(self) -> float:
        return self._answers[0].now_s * self._share


@pytest.mark.parametrize(("share", "limit"), [(0.9, 64), (0.2, 256)])
def test_a_rate_that_the_user_asked_for_is_not_taken_for_the_store(share: float, limit: int) -> None:
    """If it holds requests back most of the time, the limit stays; if now and then, the store decides."""
    feed: list[Answers] = []
    tuner = Tuner(WireOptions(), pace=Waits(feed, share))  # type: ignore[arg-type]
    feed.append(Answers(tuner))
    for _ in range(30):
        feed[0].come(200, per_s=tuner.slots.limit / 0.05)
    assert tuner.slots.limit == limit


def test_only_refusals_of_parts_count() -> None:
    """Parts of large objects are of any size, so their rate says nothing; a refusal says what it always says."""
    tuner, answers, _ = tuned(WireOptions())
    answers.come(2_000, per_s=1_000, operation="part")
    assert tuner.slots.limit == 64
    answers.come(64, per_s=1_000, error=Throttled("put", "k", "slow down"), operation="part")
    assert tuner.slots.limit == 32
