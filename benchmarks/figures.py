"""A result as pictures: grouped bars of every contender, and what our own runs stored over time."""

from collections.abc import Callable, Sequence

from benchmarks.results import Result, Row, Spread
from benchmarks.traces import Trace, bin_width_s, throughput
from bulkput.report.charts import Bar, Bars, Figure, Line, Lines, Series

_PANELS: tuple[tuple[str, str, Callable[[Row], Spread | None]], ...] = (
    ("Throughput", "more is better (objects/s)", lambda row: row.objects_per_s),
    ("CPU of the client", "less is better (us/object)", lambda row: row.cpu_us_per_object),
    ("Peak memory", "less is better (MiB)", lambda row: row.peak_mib),
)


def bars(server: str, table: Sequence[Row], result: Result) -> Figure:
    """One panel each for objects/s, CPU per object and peak memory; a group per contender, a bar per scenario."""
    own = [row for row in table if row.server == server]
    rounds = max(row.rounds for row in own)
    contenders = tuple(dict.fromkeys(row.contender for row in own))
    scenarios = tuple(dict.fromkeys(row.scenario for row in own))
    what = f"{result.scenarios[scenarios[0]]}. " if len(scenarios) == 1 else ""  # with several, the legend says it
    rows = {(row.scenario, row.contender): row for row in own}
    return Figure(
        title=f"Uploading to {server}",
        note=f"{what}Medians of {rounds} interleaved rounds; whiskers from least to most. Start-up is included, and "
        f"client and server share one machine. Made by: {result.command}",
        panels=tuple(
            Bars(
                title=title,
                axis=axis,
                labels=contenders,
                marked=frozenset(contender for contender in contenders if contender.startswith("bulkput")),
                series=tuple(
                    Series(
                        name=result.scenarios[scenario],
                        bars=tuple(_bar(rows.get((scenario, contender)), of) for contender in contenders),
                    )
                    for scenario in scenarios
                ),
            )
            for title, axis, of in _PANELS
        ),
    )


def _bar(row: Row | None, of: Callable[[Row], Spread | None]) -> Bar:
    if row is None:
        return Bar()
    if row.void is not None or (spread := of(row)) is None:
        return Bar(why=f"void: {row.void or ''}".rstrip(": "))
    return Bar(value=spread.median, low=spread.low, high=spread.high)


def over_time(traces: Sequence[Trace], result: Result) -> Figure | None:
    """Objects/s of bulkput over time: a panel per server and scenario, a line per round. None without traces."""
    panels = []
    for server, scenario in dict.fromkeys((trace.server, trace.scenario) for trace in traces):
        own = [trace for trace in traces if (trace.server, trace.scenario) == (server, scenario)]
        width_s = bin_width_s(own)
        lines = [(trace.round, throughput(trace.requests, width_s)) for trace in own]
        if any(points for _, points in lines):
            panels.append(
                Lines(
                    title=server,
                    axis=f"{result.scenarios[scenario]} (objects/s)",
                    x_axis=f"s since the run began, in steps of {width_s:g} s",
                    series=tuple(Line(name=f"round {number}", points=tuple(points)) for number, points in lines),
                )
            )
    note = (
        "From one traced run per round. The start of the interpreter is not in it, login and first connections are. "
        f"Made by: {result.command}"
    )
    return Figure(title="bulkput over time", note=note, panels=tuple(panels)) if panels else None
