"""Runs all trials, size by size with rising concurrency, then gives the verdict and deletes what was stored."""

import asyncio
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from bulkput.bench import material
from bulkput.bench.cleanup import remove
from bulkput.bench.samples import Trial
from bulkput.bench.trial import Plan, TrialFailure, run_trial
from bulkput.bench.verdict import Diagnosis, Undecided, judge
from bulkput.engine.open_store import connected
from bulkput.engine.stop import Stop
from bulkput.errors import Stopped, StoreError, UsageError
from bulkput.options import UploadOptions
from bulkput.policy.naming import joined_prefix
from bulkput.record import frozen
from bulkput.stores.base import Destination, Store
from bulkput.stores.tries import Brake, NoBrake

_LADDER = (4, 16, 64, 256)
_DELETIONS = 64
_PLAIN_GAIN = 3.0
"""A smaller gain is measured twice: another load on the machine may have come or gone between two trials."""


@frozen(kw_only=True)
class Choices:
    """What to measure. `options.wire.start` is the concurrency in question, `most` the largest possible one.

    `source` is the user's own directory; if it is None, files of `sizes` bytes are generated.
    """

    url: str
    options: UploadOptions
    most: int
    sizes: Sequence[int]
    seconds: float
    source: str | None = None
    environ: Mapping[str, str] | None = None


@dataclass(slots=True, kw_only=True)
class Report:
    """The result. `remaining` are names that could not be deleted; `doubt` is why the clean-up could not be checked.

    `lost` counts objects that failed after all retries while others were stored. `failure` is why nothing was measured.
    """

    trials: list[Trial] = field(default_factory=list)
    verdict: Diagnosis | Undecided | None = None
    failure: TrialFailure | None = None
    lost: int = 0
    first_error: str | None = None
    remaining: list[str] = field(default_factory=list)
    doubt: str | None = None
    is_interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """0 measured and cleaned up · 1 something could not be stored or deleted · 3 store gone · 130 interrupted."""
        if self.is_interrupted:
            return 130
        if self.failure is not None:
            return self.failure.exit_code
        return 1 if self.lost or self.remaining or self.doubt else 0


Tell = Callable[[Trial, int, int], None]
"""Called when a trial has ended, with its numbers, its position from 1, and the number of trials."""


def concurrencies(setting: int, most: int) -> list[int]:
    """The concurrencies to try, ascending: the ladder, the setting and one above it, up to `most`."""
    above = {4 * setting} if setting >= _LADDER[-1] else set()
    return sorted({setting} | {c for c in {*_LADDER} | above if c <= most})


async def bench(choices: Choices, *, directory: str, tell: Tell, stop: Stop) -> Report:
    """Measure, judge, clean up. `directory` is for generated files. `stop` ends the trials early, not the clean-up.

    Raises StoreError if the store cannot be prepared, UsageError if the user has to change something.
    """
    report = Report()
    brake = _PreparationBrake(stop)
    base = _base(choices.url)
    options = choices.options
    deletions = min(max(_DELETIONS, options.wire.start), choices.most)
    wire = replace(options.wire, concurrency=deletions)
    async with connected(base, wire=wire, retry=options.retry, s3=options.s3, brake=brake, environ=choices.environ) as (
        store,
        _,
    ):
        try:
            await store.prepare()
        except (StoreError, Stopped):
            if not stop.is_pulled:
                raise
            report.is_interrupted = True
            return report
        broom = _Broom(store, base, deletions, brake, report)
        try:
            await _check_versions(store)
            sweep = _Sweep(
                choices=choices, base=base, directory=directory, tell=tell, stop=stop, report=report, broom=broom
            )
            await sweep.run()
        finally:
            await broom.sweep(frozenset(), stored=0)
            with suppress(StoreError):  # an empty container that stays does no harm
                await store.undo_prepare()
    report.is_interrupted = stop.is_pulled
    return report


def _base(url: str) -> str:
    """A URL below `url` with a random prefix, which no other program uses."""
    destination = Destination.parse(url)
    if destination.temp_url is not None:
        raise UsageError("a temporary URL cannot remove what a benchmark stores: use swift:// with credentials")
    prefix = f"{joined_prefix(destination.prefix)}bulkput-bench-{secrets.token_hex(4)}/"
    return str(replace(destination, prefix=prefix))


async def _check_versions(store: Store) -> None:
    """Raises UsageError if what is stored and deleted there would not be gone."""
    access = store.powers.access
    if access is None or access.look is None:
        return
    with suppress(StoreError):  # who may not look may write all the same
        seen = await access.look()
        if seen.archives or seen.leaves_marks:
            raise UsageError(
                "old versions are kept there, so a benchmark would leave what it stores: use another place"
            )


class _PreparationBrake:
    """Lets `stop` end the preparation but not the clean-up. If the store is gone, nothing is retried."""

    def __init__(self, stop: Stop) -> None:
        self._brake: Brake = stop
        self._is_gone = False

    def check(self) -> None:
        self._brake.check()

    async def pause(self, delay_s: float) -> bool:
        return not self._is_gone and await self._brake.pause(delay_s)

    def release(self, *, is_gone: bool) -> None:
        self._brake = NoBrake()
        self._is_gone = is_gone


class _Broom:
    """Deletes what a trial stored, and retries earlier failed deletions. What remains goes into the report."""

    def __init__(self, store: Store, base: str, workers: int, brake: _PreparationBrake, report: Report) -> None:
        self._store = store
        self._prefix = Destination.parse(base).prefix
        self._workers = workers
        self._brake = brake
        self._report = report
        self._stored = 0

    async def sweep(self, names: frozenset[str], *, stored: int) -> None:
        """Delete `names`, which are relative to the base. The store confirmed `stored` of them."""
        report = self._report
        self._stored += stored
        self._brake.release(is_gone=report.failure is not None and not self._stored)
        keys = {*report.remaining, *(self._prefix + name for name in names)}
        try:
            failed = await remove(self._store, self._prefix, keys, workers=self._workers)
        except StoreError as error:
            report.doubt = str(error)
            return
        if failed and not self._stored:
            report.doubt = f"{len(failed)} puts had no good answer, nor had the deletions of their objects"
        else:
            report.remaining = sorted(failed)


@dataclass(slots=True, kw_only=True)
class _Sweep:
    """The trials of one bench; each stores below its number in `base`."""

    choices: Choices
    base: str
    directory: str
    tell: Tell
    stop: Stop
    report: Report
    broom: _Broom
    _own: list[bytes] = field(default_factory=list)

    async def run(self) -> None:
        """Every size at every concurrency; a small gain is measured twice before it is believed."""
        choices, report = self.choices, self.report
        setting = choices.options.wire.start
        ladder = concurrencies(setting, choices.most)
        sizes: Sequence[int | None] = choices.sizes
        if choices.source is not None:
            sizes = (None,)
            self._own = await asyncio.to_thread(material.own_files, choices.source)
        sources = {size: await self._source(size, ladder[-1]) for size in sizes}
        await self._trials([(size, c) for size in sizes for c in ladder], sources)
        if self._is_over:
            return
        verdict = self._judged()
        if isinstance(verdict, Diagnosis) and not verdict.is_setting_good and verdict.gain < _PLAIN_GAIN:
            again = (setting, verdict.recommended)
            await self._trials([(size, c) for size in sizes for c in again], sources)
            verdict = self._judged()
        if not self._is_over:
            report.verdict = verdict

    @property
    def _is_over(self) -> bool:
        return self.stop.is_pulled or self.report.failure is not None or bool(self.report.remaining)

    def _judged(self) -> Diagnosis | Undecided:
        choices = self.choices
        return judge(self.report.trials, setting=choices.options.wire.start, reads_disk=choices.source is not None)

    async def _source(self, size: int | None, slots: int) -> str:
        if size is None:
            return str(self.choices.source)
        directory = os.path.join(self.directory, str(size))
        room = material.DISK_BOUND // len(self.choices.sizes)

        def make() -> None:
            os.mkdir(directory)
            material.make_files(directory, size, seconds=self.choices.seconds, slots=slots, room=room)

        await asyncio.to_thread(make)
        return directory

    async def _trials(self, plans: Sequence[tuple[int | None, int]], sources: Mapping[int | None, str]) -> None:
        choices, report = self.choices, self.report
        begun = len(report.trials)
        for number, (size, concurrency) in enumerate(plans, begun + 1):
            if self._is_over:
                return
            await asyncio.to_thread(material.forget_cached, self._own)
            url = f"{self.base}{number}/"
            plan = Plan(
                size=size, concurrency=concurrency, source=sources[size], url=url,
                seconds=choices.seconds, options=choices.options, environ=choices.environ,
            )  # fmt: skip
            ran = await run_trial(plan, interrupted=self.stop)
            report.failure = ran.failure
            report.lost += ran.lost
            report.first_error = report.first_error or ran.first_error
            if not self._is_over:
                report.trials.append(ran.trial)
                self.tell(ran.trial, number, begun + len(plans))
            place = Destination.parse(url).prefix
            names = frozenset(f"{number}/{key.removeprefix(place)}" for key in ran.keys)
            await self.broom.sweep(names, stored=ran.stored)
