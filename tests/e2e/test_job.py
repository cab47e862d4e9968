"""What a CI system gets of an upload. Each docstring begins with the command that the test covers."""

import json
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.e2e.cli import Ran, bulkput
from tests.servers.judge import SwiftJudge
from tests.servers.nginx import NginxDav, nginx_dav
from tests.servers.swift import RealSwift

TAG = "build-4711"
COMMAND = "##[error]c.html"


@pytest.fixture
def container() -> str:
    return f"c-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A repository with a build of three files. The name of one is a command to the runner of GitHub Actions, and that
    of one is a table's cell."""
    root = tmp_path / "repo"
    (root / "dist").mkdir(parents=True)
    for name in ("index.html", COMMAND, "a|b.html"):
        (root / "dist" / name).write_text(name)
    return root


@pytest.fixture
def github(workspace: Path, tmp_path: Path) -> dict[str, str]:
    """The variables of a step; a command before ours has written to its summary."""
    (tmp_path / "step.md").write_text("# Tests\n")
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(workspace),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "step.md"),
    }


@pytest.fixture(scope="module")
def logging_nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[NginxDav, Path]]:
    """nginx, and its access log with the User-Agent of each request."""
    log = tmp_path_factory.mktemp("log") / "access.log"
    locations = f"location /logged/ {{ root {{{{root}}}}; access_log {log} combined; dav_methods PUT; }}"
    with nginx_dav(locations=locations) as server:
        yield server, log


def commands(ran: Ran) -> list[str]:
    """The lines of both streams that the runner takes for commands."""
    lines = [*ran.out.splitlines(), *ran.err.splitlines()]
    return [line for line in lines if line.lstrip().startswith("::") or "##[" in line]


@pytest.mark.nginx
def test_a_failing_publish_has_annotations_and_a_page_in_github_actions(
    nginx: NginxDav, workspace: Path, github: dict[str, str], container: str
) -> None:
    """bulkput upload --summary-md auto --tag: one PUT is refused, as a directory is there"""
    (nginx.root / container / "index.html").mkdir(parents=True)
    ran = bulkput(
        *("upload", "--summary-md", "auto", "--tag", TAG, "-v", "--retries", "0", "dist", f"{nginx.url}/{container}/"),
        environ=github,
        cwd=workspace,
    )
    assert ran.exit_code == 1, ran.err
    (annotation,) = commands(ran)
    assert annotation.startswith("::error file=dist/index.html,title=bulkput::put index.html: 409")
    assert r"uploaded: dist/##\u005berror]c.html" in ran.err, "the name is shown, and is no command"
    assert f"2 uploaded, 0 skipped, 1 failed of 3 found; tag {TAG}" in ran.err
    page = (workspace.parent / "step.md").read_text()
    assert page.startswith("# Tests\n\n## bulkput: failed\n"), "what was there stays"
    assert f"tag <code>{TAG}</code>" in page
    assert "| uploaded | 2 |" in page and "| failed | 1 |" in page
    assert "| <code>dist/index.html</code> | <code>index.html</code> | <code>put index.html&#58; 409" in page
    assert f"- <{nginx.url}/{container}/a%7Cb.html>" in page
    assert f"- <{nginx.url}/{container}/%23%23%5Berror%5Dc.html>" in page


def test_no_name_is_a_command_in_the_data_of_a_run(
    environ: Mapping[str, str], workspace: Path, github: dict[str, str], container: str
) -> None:
    """bulkput upload --dry-run | --json | --print-urls; bulkput ls; bulkput rm, in GitHub Actions"""
    both, url = {**environ, **github}, f"swift://{container}"
    planned = bulkput("upload", "--dry-run", "dist", url, environ=both, cwd=workspace)
    sent = bulkput("upload", "--json", "dist", url, environ=both, cwd=workspace)
    urls = bulkput("upload", "--print-urls", "--skip", "existing", "dist", url, environ=both, cwd=workspace)
    listed = bulkput("ls", url, environ=both)
    removed = bulkput("rm", "-r", "--yes", "-v", url, environ=both)
    for ran in (planned, sent, urls, listed, removed):
        assert ran.exit_code == 0 and commands(ran) == [], ran
    assert r"##\u005berror]c.html" in planned.out and r"##\u005berror]c.html" in listed.out
    assert COMMAND in {row.get("key") for row in sent.rows}, "JSON means the same"
    elsewhere = bulkput("upload", "--dry-run", "dist", url, environ=environ, cwd=workspace)
    assert f"-> {COMMAND} (" in elsewhere.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dist/absent", "swift://c"], "dist/absent"),
        (["--skip", "never", "dist", "swift://c"], "'never' is not one of"),
        (["--tag", "a%b", "dist", "swift://c"], "a%25b"),
    ],
)
def test_a_usage_error_is_an_annotation_and_has_no_page(
    environ: Mapping[str, str], workspace: Path, github: dict[str, str], arguments: list[str], said: str
) -> None:
    """bulkput upload --summary-md auto with a mistake"""
    ran = bulkput("upload", "--summary-md", "auto", *arguments, environ={**environ, **github}, cwd=workspace)
    assert ran.exit_code == 2
    (annotation,) = commands(ran)
    assert annotation.startswith("::error title=bulkput::") and said in annotation
    assert (workspace.parent / "step.md").read_text() == "# Tests\n"


def test_a_run_that_finds_nothing_says_so_where_its_job_is_shown(
    environ: Mapping[str, str], workspace: Path, github: dict[str, str], container: str
) -> None:
    """bulkput upload --fail-if-empty --summary-md auto, of a directory without files"""
    (workspace / "nothing").mkdir()
    to = ("nothing", f"swift://{container}")
    ran = bulkput(
        "upload", "--fail-if-empty", "--summary-md", "auto", *to, environ={**environ, **github}, cwd=workspace
    )
    assert ran.exit_code == 1
    assert commands(ran) == ["::error title=bulkput::no file was found in nothing"]
    assert "No file was found in <code>nothing</code>." in (workspace.parent / "step.md").read_text()


@pytest.mark.parametrize("more", [[], ["--print-urls"], ["--journal", "up.db"]], ids=["plain", "urls", "journal"])
def test_a_run_that_is_denied_has_a_page_and_one_annotation(
    environ: Mapping[str, str], workspace: Path, container: str, more: list[str]
) -> None:
    """bulkput upload --summary-md page.md, with a wrong key"""
    ran = bulkput(
        *("upload", "--summary-md", "page.md", *more, "dist", f"swift://{container}"),
        environ={**environ, "ST_KEY": "wrong", "GITHUB_ACTIONS": "true"},
        cwd=workspace,
    )
    assert ran.exit_code == 3
    (annotation,) = commands(ran)
    assert annotation.startswith("::error title=bulkput::stopped: login test:tester: 401")
    page = (workspace / "page.md").read_text()
    assert page.startswith("## bulkput: stopped\n") and "check ST&#95;USER and ST&#95;KEY" in page


def test_a_journal_that_cannot_be_read_has_a_page(environ: Mapping[str, str], workspace: Path, container: str) -> None:
    """bulkput upload --summary-md page.md --journal, whose database is damaged"""
    first = bulkput("upload", "--journal", "up.db", "dist", f"swift://{container}", environ=environ, cwd=workspace)
    assert first.exit_code == 0
    journal = workspace / "up.db"
    journal.write_bytes(journal.read_bytes()[:8192] + b"\xff" * 20_000)  # two pages have the schema
    arguments = ("upload", "--summary-md", "page.md", "--journal", "up.db", "dist", f"swift://{container}")
    ran = bulkput(*arguments, environ=environ, cwd=workspace)
    assert ran.exit_code == 3, ran.err
    assert "Stopped: <code>" in (workspace / "page.md").read_text()


def test_outside_of_github_auto_writes_nothing(environ: Mapping[str, str], workspace: Path, container: str) -> None:
    """bulkput upload --summary-md auto: no file, no annotation, and no further request"""
    arguments = ("upload", "--summary-md", "auto", "--summary", "-", "dist", f"swift://{container}")
    before = {path.name for path in workspace.iterdir()}
    ran = bulkput(*arguments, environ=environ, cwd=workspace)
    assert ran.exit_code == 0 and commands(ran) == []
    assert {path.name for path in workspace.iterdir()} == before
    assert ran.summary["requests"] == {"GET": 1, "PUT": 4}


def test_a_full_summary_of_the_step_gets_no_page(
    environ: Mapping[str, str], workspace: Path, github: dict[str, str], container: str
) -> None:
    """bulkput upload --summary-md auto: GitHub would drop the whole summary"""
    step = workspace.parent / "step.md"
    step.write_bytes(b"x" * (1024 * 1024 - 100))
    arguments = ("upload", "--summary-md", "auto", "dist", f"swift://{container}")
    ran = bulkput(*arguments, environ={**environ, **github}, cwd=workspace)
    assert ran.exit_code == 0 and "have filled its summary" in ran.err
    assert step.stat().st_size == 1024 * 1024 - 100


def test_a_page_that_cannot_be_written_makes_exit_code_3(
    environ: Mapping[str, str], workspace: Path, github: dict[str, str], container: str
) -> None:
    """bulkput upload --summary-md auto, --summary-md DIR/absent, --summary-md -"""
    url, github = f"swift://{container}", {**github, "GITHUB_STEP_SUMMARY": "/dev/full"}
    arguments = ("upload", "--summary-md", "auto", "--summary", "s.json", "dist", url)
    ran = bulkput(*arguments, environ={**environ, **github}, cwd=workspace)
    assert ran.exit_code == 3 and "cannot write to /dev/full" in ran.err
    assert json.loads((workspace / "s.json").read_text())["uploaded"] == 3, "the other file is written"
    for name in ("absent/page.md", "-"):
        ran = bulkput("upload", "--summary-md", name, "dist", url, environ=environ, cwd=workspace)
        assert ran.exit_code == 2 and "--summary-md" in ran.err


def test_a_section_of_gitlab_holds_the_run_and_not_its_failures(
    environ: Mapping[str, str], workspace: Path, container: str
) -> None:
    """bulkput upload -v, in GitLab"""
    with open(os.fsencode(workspace) + b"/dist/bad-\xff", "w") as file:
        file.write("bad")
    arguments = ("upload", "-v", "dist", f"swift://{container}")
    ran = bulkput(*arguments, environ={**environ, "GITLAB_CI": "true"}, cwd=workspace)
    assert ran.exit_code == 1
    start = re.match(r"\x1b\[0Ksection_start:\d+:(bulkput_upload_\d+)\r\x1b\[0Kbulkput upload\n", ran.err)
    assert start is not None
    inside, end, after = ran.err[start.end() :].partition("\x1b[0Ksection_end:")
    assert end and re.match(rf"\d+:{start[1]}\r\x1b\[0K\n", after)
    assert "uploaded: dist/index.html" in inside
    assert "failed: read dist/bad-\\xff" in inside and "failed: read dist/bad-\\xff" in after
    assert "3 uploaded, 0 skipped, 1 failed of 4 found" in after


def test_the_urls_of_what_is_in_place_are_printed(
    environ: Mapping[str, str], server: RealSwift, workspace: Path, container: str
) -> None:
    """bulkput upload --print-urls, and again with --skip identical; with --json as a field"""
    base = f"{server.auth_url.replace('/auth/v1.0', '')}/v1/AUTH_test/{container}/p"
    expected = [f"{base}/%23%23%5Berror%5Dc.html", f"{base}/a%7Cb.html", f"{base}/index.html"]
    arguments = ("upload", "--print-urls", "--summary", "s.json", "dist", f"swift://{container}/p")
    ran = bulkput(*arguments, environ=environ, cwd=workspace)
    assert (ran.exit_code, sorted(ran.out.splitlines())) == (0, expected), ran.err
    assert json.loads((workspace / "s.json").read_text())["requests"] == {"GET": 1, "HEAD": 1, "PUT": 4}
    again = bulkput(*arguments, "--skip", "identical", environ=environ, cwd=workspace)
    assert (again.exit_code, sorted(again.out.splitlines())) == (0, expected), again.err
    rows = bulkput(*arguments, "--json", "--skip", "identical", environ=environ, cwd=workspace).rows
    assert sorted(row["url"] for row in rows if row["event"] == "skipped") == expected


def test_a_dry_run_puts_nothing_in_place_whose_url_could_be_printed(workspace: Path) -> None:
    """bulkput upload --print-urls --dry-run"""
    ran = bulkput("upload", "--print-urls", "--dry-run", "dist", "swift://c", cwd=workspace)
    assert ran.exit_code == 2 and "exclude each other" in ran.err


@pytest.mark.swift
def test_a_public_container_has_links_and_another_has_none(swift: RealSwift, workspace: Path, container: str) -> None:
    """bulkput upload --summary-md, with and without the read ACL .r:* in a real Swift"""
    judge = SwiftJudge(swift.auth_url, swift.user, swift.key)
    arguments = ("upload", "--summary-md", "page.md", "dist", f"swift://{container}")
    ran = bulkput(*arguments, environ=swift.environment, cwd=workspace)
    assert ran.exit_code == 0, ran.err
    page = (workspace / "page.md").read_text()
    assert "### Uploaded" in page and "- <http" not in page
    judge.post(container, "", {"X-Container-Read": ".rlistings,.r:*"})
    ran = bulkput(*arguments, environ=swift.environment, cwd=workspace)
    assert ran.exit_code == 0, ran.err
    links = re.findall(r"- <(http.*)>", (workspace / "page.md").read_text())
    assert sorted(link.rpartition("/")[2] for link in links) == [
        "%23%23%5Berror%5Dc.html", "a%7Cb.html", "index.html",
    ]  # fmt: skip


@pytest.mark.swift
def test_the_tag_is_in_every_transaction_of_swift_and_with_each_object(
    swift: RealSwift, workspace: Path, container: str
) -> None:
    """bulkput upload --tag --keep-tag --json: ids of successes and of failures end with it"""
    judge = SwiftJudge(swift.auth_url, swift.user, swift.key)
    url, environ = f"swift://{container}", swift.environment
    ran = bulkput("upload", "--tag", TAG, "--keep-tag", "--json", "dist", url, environ=environ, cwd=workspace)
    assert ran.exit_code == 0, ran.err
    ids = [row["request_id"] for row in ran.rows if row["event"] == "uploaded"]
    assert len(ids) == 3 and all(re.fullmatch(rf"tx[0-9a-f]{{21}}-[0-9a-f]{{10}}-{TAG}", each) for each in ids)
    assert judge.head(container, "index.html")["X-Object-Meta-Tag"] == TAG
    refused = ("--header", "X-Object-Manifest: bad", "--summary", "-")
    ran = bulkput("upload", "--tag", TAG, *refused, "dist/index.html", url, environ=environ, cwd=workspace)
    assert ran.exit_code == 1 and re.search(rf"failed: put index\.html: 400 .*\(tx[0-9a-f-]+-{TAG}\)", ran.err)
    assert ran.summary["tag"] == TAG


def test_runs_with_other_tags_share_a_journal(environ: Mapping[str, str], workspace: Path, container: str) -> None:
    """bulkput upload --journal --tag --keep-tag"""
    for number in range(2):
        ran = bulkput(
            *("upload", "--journal", "up.db", "--tag", f"build-{number}", "--keep-tag", "--summary", "-"),
            *("dist", f"swift://{container}"),
            environ=environ,
            cwd=workspace,
        )
        assert ran.exit_code == 0, ran.err
    assert ran.summary["skipped_by_reason"] == {"uploaded before, says the journal": 3}


@pytest.mark.nginx
def test_the_tag_is_in_the_access_log_of_a_plain_server(logging_nginx: tuple[NginxDav, Path], workspace: Path) -> None:
    """bulkput upload --tag; --keep-tag needs metadata, which plain HTTP has not"""
    server, log = logging_nginx
    (server.root / "logged").mkdir()
    ran = bulkput("upload", "--tag", TAG, "dist/index.html", f"{server.url}/logged/", cwd=workspace)
    assert ran.exit_code == 0, ran.err
    put = next(line for line in log.read_text().splitlines() if '"PUT ' in line)
    assert re.search(rf'"bulkput/[0-9.]+ \({TAG}\)"$', put)
    ran = bulkput("upload", "--tag", TAG, "--keep-tag", "dist/index.html", f"{server.url}/logged/", cwd=workspace)
    assert ran.exit_code == 2 and "plain HTTP keeps no user metadata" in ran.err
