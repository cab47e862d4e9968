"""HTML pages around charts and tables: one file without scripts, which loads nothing.

All text is escaped here, because it may come from access logs, where clients choose it.
"""

import html
from collections.abc import Sequence

from bulkput.errors import printable
from bulkput.report.charts import Figure, Lines, number_text, svg
from bulkput.report.lines import count_text

Cell = str | tuple[str, ...]  # a tuple is folded unless its values are short
SHORT = 24  # characters of several values that a cell shows unfolded: about two words

# The page follows the dark mode of the browser; pictures stay on white, for which their colours were chosen.
STYLE = """\
:root{color-scheme:light dark}
body{max-width:90rem;margin:2rem auto;padding:0 1rem;font:14px/1.45 "DejaVu Sans",Verdana,system-ui,sans-serif}
figure{margin:1.5rem 0}svg{max-width:100%;height:auto}summary{cursor:pointer}
table{border-collapse:collapse;margin:.5rem 0}caption{text-align:left;font-weight:bold}
ul{margin:.2rem 0;padding-left:1rem}
th,td{padding:.2rem .8rem .2rem 0;border-bottom:1px solid #8888;text-align:left;vertical-align:top}
th[scope=row]{min-width:7em;font-weight:normal;overflow-wrap:anywhere}td{font-variant-numeric:tabular-nums}
"""


def page(title: str, body: Sequence[str]) -> str:
    """A whole page around `body`, pieces of HTML that are not escaped."""
    head = f'<meta charset="utf-8"/><meta name="viewport" content="width=device-width"/><title>{safe(title)}</title>'
    top = f'<!DOCTYPE html>\n<html lang="en"><head>{head}\n<style>\n{STYLE}</style></head>\n<body>'
    return "\n".join([top, f"<h1>{safe(title)}</h1>", *body, "</body></html>\n"])


def drawing(figure: Figure) -> str:
    """The picture. The page needs a table of the same values too, for readers who cannot see the picture."""
    return f"<figure>{svg(figure)}</figure>"


def line_tables(figure: Figure) -> str:
    """All points of a figure's lines as tables, folded."""
    parts = ["<details><summary>Values</summary>"]
    for panel in figure.panels:
        if isinstance(panel, Lines):
            lines = [dict(line.points) for line in panel.series]
            xs = sorted({x for line in lines for x in line})
            rows = [[number_text(x), *(number_text(line[x]) if x in line else "" for line in lines)] for x in xs]
            heads = [panel.x_axis, *(line.name for line in panel.series)]
            parts.append(html_table(heads, rows, f"{panel.title}: {panel.axis}"))
    return "\n".join([*parts, "</details>"])


def html_table(heads: Sequence[str], rows: Sequence[Sequence[Cell]], caption: str = "") -> str:
    """A table of texts; the first cell of a row is its heading."""
    top = "".join(f'<th scope="col">{safe(head)}</th>' for head in heads)
    body = "\n".join(
        f'<tr><th scope="row">{_cell(first)}</th>{"".join(f"<td>{_cell(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    above = f"<caption>{safe(caption)}</caption>" if caption else ""
    return f"<table>{above}\n<thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"


def safe(text: str) -> str:
    """The text as HTML: markup is escaped, control characters are made visible."""
    return html.escape(printable(text))


def _cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return safe(cell)
    if len(cell) < 2 or len(", ".join(cell)) <= SHORT:
        return safe(", ".join(cell))
    items = "".join(f"<li>{safe(value)}</li>" for value in cell)
    return f"<details><summary>{count_text(len(cell))}</summary><ul>{items}</ul></details>"
