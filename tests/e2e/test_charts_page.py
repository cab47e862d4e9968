"""Chart pages in a real browser, Debian's chromium, which opens only a local file."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bulkput.report.charts import Bar, Bars, Figure, Line, Lines, Series
from bulkput.report.page import drawing, html_table, page

pytestmark = pytest.mark.browser

NAMES = (
    "bulkput, 1 process, uvloop + httptools", "bulkput, 2 processes", "rclone, --transfers 64", "s5cmd (S3)",
    "python-swiftclient upload, 64 object threads", "obstore HTTPStore (Rust), no MD5", "curl -Z --parallel-max 64",
    "aiohttp loop, 64 in flight", "aiohttp + aiofiles per file", "http.client, sequential (REST of 2009)",
    "M" * 60, "<b>&\"' " + "漢字" * 12,
)  # fmt: skip
RATES = (
    *(Bar(value=value, low=value * 0.9, high=value * 1.2) for value in range(31200, 200, -3100)),
    Bar(why="3 of 5 runs lost objects while the store was answering 503"),
)[: len(NAMES) - 1]  # fmt: skip
FIGURE = Figure(
    title="Uploading 100 000 files",
    note="Medians of 5 runs, whiskers from the slowest to the fastest. " * 6,
    panels=(
        Bars(title="Throughput", axis="more is better (objects/s)", labels=NAMES,
             series=(Series(name="r", bars=(*RATES, Bar())),)),
        Bars(title="Peak memory, a title that is longer than its panel is wide and is broken", labels=NAMES,
             series=(Series(name="r", bars=tuple(Bar(value=number * 2**25) for number in range(len(NAMES)))),)),
    ),
)  # fmt: skip
GROUPS = Figure(
    title="By size",
    panels=(
        Bars(labels=NAMES[:4], series=tuple(
            Series(name=f"{size} KB, " + "and a long name " * 3, bars=tuple(Bar(value=size * k) for k in range(4)))
            for size in (4, 16, 256)
        )),
    ),
)  # fmt: skip
LINES = Figure(
    title="Over time",
    panels=tuple(
        Lines(title=f"server {number}", axis="objects/s", x_axis="s since start", series=tuple(
            Line(name=f"line {n}", points=tuple((t, (t * n) % 900) for t in range(60))) for n in range(1, 5)
        ))
        for number in range(2)
    ),
)  # fmt: skip

# Asks the browser for the boxes of all texts. Adjacent texts may touch with the empty edges of their boxes: 1 px.
PROBE = """<script>
const found = {clipped: [], overlapping: [], texts: 0};
for (const svg of document.querySelectorAll("svg")) {
  const paper = svg.getBoundingClientRect(), texts = [...svg.querySelectorAll("text")];
  const boxes = texts.map(text => text.getBoundingClientRect());
  boxes.forEach((a, i) => {
    if (a.left < paper.left || a.right > paper.right || a.top < paper.top || a.bottom > paper.bottom)
      found.clipped.push(texts[i].textContent);
    boxes.slice(i + 1).forEach((b, k) => {
      if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3)
        found.overlapping.push([texts[i].textContent, texts[i + 1 + k].textContent]);
    });
  });
  found.texts += texts.length;
}
const output = document.createElement("output");
output.textContent = JSON.stringify(found);
document.body.append(output);
</script>"""


def browse(path: Path, profile: Path, *arguments: str) -> tuple[str, list[str]]:
    """Gives the page's DOM after its scripts have run, and its messages on the console."""
    chromium = shutil.which("chromium")
    assert chromium, "this test needs a browser: apt install chromium (or deselect it: -m 'not browser')"
    done = subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
         "--window-size=1400,2400", f"--user-data-dir={profile}", *arguments, "--dump-dom", path.as_uri()],
        capture_output=True, timeout=50, check=True,
    )  # fmt: skip
    said = [line for line in done.stderr.decode(errors="replace").splitlines() if "CONSOLE" in line]
    return done.stdout.decode(), said


def probed(dom: str) -> dict[str, Any]:
    found = re.search("<output>(.*?)</output>", dom, re.DOTALL)
    assert found, "the probe did not run"
    result = json.loads(html.unescape(found[1]))
    assert isinstance(result, dict)
    return result


def test_a_page_of_charts_has_no_clipped_or_overlapping_text(tmp_path: Path) -> None:
    """The console has no error."""
    path = tmp_path / "page.html"
    path.write_text(page("Benchmarks", [*map(drawing, (FIGURE, GROUPS, LINES)), PROBE]), "utf-8")
    dom, said = browse(path, tmp_path / "profile")
    assert said == []
    found = probed(dom)
    assert found["clipped"] == []
    assert found["overlapping"] == []
    assert found["texts"] > 3 * len(NAMES) + 4 + 8  # a name and two values in each row; labels and values of groups


def test_markup_in_a_label_runs_no_script(tmp_path: Path) -> None:
    """Labels that look like markup are shown as text; the console stays empty."""
    evil = '"><script>console.error("broken in")</script><img src=x onerror="console.error(1)">'
    series = (Series(name=evil, bars=(Bar(why=evil),)), Series(name="x", bars=(Bar(value=1),)))
    chart = Figure(title=evil, note=evil, panels=(Bars(title=evil, axis=evil, labels=(evil,), series=series),))
    path = tmp_path / "page.html"
    path.write_text(page(evil, [drawing(chart), html_table([evil], [[evil, (evil, evil)]], evil)]), "utf-8")
    assert browse(path, tmp_path / "profile")[1] == []
    path.write_text(page("T", [evil]), "utf-8")
    assert any("broken in" in line for line in browse(path, tmp_path / "profile")[1])


@pytest.mark.parametrize(("scheme", "ground"), [("light", (255, 255, 255)), ("dark", (18, 18, 18))])
def test_a_chart_keeps_its_colours_on_light_and_dark_pages(
    tmp_path: Path, scheme: str, ground: tuple[int, int, int]
) -> None:
    """The chart stays white; the page follows the reader's colour scheme."""
    image = pytest.importorskip("PIL.Image")  # comes with matplotlib
    path = tmp_path / "page.html"
    path.write_text(page("T", [drawing(GROUPS)]), "utf-8")
    dark = "0" if scheme == "dark" else "1"
    settings = (f"--screenshot={tmp_path / 'page.png'}", f"--blink-settings=preferredColorScheme={dark}")
    browse(path, tmp_path / "profile", *settings)
    with image.open(tmp_path / "page.png") as picture:
        colours = {colour[:3] for _, colour in picture.getcolors(1 << 24)}
        assert picture.getpixel((1, 1))[:3] == ground
    assert {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00), (0x00, 0x9E, 0x73), (255, 255, 255)} <= colours
