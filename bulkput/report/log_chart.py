"""Groups of access log lines as a chart, and as a page of the chart with a table of the groups."""

from collections import Counter
from collections.abc import Sequence

from bulkput.errors import printable
from bulkput.logs.keys import NOTED, Group
from bulkput.report.charts import PALETTE, Bar, Bars, Figure, Series
from bulkput.report.lines import count_text, size_text
from bulkput.report.log_text import HEADINGS, key_text
from bulkput.report.page import Cell, drawing, html_table, page, safe

MOST_BARS = 24
"""Groups in a chart unless the caller gives a number: the hours of a day, which fit a screen."""
OTHERS = "all others"
_IN_TIME = ("date", "hour")
"""Keys that a chart shows in chronological order, whatever the order of the groups."""


def chart_of(groups: Sequence[Group], by: Sequence[str], *, most: int) -> Figure:
    """Bars of requests for the first `most` groups, of which there is at least one.

    With two keys it shows `most` values of the first key, each with one bar per value of the second key. If the second
    key has more than eight values, the seven most frequent have bars of their own and the others share one.
    """
    if len(by) == 2:
        panel, total = _grouped(groups, by, most)
        of = by[0]
    else:
        chosen, total, of = groups[:most], len(groups), "group"
        if by[0] in _IN_TIME:
            chosen = sorted(chosen, key=lambda group: group.key)
        bars = tuple(Bar(value=group.count) for group in chosen)
        panel = Bars(labels=tuple(key_text(group.key) for group in chosen), series=(Series(name="Count", bars=bars),))
    shown, plural = len(panel.labels), of if of == "status" else of + "s"
    return Figure(
        title=f"Requests by {' and '.join(by)}",
        note=f"The first {count_text(shown)} of {count_text(total)} {plural}." if shown < total else "",
        panels=(panel,),
    )


def _grouped(groups: Sequence[Group], by: Sequence[str], most: int) -> tuple[Bars, int]:
    """The panel, and the number of values of the first key, shown or not."""
    firsts = list(dict.fromkeys(group.key[0] for group in groups))
    labels = sorted(firsts[:most]) if by[0] in _IN_TIME else firsts[:most]
    totals = Counter[str]()
    for group in groups:
        totals[group.key[1]] += group.count
    named = sorted(totals, key=lambda name: (-totals[name], name))
    if len(named) > len(PALETTE):
        named = named[: len(PALETTE) - 1]
    counts = Counter[tuple[str, str | None]]()  # None: values of the second key that have no bar of their own
    for group in groups:
        first, second = group.key
        counts[first, second if second in named else None] += group.count
    names: list[str | None] = [*sorted(named), *([None] if len(named) < len(totals) else [])]
    series = tuple(
        Series(
            name=OTHERS if name is None else key_text((name,)),
            bars=tuple(Bar(value=counts[label, name]) for label in labels),
        )
        for name in names
    )
    return Bars(labels=tuple(map(printable, labels)), series=series), len(firsts)


def page_of(groups: Sequence[Group], by: Sequence[str], *, most: int, distinct: int, about: str) -> str:
    """An HTML page: `about` (a sentence on what was read), the chart, and a table of the groups in the chart."""
    firsts = set(list(dict.fromkeys(group.key[0] for group in groups))[:most])
    shown = [group for group in groups if group.key[0] in firsts] if len(by) == 2 else groups[:most]
    noted = [name for name in NOTED if name not in by]
    rows = [_row(group, noted, distinct) for group in shown]
    heads = [*by, "Count", "Bytes", *(HEADINGS[name] for name in noted)]
    return page(
        "Access logs", [f"<p>{safe(about)}</p>", drawing(chart_of(groups, by, most=most)), html_table(heads, rows)]
    )


def _row(group: Group, noted: Sequence[str], distinct: int) -> list[Cell]:
    row: list[Cell] = [*group.key, count_text(group.count), size_text(group.bytes)]
    for name in noted:
        values = group.seen[name]
        row.append(f"more than {count_text(distinct)}" if values is None else tuple(sorted(values)))
    return row
