"""Charts as values (`Bars`, `Lines`, several of them in a `Figure`), and matplotlib's drawing of them as SVG or PNG.

The length of a bar shows its value, so the axis of values begins at zero and is linear. Colour alone distinguishes
nothing: each series has a hatch, each line a dash pattern. Labels may come from access logs, so clients choose them:
every text goes through `printable`, and matplotlib escapes it.
"""

import io
import math
import os
import re
import textwrap
import warnings
from html import escape
from typing import TYPE_CHECKING, Literal

from bulkput.errors import UsageError, printable
from bulkput.record import frozen
from bulkput.report.lines import count_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Paper

# Okabe and Ito, "Color Universal Design", 2008 (https://jfly.uni-koeln.de/color/); also B. Wong, Nature Methods 8, 441
# (2011): eight colours that colour-blind readers can tell apart. The order is ours: strong on white first.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000", "#F0E442")
HATCHES = ("", "///", "...", "\\\\\\", "xxx", "---", "ooo", "+++")  # one for each colour
DASHES = ("-", (0, (6, 2)), (0, (2, 2)), (0, (8, 2, 2, 2)))  # offset, then points on and off
MARKED = PALETTE[1]  # of bars that the picture is about; then no series has it
INK, PALE, GRID = "#222222", "#595959", "#dddddd"  # on white, PALE has a contrast of 7:1 (WCAG AAA)

PANEL = 290.0  # points: the width of one panel, labels not included. Three and their labels fill a laptop's screen
LABEL = 44  # characters of a bar's label; a longer label loses its middle
TEXT = 9.0  # points: the size of labels and values
DIGIT = 5.8  # points: the width of a digit of this size, and of most letters
BAR = 13.0  # points: the height of one bar and the gap to the next; its value has to fit


@frozen(kw_only=True)
class Bar:
    """A value with the minimum and maximum of its repetitions; or no value, and the reason in `why`."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    why: str = "missing"  # stands where the bar would be if there is no value

    def __post_init__(self) -> None:
        numbers = [number for number in (self.low, self.value, self.high) if number is not None]
        if not all(0 <= number < 1e100 for number in numbers):  # more is a bug; NaN compares false
            raise UsageError(f"chart: a bar shows zero or a positive number below 1e100, not {numbers}")
        if numbers != sorted(numbers) or (numbers and self.value is None):
            raise UsageError(f"chart: {self.value} is not between its extremes {self.low} and {self.high}")

    @property
    def whisker(self) -> tuple[float, float]:
        """How far the repetitions reach below and above the value; 0 and 0 without repetitions."""
        value = self.value or 0.0
        return (0 if self.low is None else value - self.low, 0 if self.high is None else self.high - value)


@frozen(kw_only=True)
class Series:
    """Bars of one colour, one for each label of the panel."""

    name: str
    bars: tuple[Bar, ...]


@frozen(kw_only=True)
class Bars:
    """A panel with a group of horizontal bars for each label: one bar of each series."""

    title: str = ""
    axis: str = ""  # what the values are, and their unit: "more is better (objects/s)"
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    marked: frozenset[str] = frozenset()
    """Labels that the picture is about: bold, and their bars in a colour of their own (hatches tell series apart)."""

    def __post_init__(self) -> None:
        if any(len(series.bars) != len(self.labels) for series in self.series):
            raise UsageError(f"chart {printable(self.title)}: one bar is needed for each of {len(self.labels)} labels")
        if not self.labels or not 1 <= len(self.series) <= len(_colours(self)):
            raise UsageError(f"chart {printable(self.title)}: it takes bars, and at most {len(_colours(self))} series")


@frozen(kw_only=True)
class Line:
    """Points (x, y) in ascending x."""

    name: str
    points: tuple[tuple[float, float], ...]


@frozen(kw_only=True)
class Lines:
    """A panel with values over time, or over anything else that ascends."""

    title: str = ""
    axis: str = ""  # as in Bars
    x_axis: str
    series: tuple[Line, ...]


@frozen(kw_only=True)
class Figure:
    """Panels side by side, with one legend: they have the same series in the same order. Bars have the same labels."""

    title: str
    note: str = ""  # below the panels: conditions, caveats, the command that repeats the measurement
    panels: tuple[Bars, ...] | tuple[Lines, ...]

    @property
    def text(self) -> str:
        """One line for readers who see no picture."""
        panels = (", ".join(filter(None, (panel.title, panel.axis))) for panel in self.panels)
        return printable(". ".join(filter(None, (self.title, *panels))))


def number_text(value: float) -> str:
    """Three digits, or all of a whole number: `0.0123`, `12.3`, `17 342`."""
    return count_text(round(value)) if 999.5 <= abs(value) < 1e15 else f"{value:.3g}"


def bar_text(bar: Bar) -> str:
    """The text at the end of a bar."""
    return _shortened(bar.why) if bar.value is None else number_text(bar.value)


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a picture: SVG or PNG, by the suffix of `path`. Raises UsageError for other suffixes, OSError as `open`."""
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    if suffix not in (".svg", ".png"):
        raise UsageError(f"chart {printable(os.fspath(path))}: pictures are .svg or .png")
    content = svg(figure).encode() if suffix == ".svg" else picture(figure, "png")
    with open(path, "wb") as file:
        file.write(content)


def svg(figure: Figure) -> str:
    """An `<svg>` element that is also a valid file. Text stays text; screen readers find title and note.

    Its ids do not collide with those of other figures on the same page.
    """
    text = picture(figure, "svg").decode()
    text = re.sub(r' id="[A-Za-z0-9.]+_[0-9]+"', "", text[text.index("<svg ") :])  # "axes_1": nothing refers to them
    named = f"<title>{escape(figure.text)}</title>\n <desc>{escape(printable(figure.note))}</desc>"
    return text.replace("<svg ", '<svg role="img" ', 1).replace(">", f">\n {named}", 1)


def picture(figure: Figure, kind: Literal["svg", "png"]) -> bytes:
    """matplotlib's own file: the same bytes for the same figure and the same matplotlib.

    Needs the extra `charts`. One thread at a time: matplotlib keeps its settings in a global.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415 - takes 0.7 s, and not everybody has it
    except ModuleNotFoundError as error:
        raise UsageError("charts need matplotlib: pip install 'bulkput[charts]'") from error
    from matplotlib.figure import Figure as Paper  # noqa: PLC0415

    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # names may be in any script
        mpl.rcdefaults()  # ignore the user's matplotlibrc: the same figure gives the same bytes
        mpl.rcParams.update(
            {"svg.hashsalt": f"bulkput {figure.text}", "svg.fonttype": "none", "text.parse_math": False,
             "hatch.linewidth": 0.8, "font.size": TEXT, "text.color": INK, "xtick.color": PALE, "axes.labelcolor": PALE,
             "ytick.color": INK}
        )  # fmt: skip
        width, height = _size(figure.panels[0], len(figure.panels))
        paper = Paper(figsize=(width / 72, height / 72), layout="constrained")
        row = paper.subplots(1, len(figure.panels), squeeze=False, sharey=isinstance(figure.panels[0], Bars))[0]
        for number, axes in enumerate(row):
            _draw(axes, figure.panels[number])
        _write_around(paper, row[0], figure)
        file = io.BytesIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type") if kind == "svg" else ("Software",))
        paper.savefig(file, format=kind, dpi=144, metadata=nothing)
    return file.getvalue()


def _size(panel: Bars | Lines, count: int) -> tuple[float, float]:
    """Width and height of the paper in points; matplotlib fits panels and texts into it."""
    if isinstance(panel, Lines):
        return count * (PANEL + 40), 250.0
    names = DIGIT * min(LABEL, max(map(len, panel.labels)))
    return names + max(count, 1.5) * PANEL, 140 + len(panel.labels) * (len(panel.series) * BAR + 8)


def _write_around(paper: "Paper", axes: "Axes", figure: Figure) -> None:
    """The title, a legend of more than one series, the note."""
    width, height = (72 * inches for inches in paper.get_size_inches())
    handles, names = axes.get_legend_handles_labels()
    panel = figure.panels[0]
    if isinstance(panel, Bars):  # matplotlib's sample of a series is its first bar, which may be a marked one
        from matplotlib.patches import Patch  # noqa: PLC0415 - see `picture`

        looks = zip(_colours(panel), HATCHES, panel.series, strict=False)
        handles = [Patch(facecolor=colour, hatch=hatch, edgecolor="white", lw=0) for colour, hatch, _ in looks]
    title = _wrapped(figure.title, width / 9)
    rows = 0
    if len(names) > 1:
        columns = max(1, int(width / (DIGIT * max(map(len, names)) + 45)))  # 45 points: the sample and the gap
        rows = math.ceil(len(names) / columns)
        place = (0.01, 1 - (15 * (title.count("\n") + 1) + 6) / height)
        paper.legend(
            handles, names, loc="upper left", bbox_to_anchor=place, ncols=columns, frameon=False, borderpad=0,
            borderaxespad=0,
        )  # fmt: skip
    # The layout reserves room for a title but not for a legend, so empty lines in the title make that room.
    paper.suptitle(title + "\n" * rows, x=0.01, ha="left", fontsize=12, weight="bold")
    paper.supxlabel(_wrapped(figure.note, width / 5), x=0.01, ha="left", fontsize=8, color=PALE)


def _draw(axes: "Axes", panel: Bars | Lines) -> None:
    axes.annotate(
        printable(panel.axis), (0, 1), xytext=(0, 5), xycoords="axes fraction", textcoords="offset points", color=PALE
    )
    axes.set_title(
        _wrapped(panel.title, PANEL / 7.5), loc="left", pad=20 if panel.axis else 6, fontsize=10, weight="bold"
    )
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_axisbelow(True)
    if isinstance(panel, Bars):
        _draw_bars(axes, panel)
    else:
        _draw_lines(axes, panel)


def _draw_bars(axes: "Axes", panel: Bars) -> None:
    thick = 0.8 / len(panel.series)
    bars = [bar for series in panel.series for bar in series.bars if bar.value is not None]
    room = DIGIT * max((len(bar_text(bar)) for bar in bars), default=1) + 12  # of a value and the gap around it
    for number, series in enumerate(panel.series):
        middles = [row - 0.4 + (number + 0.5) * thick for row in range(len(panel.labels))]
        whiskers = list(zip(*(bar.whisker for bar in series.bars), strict=True))
        drawn = axes.barh(
            middles,
            [bar.value or 0.0 for bar in series.bars],
            height=0.9 * thick,
            xerr=whiskers if any(map(any, whiskers)) else None,
            label=_shortened(series.name),
            color=_colours(panel)[number],
            hatch=HATCHES[number],
            edgecolor="white",
            linewidth=0,
            error_kw={"ecolor": INK, "elinewidth": 1, "capsize": 2},
        )
        texts = axes.bar_label(drawn, list(map(bar_text, series.bars)), padding=4)  # beyond bar and whisker
        for bar, text in zip(series.bars, texts, strict=True):
            text.set_fontstyle("normal" if bar.value is not None else "italic")
        for bar, label in zip(drawn, panel.labels, strict=True):
            if label in panel.marked:
                bar.set_facecolor(MARKED)
    axes.set_yticks(range(len(panel.labels)), list(map(_shortened, panel.labels)))
    for tick, label in zip(axes.get_yticklabels(), panel.labels, strict=False):  # only the first panel has them
        tick.set_fontweight("bold" if label in panel.marked else "normal")
    axes.set_ylim(len(panel.labels) - 0.5, -0.5)  # the first label on top
    most = max(((bar.value or 0) + bar.whisker[1] for bar in bars), default=0)
    axes.set_xlim(0, most / (1 - min(0.5, room / PANEL)) or 1)
    axes.xaxis.set_major_formatter(lambda value, _: number_text(value))
    axes.locator_params(axis="x", nbins=min(4, int(PANEL / room)))
    axes.grid(axis="x", color=GRID)
    axes.axvline(0, color=PALE, linewidth=1)


def _colours(panel: Bars) -> list[str]:
    """The colours of series, in order."""
    return [colour for colour in PALETTE if not panel.marked or colour != MARKED]


def _draw_lines(axes: "Axes", panel: Lines) -> None:
    for number, line in enumerate(panel.series):
        xs, ys = [x for x, _ in line.points], [y for _, y in line.points]
        colour, dash = PALETTE[number % len(PALETTE)], DASHES[number % len(DASHES)]
        axes.plot(xs, ys, label=_shortened(line.name), color=colour, linestyle=dash)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: number_text(value))
    axes.set_xlabel(printable(panel.x_axis))
    axes.grid(axis="y", color=GRID)


def _wrapped(text: str, letters: float) -> str:
    return textwrap.fill(printable(text), int(letters))


def _shortened(text: str) -> str:
    """The text without its middle if it is long: names differ at both ends."""
    text = printable(text)
    half = LABEL // 2
    return text if len(text) <= LABEL else f"{text[:half].rstrip()}…{text[1 - half :].lstrip()}"
