"""`bulkput upload --rules` against the devserver. Docstrings begin with the command."""

import gzip
import json
import os
import re
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cli import Ran, bulkput
from tests.servers.judge import SwiftJudge
from tests.servers.swift import RealSwift

pytestmark = pytest.mark.timeout(180)
TEXT = b"some words, again and again\n" * 500
DAY_S = 86_400


@pytest.fixture
def judge(server: RealSwift) -> SwiftJudge:
    return SwiftJudge(server.auth_url, server.user, server.key)


@pytest.fixture
def container() -> str:
    return f"r-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "tmp").mkdir(parents=True)
    for name in ("index.html", "a.log", "b.bin", "tmp/c.html"):
        (root / name).write_bytes(TEXT)
    return root


class Run:
    """`upload --rules` of one tree to one container."""

    def __init__(self, tree: Path, container: str, environ: dict[str, str]) -> None:
        self.tree, self.container, self.environ = tree, container, environ
        self.rules = tree.parent / "publish.toml"

    def __call__(self, rules: str, *options: str | Path, url: str | None = None) -> Ran:
        self.rules.write_text(rules)
        to = url or f"swift://{self.container}"
        return bulkput("upload", "--rules", self.rules, *options, self.tree, to, environ=self.environ)


@pytest.fixture
def run(tree: Path, container: str, environ: dict[str, str]) -> Run:
    return Run(tree, container, environ)


def stored(ran: Ran) -> dict[str, Any]:
    assert ran.exit_code == 0, ran.err
    return ran.summary


PUBLISH = """
    [[rule]]
    match = "/tmp/"
    expires-in = "2d"
    [[rule]]
    match = "*.html"
    content-type = "text/html; charset=utf-8"
    cache-control = "no-cache"
    metadata = {kind = "page"}
    [[rule]]
    match = "*.log"
    content-disposition = "attachment"
    gzip = "always"
    [[rule]]
    match = "*"
    cache-control = "public, max-age=60"
    metadata = {kind = "file", build = "7"}
"""


def test_each_object_gets_the_headers_of_its_rules(run: Run, container: str, judge: SwiftJudge) -> None:
    """bulkput upload --rules publish.toml --content-type text/x-all --header X-Delete-At:... TREE"""
    at = int(time.time()) + 100 * DAY_S
    ran = run(PUBLISH, "--content-type", "text/x-all", "--header", f"X-Delete-At: {at}", "--meta", "Kind: all")
    assert ran.exit_code == 0, ran.err
    page, part = judge.head(container, "index.html"), judge.head(container, "tmp/c.html")
    log, binary = judge.head(container, "a.log"), judge.head(container, "b.bin")
    assert [each["Content-Type"] for each in (page, part, log, binary)] == [
        *["text/html; charset=utf-8"] * 2, *["text/x-all"] * 2
    ]  # fmt: skip
    assert [each["Cache-Control"] for each in (page, part, log, binary)] == [
        *["no-cache"] * 2, *["public, max-age=60"] * 2
    ]  # fmt: skip
    assert [each["X-Object-Meta-Kind"] for each in (page, log)] == ["page", "file"]
    assert [each["X-Object-Meta-Build"] for each in (page, log)] == ["7", "7"]
    assert (log["Content-Disposition"], page.get("Content-Disposition")) == ("attachment", None)
    assert (int(page["X-Delete-At"]), abs(int(part["X-Delete-At"]) - time.time() - 2 * DAY_S) < 600) == (at, True)


def test_a_rule_compresses_single_files(run: Run, container: str, judge: SwiftJudge, tree: Path) -> None:
    """bulkput upload --rules publish.toml --gzip-level 9 TREE, then zcat; verify, and --skip identical"""
    ran = run(PUBLISH, "--gzip-level", "9", "--summary", "-")
    assert stored(ran)["gzip"]["compressed_by_reason"] == {"asked for": 1}
    assert ran.summary["gzip"]["left_alone_by_reason"] == {"not asked for": 3}
    log, page = judge.get(container, "a.log"), judge.get(container, "index.html")
    assert log is not None and page is not None
    assert (log.headers["Content-Encoding"], page.headers.get("Content-Encoding")) == ("gzip", None)
    assert (gzip.decompress(log.content), page.content) == (TEXT, TEXT)
    verified = bulkput("verify", tree, f"swift://{container}", environ=run.environ)
    assert verified.exit_code == 0, verified.err
    again = stored(run(PUBLISH, "--skip", "identical", "--summary", "-"))
    assert (again["uploaded"], again["skipped_by_reason"]) == (0, {"identical in the store": 4})


def test_a_rule_leaves_files_uncompressed_in_a_run_that_compresses(run: Run, container: str, judge: SwiftJudge) -> None:
    """bulkput upload --rules publish.toml --gzip always --gzip-except index.html TREE"""
    rules = "[[rule]]\nmatch = '*.bin'\ngzip = 'never'\n[[rule]]\nmatch = '*.html'\ngzip = 'always'"
    ran = run(rules, "--gzip", "always", "--gzip-except", "index.html")
    assert ran.exit_code == 0, ran.err
    encoded = {name for name in judge.names(container) if judge.head(container, name).get("Content-Encoding")}
    assert encoded == {"a.log", "tmp/c.html"}


def test_a_file_is_sent_again_before_its_object_expires_and_others_are_skipped(
    run: Run, container: str, judge: SwiftJudge
) -> None:
    """bulkput upload --rules publish.toml --skip existing TREE: as --expires-in does, but for single files"""
    assert run(PUBLISH).exit_code == 0
    first = stored(run(PUBLISH, "--skip", "existing", "--summary", "-"))
    assert (first["uploaded"], first["requests"].get("HEAD")) == (0, 1), "only one of them expires"
    longer = PUBLISH.replace("2d", "9d")
    again = stored(run(longer, "--skip", "existing", "--summary", "-"))
    assert (again["uploaded"], again["skipped"]) == (1, 3)
    assert int(judge.head(container, "tmp/c.html")["X-Delete-At"]) > time.time() + 8 * DAY_S


def test_a_journal_goes_on_with_the_same_rules_and_refuses_others(run: Run, tmp_path: Path) -> None:
    """bulkput upload --journal up.db --rules publish.toml TREE, then with another file of rules, then without"""
    journal = ("--journal", tmp_path / "up.db")
    assert run(PUBLISH, *journal).exit_code == 0
    again = run(f"# the same rules, written in another way\n{PUBLISH}", *journal, "--summary", "-")
    assert stored(again)["skipped_by_reason"] == {"uploaded before, says the journal": 4}
    assert "matched nothing" not in again.err, "the journal knows the files, so the rules were not asked"
    for changed in (PUBLISH.replace("no-cache", "no-store"), PUBLISH.replace("always", "auto")):
        refused = run(changed, *journal)
        assert refused.exit_code == 2
        assert "--rules" in refused.err
    plain = bulkput("upload", *journal, run.tree, f"swift://{run.container}", environ=run.environ)
    assert plain.exit_code == 2


def test_rows_of_a_journal_count_no_longer_than_the_shortest_life(
    run: Run, tmp_path: Path, container: str, judge: SwiftJudge
) -> None:
    """bulkput upload --journal up.db --rules publish.toml TREE, with a life of one second, twice"""
    rules = "[[rule]]\nmatch = '/tmp/'\nexpires-in = 1"
    journal = ("--journal", tmp_path / "up.db")
    assert run(rules, *journal).exit_code == 0
    expires_s = int(judge.head(container, "index.html")["X-Timestamp"].partition(".")[0]) + 2
    while time.time() < expires_s:
        time.sleep(0.05)
    assert stored(run(rules, *journal, "--summary", "-"))["uploaded"] == 4


def test_a_dry_run_says_which_rule_gives_what(run: Run) -> None:
    """bulkput upload --dry-run -v --rules publish.toml TREE; with --skip the worker decides; --json"""
    dry = run(PUBLISH, "--dry-run", "-v")
    assert dry.exit_code == 0, dry.err
    lines = dry.out.splitlines()
    at = next(index for index, line in enumerate(lines) if "a.log ->" in line)
    assert lines[at + 1].strip().split(", ") == [
        "content-type text/plain", "cache-control public", "max-age=60 (rule 4)",
        "content-disposition attachment (rule 3)", "gzip always (rule 3)", "metadata.kind file (rule 4)",
        "metadata.build 7 (rule 4)",
    ]  # fmt: skip
    for options in (("--json",), ("--json", "--skip", "identical")):
        rows = [row for row in run(PUBLISH, "--dry-run", *options).rows if row.get("key") == "index.html"]
        assert [(row["headers"]["cache-control"], row["rules"]["cache-control"]) for row in rows] == [("no-cache", 2)]
    assert run(PUBLISH, "--dry-run").out.count("\n") == 4


def test_a_compared_file_of_a_dry_run_is_told_with_its_rules(run: Run, tree: Path) -> None:
    """bulkput upload --dry-run --json --skip identical --rules publish.toml TREE, after one of them has changed"""
    assert run(PUBLISH).exit_code == 0
    (tree / "a.log").write_bytes(TEXT + b"more")
    rows = [row for row in run(PUBLISH, "--dry-run", "--json", "--skip", "identical").rows if row.get("rules")]
    assert [(row["key"], row["rules"]["gzip"]) for row in rows] == [("a.log", 3)]


@pytest.mark.parametrize(
    ("rules", "options", "says"),
    [
        ("[[rule]]\nmatch='*'\ncache-contrl='x'", (), "rule 1: 'cache-contrl' is no field of a rule: did you mean"),
        ("[[rule]]\nmatch=['*', '!']\ngzip='auto'", (), "rule 1: not a gitignore pattern"),
        ("[[rule]]\nmatch='*'\nstorage-class='COLD'", (), "rule 1 has a storage class.*--storage-policy"),
        (
            "[[rule]]\nmatch='*'\ngzip='auto'",
            ("--gzip", "always", "--gzip-as", "suffix"),
            "rule 1 has gzip, and with --gzip-as suffix .*--gzip-except says",
        ),
        ("[[rule]]\nmatch='*'\nmetadata={mtime='1'}", (), "Mtime is the file's own modification time"),
        ("[[rule]]\nmatch='*'\ngzip='auto'", ("--meta", "Source-Size: 1"), "--meta Source-Size is what bulkput itself"),
        ("[[rule]]\nmatch='*'\ngzip='never'", ("--gzip-level", "9"), "--gzip-level.* need --gzip auto or always"),
    ],
)
def test_a_rule_that_cannot_hold_ends_with_2_and_sends_nothing(
    run: Run, judge: SwiftJudge, rules: str, options: tuple[str, ...], says: str
) -> None:
    """bulkput upload --rules publish.toml TREE: one sentence"""
    ran = run(rules, *options)
    assert ran.exit_code == 2
    (line,) = ran.err.splitlines()
    assert re.search(says, line), line
    assert run.container not in judge.containers()


def test_a_pipe_is_matched_by_its_own_name(
    container: str, environ: dict[str, str], judge: SwiftJudge, tmp_path: Path
) -> None:
    """bulkput upload --rules publish.toml - swift://c/words.txt"""
    (tmp_path / "r.toml").write_text(
        "[[rule]]\nmatch = '-'\ngzip = 'always'\nexpires-in = '2d'\n[[rule]]\nmatch = '*.txt'\ncache-control = 'x'"
    )
    command = [sys.executable, "-m", "bulkput", "upload", "--rules", str(tmp_path / "r.toml")]
    sent = subprocess.run(
        [*command, "-", f"swift://{container}/words.txt"],
        input=TEXT, env={**os.environ, **environ}, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert sent.returncode == 0, sent.stderr
    seen = judge.get(container, "words.txt")
    assert seen is not None and gzip.decompress(seen.content) == TEXT
    assert "X-Delete-At" in seen.headers and "Cache-Control" not in seen.headers
    assert b"rule 2 '*.txt' matched nothing" in sent.stderr


@pytest.mark.parametrize("field", ["metadata = {a = 'b'}", "expires-in = 60", "gzip = 'always'"])
def test_plain_http_refuses_rules_that_it_cannot_keep(run: Run, field: str) -> None:
    """bulkput upload --rules publish.toml TREE http://..."""
    ran = run(f"[[rule]]\nmatch = '*.zip'\n{field}", url="http://127.0.0.1:9/")
    assert ran.exit_code == 2
    assert "plain HTTP keeps no" in ran.err


def test_a_project_cannot_name_a_file_of_rules(run: Run, tmp_path: Path) -> None:
    """bulkput.toml: rules = "publish.toml", which may set an expiry; a variable may"""
    (tmp_path / "bulkput.toml").write_text('[upload]\nrules = "publish.toml"\n')
    run.rules.write_text(PUBLISH)
    to = f"swift://{run.container}"
    refused = bulkput("upload", "--dry-run", run.tree, to, environ=run.environ, cwd=tmp_path)
    assert refused.exit_code == 2 and "must not be set by a project's file" in refused.err
    environ = {**run.environ, "BULKPUT_RULES": str(run.rules), "BULKPUT_NO_CONFIG": "1"}
    told = bulkput("upload", "--dry-run", "--json", run.tree, to, environ=environ, cwd=tmp_path)
    assert any(json.loads(line).get("rules") for line in told.out.splitlines())


def test_a_pattern_of_a_rule_that_matched_nothing_is_a_warning(run: Run) -> None:
    """bulkput upload --rules publish.toml TREE, also with --skip when all files are skipped"""
    rules = "[[rule]]\nmatch = ['*.map', '*.html']\ncache-control = 'x'\n[[rule]]\nmatch = '*.log'\ngzip = 'never'"
    for options in ((), ("--skip", "existing")):
        ran = run(rules, *options)
        warnings = [line for line in ran.err.splitlines() if line.startswith("warning")]
        assert warnings == ["warning: rule 1 '*.map' matched nothing"]
