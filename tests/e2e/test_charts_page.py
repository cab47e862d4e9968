"""Charts in a real browser: Debian's chromium, which opens a file and nothing else."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bulkput.report.charts import BarChart, Figure, Line, LineChart, Measure, MultiBarChart, Series
from bulkput.report.lines import size_text
from bulkput.report.page import fragment, page

pytestmark = pytest.mark.browser

NAMES = (
    "bulkput, 1 process, uvloop + httptools", "bulkput, 2 processes", "rclone, --transfers 64", "s5cmd (S3)",
    "python-swiftclient upload, 64 object threads", "obstore HTTPStore (Rust), no MD5", "curl -Z --parallel-max 64",
    "aiohttp loop, 64 in flight", "aiohttp + aiofiles per file", "http.client, sequential (REST of 2009)",
    "M" * 60, "<b>&\"' " + "漢字" * 12,
)  # fmt: skip
VOID = Measure(void="3 of 5 runs lost objects while the store was answering 503", href="#row-10")
RATES = (
    *(Measure(value=v, low=v * 0.9, high=v * 1.2, href=f"#row-{v}") for v in range(31200, 200, -3100)), VOID,
)[: len(NAMES) - 1]  # fmt: skip
FIGURE = Figure(
    title="Uploading 100 000 files",
    charts=(
        BarChart(title="Throughput", axis="more is better", unit="objects/s", labels=NAMES, bars=(*RATES, Measure())),
        BarChart(
            title="Change", unit="%", labels=NAMES, bars=tuple(Measure(value=12.5 * n - 60) for n in range(len(NAMES)))
        ),
        BarChart(
            title="Peak memory, a title that is longer than its panel is wide", labels=NAMES, value_text=size_text,
            is_binary=True, bars=tuple(Measure(value=n * 2**25) for n in range(len(NAMES))),
        ),
    ),
    note="Medians of 5 runs, whiskers from the slowest to the fastest. " * 4,
)  # fmt: skip
GROUPS = MultiBarChart(
    title="By size", labels=NAMES[:4],
    series=tuple(Series(name=f"{n} KB", bars=tuple(Measure(value=n * k) for k in range(4))) for n in (4, 16, 256)),
)  # fmt: skip
LINES = LineChart(
    title="Over time", unit="objects/s", x_axis="s since start",
    lines=tuple(Line(name=f"line {n}", points=tuple((t, (t * n) % 900) for t in range(60))) for n in range(1, 5)),
)  # fmt: skip

# Asks the browser itself where things are. Texts beside each other may touch by their boxes' empty edges: 1 px.
PROBE = """<script>
const found = {clipped: [], overlapping: [], tips: 0, bars: 0, links: 0};
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
  found.tips += svg.querySelectorAll("title").length;
  found.bars += [...svg.querySelectorAll(".bar")].filter(bar => bar.getBoundingClientRect().width > 0).length;
  found.links += svg.querySelectorAll("a").length;
}
const output = document.createElement("output");
output.textContent = JSON.stringify(found);
document.body.append(output);
</script>"""


def browse(path: Path, profile: Path, *arguments: str) -> tuple[str, list[str]]:
    """The page's DOM after its scripts, and what it said on the console."""
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


def test_a_page_of_charts_is_readable_in_a_browser(tmp_path: Path) -> None:
    """No error on the console, no text clipped, none over another; bars have a length, tooltips and links are there."""
    rows = "".join(f'<p id="{(bar.href or "#")[1:]}">row</p>' for bar in RATES)
    path = tmp_path / "page.html"
    path.write_text(page("Benchmarks", [fragment(FIGURE), fragment(GROUPS), fragment(LINES), rows, PROBE]), "utf-8")
    dom, said = browse(path, tmp_path / "profile")
    assert said == []
    found = probed(dom)
    assert found["clipped"] == []
    assert found["overlapping"] == []
    values = [bar.value for chart in FIGURE.charts if isinstance(chart, BarChart) for bar in chart.bars]
    assert found["bars"] == len([value for value in values if value]) + 9
    assert found["tips"] == len(values) + 12 + 240
    assert found["links"] == len([bar for bar in RATES if bar.href])


def test_labels_of_strangers_run_no_script(tmp_path: Path) -> None:
    """What looks like markup is text; the console, which would have told, is heard."""
    evil = '"><script>console.error("broken in")</script><img src=x onerror="console.error(1)">'
    chart = BarChart(title=evil, axis=evil, unit=evil, labels=(evil,), bars=(Measure(void=evil, href="#x"),))
    path = tmp_path / "page.html"
    path.write_text(page(evil, [fragment(chart)]), "utf-8")
    assert browse(path, tmp_path / "profile")[1] == []
    path.write_text(page("T", [evil]), "utf-8")
    assert any("broken in" in line for line in browse(path, tmp_path / "profile")[1])


def test_a_screenshot_is_not_blank(tmp_path: Path) -> None:
    """Chromium paints the bars: their colours are in the picture."""
    image = pytest.importorskip("PIL.Image")  # comes with matplotlib
    path = tmp_path / "page.html"
    path.write_text(page("T", [fragment(GROUPS)]), "utf-8")
    browse(path, tmp_path / "profile", f"--screenshot={tmp_path / 'page.png'}")
    with image.open(tmp_path / "page.png") as picture:
        colours = {colour[:3] for _, colour in picture.getcolors(1 << 24)}
    assert {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00), (0x00, 0x9E, 0x73), (255, 255, 255)} <= colours
