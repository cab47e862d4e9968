"""A result for readers: tables in the terminal and in RESULTS.md, pictures, one self-contained page, README's part.

    python -m benchmarks.report DIRECTORY      once more, from result.json and requests.jsonl.gz

Everything is made from the records; nothing is typed by hand.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import starts
from benchmarks.compression import Record, sections
from benchmarks.figures import bars, over_time
from benchmarks.results import Result, Row, Spread, rows
from benchmarks.traces import Trace, latency, load_traces
from bulkput.report.charts import Figure, Lines, save
from bulkput.report.page import drawing, html_table, line_tables, page, safe

HERE = Path(__file__).resolve().parent
CAVEATS = (
    "Client and server share one machine: a server that is short of CPU limits everybody alike.",
    "Whole processes are measured, start-up included: over 5 000 files a second of start-up is 200 us per object.",
    "Contenders do not do the same work: what each leaves out stands in its note.",
    "nginx stores bytes on a tmpfs and answers without an ETag; it pretends just enough Swift and S3 to be spoken to.",
    "As S3, nginx answers as a bucket with encryption does: its ETags prove nothing, and bulkput compares a checksum.",
    "Compare ratios of the same round, not figures of different days: shared machines drift.",
)
COLUMNS = ("contender", "objects/s", "CPU us/object", "peak MiB", "time / bulkput's", "note")
LATENCIES = ("bulkput's requests", "p50 ms", "p90 ms", "p99 ms", "longest ms", "counted")
COMPRESSION_NOTE = (
    "Ratios are of the same round. Others' seconds are what neither client nor server used of the processors meanwhile,"
    " with what the hypervisor gave to other machines; a round is quiet when they are below a tenth of the time."
)
FIRST = ("Ceph RGW", "Ceph RGW, S3", "swift")
"""Servers that users have. README shows the first of them that was measured: nginx stores faster than any, but not what
users of Swift wait for."""
BEGIN, END = "<!-- results: made by scripts/bench -->", "<!-- /results -->"


def write_report(directory: Path) -> None:
    """Print the tables; write RESULTS.md, the pictures as SVG and PNG, and results.html beside the records.

    In this directory, where the committed results are, README's part is made anew as well.
    """
    result, traces = Result.load(directory / "result.json"), load_traces(directory)
    table = rows(result.runs)
    console = Console(width=140)
    for server, scenario in places(table):
        console.print(_rich(f"{server}: {result.scenarios[scenario]}", COLUMNS, cells(server, scenario, table, result)))
    if traces:
        console.print(_rich("How long a PUT takes", LATENCIES, latencies(traces, result)))
    for name, figure in pictures(table, traces, result).items():
        save(figure, directory / f"{name}.svg")
        save(figure, directory / f"{name}.png")
    write_texts(directory)
    if directory.resolve() == HERE:
        readme = HERE.parent / "README.md"
        readme.write_text(with_results(readme.read_text(), readme_part(result, table)))


def write_texts(directory: Path) -> None:
    """RESULTS.md and results.html alone, from the records; where there is no result.json, nothing."""
    if not (directory / "result.json").exists():
        return
    result, traces, compression = Result.load(directory / "result.json"), load_traces(directory), Record.load(directory)
    table, start = rows(result.runs), starts.load(directory)
    (directory / "RESULTS.md").write_text(markdown(result, table, traces, compression, start))
    (directory / "results.html").write_text(html(result, table, traces, compression, start))


def places(table: Sequence[Row]) -> list[tuple[str, str]]:
    """Servers and scenarios: first the servers that users have, then the order in which they were measured."""
    measured = dict.fromkeys((row.server, row.scenario) for row in table)
    return sorted(measured, key=lambda place: FIRST.index(place[0]) if place[0] in FIRST else len(FIRST))


def pictures(table: Sequence[Row], traces: Sequence[Trace], result: Result) -> dict[str, Figure]:
    """By file name: the first server's bars are `results`, what follows is numbered."""
    figures = {}
    for number, server in enumerate(dict.fromkeys(server for server, _ in places(table)), 1):
        figures["results" if number == 1 else f"results-{number}"] = bars(server, table, result)
    if (timeline := over_time(traces, result)) is not None:
        figures["results-time"] = timeline
    return figures


def cells(server: str, scenario: str, table: Sequence[Row], result: Result) -> list[tuple[str, ...]]:
    """A place's table as text; void contenders and those left out say why."""
    left_out = (one for one in result.left_out if (one.server, one.scenario) == (server, scenario))
    without = [(one.contender, "left out", "", "", "", one.why) for one in left_out]
    return [*measured_cells(server, scenario, table, result), *without]


def measured_cells(server: str, scenario: str, table: Sequence[Row], result: Result) -> list[tuple[str, ...]]:
    """The lines of the contenders that ran."""
    lines = []
    for row in table:
        if (row.server, row.scenario) != (server, scenario):
            continue
        if row.void is not None:
            lines.append((row.contender, "void", "", "", "", row.void))
            continue
        figures = (_text(spread) for spread in (row.objects_per_s, row.cpu_us_per_object, row.peak_mib))
        note = result.notes.get(row.contender, "")
        lines.append((row.contender, *figures, _text(row.times_slower, digits=2), note))
    return lines


def latencies(traces: Sequence[Trace], result: Result) -> list[tuple[str, ...]]:
    """Percentiles of all rounds' requests together, a line per place."""
    lines = []
    for server, scenario in dict.fromkeys((trace.server, trace.scenario) for trace in traces):
        own = [
            one for trace in traces if (trace.server, trace.scenario) == (server, scenario) for one in trace.requests
        ]
        of = latency(own)
        figures = (f"{figure:.1f}" for figure in (of.p50, of.p90, of.p99, of.most))
        lines.append((f"{server}: {result.scenarios[scenario]}", *figures, str(len(own))))
    return lines


def _text(spread: Spread | None, *, digits: int = 0) -> str:
    if spread is None:
        return ""
    return f"{spread.median:.{digits}f} ({spread.low:.{digits}f} to {spread.high:.{digits}f})"


def _rich(title: str, columns: Sequence[str], lines: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column)
    for line in lines:
        table.add_row(*line)
    return table


def markdown(
    result: Result,
    table: Sequence[Row],
    traces: Sequence[Trace],
    compression: Record | None = None,
    start: Result | None = None,
) -> str:
    """RESULTS.md: caveats, pictures, tables, the machine and the command."""
    lines = ["# Results", "", "Made by the command at the end; not edited.", ""]
    lines += [f"* {caveat}" for caveat in CAVEATS]
    lines += [f"* Not installed, hence missing: {name}." for name in result.missing]
    lines.append("")
    lines += [f"![{figure.title}]({name}.svg)" for name, figure in pictures(table, traces, result).items()]
    lines += ["", "Medians, with the least and the most of all rounds.", ""]
    for server, scenario in places(table):
        lines += [f"## {server}: {result.scenarios[scenario]}", ""]
        lines += _md(COLUMNS, cells(server, scenario, table, result))
    if traces:
        lines += ["## How long a PUT takes", "", *_md(LATENCIES, latencies(traces, result))]
    if start is not None:
        lines += _start(start)
    if compression is not None:
        lines += _compression(compression)
    lines += ["## Where", ""]
    lines += [f"* {name}: {value}" for name, value in {**result.machine, **result.versions}.items()]
    lines += ["", "```", result.command, "```", ""]
    return "\n".join(lines)


def _start(record: Result) -> list[str]:
    lines = []
    for title, columns, body in starts.sections(record):
        lines += [f"## {title}", "", *_md(columns, body)]
    return [*lines, f"`{record.command}` made these, on {record.machine['processor']}.", starts.NOTE, ""]


def _compression(record: Record) -> list[str]:
    lines = []
    for title, columns, body in sections(record):
        lines += [f"## {title}", "", *_md(columns, body)]
    made = f"`{record.command}` made these, on {record.machine['processor']}."
    return [*lines, made, COMPRESSION_NOTE, ""]


def readme_part(result: Result, table: Sequence[Row]) -> str:
    """What stands in README.md between the two marks: the first picture, its table, the command."""
    server, scenario = places(table)[0]
    lines = [
        BEGIN,
        f"![Uploading to {server}](benchmarks/results.svg)",
        "",
        f"{server}, {result.scenarios[scenario]}:",
        "",
    ]
    lines += _md(COLUMNS, measured_cells(server, scenario, table, result))
    lines += [
        f"`{result.command}` made it, on {result.machine['processor']}. [All results](benchmarks/RESULTS.md)",
        END,
    ]
    return "\n".join(lines)


def with_results(readme: str, part: str) -> str:
    """`readme` with the part between the marks replaced. Raises ValueError where there are no marks."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN} ... {END}")
    return before + part + after


def _md(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    return [_md_row(columns), _md_row(["---"] * len(columns)), *(_md_row(line) for line in lines), ""]


def _md_row(row: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def html(
    result: Result,
    table: Sequence[Row],
    traces: Sequence[Trace],
    compression: Record | None = None,
    start: Result | None = None,
) -> str:
    """One page: the caveats first, the machine, versions and the command last."""
    body = ["<h2>Read this first</h2>", _list(CAVEATS)]
    if result.missing:
        body.append(f"<p>Not installed, hence missing: {safe(', '.join(result.missing))}.</p>")
    for figure in pictures(table, traces, result).values():
        body.append(drawing(figure))
        if isinstance(figure.panels[0], Lines):
            body.append(line_tables(figure))  # the values of bars stand in the tables below
    for server, scenario in places(table):
        title = f"{server}: {result.scenarios[scenario]}"
        body.append(_html(title, COLUMNS, cells(server, scenario, table, result)))
    if traces:
        body.append(_html("How long a PUT takes", LATENCIES, latencies(traces, result)))
    if start is not None:
        body += [_html(*section) for section in starts.sections(start)]
        body.append(f"<p>{safe(starts.NOTE)}</p><pre>{safe(start.command)}</pre>")
    if compression is not None:
        body += [_html(*section) for section in sections(compression)]
        body.append(f"<p>{safe(COMPRESSION_NOTE)}</p><pre>{safe(compression.command)}</pre>")
    body += ["<h2>Where</h2>", _list([f"{n}: {v}" for n, v in {**result.machine, **result.versions}.items()])]
    body.append(f"<p>The command that measures all this again:</p><pre>{safe(result.command)}</pre>")
    return page("bulkput and others, uploading", body)


def _html(title: str, columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return f"<h2>{safe(title)}</h2>\n{html_table(columns, lines)}"


def _list(items: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{safe(item)}</li>" for item in items) + "</ul>"


if __name__ == "__main__":
    write_report(Path(sys.argv[1]))
