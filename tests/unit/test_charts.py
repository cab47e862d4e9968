"""Charts: what is drawn, what it says, and that no label breaks it."""

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkput.errors import UsageError
from bulkput.report.charts import (
    INK,
    MARKED,
    PALETTE,
    Bar,
    Bars,
    Figure,
    Line,
    Lines,
    Series,
    number_text,
    picture,
    save,
    svg,
)
from bulkput.report.page import drawing, html_table, line_tables, page

SVG = "{http://www.w3.org/2000/svg}"
ODD = "<b>&\"'\x00\x1b]]>-->\ud800\ufffe\n\u202e$x^2$"


def figure(*bars: Bar | float, labels: tuple[str, ...] = (), name: str = "s", note: str = "") -> Figure:
    drawn = tuple(bar if isinstance(bar, Bar) else Bar(value=bar) for bar in bars)
    labels = labels or tuple(f"contender {index}" for index in range(len(drawn)))
    panel = Bars(title="Rate", axis="objects/s", labels=labels, series=(Series(name=name, bars=drawn),))
    return Figure(title="Uploading", note=note, panels=(panel,))


RATE = figure(Bar(value=103.0, low=80, high=130), 52.0, Bar(why="lost objects"), Bar(), note="Medians of 3.")
SIZES = Figure(
    title="By size",
    panels=tuple(
        Bars(
            title=title,
            labels=("a", "b"),
            series=(
                Series(name="4 KB", bars=(Bar(value=1), Bar(value=2))),
                Series(name="32 MB", bars=(Bar(value=3), Bar())),
            ),
        )
        for title in ("Rate", "CPU")
    ),
)
TIME = Figure(
    title="Over time",
    panels=(
        Lines(
            axis="objects/s",
            x_axis="s",
            series=(Line(name="one", points=((0, 0.0), (1, 5), (3, 4))), Line(name="two", points=((0, 1), (3, 2)))),
        ),
    ),
)
ALL = [RATE, SIZES, TIME]


def parsed(drawn: Figure) -> Xml.Element:
    return Xml.fromstring(svg(drawn))


def texts(root: Xml.Element) -> list[str]:
    return [text.text or "" for text in root.iter(f"{SVG}text")]


def place_of(root: Xml.Element, said: str) -> float:
    (x,) = (float(text.attrib["x"]) for text in root.iter(f"{SVG}text") if text.text == said)
    return x


def spans(root: Xml.Element, look: str) -> list[tuple[float, float]]:
    """From where to where paths of this look reach along x."""
    found = []
    for path in root.iter(f"{SVG}path"):
        if look in path.get("style", "") and "clip-path" in path.attrib:
            xs = [float(x) for x in re.findall(r"[ML] ([-\d.]+)", path.attrib["d"])]
            found.append((min(xs), max(xs)))
    return found


def bars_of(root: Xml.Element) -> list[tuple[float, float]]:
    return spans(root, f"fill: {PALETTE[0].lower()}")


def whiskers_of(root: Xml.Element) -> list[tuple[float, float]]:
    return [(low, high) for low, high in spans(root, f"stroke: {INK}") if high - low > 0.01]


def test_a_chart_shows_labels_values_and_reasons_for_missing_values() -> None:
    """The value is at the end of its bar; the reason takes its place if there is no value."""
    assert {"103", "52", "lost objects", "missing", *RATE.panels[0].labels} <= set(texts(parsed(RATE)))  # type: ignore[union-attr]


def test_the_length_of_a_bar_is_proportional_to_its_value() -> None:
    """The scale is linear and begins at zero."""
    root = parsed(figure(12, 48, 33))
    lengths = [high - low for low, high in bars_of(root)]
    assert [length / lengths[1] for length in lengths] == pytest.approx([12 / 48, 1, 33 / 48], abs=0.001)
    assert {low for low, _ in bars_of(root)} == {place_of(root, "0")}


def test_a_whisker_reaches_from_the_smallest_to_the_largest_value() -> None:
    """It has the same scale as the bar."""
    root = parsed(RATE)
    ((low, high),) = whiskers_of(root)
    zero, end = bars_of(root)[0]
    per_unit = (end - zero) / 103
    assert (low, high) == pytest.approx((zero + 80 * per_unit, zero + 130 * per_unit), abs=0.05)


def test_a_value_is_drawn_beyond_its_bar_and_whisker() -> None:
    """The number never covers either of them."""
    root = parsed(RATE)
    ((_, whisker_end),) = whiskers_of(root)
    assert place_of(root, "103") > whisker_end
    assert place_of(root, "52") > bars_of(root)[1][1]


def test_series_differ_by_more_than_their_colour() -> None:
    """Bars of the second series are hatched, and lines of the second series are dashed."""
    fills = re.findall(r"fill: (url\(#h|#[0-9a-f]{6})", svg(SIZES))
    assert PALETTE[0].lower() in fills and "url(#h" in fills
    dashed = [f"stroke: {colour.lower()}" for colour in PALETTE[:2]]
    styles = [path.get("style", "") for path in parsed(TIME).iter(f"{SVG}path")]
    one, two = (next(style for style in styles if look in style) for look in dashed)
    assert "stroke-dasharray" not in one and "stroke-dasharray" in two


@pytest.mark.parametrize("marked", ["a", "b"])
def test_marked_bars_have_a_colour_of_their_own_and_the_legend_keeps_those_of_the_series(marked: str) -> None:
    """No series has that colour, also if the first bar of each is a marked one; marked labels are bold."""
    panel = SIZES.panels[0]
    assert isinstance(panel, Bars)
    drawn = svg(Figure(title="T", panels=(replace(panel, marked=frozenset({marked})),)))
    fills = re.findall(r"fill: (#[0-9a-f]{6}|url)", drawn)
    colours = [colour.lower() for colour in (MARKED, PALETTE[0])]
    bars_and_legend = [fill for fill in fills if fill in colours]
    assert sorted(bars_and_legend) == sorted([MARKED.lower(), PALETTE[0].lower(), PALETTE[0].lower()])
    assert re.search(f"font-weight: 700[^>]*>{marked}<", drawn)


def test_panels_with_equal_labels_and_series_share_labels_and_legend() -> None:
    """There are one column of labels and one legend."""
    said = texts(parsed(SIZES))
    assert [said.count(text) for text in ("a", "b", "4 KB", "32 MB", "Rate", "CPU")] == [1] * 6


@pytest.mark.parametrize("drawn", ALL, ids=lambda drawn: drawn.title)
def test_a_chart_has_an_accessible_title_and_description(drawn: Figure) -> None:
    """They name the measured quantity, its unit and the conditions."""
    root = parsed(drawn)
    assert root.get("role") == "img"
    assert [root[0].tag, root[1].tag] == [f"{SVG}title", f"{SVG}desc"]
    assert (root[0].text or "").startswith(drawn.title) and (root[1].text or "") == drawn.note
    if drawn is RATE:
        assert root[0].text == "Uploading. Rate, objects/s"


def test_all_points_of_a_line_chart_are_in_a_table() -> None:
    """The table has a row for each x; a missing value is an empty cell, not a zero."""
    root = Xml.fromstring(line_tables(TIME))
    assert [cell.text for cell in root.iter("th")] == ["s", "one", "two", "0", "1", "3"]
    assert [cell.text for cell in root.iter("td")] == ["0", "1", "5", None, "4", "2"]


def test_a_cell_with_several_long_values_is_folded() -> None:
    """Short values, such as two status codes, stay unfolded."""
    text = html_table(["k", "v", "w"], [["a", ("200", "404"), ("x" * 20, "y" * 20)]])
    assert "<td>200, 404</td>" in text
    assert f"<summary>2</summary><ul><li>{'x' * 20}</li><li>{'y' * 20}</li></ul>" in text


WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: Bars(title="T", labels=(), series=(Series(name="", bars=()),)), "chart T: it takes bars"),
    (lambda: Bars(title="T", labels=("a",), series=()), "chart T: it takes bars"),
    (lambda: Bars(title="T", labels=("a",), series=(Series(name="", bars=(Bar(),)),) * 9), "at most 8 series"),
    (lambda: Bars(title="T", labels=("a", "b"), series=(Series(name="", bars=(Bar(),)),)), "bar is needed for each"),
    (lambda: Bar(value=float("inf")), "zero or a positive number"),
    (lambda: Bar(value=float("nan")), "zero or a positive number"),
    (lambda: Bar(value=-1), "zero or a positive number"),
    (lambda: Bar(value=1, low=2), "not between its extremes"),
    (lambda: Bar(value=3, high=2), "not between its extremes"),
    (lambda: Bar(low=1), "not between its extremes"),
    (lambda: save(RATE, "chart.pdf"), "pictures are .svg or .png"),
]


@pytest.mark.parametrize(("make", "message"), WRONG, ids=[message for _, message in WRONG])
def test_an_undrawable_chart_is_refused_with_a_reason(make: Callable[[], object], message: str) -> None:
    """The error is raised when the chart is made, not when it is drawn."""
    with pytest.raises(UsageError, match=re.escape(message)):
        make()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.01234, "0.0123"), (12.34, "12.3"), (999.4, "999"), (999.6, "1 000"), (17342.4, "17 342"),
     (1.23e20, "1.23e+20"), (1e-7, "1e-07")],
)  # fmt: skip
def test_chart_numbers_have_three_digits_or_all_of_an_integer(value: float, text: str) -> None:
    """They are short enough for the end of a bar."""
    assert number_text(value) == text


def test_a_long_label_keeps_both_ends() -> None:
    """The ends tell contenders and object names apart."""
    said = texts(parsed(figure(1, labels=("/container/" + "x" * 500 + "/end.jpg",))))
    (label,) = (text for text in said if "…" in text)
    assert label.startswith("/container/") and label.endswith("/end.jpg") and len(label) < 50


labels = st.text(st.characters(codec=None), max_size=80)
numbers = st.one_of(st.floats(0, 1e99), st.sampled_from([0.0, 5e-324, 1e-100, 1e99]))
bars = st.one_of(
    st.lists(numbers, min_size=3, max_size=3).map(sorted).map(lambda n: Bar(low=n[0], value=n[1], high=n[2])),
    st.builds(lambda value: Bar(value=value), numbers),
    st.builds(lambda why: Bar(why=why), labels),
)


@settings(max_examples=25, deadline=None)  # matplotlib takes a tenth of a second for each
@given(labels, labels, st.lists(st.tuples(labels, bars), min_size=1, max_size=5))
def test_any_label_and_number_gives_a_well_formed_page(title: str, name: str, rows: list[tuple[str, Bar]]) -> None:
    """No bar begins outside the image."""
    names, values = zip(*rows, strict=True)
    drawn = figure(*values, labels=names, name=name, note=title)
    Xml.fromstring(page(title, [drawing(drawn), html_table([name], [[title]])]).removeprefix("<!DOCTYPE html>"))
    root = parsed(drawn)
    width = float(root.attrib["width"].removesuffix("pt"))
    assert len(bars_of(root)) == len(values)
    assert all(0 <= low <= high <= width for low, high in bars_of(root))


@settings(max_examples=15, deadline=None)
@given(labels, st.lists(st.tuples(numbers, numbers), max_size=5, unique_by=lambda point: point[0]))
def test_any_points_give_a_well_formed_line_chart(name: str, points: list[tuple[float, float]]) -> None:
    """A line may have no points."""
    line = Line(name=name, points=(*sorted(points),))
    drawn = Figure(title=name, panels=(Lines(x_axis=name, series=(line, Line(name="", points=((0.0, 1.0),)))),))
    parsed(drawn)
    Xml.fromstring(line_tables(drawn))


def test_a_page_loads_no_external_resource() -> None:
    """It has no script, style sheet, font or image from elsewhere, and each reference has its id."""
    text = page("T", [drawing(drawn) for drawn in ALL])
    assert '<meta charset="utf-8"/>' in text
    assert not re.search(r"<script|<link|<img|\bsrc=|@import", text)
    assert set(re.findall(r"https?://[^\"]*", text)) == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    ids = re.findall(r' id="([^"]*)"', text)
    assert len(set(ids)) == len(ids) > 0
    assert set(re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', text)) <= {(one, "") for one in ids} | {
        ("", one) for one in ids
    }


def test_drawing_a_chart_twice_gives_equal_bytes(tmp_path: Path) -> None:
    """The image has no date, ignores the user's matplotlib settings and leaves them unchanged."""
    import matplotlib  # noqa: PLC0415

    with matplotlib.rc_context({"font.family": "monospace", "hatch.color": "red"}):
        before = dict(matplotlib.rcParams)
        first = svg(SIZES)
        assert dict(matplotlib.rcParams) == before
    assert svg(SIZES) == first
    assert picture(SIZES, "png") == picture(SIZES, "png")
    assert "date" not in first
    save(SIZES, tmp_path / "chart.SVG")
    assert (tmp_path / "chart.SVG").read_text() == first


def test_saving_with_the_suffix_png_writes_a_png(tmp_path: Path) -> None:
    """The image has two pixels for a point, for screens of high resolution."""
    save(SIZES, tmp_path / "chart.png")
    content = (tmp_path / "chart.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(content[16:20]) == pytest.approx(
        2 * float(parsed(SIZES).attrib["width"].removesuffix("pt")), abs=2
    )


def test_special_characters_in_labels_are_drawn_as_text() -> None:
    """Labels never become formulas or broken XML, and missing glyphs raise no warning."""
    drawn = figure(1, Bar(why=ODD), labels=(ODD, "漢字 \N{PILE OF POO}"), note=ODD)
    assert any("$x^2$" in text for text in texts(parsed(drawn)))
    assert picture(drawn, "png")


def test_without_matplotlib_a_chart_error_names_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """This holds for images and for pages."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (lambda: picture(RATE, "png"), lambda: drawing(RATE)):
        with pytest.raises(UsageError, match=re.escape("charts need matplotlib: pip install 'bulkput[charts]'")):
            draw()


def test_importing_charts_imports_no_matplotlib() -> None:
    """The import is slow, few runs draw, and drawing never loads pyplot."""
    code = (
        "import sys; from bulkput.report.page import drawing; from bulkput.report.charts import *\n"
        "assert 'matplotlib' not in sys.modules\n"
        "series = (Series(name='', bars=(Bar(value=1),)),)\n"
        "drawing(Figure(title='', panels=(Bars(labels=('a',), series=series),)))\n"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
