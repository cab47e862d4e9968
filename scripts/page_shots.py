"""Make screenshots of the status page and the report: run by scripts/page_shots."""

import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bulkput import events as ev
from bulkput.recorder import Recorder
from bulkput.watch.numbers import About, Ended, Numbers
from bulkput.watch.page import report
from tests.e2e.watched import chromium, looking, uploading
from tests.servers.moody import moody

HOSTILE = "<img src=x onerror=alert(1)>"


def make_tree(root: Path, count: int) -> None:
    """Files of 1 to 200 KB, some with names that the store will refuse."""
    draw = random.Random(1)  # noqa: S311 - sizes
    for number in range(count):
        folder = root / f"2026-{1 + number % 12:02}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"scan-{number:05}.tif").write_bytes(b"x" * draw.randrange(1_000, 200_000))
    for number in range(23):
        (root / "2026-06" / f"refused {number} {HOSTILE}.tif").write_bytes(b"x" * 1000)


def a_long_run() -> str:
    """A report of a day that never was: several workers and containers, a stall, an end by a full store."""
    draw, recorder, time_s = random.Random(2), Recorder(), 0.0  # noqa: S311
    about = About(sources=("/srv/archive", "/srv/scans"), destination="swift://archive-{00..63}/2026", tag="build-4711")
    began_at = 1_795_856_400.0
    numbers = Numbers(recorder, about, clock=lambda: time_s, now=lambda: began_at)
    numbers(ev.Tuned(192, "more did not help"))
    while time_s < 20 * 3600:
        time_s += 10
        is_stalled = 30_000 < time_s < 33_000
        done = 0 if is_stalled else int(draw.gauss(4_100, 220) * (0.4 if 50_000 < time_s < 56_000 else 1))
        recorder.found += done + 5 * (time_s < 20_000)
        recorder.uploaded += done
        recorder.bytes_read += int(done * draw.uniform(90_000, 130_000))
        recorder.retries += int(50_000 < time_s < 56_000) * draw.randrange(400)
        for kind, count in (("worker", 8), ("container", 64)):
            for number in range(count):
                name = f"{kind[0]}-{number:02}" if kind == "worker" else f"archive-{number:02}"
                recorder.done_by[kind][name] += int(done / count * draw.uniform(0.8, 1.2))  # type: ignore[index]
        numbers.look()
    recorder(ev.Stopping("put 2026/x: 413 the account is full", ev.StopCause.STORE))
    numbers.end(Ended(3))
    return report(numbers.as_json())


def main(out: Path) -> None:
    """A run with trouble, from its start to its end, in windows of several kinds."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made, chromium() as browser:
        root, report = Path(made) / "archive", Path(made) / "report.html"
        make_tree(root, 4_000)
        flags = ("--concurrency", "40")
        with (
            moody(put_s=0.25, throttle_each=40, refuse="refused") as store,
            uploading(*flags, "--report", report, root, "swift://archive/2026", environ=store.environment) as upload,
            looking(browser, upload.url) as desk,
            looking(browser, upload.url, width=375, height=812) as phone,
            looking(browser, upload.url, dark=True) as dark,
            looking(browser, upload.url, width=375, height=812, dark=True) as phone_dark,
        ):  # fmt: skip
            windows = {"desktop": desk, "phone": phone, "dark": dark, "phone-dark": phone_dark}
            for moment, wait_s in (("begin", 4), ("middle", 8)):
                time.sleep(wait_s)
                for name, seen in windows.items():
                    seen.page.screenshot(path=out / f"{moment}-{name}.png", full_page=True)
            desk.page.locator("#state", has_text="exit code").wait_for(timeout=120_000)
            for name, seen in windows.items():
                seen.page.screenshot(path=out / f"end-{name}.png", full_page=True)
        with looking(browser, report.as_uri()) as seen:
            seen.page.screenshot(path=out / "report.png", full_page=True)
        long = Path(made) / "long.html"
        long.write_text(a_long_run(), "utf-8")
        for name, width in (("long", 1280), ("long-phone", 375)):
            with looking(browser, long.as_uri(), width=width) as seen:
                seen.page.screenshot(path=out / f"{name}.png", full_page=True)
        few = Path(made) / "few"
        make_tree(few, 120)
        for name, put_s, more, words in (
            ("left", 0.4, ("--concurrency", "2"), "Running"),
            ("stalled", 90, ("--concurrency", "8", "--stalled-after", "3"), "Stalled"),
        ):
            with (
                moody(put_s=put_s, throttle_each=30, refuse="refused 1") as store,
                uploading(*more, few, "swift://archive/2026", environ=store.environment) as upload,
                looking(browser, upload.url) as desk,
                looking(browser, upload.url, width=375, height=812, dark=True) as phone,
            ):
                desk.page.locator("#state", has_text=words).wait_for(timeout=60_000)
                time.sleep(7)
                desk.page.screenshot(path=out / f"{name}-desktop.png")
                phone.page.screenshot(path=out / f"{name}-phone-dark.png")
        (out / "report.html").write_bytes(report.read_bytes())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
