"""A result for readers: a table in the terminal, RESULTS.md, a picture, and one self-contained page.

Everything is made from the records; nothing here is typed by hand.
"""

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.results import Result, Row, Spread, rows
from bulkput.report.charts import BarChart, Figure, Measure
from bulkput.report.page import fragment, page, save

CAVEATS = (
    "Client and server share one machine: a server that is short of CPU limits everybody alike.",
    "Whole processes are measured, start-up included: over 5 000 files a second of start-up is 200 us per object.",
    "Contenders do not do the same work: what each leaves out stands in its note.",
    "nginx stores bytes on a tmpfs and answers without an ETag; it pretends just enough Swift and S3 to be spoken to.",
    "Compare ratios of the same round, not figures of different days: shared machines drift.",
)
COLUMNS = ("contender", "objects/s", "CPU us/object", "peak MiB", "time / bulkput's", "note")


def write_report(result: Result, directory: Path) -> None:
    """Print the tables; write RESULTS.md, results.svg, results.png (the first place) and results.html."""
    table = rows(result.runs)
    console = Console(width=140)
    for place, own in places(table):
        console.print(_rich(place, own, result))
    figures = [(place, figure(place, own)) for place, own in places(table)]
    save(figures[0][1], directory / "results.svg")
    save(figures[0][1], directory / "results.png")
    (directory / "RESULTS.md").write_text(markdown(result, table))
    (directory / "results.html").write_text(html(result, table))


def places(table: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Rows by server and scenario."""
    keys = dict.fromkeys((row.server, row.scenario) for row in table)
    return [(f"{key[0]}: {key[1]}", [row for row in table if (row.server, row.scenario) == key]) for key in keys]


def figure(place: str, own: Sequence[Row]) -> Figure:
    """One panel each: objects/s, CPU per object, peak memory; whiskers are the extremes of the rounds."""
    panels: tuple[tuple[str, str, str, Callable[[Row], Spread | None]], ...] = (
        ("Throughput", "more is better", "objects/s", lambda row: row.objects_per_s),
        ("CPU of the client", "less is better", "us/object", lambda row: row.cpu_us_per_object),
        ("Peak memory", "less is better", "MiB", lambda row: row.peak_mib),
    )
    return Figure(
        title=place,
        note=f"Medians of {max(row.rounds for row in own)} interleaved rounds; whiskers from least to most.",
        charts=tuple(
            BarChart(
                title=title,
                axis=axis,
                unit=unit,
                labels=tuple(row.contender for row in own),
                bars=tuple(_measure(row, of(row)) for row in own),
            )
            for title, axis, unit, of in panels
        ),
    )


def _measure(row: Row, spread: Spread | None) -> Measure:
    if spread is None:
        return Measure(void=(row.void or "void")[:40])
    return Measure(value=spread.median, low=spread.low, high=spread.high)


def cells(row: Row, result: Result) -> tuple[str, ...]:
    """A row as text, void ones saying why."""
    note = result.notes.get(row.contender, "")
    if row.void is not None:
        return (row.contender, "void", "", "", "", f"{row.void}")
    return (row.contender, *(_text(s) for s in (row.objects_per_s, row.cpu_us_per_object, row.peak_mib)),
            _text(row.times_slower, digits=2), note)  # fmt: skip


def _text(spread: Spread | None, *, digits: int = 0) -> str:
    if spread is None:
        return ""
    return f"{spread.median:.{digits}f} ({spread.low:.{digits}f} to {spread.high:.{digits}f})"


def _rich(place: str, own: Sequence[Row], result: Result) -> Table:
    table = Table(title=place, title_justify="left")
    for column in COLUMNS:
        table.add_column(column)
    for row in own:
        table.add_row(*cells(row, result))
    return table


def markdown(result: Result, table: Sequence[Row]) -> str:
    """RESULTS.md: the picture, the tables, the caveats, the machine and the command."""
    lines = ["# Results", "", "Made by `scripts/bench`; not edited.", "", "![The picture](results.svg)", ""]
    for place, own in places(table):
        lines += [f"## {place}", "", _md(COLUMNS), _md(["---"] * len(COLUMNS))]
        lines += [_md(cells(row, result)) for row in own]
        lines.append("")
    lines += ["Medians, with the least and the most of all rounds.", "", "## Read this first", ""]
    lines += [f"* {caveat}" for caveat in CAVEATS]
    lines += [f"* Missing: {name}." for name in result.missing]
    lines += ["", "## Where", ""]
    lines += [f"* {name}: {value}" for name, value in {**result.machine, **result.versions}.items()]
    lines += ["", "```", result.command, "```", ""]
    return "\n".join(lines)


def _md(row: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def html(result: Result, table: Sequence[Row]) -> str:
    """One page: the caveats first, the machine, versions and the command last."""
    body = ["<h1>bulkput and others, uploading</h1>", "<h2>Read this first</h2>", _list(CAVEATS)]
    if result.missing:
        body.append(f"<p>Not installed, hence missing: {escape(', '.join(result.missing))}.</p>")
    for place, own in places(table):
        head = "".join(f"<th>{escape(column)}</th>" for column in COLUMNS)
        lines = ("".join(f"<td>{escape(cell)}</td>" for cell in cells(row, result)) for row in own)
        body += [
            fragment(figure(place, own)),
            f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>",
        ]
    body += ["<h2>Where</h2>", _list([f"{n}: {v}" for n, v in {**result.machine, **result.versions}.items()])]
    body.append(f"<p>To see for yourself:</p><pre>{escape(result.command)}</pre>")
    return page("bulkput: benchmark", body)


def _list(items: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"
