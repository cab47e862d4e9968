"""Charts on paper: as a picture file (matplotlib), as a fragment of HTML, as a whole page.

`draw` walks over a figure once and tells a pen what to put where; the two pens put it into SVG of our own making,
which needs no library, script or network to be read, and onto matplotlib's canvas. Whatever is text goes through
`printable` and is escaped: labels may come from access logs, that is from strangers.
"""

import html
import io
import itertools
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from bulkput.errors import UsageError, printable
from bulkput.report import charts as ch

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

INK, PALE, GRID = "#222222", "#595959", "#dddddd"  # PALE is 7:1 on white (WCAG AAA)
Look = tuple[float, str, Literal["normal", "bold"], Literal["normal", "italic"]]  # size, colour, weight, style
HEADING: Look = (15, INK, "bold", "normal")
TITLE: Look = (12, INK, "bold", "normal")
LABEL: Look = (11, INK, "normal", "normal")
AXIS: Look = (10, PALE, "normal", "normal")
VOID: Look = (10, PALE, "normal", "italic")
Anchor = Literal["start", "middle", "end"]
Points = Sequence[tuple[float, float]]
Box = tuple[float, float, float, float]  # x, y, width, height

STYLE = """\
.chart{margin:1.5rem 0;color:#222;background:#fff;font:13px/1.4 "DejaVu Sans",Verdana,system-ui,sans-serif}
.chart>div{overflow-x:auto}.chart svg{display:block}
.chart .bar:hover,.chart .void:hover,.chart a:hover{opacity:.65}
.chart .dot{opacity:0}.chart .dot.alone,.chart .dot:hover{opacity:1}
.chart a:focus-visible{outline:2px solid #D55E00;outline-offset:1px}
.chart summary{cursor:pointer;color:#595959}.chart table{border-collapse:collapse;margin:.5rem 0}
.chart caption{text-align:left;font-weight:bold;padding:.3rem 0}
.chart th,.chart td{padding:.15rem .8rem .15rem 0;text-align:right;border-bottom:1px solid #ddd;vertical-align:top}
.chart th:first-child{text-align:left;overflow-wrap:anywhere;max-width:40em}
"""


def save(drawing: ch.Chart | ch.Figure, path: str | os.PathLike[str], *, dpi: int = 144) -> None:
    """Write a picture, SVG or PNG by the suffix of its name. Raises UsageError for others, OSError as `open` does."""
    kind = os.path.splitext(os.fspath(path))[1].lower()
    if kind not in (".svg", ".png"):
        raise UsageError(f"chart {printable(os.fspath(path))}: pictures are .svg or .png")
    content = picture(drawing, "svg" if kind == ".svg" else "png", dpi=dpi)
    with open(path, "wb") as file:
        file.write(content)


def picture(drawing: ch.Chart | ch.Figure, kind: Literal["svg", "png"], *, dpi: int = 144) -> bytes:
    """The content of a picture file: the same bytes for the same drawing and the same matplotlib.

    Needs the extra `charts`. Not for several threads at once: matplotlib keeps its settings in a global.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415 - heavy, and not everybody has it
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
        from matplotlib.figure import Figure as Paper  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise UsageError("charts need matplotlib: pip install 'bulkput[charts]'") from error
    figure = ch.as_figure(drawing)
    layout = ch.lay_out(figure)
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # names may be in any script
        mpl.rcdefaults()  # the reader's matplotlibrc decides nothing
        mpl.rcParams.update(
            {"svg.hashsalt": "bulkput", "svg.fonttype": "none", "text.parse_math": False, "hatch.linewidth": 0.7}
        )
        paper = Paper(figsize=(layout.width / 72, layout.height / 72), dpi=72, facecolor="white")
        FigureCanvasAgg(paper)
        axes = paper.add_axes((0, 0, 1, 1), xlim=(0, layout.width), ylim=(layout.height, 0))
        axes.set_axis_off()
        draw(figure, layout, _Canvas(axes))
        stream = io.BytesIO()
        paper.savefig(stream, format=kind, dpi=dpi, metadata={"Date": None} if kind == "svg" else {"Software": None})
    return stream.getvalue()


def page(title: str, body: Sequence[str], *, lang: str = "en") -> str:
    """A whole page around fragments of HTML, which are taken as they are; it loads nothing from anywhere."""
    head = f'<meta charset="utf-8"/><meta name="viewport" content="width=device-width"/><title>{_safe(title)}</title>'
    around = "body{max-width:90rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff;font-family:sans-serif}"
    top = f'<!DOCTYPE html>\n<html lang="{_safe(lang)}"><head>{head}\n<style>{around}\n{STYLE}</style></head>\n'
    return "\n".join([f"{top}<body>\n<h1>{_safe(title)}</h1>", *body, "</body></html>\n"])


def fragment(drawing: ch.Chart | ch.Figure) -> str:
    """A `<figure class="chart">` with an inline SVG and a table of the values; `STYLE` belongs to it."""
    figure = ch.as_figure(drawing)
    layout = ch.lay_out(figure)
    pen = _Svg()
    draw(figure, layout, pen)
    name = ". ".join(filter(None, [figure.title, *(f"{c.title}: {c.axis_text}".rstrip(": ") for c in figure.charts)]))
    role = "group" if pen.has_links else "img"  # what is inside an img is no link to a screen reader
    size = (
        f'viewBox="0 0 {_n(layout.width)} {_n(layout.height)}" width="{_n(layout.width)}" height="{_n(layout.height)}"'
    )
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" role="{role}" aria-label="{_safe(name)}" {size}>'
    ground = '<rect class="paper" width="100%" height="100%" fill="#ffffff"/>'
    opened = f'<figure class="chart">\n<div>{svg}{ground}'
    values = ["<details><summary>Values</summary>", *_tables(figure), "</details>\n</figure>"]
    return "\n".join([opened, *pen.marks, "</svg></div>", *values])


def measure_text(chart: ch.Bars, bar: ch.Measure, *, in_full: bool) -> str:
    """What a bar says: at its end, or in full (unit and extremes) in tooltips and tables."""
    if bar.value is None:
        return "missing" if bar.void is None else f"void: {bar.void}".rstrip(": ")
    text = chart.value_text(bar.value)
    if not in_full:
        return text
    unit = f" {chart.unit}" if chart.unit else ""
    has_whisker = bar.low is not None or bar.high is not None
    return f"{text}{unit}" + f" ({chart.value_text(bar.least)} to {chart.value_text(bar.most)})" * has_whisker


def _tables(figure: ch.Figure) -> Iterator[str]:
    """One table for all bars of the same labels, else one for each chart."""
    bars = [chart for chart in figure.charts if not isinstance(chart, ch.LineChart)]
    if figure.shares_labels:
        yield _bar_table(figure.title or bars[0].title, bars)
        return
    for chart in figure.charts:
        yield _line_table(chart) if isinstance(chart, ch.LineChart) else _bar_table(chart.title, [chart])


def _bar_table(title: str, charts: Sequence[ch.Bars]) -> str:
    columns = [(chart, series) for chart in charts for series in chart.series]
    names = [f"{chart.title}: {series.name}" if len(charts) > 1 else series.name for chart, series in columns]
    heads = [c.title if isinstance(c, ch.BarChart) else name for (c, _), name in zip(columns, names, strict=True)]
    rows = []
    for row, label in enumerate(charts[0].labels):
        cells = []
        for chart, series in columns:
            text = _safe(measure_text(chart, series.bars[row], in_full=True))
            href = series.bars[row].href
            cells.append(text if href is None else f'<a href="{_safe(href)}">{text}</a>')
        rows.append((label, cells))
    return _table(title, "", heads, rows)


def _line_table(chart: ch.LineChart) -> str:
    values = [dict(line.points) for line in chart.lines]
    unit = f" {chart.unit}" if chart.unit else ""
    rows = []
    for x in sorted({x for line in values for x in line}):
        ys = [line.get(x) for line in values]
        rows.append((chart.x_text(x), ["" if y is None else _safe(f"{chart.value_text(y)}{unit}") for y in ys]))
    return _table(chart.title, chart.x_axis, [line.name for line in chart.lines], rows)


def _table(title: str, corner: str, heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """`rows` are a name and cells that are HTML already."""
    top = "".join(f'<th scope="col">{_safe(head)}</th>' for head in (corner, *heads))
    body = "\n".join(
        f'<tr><th scope="row">{_safe(name)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for name, cells in rows
    )
    return f"<table><caption>{_safe(title)}</caption>\n<thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"


def _safe(text: str) -> str:
    return html.escape(printable(text))


def _n(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")


class Pen(Protocol):
    """What can be put on paper. Places are in points from the top left; `says` is the tooltip."""

    def bar(self, box: Box, colour: str, says: str, href: str | None) -> None: ...
    def void(self, box: Box, says: str, href: str | None) -> None: ...
    def swatch(self, box: Box, colour: str) -> None: ...
    def dot(self, x: float, y: float, colour: str, says: str, *, is_alone: bool) -> None: ...
    def line(self, kind: str, points: Points, colour: str, thick: float = 1, dash: Sequence[float] = ()) -> None: ...
    def text(self, x: float, y: float, text: str, look: Look, anchor: Anchor = "start") -> None: ...


def draw(figure: ch.Figure, layout: ch.Layout, pen: Pen) -> None:
    """Everything a figure shows, once."""
    y = ch.MARGIN + 10.0
    for line in layout.title:
        pen.text(ch.MARGIN, y, line, HEADING)
        y += 20
    for chart, place in zip(figure.charts, layout.places, strict=True):
        _draw_head(chart, place, layout.head_top, pen)
        if isinstance(chart, ch.LineChart):
            _draw_lines(chart, place, layout, pen)
        else:
            _draw_bars(chart, place, layout, pen)
    for index, line in enumerate(reversed(layout.note)):
        pen.text(ch.MARGIN, layout.height - ch.MARGIN - 14 * index, line, AXIS)


def _draw_head(chart: ch.Chart, place: ch.Place, y: float, pen: Pen) -> None:
    for text, look in ((place.title, TITLE), (place.axis, AXIS)):
        for line in text:
            pen.text(place.head_left, y, line, look)
            y += 16
    for row in place.legend:
        for x, name, colour, dash in row:
            if isinstance(chart, ch.LineChart):
                pen.line("key", [(x, y), (x + 20, y)], colour, 2, dash)
            else:
                pen.swatch((x + 8, y - 5, 10, 10), colour)
            pen.text(x + 24, y, name, LABEL)
        y += 16


def _draw_bars(chart: ch.Bars, place: ch.Place, layout: ch.Layout, pen: Pen) -> None:
    scale, thick = ch.scale_of(chart), 16 if len(chart.series) == 1 else 12
    pitch = (layout.bottom - layout.top) / len(chart.labels)
    for tick in place.ticks:
        x = place.x(scale.share(tick))
        pen.line("grid", [(x, layout.top), (x, layout.bottom)], GRID)
        pen.text(x, layout.bottom + 11, chart.value_text(tick), AXIS, "middle")
    for row, label in enumerate(chart.labels):
        y = layout.top + pitch * (row + 0.5)
        if place.names:
            pen.text(place.left - 8, y, ch.fit(label, place.names - 8), LABEL, "end")
        y -= thick * len(chart.series) / 2
        for series, colour in zip(chart.series, ch.colours(chart.series), strict=True):
            bar = series.bars[row]
            name = label if len(chart.series) == 1 else f"{label}, {series.name}"
            says = f"{name}: {measure_text(chart, bar, in_full=True)}"
            if bar.value is None:
                pen.void((place.x(0), y + 1, 26, thick - 2), says, bar.href)
                text = ch.fit(measure_text(chart, bar, in_full=False), place.width - 36, 10)
                pen.text(place.x(0) + 32, y + thick / 2, text, VOID)
            else:
                _draw_bar(chart, place, pen, bar, ((y, thick), bar.colour or colour, says, scale))
            y += thick
    zero = place.x(scale.share(0.0))
    pen.line("axis", [(zero, layout.top), (zero, layout.bottom)], PALE)


def _draw_bar(
    chart: ch.Bars, place: ch.Place, pen: Pen, bar: ch.Measure, how: tuple[tuple[float, float], str, str, ch.Scale]
) -> None:
    """A bar from zero, its whisker over it, its value at the end of both."""
    (y, thick), colour, says, scale = how
    value = bar.value or 0.0
    zero, end, least, most = (place.x(scale.share(number)) for number in (0.0, value, bar.least, bar.most))
    pen.bar((min(zero, end), y + 1, abs(end - zero), thick - 2), colour, says, bar.href)
    if bar.low is not None or bar.high is not None:
        up, middle, down = (y + thick / 2 + by for by in (-3, 0, 3))
        ends = [(least, up), (least, down), (least, middle), (most, middle), (most, up), (most, down)]
        pen.line("whisker", ends, INK)
    if chart.has_values:
        text = ch.fit(chart.value_text(value), place.width * 0.4)
        if value < 0:
            pen.text(min(least, zero) - 4, y + thick / 2, text, LABEL, "end")
        else:
            pen.text(max(most, zero) + 4, y + thick / 2, text, LABEL)


def _draw_lines(chart: ch.LineChart, place: ch.Place, layout: ch.Layout, pen: Pen) -> None:
    scale, xs = ch.scale_of(chart), ch.x_scale_of(chart)

    def spot(x: float, y: float) -> tuple[float, float]:
        return place.x(xs.share(x)), layout.bottom - scale.share(y) * (layout.bottom - layout.top)

    for tick in scale.ticks:
        y = spot(xs.low, tick)[1]
        pen.line("grid" if tick else "axis", [(place.left, y), (place.x(1.0), y)], GRID if tick else PALE)
        pen.text(place.left - 6, y, chart.value_text(tick), AXIS, "end")
    for tick in place.ticks:
        pen.text(place.x(xs.share(tick)), layout.bottom + 11, chart.x_text(tick), AXIS, "middle")
    pen.text(place.x(0.5), layout.bottom + 26, chart.x_axis, AXIS, "middle")
    unit = f" {chart.unit}" if chart.unit else ""
    for line, colour, dash in zip(chart.lines, ch.colours(chart.lines), itertools.cycle(ch.DASHES), strict=False):
        for run in _runs(line):
            spots = [spot(x, y) for x, y in run]
            if len(run) > 1:
                pen.line("line", spots, colour, 1.8, dash)
            for (x, y), (at_x, at_y) in zip(run, spots, strict=True):
                says = f"{line.name}, {chart.x_text(x)} {chart.x_axis}: {chart.value_text(y)}{unit}"
                pen.dot(at_x, at_y, colour, says, is_alone=len(run) == 1)


def _runs(line: ch.Line) -> Iterator[Points]:
    """The stretches of a line between its gaps."""
    run: list[tuple[float, float]] = []
    for x, y in line.points:
        if y is not None:
            run.append((x, y))
        elif run:
            yield run
            run = []
    if run:
        yield run


class _Svg:
    """Marks of an inline SVG, with classes for styles and tests, without ids: a page holds many."""

    def __init__(self) -> None:
        self.marks: list[str] = []
        self.has_links = False

    def bar(self, box: Box, colour: str, says: str, href: str | None) -> None:
        self._link(f'<rect class="bar" {_box(box)} fill="{colour}">{_tip(says)}</rect>', href)

    def void(self, box: Box, says: str, href: str | None) -> None:
        x, y, width, height = box
        strokes = "".join(
            f"M{_n(x + at)} {_n(y + height)}L{_n(x + at + 6)} {_n(y)}" for at in range(0, int(width) - 5, 5)
        )
        mark = (
            f'<rect {_box(box)} fill="#ffffff" stroke="{PALE}"/><path d="{strokes}" stroke="{PALE}" stroke-width=".7"/>'
        )
        self._link(f'<g class="void">{mark}{_tip(says)}</g>', href)

    def swatch(self, box: Box, colour: str) -> None:
        self.marks.append(f'<rect class="swatch" {_box(box)} fill="{colour}"/>')

    def dot(self, x: float, y: float, colour: str, says: str, *, is_alone: bool) -> None:
        kind = "dot alone" if is_alone else "dot"
        look = f'r="4" fill="{colour}" opacity="{int(is_alone)}"'
        self.marks.append(f'<circle class="{kind}" cx="{_n(x)}" cy="{_n(y)}" {look}>{_tip(says)}</circle>')

    def line(self, kind: str, points: Points, colour: str, thick: float = 1, dash: Sequence[float] = ()) -> None:
        path = "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points)
        dashes = f' stroke-dasharray="{" ".join(map(_n, dash))}"' if dash else ""
        look = f'fill="none" stroke="{colour}" stroke-width="{_n(thick)}"{dashes}'
        self.marks.append(f'<path class="{kind}" d="{path}" {look}/>')

    def text(self, x: float, y: float, text: str, look: Look, anchor: Anchor = "start") -> None:
        size, colour, weight, style = look
        place = f'x="{_n(x)}" y="{_n(y + 0.36 * size)}" text-anchor="{anchor}"'
        font = f'font-size="{_n(size)}" fill="{colour}" font-weight="{weight}" font-style="{style}"'
        self.marks.append(f"<text {place} {font}>{_safe(text)}</text>")

    def _link(self, mark: str, href: str | None) -> None:
        self.has_links |= href is not None
        self.marks.append(mark if href is None else f'<a href="{_safe(href)}">{mark}</a>')


def _box(box: Box) -> str:
    x, y, width, height = map(_n, box)
    return f'x="{x}" y="{y}" width="{width}" height="{height}"'


def _tip(says: str) -> str:
    return f"<title>{_safe(says)}</title>"


class _Canvas:
    """The same marks as artists of matplotlib, named `bar-1`, `whisker-2`, ... in SVG; no tooltips and no links."""

    def __init__(self, axes: "Axes") -> None:
        self.axes = axes
        self.count = 0

    def bar(self, box: Box, colour: str, says: str, href: str | None) -> None:
        self._rectangle("bar", box, colour)

    def void(self, box: Box, says: str, href: str | None) -> None:
        self._rectangle("void", box, "white", "////")

    def swatch(self, box: Box, colour: str) -> None:
        self._rectangle("swatch", box, colour)

    def dot(self, x: float, y: float, colour: str, says: str, *, is_alone: bool) -> None:
        if is_alone:
            self._put(self.axes.plot([x], [y], marker="o", markersize=5, color=colour)[0], "dot")

    def line(self, kind: str, points: Points, colour: str, thick: float = 1, dash: Sequence[float] = ()) -> None:
        xs, ys = zip(*points, strict=True)
        style = (0, tuple(dash)) if dash else "-"
        self._put(self.axes.plot(xs, ys, color=colour, linewidth=thick, linestyle=style)[0], kind)

    def text(self, x: float, y: float, text: str, look: Look, anchor: Anchor = "start") -> None:
        size, colour, weight, style = look
        where: dict[Anchor, Literal["left", "center", "right"]] = {"start": "left", "middle": "center", "end": "right"}
        self.axes.text(
            x, y + 0.36 * size, printable(text), fontsize=size, color=colour, fontweight=weight, fontstyle=style,
            ha=where[anchor], va="baseline",
        )  # fmt: skip

    def _rectangle(self, kind: str, box: Box, colour: str, hatch: str = "") -> None:
        from matplotlib.patches import Rectangle  # noqa: PLC0415

        edge = PALE if hatch else "none"
        look = Rectangle(box[:2], *box[2:], linewidth=0.7, facecolor=colour, edgecolor=edge, hatch=hatch or None)
        self._put(self.axes.add_patch(look), kind)

    def _put(self, artist: "Artist", kind: str) -> None:
        self.count += 1
        artist.set_gid(f"{kind}-{self.count}")
        artist.set_zorder(1 + self.count / 1e6)  # what comes later lies above; texts have 3
