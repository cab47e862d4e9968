"""Charts: what is drawn, what it says, and that no label breaks it."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkput.errors import UsageError
from bulkput.report.charts import (
    LIMIT,
    PALETTE,
    BarChart,
    Chart,
    Figure,
    Line,
    LineChart,
    Measure,
    MultiBarChart,
    Series,
    as_figure,
    fit,
    lay_out,
    number_text,
    scale_of,
    text_width,
)
from bulkput.report.lines import size_text
from bulkput.report.page import fragment, page, picture, save

SVG = "{http://www.w3.org/2000/svg}"
ODD = "<b>&\"'\x00\x1b]]>-->\ud800\ufffe\n\u202e$x^2$"


def bars(*values: Measure | float, labels: tuple[str, ...] = (), **parts: str) -> BarChart:
    measures = tuple(value if isinstance(value, Measure) else Measure(value=value) for value in values)
    labels = labels or tuple(f"contender {index}" for index in range(len(measures)))
    return BarChart(title="Throughput", unit="objects/s", labels=labels, bars=measures, **parts)


RATE = bars(Measure(value=100.0, low=80, high=130), 50.0, Measure(void="lost objects"), Measure())
CPU = BarChart(title="CPU", unit="µs/object", labels=RATE.labels, bars=tuple(Measure(value=v) for v in (1.0, 2, 3, 4)))
SIZES = MultiBarChart(
    title="By size",
    labels=("a", "b"),
    series=(
        Series(name="4 KB", bars=(Measure(value=1), Measure(value=2))),
        Series(name="32 MB", bars=(Measure(value=3), Measure())),
    ),
)
TIME = LineChart(
    title="Over time",
    unit="objects/s",
    lines=(Line(name="one", points=((0, 0.0), (1, 5), (2, None), (3, 4))), Line(name="two", points=((0, 1), (3, 2)))),
)
ALL: list[Chart] = [RATE, SIZES, TIME]


def parsed(drawing: Chart | Figure) -> Xml.Element:
    return Xml.fromstring(fragment(drawing))


def marks(root: Xml.Element, kind: str) -> list[Xml.Element]:
    return [mark for mark in root.iter() if kind in mark.get("class", "").split()]


def texts(root: Xml.Element) -> list[str]:
    return [text.text or "" for text in root.iter(f"{SVG}text")]


def tips(root: Xml.Element) -> list[str]:
    return [title.text or "" for title in root.iter(f"{SVG}title")]


def number(mark: Xml.Element, name: str) -> float:
    return float(mark.attrib[name])


def xs_of(path: Xml.Element) -> list[float]:
    return [float(point.split()[0]) for point in re.split("[ML]", path.attrib["d"]) if point]


def test_every_value_has_a_bar_and_says_itself() -> None:
    """Two values, two bars, two labels; what was not measured has a mark of its own and says why."""
    root = parsed(RATE)
    assert len(marks(root, "bar")) == 2
    assert len(marks(root, "void")) == 2
    assert {"100", "50", "void: lost objects", "missing", *RATE.labels} <= set(texts(root))


def test_a_bar_is_as_long_as_its_value_says() -> None:
    """From zero, linearly."""
    lengths = [number(bar, "width") for bar in marks(parsed(bars(10, 40, 0, 25.0)), "bar")]
    assert lengths[2] == 0
    assert [length / lengths[1] for length in lengths] == pytest.approx([0.25, 1, 0, 0.625], abs=0.001)


def test_a_negative_bar_ends_where_a_positive_begins() -> None:
    """Zero is between them, and the axis is drawn there."""
    root = parsed(bars(-10, 20))
    below, above = marks(root, "bar")
    zero = number(above, "x")
    assert number(below, "x") + number(below, "width") == pytest.approx(zero, abs=0.02)
    assert number(above, "width") == pytest.approx(2 * number(below, "width"), abs=0.05)
    assert xs_of(marks(root, "axis")[0]) == pytest.approx([zero, zero], abs=0.02)


def test_a_whisker_reaches_from_the_smallest_to_the_largest() -> None:
    """On the same scale as the bar."""
    root = parsed(RATE)
    (whisker,) = marks(root, "whisker")
    bar = marks(root, "bar")[0]
    per_unit, zero = number(bar, "width") / 100, number(bar, "x")
    assert min(xs_of(whisker)) == pytest.approx(zero + 80 * per_unit, abs=0.05)
    assert max(xs_of(whisker)) == pytest.approx(zero + 130 * per_unit, abs=0.05)


def test_a_value_stands_beyond_its_bar_and_whisker() -> None:
    """To the right of a positive, to the left of a negative bar: never on it."""
    root = parsed(bars(Measure(value=100.0, low=80, high=130), Measure(value=-50.0, low=-70, high=-40)))
    right, left = marks(root, "whisker")
    places = {text.text: (number(text, "x"), text.get("text-anchor")) for text in root.iter(f"{SVG}text")}
    assert places["100"] == (pytest.approx(max(xs_of(right)) + 4, abs=0.05), "start")
    assert places["-50"] == (pytest.approx(min(xs_of(left)) - 4, abs=0.05), "end")


def test_a_whisker_may_have_one_end() -> None:
    """The other end is the value."""
    root = parsed(bars(Measure(value=2.0, high=4.0)))
    bar = marks(root, "bar")[0]
    assert min(xs_of(marks(root, "whisker")[0])) == pytest.approx(number(bar, "x") + number(bar, "width"), abs=0.05)
    assert tips(root) == ["contender 0: 2 objects/s (2 to 4)"]


def test_the_tooltip_and_the_table_say_everything() -> None:
    """Label, value, unit and extremes: also for those who see no picture."""
    full = ["100 objects/s (80 to 130)", "50 objects/s", "void: lost objects", "missing"]
    root = parsed(RATE)
    assert tips(root) == [f"{label}: {text}" for label, text in zip(RATE.labels, full, strict=True)]
    assert [cell.text for cell in root.iter("td")] == full
    assert [cell.text for cell in root.iter("th") if cell.get("scope") == "row"] == list(RATE.labels)


def test_groups_have_a_bar_of_every_series_and_a_legend() -> None:
    """Colours of the palette, in its order, named once."""
    root = parsed(SIZES)
    assert [mark.get("fill") for mark in marks(root, "bar")] == [PALETTE[0], PALETTE[1], PALETTE[0]]
    assert [mark.get("fill") for mark in marks(root, "swatch")] == list(PALETTE[:2])
    assert {"4 KB", "32 MB"} <= set(texts(root))
    assert "b, 32 MB: missing" in tips(root)


def test_each_part_can_be_set() -> None:
    """Title, axis, unit, format, colours, legend, values."""
    series = (Series(name="x", bars=(Measure(value=2048.0),), colour="#123456"), Series(name="y", bars=(Measure(),)))
    chart = MultiBarChart(
        title="T", axis="A", unit="U", value_text=size_text, labels=("l",), series=series, has_legend=False,
        has_values=False, is_binary=True,
    )  # fmt: skip
    root = parsed(chart)
    assert texts(root)[:2] == ["T", "A (U)"]
    assert "2.0 KiB" in texts(root)  # the tick
    assert not marks(root, "swatch")
    assert marks(root, "bar")[0].get("fill") == "#123456"
    assert tips(root)[0] == "l, x: 2.0 KiB U"
    special = parsed(bars(Measure(value=1, colour="#abcdef"), 2, colour="#654321"))
    assert [bar.get("fill") for bar in marks(special, "bar")] == ["#abcdef", "#654321"]


def test_panels_of_the_same_labels_name_them_once() -> None:
    """Three charts side by side, one column of names, one table."""
    figure = Figure(title="F", charts=(RATE, CPU), note="a caveat")
    root = parsed(figure)
    assert texts(root).count(RATE.labels[0]) == 1
    assert len(list(root.iter("table"))) == 1
    assert {"F", "Throughput", "CPU", "a caveat"} <= set(texts(root))
    left, right = (place.left for place in lay_out(figure).places)
    assert right > left + figure.panel_width
    assert len(list(parsed(Figure(charts=(RATE, SIZES, TIME))).iter("table"))) == 3


def test_a_line_breaks_where_values_are_missing() -> None:
    """No value is no zero: two stretches, the second a single point that is seen as a dot."""
    root = parsed(TIME)
    assert [len(xs_of(path)) for path in marks(root, "line")] == [2, 2]
    assert len(marks(root, "alone")) == 1
    assert len(marks(root, "dot")) == 5
    assert "one, 1 s: 5 objects/s" in tips(root)
    assert len({path.get("stroke-dasharray") for path in marks(root, "line")}) == 2  # not by colour alone
    assert [cell.text for cell in root.iter("td")] == [
        "0 objects/s", "1 objects/s", "5 objects/s", None, None, None, "4 objects/s", "2 objects/s",
    ]  # fmt: skip


def test_bars_lead_to_rows() -> None:
    """Bars, void bars and cells are links; then the picture is a group, since nothing inside an img is a link."""
    root = parsed(bars(Measure(value=1.0, href="#row-1"), Measure(void="why", href="./log?a=1&b=2")))
    assert [link.get("href") for link in root.iter(f"{SVG}a")] == ["#row-1", "./log?a=1&b=2"]
    assert [link.get("href") for link in root.iter("a")] == ["#row-1", "./log?a=1&b=2"]
    assert root.find(f".//{SVG}svg[@role='group']") is not None
    plain = parsed(RATE).find(f".//{SVG}svg[@role='img']")
    assert plain is not None
    assert plain.get("aria-label") == "Throughput: objects/s"


@pytest.mark.parametrize(
    "href", ["javascript:alert(1)", " javascript:x", "java\nscript:x", "data:text/html,x", "", "a b"]
)
def test_a_bar_leads_to_no_script(href: str) -> None:
    """Links may be made of log lines, that is by strangers."""
    with pytest.raises(UsageError, match="cannot link"):
        Measure(value=1.0, href=href)


WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: BarChart(title="T", labels=(), bars=()), "chart T: no bars"),
    (lambda: MultiBarChart(title="T", labels=("a",), series=()), "chart T: no bars"),
    (lambda: LineChart(title="T", lines=()), "chart T: no line has a value"),
    (lambda: LineChart(title="T", lines=(Line(name="l", points=((0, None),)),)), "no line has a value"),
    (lambda: LineChart(title="T", lines=(Line(name="l", points=((1, 1), (1, 2))),)), "x of l does not ascend"),
    (lambda: LineChart(title="T", lines=(Line(name="l", points=((0, float("nan")),)),)), "nan cannot be drawn"),
    (lambda: BarChart(title="T", labels=("a", "b"), bars=(Measure(),)), "1 bars for 2 labels"),
    (lambda: Figure(title="F", charts=()), "figure F: no charts"),
    (lambda: Figure(charts=(RATE,), panel_width=5), "panel_width is from"),
    (lambda: Measure(value=float("inf")), "inf cannot be drawn"),
    (lambda: Measure(value=float("nan")), "nan cannot be drawn"),
    (lambda: Measure(value=2 * LIMIT), "cannot be drawn"),
    (lambda: Measure(value=1, low=2), "not between its extremes"),
    (lambda: Measure(low=1), "without a value has no extremes"),
    (lambda: Measure(value=1, void="x"), "a void bar has no value"),
    (lambda: Measure(colour='red"'), "no colour of the form"),
    (lambda: bars(1, colour="blue"), "no colour of the form"),
    (lambda: MultiBarChart(title="T", labels=("a",), series=(Series(name="s", bars=(Measure(),)),) * 9), "same colour"),
    (lambda: save(RATE, "chart.pdf"), "pictures are .svg or .png"),
]


@pytest.mark.parametrize(("make", "message"), WRONG, ids=[message for _, message in WRONG])
def test_what_cannot_be_drawn_is_refused_in_words(make: Callable[[], object], message: str) -> None:
    """When the chart is made, not when somebody looks at it."""
    with pytest.raises(UsageError, match=re.escape(message)):
        make()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (-0.0, "0"), (0.01234, "0.0123"), (12.34, "12.3"), (999.4, "999"), (999.6, "1 000"),
     (-17342.4, "-17 342"), (1.23e20, "1.23e+20"), (1e-7, "1e-07")],
)  # fmt: skip
def test_numbers_have_three_digits_or_all_of_an_integer(value: float, text: str) -> None:
    """Short enough for the end of a bar."""
    assert number_text(value) == text


def test_a_scale_has_round_ticks_around_zero() -> None:
    """Also for bytes, in powers of two; all zeros and nothing at all have an axis too."""
    assert scale_of(bars(17342)).ticks == (0, 5000, 10000, 15000)
    assert scale_of(bars(-3, 5)).ticks == (-2, 0, 2, 4)
    binary = BarChart(title="", labels=("a",), bars=(Measure(value=3.5 * 2**20),), is_binary=True)
    assert scale_of(binary).ticks == (0, 2**20, 2**21, 3 * 2**20)
    assert scale_of(bars(0, 0)).ticks == scale_of(bars(Measure())).ticks == (0,)


def test_ticks_that_would_overlap_are_left_out() -> None:
    """Zero stays."""
    labels, values = ("a", "b"), (Measure(value=-7.0), Measure(value=8.0))
    chart = BarChart(title="", labels=labels, bars=values, value_text=lambda value: f"{value:.0f} words about it")
    (place,) = lay_out(Figure(charts=(chart,), panel_width=300)).places
    assert scale_of(chart).ticks == (-5, 0, 5)
    assert place.ticks == (0,)
    (place,) = lay_out(Figure(charts=(chart,), panel_width=900)).places
    assert place.ticks == (-5, 0, 5)


def test_a_text_too_long_keeps_both_ends() -> None:
    """They tell contenders and object names apart."""
    assert fit("short", 200) == "short"
    shortened = fit("/container/" + "x" * 500 + "/end.jpg", 200)
    assert shortened.startswith("/container/")
    assert shortened.endswith("/end.jpg")
    assert text_width(shortened) <= 200


labels = st.text(st.characters(codec=None), max_size=80)
numbers = st.one_of(st.floats(-LIMIT, LIMIT), st.sampled_from([0.0, -0.0, LIMIT, -LIMIT, 5e-324, 1e-100]))
measures = st.one_of(
    st.lists(numbers, min_size=3, max_size=3).map(sorted).map(lambda n: Measure(low=n[0], value=n[1], high=n[2])),
    st.builds(lambda value: Measure(value=value), numbers),
    st.builds(lambda void: Measure(void=void), st.one_of(st.none(), labels)),
)


@given(labels, labels, st.lists(st.tuples(labels, measures), min_size=1, max_size=5))
def test_no_label_and_no_number_breaks_the_page(title: str, unit: str, rows: list[tuple[str, Measure]]) -> None:
    """Whatever a chart is made of, its page is well-formed, and every bar is on the paper."""
    names, values = zip(*rows, strict=True)
    chart = BarChart(title=title, unit=unit, axis=title, labels=names, bars=values)
    Xml.fromstring(page(title, [fragment(chart)]).removeprefix("<!DOCTYPE html>"))
    root, layout = parsed(Figure(title=title, charts=(chart, chart), note=unit)), lay_out(as_figure(chart))
    assert len(marks(root, "bar")) == 2 * sum(value.value is not None for value in values)
    for bar in marks(parsed(chart), "bar"):
        assert 0 <= number(bar, "x") <= number(bar, "x") + number(bar, "width") <= layout.width
        assert number(bar, "height") > 0


@example("", [(-5.4528179162043435e-292, None), (1.7211242851278134e-197, 0.0)])
@given(
    labels, st.lists(st.tuples(numbers, st.one_of(st.none(), numbers)), min_size=1, unique_by=lambda point: point[0])
)
def test_no_point_breaks_a_line(name: str, points: list[tuple[float, float | None]]) -> None:
    """Every dot is on the paper."""
    line = Line(name=name, points=(*sorted(points, key=lambda point: point[0]),))
    if all(y is None for _, y in points):
        return
    chart = LineChart(title=name, lines=(line, Line(name="", points=((0.0, 1.0),))))
    layout = lay_out(as_figure(chart))
    for dot in marks(parsed(chart), "dot"):
        assert 0 <= number(dot, "cx") <= layout.width
        assert 0 <= number(dot, "cy") <= layout.height


@pytest.mark.parametrize("chart", ALL, ids=lambda chart: chart.title)
def test_a_page_loads_nothing(chart: Chart) -> None:
    """No script, no style sheet, no font, no picture from anywhere."""
    text = page("T", [fragment(chart)])
    assert '<meta charset="utf-8"/>' in text
    assert not re.search(r"<script|<link|<img|\bsrc=|url\(|@import", text)
    assert set(re.findall(r"https?://[^\"]*", text)) == {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("chart", ALL, ids=lambda chart: chart.title)
def test_a_picture_shows_the_same_texts_as_the_page(chart: Chart) -> None:
    """Both pens are led by the same hand; texts in SVG stay texts."""
    pytest.importorskip("matplotlib")
    svg = Xml.fromstring(picture(chart, "svg"))
    assert sorted(texts(svg)) == sorted(texts(parsed(chart)))
    for kind in ("bar", "void", "whisker", "line"):
        drawn = [mark for mark in svg.iter() if re.fullmatch(rf"{kind}-\d+", mark.get("id", ""))]
        assert len(drawn) == len(marks(parsed(chart), kind)), kind


def test_the_same_chart_is_the_same_picture(tmp_path: Path) -> None:
    """Byte by byte, with no date in it, whatever the reader's settings are and without changing them."""
    matplotlib = pytest.importorskip("matplotlib")
    with matplotlib.rc_context({"font.family": "monospace", "hatch.color": "red"}):
        before = dict(matplotlib.rcParams)
        first = picture(SIZES, "svg")
        assert dict(matplotlib.rcParams) == before
    assert picture(SIZES, "svg") == first
    assert picture(SIZES, "png") == picture(SIZES, "png")
    assert b"<dc:date>" not in first
    save(SIZES, tmp_path / "chart.SVG")
    assert (tmp_path / "chart.SVG").read_bytes() == first


def test_a_png_is_a_png(tmp_path: Path) -> None:
    """By the suffix, at the asked-for resolution."""
    pytest.importorskip("matplotlib")
    save(Figure(charts=(RATE, CPU, TIME)), tmp_path / "chart.png", dpi=72)
    content = (tmp_path / "chart.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    layout = lay_out(Figure(charts=(RATE, CPU, TIME)))
    assert int.from_bytes(content[16:20]) == pytest.approx(layout.width, abs=1)


def test_odd_labels_are_texts_in_pictures_too() -> None:
    """No formula, no broken XML, no warning for a letter the font lacks."""
    pytest.importorskip("matplotlib")
    chart = bars(1, Measure(void=ODD), labels=(ODD, "漢字 \N{PILE OF POO}"), axis=ODD)
    svg = Xml.fromstring(picture(chart, "svg"))
    assert any("$x^2$" in text for text in texts(svg))
    assert picture(chart, "png")


def test_without_matplotlib_there_are_pages_but_no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert fragment(RATE)
    with pytest.raises(UsageError, match=re.escape("charts need matplotlib: pip install 'bulkput[charts]'")):
        picture(RATE, "png")


def test_importing_charts_imports_no_matplotlib() -> None:
    """It takes long, and few runs draw; a picture never needs pyplot and its global figures."""
    code = (
        "import sys; from bulkput.report.page import fragment, picture; from bulkput.report.charts import *\n"
        "assert 'matplotlib' not in sys.modules\n"
        "try: picture(BarChart(title='', labels=('a',), bars=(Measure(value=1),)), 'svg')\n"
        "except Exception as error: assert 'charts need' in str(error), error\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
