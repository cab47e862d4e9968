"""`bulkput demo`"""

import sys
import tempfile
from typing import TYPE_CHECKING

import click

from bulkput.cli.configured import Configured
from bulkput.cli.output import say, write_line
from bulkput.cli.values import Count

if TYPE_CHECKING:
    from bulkput.demo.experiment import Result

_BAR = 50


@click.command(cls=Configured)
@click.option("--full", is_flag=True, help="Use the full latencies of 2009. Takes eleven minutes.")
@click.option("--files", type=Count(1, 100_000), default=1000, show_default=True, help="Number of files, 16 KB each.")
@click.option(
    "--scale",
    type=click.FloatRange(0.0001, 1.0),
    metavar="SHARE",
    default=0.1,
    show_default=True,
    help="Use this share of the latencies of 2009 (HEAD 30 ms, PUT 270 ms). --full is 1.",
)
def demo(full: bool, files: int, scale: float) -> int:
    """Upload 1000 files of 16 KB in three ways to a local store that is as slow as Cloud Files was in 2009.

    The ways: through the language bindings of that time (HEAD, HEAD, PUT, one file after the other), by direct REST
    over one connection, and with bulkput. Every object is read back and compared; exit code 1 when one differs.
    """
    from bulkput.cli.loop import take_interrupts  # noqa: PLC0415 - asyncio
    from bulkput.demo.experiment import HEAD_S, PUT_S, run_all  # noqa: PLC0415 - asyncio, aiohttp
    from bulkput.report.lines import counted  # noqa: PLC0415

    take_interrupts()
    factor = 1.0 if full else scale
    write_line(
        f"{counted(files, 'file')} of 16 KB to a local store: HEAD {HEAD_S * factor * 1000:.4g} ms, "
        f"PUT {PUT_S * factor * 1000:.4g} ms"
    )
    with tempfile.TemporaryDirectory(prefix="bulkput-demo-") as directory:
        results = run_all(directory, files, scale=factor, tell=lambda line: say(f"  {line}"))
    _draw(results)
    wrong = sum(result.wrong + result.failed for result in results)
    write_line(
        f"missing, or different from their files: {counted(wrong, 'object')}"
        if wrong
        else f"read back: all {files * len(results)} objects are byte for byte their files"
    )
    return 1 if wrong else 0


def _draw(results: "list[Result]") -> None:
    """Print the table, and the seconds of each way as bars."""
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from bulkput.report.console import console  # noqa: PLC0415

    slowest = max(result.seconds for result in results)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("way", no_wrap=True)
    for column in ("requests", "seconds", "objects/s", "times faster"):
        table.add_column(column, justify="right", no_wrap=True)
    for result in results:
        table.add_row(
            result.name,
            f"{sum(result.requests.values())}",
            f"{result.seconds:.2f}",
            f"{result.objects_per_s:.1f}",
            f"{slowest / result.seconds:.1f}",
        )
    console(sys.stdout).print(table)
    width = max(len(result.name) for result in results)
    for result in results:
        bar = "█" * max(1, round(_BAR * result.seconds / slowest))
        write_line(f"  {result.name:{width}}  {bar} {result.seconds:.2f} s")
    write_line("")
