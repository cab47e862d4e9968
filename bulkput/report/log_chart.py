"""Groups of access log lines as a chart, and as a page of the chart with a table to which its bars lead."""

import html
from collections import Counter
from collections.abc import Mapping, Sequence, Set

from bulkput.errors import printable
from bulkput.logs.keys import NOTED, Group, Key
from bulkput.report.charts import PALETTE, BarChart, Bars, Figure, Measure, MultiBarChart, Series, number_text
from bulkput.report.lines import count_text, size_text
from bulkput.report.log_text import HEADINGS, key_text
from bulkput.report.page import fragment, page

MOST_BARS = 24
"""Unless a number is asked for: the hours of a day. A chart of thousands of bars is a table."""
_SHORT = 24
"""Characters of several values that stand in a cell at once; more are folded."""
OTHERS = "all others"
_IN_TIME = ("date", "hour")
"""What a reader looks for in its own order, however groups are sorted."""
_STYLE = """<style>
.groups{border-collapse:collapse;font:13px/1.4 "DejaVu Sans",Verdana,system-ui,sans-serif}
.groups th,.groups td{padding:.25rem .8rem .25rem 0;border-bottom:1px solid #ddd;text-align:left;vertical-align:top;
overflow-wrap:anywhere}
.groups thead th,.groups .short{white-space:nowrap}.groups th[scope=row]{min-width:7em}
.groups .n{text-align:right;white-space:nowrap}.groups tr:target{background:#fff3cd}
.groups ul{margin:.2rem 0;padding-left:1rem}.groups summary{cursor:pointer;white-space:nowrap}
</style>"""


def chart_of(
    groups: Sequence[Group], by: Sequence[str], *, most: int, links: Mapping[Key, str] | None = None
) -> Figure:
    """Bars of requests for the first `most` groups; for two keys, `most` values of the first with a bar for each of the
    second, of which the eighth and later ones are one bar together. There is a group; `links` are where bars lead."""
    links = links or {}
    chart: Bars
    if len(by) == 2:
        chart, shown, total = _grouped(groups, by, most, links)
        of = by[0]
    else:
        chosen = groups[:most]
        shown, total, of = len(chosen), len(groups), "group"
        if by[0] in _IN_TIME:
            chosen = sorted(chosen, key=lambda group: group.key)
        chart = BarChart(
            title=f"Requests by {', '.join(by)}",
            value_text=_count,
            labels=tuple(key_text(group.key) for group in chosen),
            bars=tuple(Measure(value=group.count, href=links.get(group.key)) for group in chosen),
        )
    note = (
        f"The first {count_text(shown)} of {count_text(total)}: {_names(of, total - shown)}." if shown < total else ""
    )
    return Figure(charts=(chart,), note=note, panel_width=480)


def _names(of: str, left: int) -> str:
    return f"{count_text(left)} {of if left == 1 or of == 'status' else of + 's'} more are not shown"


def _grouped(
    groups: Sequence[Group], by: Sequence[str], most: int, links: Mapping[Key, str]
) -> tuple[MultiBarChart, int, int]:
    """The chart, how many values of the first key it shows, and how many there are."""
    firsts = list(dict.fromkeys(group.key[0] for group in groups))
    labels = sorted(firsts[:most]) if by[0] in _IN_TIME else firsts[:most]
    seconds = Counter[str]()
    for group in groups:
        seconds[group.key[1]] += group.count
    named = [name for name, _ in sorted(seconds.items(), key=lambda item: (-item[1], item[0]))]
    if len(named) > len(PALETTE):
        named = named[: len(PALETTE) - 1]
    counts = {group.key: group.count for group in groups}
    series = [
        Series(
            name=key_text((name,)),
            bars=tuple(Measure(value=counts.get((label, name), 0), href=links.get((label, name))) for label in labels),
        )
        for name in sorted(named)
    ]
    if len(named) < len(seconds):
        rest = Counter[str]()
        for group in groups:
            if group.key[1] not in named:
                rest[group.key[0]] += group.count
        series.append(Series(name=OTHERS, bars=tuple(Measure(value=rest[label]) for label in labels)))
    chart = MultiBarChart(
        title=f"Requests by {by[0]} and {by[1]}",
        value_text=_count,
        labels=tuple(map(printable, labels)),
        series=tuple(series),
    )
    return chart, len(labels), len(firsts)


def _count(value: float) -> str:
    return count_text(round(value)) if value == round(value) else number_text(value)


def page_of(groups: Sequence[Group], by: Sequence[str], *, most: int, distinct: int, about: str) -> str:
    """A page: the chart, what was read (`about`), and a table of the groups that it shows: bars lead to its rows."""
    firsts = set(list(dict.fromkeys(group.key[0] for group in groups))[:most])
    shown = [group for group in groups if group.key[0] in firsts] if len(by) == 2 else groups[:most]
    links = {group.key: f"#group-{number}" for number, group in enumerate(shown, 1)}
    chart = chart_of(groups, by, most=most, links=links)
    noted = [name for name in NOTED if name not in by]
    heads = "".join(
        f'<th scope="col">{_safe(head)}</th>' for head in (*by, "Count", "Bytes", *(HEADINGS[n] for n in noted))
    )
    rows = "\n".join(_row(group, links[group.key][1:], noted, distinct) for group in shown)
    table = f'<table class="groups"><thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>'
    return page("Access logs", [_STYLE, f"<p>{_safe(about)}</p>", fragment(chart), table])


def _row(group: Group, anchor: str, noted: Sequence[str], distinct: int) -> str:
    keys = "".join(f'<th scope="row">{_safe(value)}</th>' for value in group.key)
    numbers = f'<td class="n">{count_text(group.count)}</td><td class="n">{_safe(size_text(group.bytes))}</td>'
    cells = "".join(f"<td>{_values(group.seen[name], distinct)}</td>" for name in noted)
    return f'<tr id="{anchor}">{keys}{numbers}{cells}</tr>'


def _values(values: Set[str] | None, distinct: int) -> str:
    if values is None:
        return f"more than {count_text(distinct)}"
    if len(values) == 1:
        return _safe(*values)
    if len(together := ", ".join(sorted(values))) <= _SHORT:
        return f'<span class="short">{_safe(together)}</span>'
    items = "".join(f"<li>{_safe(value)}</li>" for value in sorted(values))
    return f"<details><summary>{count_text(len(values))}</summary><ul>{items}</ul></details>"


def _safe(text: str) -> str:
    return html.escape(printable(text))
