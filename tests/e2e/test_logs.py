"""`bulkput logs` as a command."""

import csv
import gzip
import io
import json
import os
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from benchmarks.logs import write_log
from bulkput.devserver import DevServer
from tests.conftest import environ_of
from tests.e2e.cli import bulkput
from tests.servers.s3 import RealS3

FIREFOX, CURL = "Mozilla/5.0 (X11; U; Linux x86_64) Firefox/3.5", "curl/7.19.5"


def line(ip: str, day: int, path: str, status: int, size: int | str, referrer: str, agent: str) -> str:
    return f'{ip} - - [{day:02}/Feb/2010:04:05:06 +0000] "GET {path} HTTP/1.1" {status} {size} "{referrer}" "{agent}"\n'


LOG = "".join(
    (
        line("10.0.0.1", 14, "/horror/poe/the_raven?page=1", 200, 1000, "http://poe.example/", FIREFOX),
        line("10.0.0.2", 14, "/horror/poe/the_raven", 304, "-", "-", CURL),
        line("10.0.0.1", 15, "/horror/poe/the_raven", 200, 1000, "http://poe.example/", FIREFOX),
        line("10.0.0.3", 15, "/comics/larson/the_far_side", 404, 200, "-", CURL),
        line("10.0.0.3", 15, "/comics/watterson/calvin", 200, 4096, "-", CURL),
        line("10.0.0.1", 16, "/comics/watterson/calvin", 200, 4096, "-", FIREFOX),
    )
)
EXPECTED_TEXT = f"""\
poe/the_raven
  Count:          3
  Bytes:          2 000 (2.0 KiB)
  User Agents:    {FIREFOX}
                  {CURL}
  Response codes: 200, 304
  Referrers:      -
                  http://poe.example/
  IPs:            10.0.0.1, 10.0.0.2
  Dates:          2010-02-14, 2010-02-15
  Container Name: horror

watterson/calvin
  Count:          2
  Bytes:          8 192 (8.0 KiB)
  User Agents:    {FIREFOX}
                  {CURL}
  Response codes: 200
  Referrers:      -
  IPs:            10.0.0.1, 10.0.0.3
  Dates:          2010-02-15, 2010-02-16
  Container Name: comics

larson/the_far_side
  Count:          1
  Bytes:          200
  User Agents:    {CURL}
  Response codes: 404
  Referrers:      -
  IPs:            10.0.0.3
  Dates:          2010-02-15
  Container Name: comics

"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.write_text(LOG)
    return path


def test_text_output_lists_the_distinct_values_of_each_object(log: Path) -> None:
    """bulkput logs access.log"""
    ran = bulkput("logs", log)
    assert (ran.exit_code, ran.out) == (0, EXPECTED_TEXT)
    assert ran.err == "6 lines of 1 log, 3 groups\n"


def test_a_directory_is_read_with_its_gzip_files_and_the_summary_counts_hidden_groups(log: Path) -> None:
    """bulkput logs DIR --by container --json --top 1 --distinct 1"""
    (log.parent / "older").mkdir()
    (log.parent / "older" / "access.log.gz").write_bytes(gzip.compress(LOG.encode() + b"garbage\n"))
    ran = bulkput("logs", log.parent, "--by", "container", "--json", "--top", "1", "--distinct", "1", "-v")
    (row,) = ran.rows
    assert row["key"] == {"container": "comics"} and (row["count"], row["bytes"]) == (6, 16_784)
    assert row["containers"] == ["comics"] and row["user_agents"] is None and row["distinct"] == 1
    assert "garbage" in ran.err
    assert "12 lines of 2 logs, 2 groups; 1 of them not shown; 1 line not understood" in ran.err


def test_csv_values_that_begin_like_formulas_are_quoted(log: Path) -> None:
    """bulkput logs access.log --by user-agent --csv"""
    log.write_text(line("10.0.0.1", 14, "/a/b", 200, 1, "-", "=cmd()") + LOG)
    rows = list(csv.DictReader(io.StringIO(bulkput("logs", log, "--by", "user-agent", "--csv", "--sort", "name").out)))
    assert [row["user-agent"] for row in rows] == ["'=cmd()", FIREFOX, CURL]
    assert rows[1]["dates"] == "2010-02-14\n2010-02-15\n2010-02-16" and rows[1]["count"] == "3"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--by", "colour"], "group by object, container, date, hour, user-agent, status, referrer, ip, method"),
        (["--json", "--csv"], "not both"),
        (["nowhere.log"], "no such file"),
        (["--chart", "chart.pdf"], ".svg, .png, .html"),
        (["--chart", "nowhere/chart.svg"], "no such directory"),
        ([], "no credentials"),
        (["http://127.0.0.1:9/logs/"], "use swift://"),
    ],
)
def test_wrong_arguments_fail_before_any_log_is_read(arguments: list[str], says: str) -> None:
    """bulkput logs with wrong arguments: exit code 2 with the reason"""
    ran = bulkput("logs", *arguments)
    assert ran.exit_code == 2 and says in ran.err and not ran.out


def test_a_damaged_log_fails_the_run_but_the_other_logs_are_read(log: Path) -> None:
    """bulkput logs LOG DAMAGED DAMAGED: exit code 1; lines before the damage count"""
    (log.parent / "cut.gz").write_bytes(gzip.compress((LOG * 500).encode())[:-4])
    (log.parent / "torn.gz").write_bytes(b"\x1f\x8b\x08 and nothing else")
    ran = bulkput("logs", log, log.parent / "cut.gz", log.parent / "torn.gz", "--by", "method", "--json")
    assert ran.exit_code == 1
    assert ran.rows[0]["count"] == 6 * 501
    assert "cut.gz: unreadable: truncated gzip" in ran.err and "torn.gz" in ran.err
    assert "2 logs not read to the end" in ran.err


def test_a_chart_page_has_a_chart_and_a_table_of_its_groups(log: Path) -> None:
    """bulkput logs access.log --by date,status --chart page.html"""
    pytest.importorskip("matplotlib", reason="charts are drawn by matplotlib, which needs numpy", exc_type=ImportError)
    page = log.parent / "page.html"
    assert bulkput("logs", log, "--by", "date,status", "--chart", page).exit_code == 0
    html = page.read_text()
    assert "<title>Requests by date and status</title>" in html
    assert html.count('<th scope="row">') == 5
    assert '<th scope="row">2010-02-14</th><td>304</td><td>1</td>' in html


def test_chart_png_writes_a_png_file(log: Path) -> None:
    """bulkput logs access.log --chart chart.png"""
    pytest.importorskip("matplotlib")
    chart = log.parent / "chart.png"
    assert bulkput("logs", log, "--chart", chart).exit_code == 0
    assert chart.read_bytes().startswith(b"\x89PNG\r\n")


def test_lines_and_bytes_of_each_object_equal_those_of_awk(tmp_path: Path) -> None:
    """bulkput logs DIR --json: 3 000 lines, half of them in a gzip file"""
    log, packed = tmp_path / "log", tmp_path / "logs" / "log.gz"
    write_log(log, 3_000)
    half = log.read_bytes().find(b"\n", log.stat().st_size // 2) + 1
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(log.read_bytes()[half:]))
    (packed.parent / "log").write_bytes(log.read_bytes()[:half])
    rows = bulkput("logs", packed.parent, "--json").rows
    told = {row["key"]["object"]: (row["count"], row["bytes"]) for row in rows}
    script = '{n[$7]++; b[$7]+=$10} END {for (o in n) printf "%s %d %.0f\\n", o, n[o], b[o]}'
    out = subprocess.run(["awk", script, str(log)], check=True, capture_output=True, text=True).stdout
    expected = defaultdict[str, tuple[int, int]](lambda: (0, 0))
    for row in out.splitlines():
        path, count, size = row.split()
        expected[path.split("/", 4)[4]] = int(count), int(size)
    assert told == expected


def test_logs_of_s3_are_recognised_and_name_their_buckets(log: Path) -> None:
    """bulkput logs DIR --by container,object --json: an S3 log beside a combined one"""
    for number, bucket in enumerate(("horror", "comics")):
        (log.parent / f"2019-02-06-04-05-06-{number}").write_text(
            f"79a5 {bucket} [06/Feb/2019:04:05:06 +0000] 192.0.2.3 79a5 3E57 REST.GET.OBJECT poe/the%2520raven"
            f' "GET /poe/the%20raven?x=1 HTTP/1.1" 200 - 1000 5000 70 10 "-" "{CURL}" - s9= SigV4 - - - TLSV1.2 - -\n'
        )
    ran = bulkput("logs", log.parent, "--by", "container,object", "--sort", "name", "--json")
    counts = {tuple(row["key"].values()): (row["count"], row["bytes"]) for row in ran.rows}
    assert counts["horror", "poe/the raven"] == counts["comics", "poe/the raven"] == (1, 1000)
    assert counts["horror", "poe/the_raven"] == (3, 2000) and len(counts) == 5
    assert ran.err == "8 lines of 3 logs, 5 groups\n"


async def test_the_logs_of_an_account_are_read_from_its_container(devserver: DevServer, tmp_path: Path) -> None:
    """bulkput upload LOGS swift://.CDN_ACCESS_LOGS, then bulkput logs without a source"""
    import asyncio  # noqa: PLC0415

    environ = environ_of(devserver)
    for hour, container in ((4, "horror"), (5, "horror"), (4, "comics")):
        directory = tmp_path / container / "2010/02/14" / f"{hour:02}"
        directory.mkdir(parents=True)
        (directory / "5f3a.gz").write_bytes(gzip.compress(line("10.0.0.1", 14, "/a/b", 200, 7, "-", CURL).encode()))
    missing = await asyncio.to_thread(bulkput, "logs", environ=environ)
    assert missing.exit_code == 1 and "404" in missing.err
    sent = await asyncio.to_thread(bulkput, "upload", tmp_path, "swift://.CDN_ACCESS_LOGS", environ=environ)
    assert sent.exit_code == 0
    ran = await asyncio.to_thread(bulkput, "logs", "--by", "container,object", "--json", environ=environ)
    assert {tuple(row["key"].values()): row["count"] for row in ran.rows} == {
        ("horror", "a/b"): 2,
        ("comics", "a/b"): 1,
    }
    url = "swift://.CDN_ACCESS_LOGS/horror/2010/02/14/04"
    ran = await asyncio.to_thread(bulkput, "logs", url, "--json", environ=environ)
    assert json.loads(ran.out)["count"] == 1


def test_logs_fails_if_no_line_can_be_parsed(tmp_path: Path) -> None:
    """bulkput logs TARBALL: one sentence, exit 1"""
    (tmp_path / "tar").write_bytes(os.urandom(10_000) + b"\n")
    ran = bulkput("logs", tmp_path / "tar")
    assert (ran.exit_code, "no line was understood" in ran.err) == (1, True)


@pytest.mark.rgw
def test_logs_of_s3_are_read_from_the_bucket_that_they_are_delivered_to(rgw_s3: RealS3) -> None:
    """bulkput logs s3://b/horror/ --json, of one plain and one gzip log; other names are not read"""
    bucket = rgw_s3.make_bucket()
    text = (
        f'79a5 horror [06/Feb/2019:04:05:06 +0000] 192.0.2.3 79a5 3E57 REST.GET.OBJECT raven "GET /raven HTTP/1.1" 200'
        f' - 1000 5000 70 10 "-" "{CURL}" - s9= SigV4 - - - TLSV1.2 - -\n'
    ).encode()
    for name, content in (("horror/2019-a", text), ("horror/2019-b", gzip.compress(text)), ("other/2019", text)):
        rgw_s3.client().put_object(Bucket=bucket, Key=name, Body=content)
    ran = bulkput("logs", f"s3://{bucket}/horror/", "--by", "container,object", "--json", environ=rgw_s3.environment)
    (row,) = ran.rows
    assert (ran.exit_code, row["key"], row["count"]) == (0, {"container": "horror", "object": "raven"}, 2)
    assert ran.err == "2 lines of 2 logs, 1 group\n"
