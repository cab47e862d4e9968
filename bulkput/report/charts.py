"""Charts as values: bars, grouped bars and lines, side by side in one figure.

A chart is data and words only. Here are the nouns, their scales, and where everything stands (`lay_out`); `page.py`
puts it on paper, as a picture file or as HTML. One unit is one point in a picture and one CSS pixel in a page.

Bars lie: names of contenders are long, and there are many. An axis of bars always contains zero and is never
logarithmic, because a bar says its value by its length. What was not measured is no bar of length zero: it is
drawn hatched and says why.
"""

import itertools
import math
import re
import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bulkput.errors import UsageError, printable
from bulkput.report.lines import count_text

# Okabe and Ito, "Color Universal Design", 2008 (https://jfly.uni-koeln.de/color/); also B. Wong, Nature Methods 8, 441
# (2011). The order is ours: strong on white first, yellow last.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000", "#F0E442")
DASHES: tuple[tuple[float, ...], ...] = ((), (6, 2), (2, 2), (8, 2, 2, 2))  # colour is never the only difference
INK, PALE, GRID = "#222222", "#595959", "#dddddd"  # PALE is 7:1 on white (WCAG AAA)

LIMIT = 1e100  # larger numbers are bugs; up to here spans and shares cannot overflow


def number_text(value: float) -> str:
    """Three digits and no more than needed: `0.0123`, `12.3`, `17 342`, `1.2e+20`."""
    if 999.5 <= abs(value) < 1e15:
        return count_text(round(value))
    return f"{value + 0.0:.3g}"  # + 0.0: minus zero is zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What one bar shows: a value with its extremes, or `void` (measured, does not count: why), or nothing: missing."""

    value: float | None = None
    low: float | None = None  # the smallest and the largest of the repetitions: the whisker
    high: float | None = None
    void: str | None = None
    href: str | None = None  # where a click on the bar leads in a page: `#row-3`, `./other.html`, `https://...`
    colour: str | None = None  # `#rrggbb`, to set one bar apart from its series

    def __post_init__(self) -> None:
        for number in (self.value, self.low, self.high):
            _check_number(number)
        if self.value is None and (self.low is not None or self.high is not None):
            raise UsageError("chart: a bar without a value has no extremes")
        if self.value is not None and self.void is not None:
            raise UsageError("chart: a void bar has no value: what does not count is not drawn to length")
        if self.value is not None and not self.least <= self.value <= self.most:
            raise UsageError(f"chart: {self.value} is not between its extremes {self.low} and {self.high}")
        if self.href is not None and not re.fullmatch(r"([#./?]|https?://)[!-~]*", self.href):
            raise UsageError(f"chart: a bar cannot link to {printable(self.href)}: only #, ./, /, ?, http and https")
        _check_colour(self.colour)

    @property
    def least(self) -> float:
        return self.low if self.low is not None else self.value or 0.0

    @property
    def most(self) -> float:
        return self.high if self.high is not None else self.value or 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The bars of one colour, one for each label of the chart."""

    name: str
    bars: tuple[Measure, ...]
    colour: str | None = None  # None: the next of the palette


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Values over x, x ascending; a y of None is a gap."""

    name: str
    points: tuple[tuple[float, float | None], ...]
    colour: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What every chart has; each can be set on its own."""

    title: str
    axis: str = ""  # what the values are, below the title: "throughput, more is better"
    unit: str = ""  # "objects/s"
    value_text: Callable[[float], str] = number_text  # of values and ticks, without the unit; `size_text` fits bytes
    is_binary: bool = False  # ticks at multiples of powers of two: for bytes
    has_legend: bool = True  # shown where there is more than one series

    @property
    def axis_text(self) -> str:
        return f"{self.axis} ({self.unit})" if self.axis and self.unit else self.axis or self.unit


@dataclass(frozen=True, slots=True, kw_only=True)
class BarChart(Parts):
    """One bar for each label."""

    labels: tuple[str, ...]
    bars: tuple[Measure, ...]
    colour: str | None = None
    has_values: bool = True  # the value is written at the end of its bar

    def __post_init__(self) -> None:
        _check_bars(self.title, self.labels, self.series)

    @property
    def series(self) -> tuple[Series, ...]:
        return (Series(name=self.axis_text or self.title, bars=self.bars, colour=self.colour),)


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiBarChart(Parts):
    """A group of bars for each label, one bar of each series."""

    labels: tuple[str, ...]
    series: tuple[Series, ...]
    has_values: bool = True

    def __post_init__(self) -> None:
        _check_bars(self.title, self.labels, self.series)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChart(Parts):
    """Values over time, or over anything that ascends. The values' axis contains zero, x's does not have to."""

    lines: tuple[Line, ...]
    x_axis: str = "s"
    x_text: Callable[[float], str] = number_text

    def __post_init__(self) -> None:
        if not any(y is not None for line in self.lines for _, y in line.points):
            raise UsageError(f"chart {printable(self.title)}: no line has a value")
        for line in self.lines:
            xs = [x for x, _ in line.points]
            for number in (*xs, *(y for _, y in line.points)):
                _check_number(number)
            if any(later <= x for x, later in itertools.pairwise(xs)):
                raise UsageError(f"chart {printable(self.title)}: x of {printable(line.name)} does not ascend")
        _check_series(self.title, self.lines)


Bars = BarChart | MultiBarChart
Chart = BarChart | MultiBarChart | LineChart


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Charts side by side, under one title. Where all are bars of the same labels, the labels stand once."""

    charts: tuple[Chart, ...]
    title: str = ""
    note: str = ""  # below: conditions, caveats
    panel_width: float = 290  # of one chart, without its labels

    def __post_init__(self) -> None:
        if not self.charts:
            raise UsageError(f"figure {printable(self.title)}: no charts")
        if not 120 <= self.panel_width <= 2000:
            raise UsageError(f"figure {printable(self.title)}: panel_width is from 120 to 2000")

    @property
    def shares_labels(self) -> bool:
        return len({None if isinstance(chart, LineChart) else chart.labels for chart in self.charts}) == 1 and (
            not isinstance(self.charts[0], LineChart)
        )


def as_figure(drawing: Chart | Figure) -> Figure:
    """A chart alone is a figure of one, wider than a panel."""
    return drawing if isinstance(drawing, Figure) else Figure(charts=(drawing,), panel_width=480)


def colours(series: Sequence[Series | Line]) -> list[str]:
    """Each series' own colour, or the next of the palette."""
    return [one.colour or PALETTE[index % len(PALETTE)] for index, one in enumerate(series)]


def _check_number(number: float | None) -> None:
    if number is not None and not abs(number) <= LIMIT:  # NaN compares false
        raise UsageError(f"chart: {number} cannot be drawn: finite numbers up to {LIMIT:g} can")


def _check_colour(colour: str | None) -> None:
    if colour is not None and not re.fullmatch("#[0-9A-Fa-f]{6}", colour):
        raise UsageError(f"chart: {printable(colour)} is no colour of the form #rrggbb")


def _check_series(title: str, series: Sequence[Series | Line]) -> None:
    for one in series:
        _check_colour(one.colour)
    if len(set(colours(series))) < len(series):
        raise UsageError(f"chart {printable(title)}: two series have the same colour; the palette has {len(PALETTE)}")


def _check_bars(title: str, labels: Sequence[str], series: Sequence[Series]) -> None:
    if not labels or not series:
        raise UsageError(f"chart {printable(title)}: no bars")
    for one in series:
        if len(one.bars) != len(labels):
            raise UsageError(f"chart {printable(title)}: {len(one.bars)} bars for {len(labels)} labels")
    _check_series(title, series)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A range of values and the round numbers in it."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """0 at the low end, 1 at the high end."""
        return (value - self.low) / (self.high - self.low)


def scale_of(chart: Chart) -> Scale:
    """The scale of the values; it contains zero."""
    if isinstance(chart, LineChart):
        values = [y for line in chart.lines for _, y in line.points if y is not None]
    else:
        bars = [bar for series in chart.series for bar in series.bars if bar.value is not None]
        values = [number for bar in bars for number in (bar.least, bar.most)]
    return _scale([0.0, *values], is_binary=chart.is_binary)


def x_scale_of(chart: LineChart) -> Scale:
    """The scale of x, from the first point to the last."""
    return _scale([x for line in chart.lines for x, _ in line.points], is_binary=False)


def _scale(values: Iterable[float], *, is_binary: bool) -> Scale:
    values = tuple(values)
    low, high = min(values), max(values)
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-88):  # too near to each other for ticks in between
        return Scale(low=low, high=max(high, low + (abs(low) or 1.0)), ticks=(low,))
    rough = (high - low) / 4
    if is_binary:
        step = 2.0 ** math.ceil(math.log2(rough))
    else:
        power = 10.0 ** math.floor(math.log10(rough))
        step = next((power * digit for digit in (1, 2, 5) if power * digit >= rough), power * 10)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return Scale(low=low, high=high, ticks=tuple(step * index for index in range(first, last + 1)))


def text_width(text: str, size: float = 11) -> float:
    """An upper bound for usual text in DejaVu Sans, the widest of the fonts that are likely."""
    width = 0.0
    for c in text:
        if c in " .,:;'|!()[]/-ijltfrI":
            width += 0.41
        elif c in "mwMW@%" or unicodedata.east_asian_width(c) in "WF":
            width += 1.0
        else:
            width += 0.75 if c.isupper() else 0.62
    return width * size


def fit(text: str, width: float, size: float = 11) -> str:
    """The text on one line, its middle left out where it is too wide: both ends tell names apart."""
    text = fitting = printable(text)
    kept = len(text)
    while kept > 1 and text_width(fitting, size) > width:
        kept -= 1
        fitting = f"{text[: (kept + 1) // 2].rstrip()}…{text[len(text) - kept // 2 :].lstrip()}"
    return fitting


def wrap(text: str, width: float, size: float = 11) -> tuple[str, ...]:
    """The text on as many lines as it needs, words that are too long broken."""
    text = printable(text)
    mean = max(text_width(text, size) / len(text), 0.55 * size) if text else size
    return tuple(textwrap.wrap(text, max(8, int(width / mean))))


MARGIN, GAP, NAMES = 12.0, 30.0, 300.0  # around everything, between charts, at most for the names of rows
Key = tuple[float, str, str, tuple[float, ...]]  # of a legend: x, name, colour, dash


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a chart stands: its head from `head_left`, left of it `names`, in it room for values."""

    head_left: float
    title: tuple[str, ...]
    axis: tuple[str, ...]
    legend: tuple[tuple[Key, ...], ...]
    names: float
    left: float
    width: float
    before: float
    after: float
    ticks: tuple[float, ...]  # those along x that do not overlap

    @property
    def head_height(self) -> float:
        return 16.0 * (len(self.title) + len(self.axis) + len(self.legend)) + 6

    def x(self, share: float) -> float:
        return self.left + self.before + share * (self.width - self.before - self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The whole paper: heads begin at `head_top`, what is plotted reaches from `top` to `bottom` in every chart."""

    width: float
    height: float
    title: tuple[str, ...]
    note: tuple[str, ...]
    head_top: float
    top: float
    bottom: float
    places: tuple[Place, ...]


def lay_out(figure: Figure) -> Layout:
    """From the left: names, bars, a gap, the next chart; from the top: titles, legend, bars, ticks, note."""
    places: list[Place] = []
    right, is_alone = MARGIN, len(figure.charts) == 1
    for chart in figure.charts:
        names = 0.0 if figure.shares_labels and places else _names(chart)
        places.append(_place(chart, right, names, figure.panel_width, is_alone=is_alone))
        right += names + figure.panel_width + GAP
    width = right - GAP + MARGIN
    title, note = wrap(figure.title, width - 2 * MARGIN, 15), wrap(figure.note, width - 2 * MARGIN)
    head_top = MARGIN + 22.0 * len(title) + 8
    top = head_top + max(place.head_height for place in places)
    bottom = top + max(map(_height, figure.charts))
    foot = 40 if any(isinstance(chart, LineChart) for chart in figure.charts) else 26
    return Layout(
        width=width, height=bottom + foot + 14 * len(note) + MARGIN, title=title, note=note, head_top=head_top, top=top,
        bottom=bottom, places=tuple(places),
    )  # fmt: skip


def _names(chart: Chart) -> float:
    """The room for what stands left of the plot: labels of bars, or values of lines."""
    if isinstance(chart, LineChart):
        return max(text_width(printable(chart.value_text(tick))) for tick in scale_of(chart).ticks) + 8
    return min(NAMES, max(text_width(printable(label)) for label in chart.labels)) + 10


def _height(chart: Chart) -> float:
    if isinstance(chart, LineChart):
        return 200.0
    return len(chart.labels) * (24.0 if len(chart.series) == 1 else 12.0 * len(chart.series) + 10)


def _place(chart: Chart, left: float, names: float, width: float, *, is_alone: bool) -> Place:
    before = after = 20.0 if isinstance(chart, LineChart) else 2.0
    if not isinstance(chart, LineChart) and chart.has_values:
        values = [bar.value for series in chart.series for bar in series.bars if bar.value is not None]
        room = {value: min(0.4 * width, text_width(printable(chart.value_text(value))) + 8) for value in values}
        before = max((room[value] for value in values if value < 0), default=before)
        after = max((room[value] for value in values if value >= 0), default=after)
    head_left, head_width = (left, names + width) if is_alone else (left + names, width)
    scale, text = (
        (x_scale_of(chart), chart.x_text) if isinstance(chart, LineChart) else (scale_of(chart), chart.value_text)
    )
    ticks = scale.ticks
    while len(ticks) > 2 and sum(text_width(printable(text(tick))) + 14 for tick in ticks) > width - before - after:
        ticks = ticks[ticks.index(0.0) % 2 if 0.0 in ticks else 0 :: 2]
    return Place(
        head_left=head_left, title=wrap(chart.title, head_width, 13.5), axis=wrap(chart.axis_text, head_width),
        legend=_legend(chart, head_left, head_width), names=names, left=left + names, width=width, before=before,
        after=after, ticks=ticks,
    )  # fmt: skip


def _legend(chart: Chart, left: float, width: float) -> tuple[tuple[Key, ...], ...]:
    """Rows of entries, as many as fit beside each other."""
    series: Sequence[Series | Line] = chart.lines if isinstance(chart, LineChart) else chart.series
    if not chart.has_legend or len(series) < 2:
        return ()
    rows: list[list[Key]] = [[]]
    x = left
    for index, (one, colour) in enumerate(zip(series, colours(series), strict=True)):
        name = fit(one.name, width - 28)
        if rows[-1] and x + 28 + text_width(name) > left + width:
            rows.append([])
            x = left
        rows[-1].append((x, name, colour, DASHES[index % len(DASHES)]))
        x += 28 + text_width(name) + 12
    return tuple(map(tuple, rows))
