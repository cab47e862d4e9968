"""A run that is watched. Each docstring begins with the command that the test covers."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.cli import bulkput
from tests.e2e.watched import Seen, chromium, looking, uploading
from tests.servers.moody import moody
from tests.servers.swift import RealSwift

HOSTILE = "<img src=x onerror=alert(1)>"
SCRIPT = "</script><script>alert(2)<!--"
"""A file below a directory that is called `<`, since a name has no slash."""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def store() -> Iterator[RealSwift]:
    """Slow, asks now and then for fewer requests, refuses names with `refused` in them."""
    with moody(put_s=0.3, throttle_each=25, refuse="refused") as running:
        yield running


@pytest.fixture
def url() -> str:
    return f"swift://c-{uuid.uuid4().hex[:8]}/x"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """150 files, and three that the store refuses."""
    root = tmp_path / "tree"
    (root / f"refused {SCRIPT}").parent.mkdir(parents=True)
    for number in range(150):
        (root / f"file-{number:03}").write_bytes(b"x" * 10_000)
    (root / f"refused {SCRIPT}").write_text("x")
    (root / f"refused {HOSTILE}").write_text("x")
    (root / f"refused {'w' * 200}").write_text("x")
    return root


def number_in(page: Page, place: str) -> int:
    return int(re.sub(r"\D", "", page.locator(place).inner_text()))


def assert_calm(seen: Seen, url: str) -> None:
    """No message on the console, no dialog, no element made of a name, no request to another host."""
    assert seen.said == []
    assert seen.hosts <= {url.split("/")[2]}
    assert seen.page.locator("img").count() == 0


@pytest.mark.browser
def test_the_numbers_on_the_page_move_until_it_says_how_the_run_ended(
    browser: Browser, store: RealSwift, tree: Path, url: str
) -> None:
    """bulkput upload --status-page 0: with failures and retries"""
    with (
        uploading("--concurrency", "4", tree, url, environ=store.environment) as run,
        looking(browser, run.url) as seen,
    ):
        page = seen.page
        expect(page.locator("#state")).to_have_text("Running")
        expect(page.locator("#destination")).to_have_text(url)
        expect(page.locator("#objects")).not_to_have_text(re.compile(r"^0\s*$"))
        first = number_in(page, "#done")
        page.wait_for_function("first => +document.getElementById('done').textContent > first", arg=first)
        expect(page.locator("#time_title")).to_have_text("Time left")
        expect(page.locator("#percent")).to_have_text(re.compile(r"^\d+ %$"))
        expect(page.locator("#rows tr").first).to_be_visible()
        expect(page.locator("#state")).to_have_text("Finished with failures (exit code 1)")
        assert number_in(page, "#done") == 153 and number_in(page, "#failed") == 3
        assert page.locator("#of").inner_text() == "of 153 done"
        names = page.locator("#failure_list .name").all_inner_texts()
        assert set(names) == {f"refused {HOSTILE}", "refused " + "w" * 200, f"refused {SCRIPT}"}
        expect(page.locator("#failed_more")).to_have_text(re.compile(r"^\d+ retries, throttled$"))
        expect(page.locator("#why")).to_have_text("at most 4 requests at a time: as asked for")
        assert page.locator("#chart_objects canvas").count() == 1
        assert run.ended()[0] == 1
        page.wait_for_timeout(6_000)  # longer than a browser waits until it connects again, if it would
        expect(page.locator("#state")).to_have_text("Finished with failures (exit code 1)")
        expect(page.locator("#notice")).to_have_text("3 of 153 files found failed.")
        assert_calm(seen, run.url)


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_fits_a_phone_in_the_light_and_in_the_dark(
    browser: Browser, store: RealSwift, tree: Path, url: str, dark: bool
) -> None:
    """bulkput upload --status-page 0: 375 px wide, also with a name of 200 letters without a space"""
    with (
        uploading("--concurrency", "8", tree, url, environ=store.environment) as run,
        looking(browser, run.url, width=375, height=667, dark=dark) as seen,
    ):
        expect(seen.page.locator("#rows tr").first).to_be_visible()
        assert seen.page.evaluate(OVERFLOW) == 0
        glance = ("#state", "#percent", "#time", "#objects", "#bytes", "#failed")
        tops = [box["y"] + box["height"] for each in glance if (box := seen.page.locator(each).bounding_box())]
        assert len(tops) == len(glance) and max(tops) < 667, "rate, time and trouble are seen without scrolling"
        expect(seen.page.locator("#state")).to_have_text(re.compile("exit code"))
        assert seen.page.evaluate(OVERFLOW) == 0
        ground = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(16, 19, 23)" if dark else "rgb(246, 247, 248)")
        assert_calm(seen, run.url)


@pytest.mark.browser
def test_a_page_whose_run_was_killed_says_so(browser: Browser, store: RealSwift, tree: Path, url: str) -> None:
    """bulkput upload --status-page 0, and kill -9"""
    with (
        uploading("--concurrency", "2", tree, url, environ=store.environment) as run,
        looking(browser, run.url) as seen,
    ):
        expect(seen.page.locator("#state")).to_have_text("Running")
        run.process.kill()
        expect(seen.page.locator("#state")).to_have_text("No connection")
        expect(seen.page.locator("#notice")).to_contain_text("it may have been killed")


@pytest.mark.browser
def test_a_report_is_the_same_page_as_a_file(
    browser: Browser, store: RealSwift, tree: Path, url: str, tmp_path: Path
) -> None:
    """bulkput upload --report: opened from file://, without any server"""
    report = tmp_path / "out.html"
    ran = bulkput("upload", "--concurrency", "64", "--report", report, tree, url, environ=store.environment)
    assert ran.exit_code == 1, ran.err
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    for dark in (False, True):
        with looking(browser, report.as_uri(), width=375, height=667, dark=dark) as seen:
            expect(seen.page.locator("#state")).to_have_text("Finished with failures (exit code 1)")
            assert number_in(seen.page, "#done") == 153
            assert seen.page.locator("#chart_objects canvas").count() == 1
            assert HOSTILE in seen.page.locator("#failure_list").inner_text()
            assert seen.page.evaluate(OVERFLOW) == 0
            assert seen.said == [] and seen.hosts <= {""}
            assert seen.page.locator("img").count() == 0


def test_a_port_that_is_taken_ends_the_command_before_anything_is_sent(
    environ: dict[str, str], tree: Path, url: str
) -> None:
    """bulkput upload --status-page PORT, where another program listens"""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = bulkput("upload", "--status-page", str(port), tree, url, environ=environ)
    assert ran.exit_code == 2
    assert ran.err == (
        f"bulkput: --status-page 127.0.0.1:{port}: another program has this port:"
        " name another one, or 0 for any that is free\n"
    )
    assert bulkput("ls", url, environ=environ).exit_code == 1, "nothing is there"


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--status-page", "nothing:here"], "--status-page nothing:here: write PORT or HOST:PORT"),
        (["--status-page", "70000"], "--status-page 70000: a port is a number up to 65535"),
        (["--status-page", "nobody.invalid:0"], "--status-page nobody.invalid:0: no address is known for this name"),
        (["--status-page", "192.0.2.7:0"], "--status-page 192.0.2.7:0: this is no address of this machine"),
        (["--report", "no/out.html"], "--report no/out.html: No such file or directory"),
        (["--report", "-"], "--report needs a file"),
    ],
)
def test_a_mistake_in_a_flag_is_one_sentence(
    environ: dict[str, str], tree: Path, url: str, flags: list[str], told: str
) -> None:
    """bulkput upload --status-page | --report"""
    ran = bulkput("upload", *flags, tree, url, environ=environ, cwd=tree)
    assert (ran.exit_code, ran.err.count("\n")) == (2, 1)
    assert ran.err.startswith(f"bulkput: {told}")
    assert bulkput("ls", url, environ=environ).exit_code == 1, "nothing is there"


def test_metrics_and_numbers_of_a_run_can_be_asked_for(store: RealSwift, tree: Path, url: str) -> None:
    """bulkput upload --status-page 0 -q --tag: the URL is printed all the same"""
    with uploading("-q", "--concurrency", "4", "--tag", "b-1", tree, url, environ=store.environment) as run:
        assert run.url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{run.url}metrics", timeout=10) as answer:
            families = {each.name: each for each in text_string_to_metric_families(answer.read().decode())}
        assert families["bulkput_run_info"].samples[0].labels["destination"] == url
        with urllib.request.urlopen(f"{run.url}numbers.json", timeout=10) as answer:
            assert json.load(answer)["about"]["tag"] == "b-1"


def test_a_page_that_others_can_read_is_warned_of(store: RealSwift, tree: Path, url: str) -> None:
    """bulkput upload --status-page 0.0.0.0:0: it has no password"""
    with uploading("--status-page", "0.0.0.0:0", "--concurrency", "64", tree, url, environ=store.environment) as run:
        assert run.url.startswith("http://localhost:")
        _, err = run.ended()
    assert err.startswith("warning: whoever reaches this machine can read the status page: it has no password\n")


def test_no_secret_is_on_the_page(store: RealSwift, tree: Path, url: str) -> None:
    """bulkput upload --status-page 0: neither the key, nor the token"""
    with uploading("--concurrency", "4", tree, url, environ=store.environment) as run:
        texts = []
        for path in ("", "numbers.json", "metrics"):
            with urllib.request.urlopen(run.url + path, timeout=10) as answer:
                texts.append(answer.read().decode())
    assert not re.search(r"testing|AUTH_tk|ST_KEY|X-Auth", "".join(texts))


def numbers_of(report: Path) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="numbers">(.*?)</script>', report.read_text(), re.DOTALL)
    assert found
    numbers = json.loads(found[1])
    assert isinstance(numbers, dict)
    return numbers


def test_an_interrupted_run_has_its_report(store: RealSwift, tree: Path, url: str, tmp_path: Path) -> None:
    """bulkput upload --report, and Ctrl-C"""
    report = tmp_path / "out.html"
    flags = ("--concurrency", "2", "--report", report)
    with uploading(*flags, tree, url, environ=store.environment) as run:
        with urllib.request.urlopen(f"{run.url}events", timeout=10) as stream:
            while '"state": "running"' not in stream.readline().decode():
                pass
            run.process.send_signal(signal.SIGINT)
            last = [line for line in stream if line.startswith(b"data: ")][-1]
        assert run.ended()[0] == 130
    told = numbers_of(report)
    assert told["ended"] == json.loads(last.removeprefix(b"data: "))["ended"] == {"exit_code": 130, "why": ""}
    assert told["stopping"] and told["in_flight"] == 0


@pytest.mark.browser
def test_the_report_of_an_interrupted_run_shows_how_far_it_got_and_what_was_not_sent(
    browser: Browser, tmp_path: Path, url: str
) -> None:
    """bulkput upload --report, and Ctrl-C: of more files than the scan is ahead by. The last lines have its numbers."""
    report, root = tmp_path / "out.html", tmp_path / "many"
    root.mkdir()
    for number in range(1_000):
        (root / f"{number:04}").write_bytes(b"x" * 1_000)
    flags = ("--concurrency", "8", "--report", report)
    with moody(put_s=0.3) as slow, uploading(*flags, root, url, environ=slow.environment) as run:
        while True:
            with urllib.request.urlopen(f"{run.url}numbers.json", timeout=10) as answer:
                if json.load(answer)["history"]["seen"][0] >= 3:
                    break
        run.process.send_signal(signal.SIGINT)
        code, err = run.ended()
    assert code == 130
    last = re.search(
        r"^(\d+) uploaded, (\d+) skipped, 0 failed of (\d+) found\n.* in (.* s), (\d+) obj", err, re.MULTILINE
    )
    assert last, err
    uploaded, left, found = map(int, last.groups()[:3])
    assert uploaded + left == found < 1_000
    with looking(browser, report.as_uri()) as seen:
        page = seen.page
        expect(page.locator("#state")).to_have_text("Interrupted (exit code 130)")
        expect(page.locator("#notice")).to_have_text(
            f"The run was interrupted. {left} of {found} files found were not sent."
            " The scan did not come to its end: there may be more."
        )
        assert number_in(page, "#done") == uploaded
        assert page.locator("#of").inner_text() == f"done, {found} found when the scan was ended"
        bar, fill = (page.locator(each).bounding_box() for each in ("#bar", "#fill"))
        assert bar and fill and fill["width"] == pytest.approx(bar["width"] * uploaded / found, abs=2)
        assert page.locator("#time").inner_text().strip() == last[4].replace(" ", "")
        shown = float(page.locator("#objects").inner_text())
        assert shown == pytest.approx(int(last[5]), abs=0.56), "the page has a decimal"
        assert page.locator("#chart_objects canvas").is_visible() and page.locator("#too_short").is_hidden()
        assert seen.said == []


@pytest.mark.browser
def test_the_report_of_a_run_that_was_refused_says_why_and_that_nothing_was_uploaded(
    browser: Browser, environ: dict[str, str], tree: Path, url: str, tmp_path: Path
) -> None:
    """bulkput upload --report, with a wrong key: an empty bar, and no charts of a moment"""
    report = tmp_path / "out.html"
    assert bulkput("upload", "--report", report, tree, url, environ={**environ, "ST_KEY": "wrong"}).exit_code == 3
    with looking(browser, report.as_uri()) as seen:
        expect(seen.page.locator("#state")).to_have_text("Stopped (exit code 3)")
        expect(seen.page.locator("#notice")).to_have_text(
            re.compile(r"^The run was stopped: login .*: 401 .*\. Nothing was uploaded\.$")
        )
        fill = seen.page.locator("#fill").bounding_box()
        assert fill and fill["width"] == 0
        expect(seen.page.locator("#too_short")).to_have_text("No charts: the run was too short for them.")
        expect(seen.page.locator("#chart_objects")).to_be_hidden()
        assert seen.said == []


def test_a_run_that_cannot_log_in_has_its_report(environ: dict[str, str], tree: Path, url: str, tmp_path: Path) -> None:
    """bulkput upload --report, with a wrong key: 3, and the reason"""
    report = tmp_path / "out.html"
    ran = bulkput("upload", "--report", report, tree, url, environ={**environ, "ST_KEY": "wrong"})
    assert ran.exit_code == 3, ran.err
    told = numbers_of(report)
    assert told["ended"] == {"exit_code": 3, "why": ""} and "401" in str(told["stopping"])


def test_a_command_that_does_not_begin_leaves_the_old_report(environ: dict[str, str], url: str, tmp_path: Path) -> None:
    """bulkput upload --report /no/such/source: 2"""
    report = tmp_path / "out.html"
    report.write_text("old")
    ran = bulkput("upload", "--report", report, tmp_path / "nothing", url, environ=environ)
    assert (ran.exit_code, report.read_text()) == (2, "old")
    assert [path.name for path in tmp_path.iterdir()] == ["out.html"]


def test_a_report_that_cannot_be_written_any_more_is_told(
    store: RealSwift, tree: Path, url: str, tmp_path: Path
) -> None:
    """bulkput upload --report, whose directory vanishes meanwhile: 3, and the page says so; the files are stored"""
    folder = tmp_path / "gone"
    folder.mkdir()
    with uploading("--report", folder / "out.html", tree, url, environ=store.environment) as run:
        with urllib.request.urlopen(f"{run.url}events", timeout=10) as stream:
            stream.readline()
            folder.rmdir()
            last = [line for line in stream if line.startswith(b"data: ")][-1]
        code, err = run.ended()
    assert code == 3 and "150 uploaded" in err
    assert f"bulkput: cannot write to {folder}/out.html: No such file or directory\n" in err
    assert json.loads(last.removeprefix(b"data: "))["ended"]["exit_code"] == 3


def test_the_report_itself_is_not_uploaded(environ: dict[str, str], tree: Path, url: str) -> None:
    """bulkput upload --report SOURCE/out.html, twice: the second run has one to leave out"""
    for _ in range(2):
        ran = bulkput("upload", "--report", tree / "out.html", tree, url, environ=environ)
        assert ran.exit_code == 0, ran.err
    assert "out.html" not in bulkput("ls", url + "/", environ=environ).out


def test_a_plain_report_imports_no_server(environ: dict[str, str], tree: Path, url: str, tmp_path: Path) -> None:
    """bulkput upload --report: neither aiohttp nor prometheus_client"""
    program = "import sys; sys.argv = ['bulkput', *sys.argv[1:]]; from bulkput.cli.main import bulkput; "
    program += "bulkput(standalone_mode=False); print(*sys.modules)"
    command = [sys.executable, "-c", program, "upload", "-q", "--report", tmp_path / "out.html", tree, url]
    ran = subprocess.run(command, env=os.environ | environ, capture_output=True, text=True, timeout=50, check=True)
    assert not {"aiohttp", "prometheus_client", "bulkput.watch.server"} & set(ran.stdout.split())


@pytest.mark.browser
def test_a_stalled_run_shows_first_what_it_waits_for(browser: Browser, tree: Path, url: str) -> None:
    """bulkput upload --status-page 0 --stalled-after 2: a store that does not answer for a minute"""
    flags = ("--stalled-after", "2", "--concurrency", "2")
    with (
        moody(put_s=60) as slow,
        uploading(*flags, tree, url, environ=slow.environment) as run,
        looking(browser, run.url) as seen,
    ):
        expect(seen.page.locator("#state")).to_have_text(re.compile(r"^Stalled for \d+ s$"))
        expect(seen.page.locator("#notice")).to_contain_text("Nothing moves")
        expect(seen.page.locator("#rows")).to_contain_text("waiting for the answer")
        table, charts = (seen.page.locator(each).bounding_box() for each in ("#flight", ".charts"))
        assert table and charts and table["y"] < charts["y"]
        expect(seen.page.locator("#time_title")).to_have_text("Running for")
