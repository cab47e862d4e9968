"""Groups of log lines as text, as a chart and on an HTML page."""

from pathlib import Path

import pytest

from bulkput.logs.groups import Group
from bulkput.logs.keys import NOTED
from bulkput.report.charts import Bars, save
from bulkput.report.log_chart import chart_of, page_of
from bulkput.report.log_text import csv_lines, group_lines


def group(*key: str, count: int = 1, **seen: set[str] | None) -> Group:
    return Group(key, count, 10, {name: seen.get(name.replace("-", "_"), {"-"}) for name in NOTED})


def test_control_characters_in_values_are_escaped() -> None:
    """Strangers write user agents: none of them may send commands to a terminal."""
    one = group("\x1b[31m", user_agent={"\x1b[2J", "curl"}, ip={"::1\r"}, referrer={"\udcff", "☃"})
    text = "\n".join([*group_lines(one, ["object"], 5), *csv_lines([one], ["object"], 5)])
    assert r"\x1b[31m" in text and r"\x1b[2J" in text and r"::1\r" in text and r"\xff" in text and "☃" in text
    assert all(line.isprintable() for line in text.split("\n"))


def test_days_are_drawn_in_the_order_of_time_even_if_the_groups_are_sorted_by_count() -> None:
    """Other keys keep the order of the groups."""
    groups = [group("15", count=3), group("14", count=2), group("16"), group("13")]
    (bars,) = chart_of(groups, ["date"], most=3).panels
    assert isinstance(bars, Bars) and bars.labels == ("14", "15", "16")
    assert [bar.value for bar in bars.series[0].bars] == [2, 3, 1]
    (bars,) = chart_of(groups, ["status"], most=3).panels
    assert isinstance(bars, Bars) and bars.labels == ("15", "14", "16")


def test_days_are_drawn_in_the_order_of_time_for_two_keys() -> None:
    """One series per value of the second key."""
    groups = [group("15", "200", count=3), group("14", "404", count=2)]
    (bars,) = chart_of(groups, ["date", "status"], most=3).panels
    assert isinstance(bars, Bars) and bars.labels == ("14", "15")
    assert [[bar.value for bar in series.bars] for series in bars.series] == [[0, 3], [2, 0]]


def test_values_beyond_the_palette_are_one_bar_together() -> None:
    """Seven user agents by name, the others added up; the note says how many dates there are."""
    groups = [group("14", f"agent {number}", count=9 - number) for number in range(9)] + [group("15", "agent 0")]
    chart = chart_of(groups, ["date", "user-agent"], most=1)
    (bars,) = chart.panels
    assert isinstance(bars, Bars) and len(bars.series) == 8
    assert (bars.series[-1].name, bars.series[-1].bars[0].value) == ("all others", 2 + 1)
    assert chart.note == "The first 1 of 2 dates."


def test_a_cell_of_the_page_shows_few_values_and_folds_many() -> None:
    """Above the limit of distinct values it says so."""
    agents = {"a" * 20, "b" * 20}
    page = page_of([group("a", status={"404", "200"}, user_agent=agents, ip=None)], ["object"], most=5, distinct=1000,
                   about="")  # fmt: skip
    assert ">200, 404<" in page
    assert f"<summary>2</summary><ul><li>{'a' * 20}</li>" in page
    assert "more than 1 000" in page


def test_a_chart_is_saved_as_svg(tmp_path: Path) -> None:
    """With the extra `charts`."""
    pytest.importorskip("matplotlib")
    save(chart_of([group("poe/the_raven")], ["object"], most=5), str(tmp_path / "chart.svg"))
    assert (tmp_path / "chart.svg").read_bytes().startswith(b"<svg ")
