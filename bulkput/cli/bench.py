"""`bulkput bench --to URL`"""

import os
import shlex
import shutil
import sys
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from bulkput.cli.configured import Configured
from bulkput.cli.connection import server_options
from bulkput.cli.output import worded, write_line, write_row
from bulkput.cli.s3 import s3_options
from bulkput.cli.values import Count, Seconds, Size, Url
from bulkput.errors import printable
from bulkput.options import MIB, S3Options, UploadOptions, WireOptions
from bulkput.report.lines import size_text

if TYPE_CHECKING:
    from bulkput.bench.samples import Trial
    from bulkput.bench.sweep import Report
    from bulkput.bench.verdict import Diagnosis
    from bulkput.report.progress import Screen

_NAMED = 20
"""Undeleted objects that are named; further ones are only counted."""


_LARGEST = 1024**3


class _Sizes(click.ParamType[tuple[int, ...]]):
    """Sizes, separated by commas; sorted, without duplicates."""

    name = "sizes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        sizes = tuple(sorted({Size().convert(size, param, ctx) for size in str(value).split(",")}))
        if sizes[-1] > _LARGEST:
            self.fail("a size is 1G at most: larger files show nothing more", param, ctx)
        return sizes


@click.command(cls=Configured)
@click.option(
    "--to",
    "url",
    type=Url(),
    metavar="URL",
    required=True,
    help="The store: swift://CONTAINER[/PREFIX], s3://BUCKET[/PREFIX] or http(s)://...",
)
@click.option(
    "--concurrency",
    type=Count(1, 10_000),
    default=WireOptions().start,
    show_default=True,
    help="The number of requests in flight to judge.",
)
@click.option("--sizes", type=_Sizes(), default="4K,64K,1M", show_default=True, help="Sizes of the generated files.")
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, file_okay=False),
    metavar="DIR",
    help="Upload the files in DIR instead: this also measures the disk.",
)
@click.option(
    "--seconds", type=Seconds(0.1, 600), default=3.0, show_default=True, help="Measure each trial for this long."
)
@server_options
@s3_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
def bench(
    *,
    url: str,
    concurrency: int,
    sizes: tuple[int, ...],
    source: str | None,
    seconds: float,
    wire: WireOptions,
    s3: S3Options,
    as_json: bool,
) -> int:
    """Measure your own store: what limits an upload, and which command is better?

    \b
    bulkput bench --to swift://artifacts
    bulkput bench --to s3://artifacts/tmp --checksum crc64nvme
    bulkput bench --to https://dav.example.org/backup/ --from ./dist --concurrency 32

    Uploads files for some seconds each with 4, 16, 64, 256 and N requests in flight, below a prefix of its own, and
    deletes them again. Refuses a place that keeps old versions: they would stay there. Generated files come from
    memory, so only --from can show that the disk is the limit. They take up to 256 MiB in TMPDIR.
    """

    from bulkput.bench.sweep import Choices  # noqa: PLC0415 - asyncio, aiohttp
    from bulkput.bench.sweep import bench as measure  # noqa: PLC0415
    from bulkput.cli.loop import run_stoppable, take_interrupts  # noqa: PLC0415
    from bulkput.engine.descriptors import fitting_concurrency  # noqa: PLC0415
    from bulkput.report.progress import Screen  # noqa: PLC0415
    from bulkput.stores.base import Destination  # noqa: PLC0415

    Destination.parse(url)
    screen = Screen(worded=worded)
    wire = replace(wire, concurrency=concurrency)
    options, advice = fitting_concurrency(UploadOptions(wire=wire, s3=s3))
    if advice is not None:
        screen.say(advice)
    highest, _ = fitting_concurrency(replace(options, wire=replace(wire, concurrency=40_000)))
    choices = Choices(url=url, options=options, most=highest.wire.highest, sizes=sizes, seconds=seconds, source=source)

    def tell(trial: "Trial", number: int, total: int) -> None:
        screen.say(f"[{number}/{total}] {_line(trial)}")

    take_interrupts()
    directory = tempfile.mkdtemp(prefix="bulkput-bench-")
    try:
        report = run_stoppable(
            lambda stop: measure(choices, directory=directory, tell=tell, stop=stop),
            at_exit=lambda: shutil.rmtree(directory, ignore_errors=True),
        )
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    _complain(report, screen)
    if as_json:
        write_row(_json(report, url, source, choices.options))
    elif not report.is_interrupted and report.failure is None:
        _draw(report)
        _say(report, url, source, choices.options)
    return report.exit_code


def _complain(report: "Report", screen: "Screen") -> None:
    """Print failures on stderr."""
    if report.failure is not None:
        screen.say(f"bulkput: no measurement: {printable(report.failure.why)}")
    if report.lost:
        screen.say(f"bulkput: {report.lost} objects could not be stored, the first: {report.first_error}")
    for key in report.remaining[:_NAMED]:
        screen.say(f"bulkput: not deleted: {printable(key)}")
    if len(report.remaining) > _NAMED:
        screen.say(f"bulkput: not deleted: {len(report.remaining) - _NAMED} more")
    if report.doubt is not None:
        screen.say(f"bulkput: cannot tell whether everything was deleted: {report.doubt}")


def _draw(report: "Report") -> None:
    """Print one table per size."""
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from bulkput.report.console import console  # noqa: PLC0415

    screen = console(sys.stdout)
    for size in dict.fromkeys(trial.size for trial in report.trials):
        table = Table(box=box.SIMPLE_HEAD, title=_size(size), title_justify="left", title_style="bold")
        for column in ("in flight", "objects/s", "MiB/s", "put ms median", "p99", "CPU %", "throttled", "failed"):
            table.add_column(column, justify="right", no_wrap=True)
        rows = [trial for trial in report.trials if trial.size == size]
        for trial in sorted(rows, key=lambda trial: trial.concurrency):  # a trial that was repeated has two rows
            table.add_row(str(trial.concurrency), *_cells(trial))
        screen.print(table)


def _cells(trial: "Trial") -> tuple[str, ...]:
    numbers = (
        f"{trial.rate:.0f}" if trial.rate >= 100 else f"{trial.rate:.1f}",
        f"{trial.bytes_per_s / MIB:.1f}",
        f"{trial.median_s * 1000:.1f}",
        f"{trial.p99_s * 1000:.1f}",
        f"{trial.cpu * 100:.0f}",
    )
    return (*(numbers if trial.is_enough else ("too few", *"----")), str(trial.throttled), str(trial.failed))


def _say(report: "Report", url: str, source: str | None, options: UploadOptions) -> None:
    """Print the verdict in sentences."""
    from bulkput.bench.verdict import Diagnosis  # noqa: PLC0415

    verdict = report.verdict
    if not isinstance(verdict, Diagnosis):
        write_line(f"No verdict: {verdict.why if verdict is not None else 'the bench ended early'}.")
        return
    write_line(f"With --concurrency {verdict.setting} the limit is {verdict.where}: {verdict.evidence}.")
    write_line("")
    write_line(f"  {_command(verdict, url, source, options)}")
    write_line("")
    write_line(_advice(verdict))


def _advice(verdict: "Diagnosis") -> str:
    if verdict.recommended == verdict.setting:
        return f"--concurrency {verdict.setting} is right already: nothing that was tried is much faster."
    if verdict.is_setting_good:
        return (
            f"--concurrency {verdict.setting} is right already; {verdict.recommended} in flight are as fast"
            f" ({verdict.gain:.2f} x), and less work for the store."
        )
    return f"{verdict.gain:.3g} x the objects per second of --concurrency {verdict.setting} in this run."


def _command(verdict: "Diagnosis", url: str, source: str | None, options: UploadOptions) -> str:
    given = shlex.quote(source) if source is not None else "SOURCE"
    cloud = os.environ.get("OS_CLOUD") if url.startswith("swift:") else None  # --cloud has set it
    login = f" --cloud {shlex.quote(cloud)}" if cloud else ""
    s3 = options.s3
    more = " --make-bucket" * s3.make_bucket + f" --checksum {s3.checksum}" * (s3.checksum != S3Options().checksum)
    return f"bulkput upload {given} {shlex.quote(url)}{login}{more} --concurrency {verdict.recommended}"


def _line(trial: "Trial") -> str:
    what = f"{_size(trial.size)}, {trial.concurrency} in flight: "
    trouble = f", {trial.throttled} throttled" * bool(trial.throttled) + f", {trial.failed} failed" * bool(trial.failed)
    if not trial.is_enough:
        return f"{what}too few puts to judge ({trial.puts} in {trial.seconds:.1f} s){trouble}"
    rate, width, median, p99, cpu = _cells(trial)[:5]
    return f"{what}{rate} objects/s, {width} MiB/s, a put {median} ms (p99 {p99}), CPU {cpu} %{trouble}"


def _size(size: int | None) -> str:
    return size_text(size) if size is not None else "the given files"


def _json(report: "Report", url: str, source: str | None, options: UploadOptions) -> dict[str, Any]:
    """The object that `--json` prints."""
    from bulkput.bench.verdict import Diagnosis, Undecided  # noqa: PLC0415

    verdict = report.verdict
    found = verdict if isinstance(verdict, Diagnosis) else None
    return {
        "schema": 1,
        "url": url,
        "concurrency": options.wire.start,
        "trials": [_trial_json(trial) for trial in report.trials],
        "verdict": {"limit": found.limit.name.lower(), "where": found.where, "evidence": found.evidence}
        if found
        else None,
        "undecided": verdict.why if isinstance(verdict, Undecided) else None,
        "recommendation": {
            "concurrency": found.recommended,
            "times_faster": round(found.gain, 3),
            "is_setting_right": found.is_setting_good,
            "command": _command(found, url, source, options),
        }
        if found
        else None,
        "failure": report.failure.why if report.failure else None,
        "not_stored": report.lost,
        "not_deleted": report.remaining,
        "clean_up_in_doubt": report.doubt,
        "interrupted": report.is_interrupted,
    }


def _trial_json(trial: "Trial") -> dict[str, Any]:
    return {
        "size": trial.size,
        "concurrency": trial.concurrency,
        "is_enough": trial.is_enough,
        "puts": trial.puts,
        "seconds": round(trial.seconds, 3),
        "objects_per_s": round(trial.rate, 1),
        "bytes_per_s": round(trial.bytes_per_s),
        "put_ms": {"median": round(trial.median_s * 1000, 2), "p99": round(trial.p99_s * 1000, 2)},
        "cpu": round(trial.cpu, 3),
        "cpu_wait": round(trial.cpu_wait, 3),
        "unsent": round(trial.unsent, 3),
        "attempts": trial.attempts,
        "throttled": trial.throttled,
        "failed": trial.failed,
    }
