"""`bulkput upload` and `ls` against a devserver. Each docstring begins with the command that the test covers."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.cli import bulkput
from tests.servers.devserver import devserver_process
from tests.servers.judge import SwiftJudge
from tests.servers.swift import RealSwift


@pytest.fixture
def judge(server: RealSwift) -> SwiftJudge:
    return SwiftJudge(server.auth_url, server.user, server.key)


@pytest.fixture
def container() -> str:
    return f"c-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Five files in three levels, one of them empty, one larger than the buffer."""
    root = tmp_path / "tree"
    (root / "a" / "b").mkdir(parents=True)
    (root / "one.txt").write_text("one")
    (root / "empty").touch()
    (root / "a" / "two.html").write_text("<p>two")
    (root / "a" / "b" / "three.bin").write_bytes(os.urandom(2_500_000))
    (root / "a-b").write_text("sorts before a/")
    return root


def test_the_contents_of_a_directory_are_stored_below_the_prefix(
    environ: Mapping[str, str], judge: SwiftJudge, container: str, tree: Path
) -> None:
    """bulkput upload TREE swift://c/p --summary -"""
    ran = bulkput("upload", tree, f"swift://{container}/p", "--summary", "-", environ=environ)
    assert ran.exit_code == 0, ran.err
    summary = ran.summary
    assert (summary["found"], summary["uploaded"], summary["skipped"], summary["failed"]) == (5, 5, 0, 0)
    assert summary["requests"] == {"GET": 1, "PUT": 6}
    assert judge.names(container) == ["p/a-b", "p/a/b/three.bin", "p/a/two.html", "p/empty", "p/one.txt"]
    for path in tree.rglob("*"):
        if path.is_file():
            seen = judge.get(container, f"p/{path.relative_to(tree)}")
            assert seen is not None and seen.content == path.read_bytes()
            assert float(seen.headers["X-Object-Meta-Mtime"]) == pytest.approx(path.stat().st_mtime, abs=1e-6)
    seen = judge.get(container, "p/a/two.html")
    assert seen is not None and seen.headers["Content-Type"] == "text/html"


@pytest.mark.parametrize(
    ("destination", "name"),
    [
        ("", "one.txt"),
        ("/", "one.txt"),
        ("/deep/er/", "deep/er/one.txt"),
        ("/renamed", "renamed"),
        ("/a/b?c#d", "a/b?c#d"),
    ],
)
def test_a_single_file_is_stored_as_or_below_the_destination(
    environ: Mapping[str, str], judge: SwiftJudge, container: str, tree: Path, destination: str, name: str
) -> None:
    """bulkput upload FILE swift://c[/[NAME|PREFIX/]]"""
    ran = bulkput("upload", tree / "one.txt", f"swift://{container}{destination}", environ=environ)
    assert (ran.exit_code, judge.names(container)) == (0, [name]), ran.err


def test_several_sources_are_merged_and_a_name_from_two_of_them_fails(
    environ: Mapping[str, str], judge: SwiftJudge, container: str, tree: Path
) -> None:
    """bulkput upload FILE TREE swift://c"""
    ran = bulkput("upload", tree / "one.txt", tree, f"swift://{container}", "--summary", "-", environ=environ)
    assert ran.exit_code == 1
    assert (ran.summary["uploaded"], ran.summary["failed"]) == (5, 1)
    assert "another source has a file of this name" in ran.err
    assert len(judge.names(container)) == 5


def test_headers_metadata_types_and_expiry_are_stored(
    environ: Mapping[str, str], judge: SwiftJudge, container: str, tree: Path
) -> None:
    """bulkput upload --header --meta --content-type --cache-control --expires-in"""
    ran = bulkput(
        *("upload", tree / "one.txt", f"swift://{container}/x", "--header", "Content-Disposition: attachment"),
        *("--meta", "Build:42", "--content-type", "text/x-one", "--cache-control", "max-age=60", "--expires-in", "1h"),
        environ=environ,
    )
    assert ran.exit_code == 0, ran.err
    seen = judge.get(container, "x")
    assert seen is not None
    assert seen.headers["Content-Disposition"] == "attachment"
    assert seen.headers["X-Object-Meta-Build"] == "42"
    assert seen.headers["Content-Type"] == "text/x-one"
    assert seen.headers["Cache-Control"] == "max-age=60"
    assert int(seen.headers["X-Delete-At"]) == pytest.approx(time.time() + 3600, abs=60)


def test_filtered_files_are_left_out_and_reported(
    environ: Mapping[str, str], judge: SwiftJudge, container: str, tree: Path
) -> None:
    """bulkput upload --include '*.txt' --include '*.bin' --exclude b/"""
    ran = bulkput(
        *("upload", tree, f"swift://{container}", "--include", "*.txt", "--include", "*.bin", "--exclude", "b/"),
        *("--summary", "-"),
        environ=environ,
    )
    assert judge.names(container) == ["one.txt"]
    assert ran.summary["skipped_by_reason"] == {"excluded by a filter": 4}


def test_a_dry_run_sends_nothing_and_prints_the_plan(
    environ: Mapping[str, str], judge: SwiftJudge, container: str, tree: Path
) -> None:
    """bulkput upload --dry-run"""
    ran = bulkput("upload", tree, f"swift://{container}/p", "--dry-run", "--summary", "-", environ=environ)
    assert ran.exit_code == 0
    assert ran.summary["requests"] == {} and ran.summary["skipped_by_reason"] == {"dry run": 5}
    assert f"would upload: {tree}/a/two.html -> p/a/two.html (6 B)" in ran.out.splitlines()
    assert "dry run: would upload 5 files, 2.4 MiB" in ran.err
    assert judge.rows(container) == []


def test_json_has_one_row_for_each_entry(environ: Mapping[str, str], container: str, tree: Path) -> None:
    """bulkput upload --json"""
    (tree / "outside").symlink_to("/etc/hostname")
    ran = bulkput("upload", tree, f"swift://{container}", "--json", environ=environ)
    kinds = [row["event"] for row in ran.rows]
    assert sorted(kinds) == ["finished", "scan_done", "skipped", "tuned", *["uploaded"] * 5]
    rows = {row["key"]: row for row in ran.rows if row["event"] == "uploaded"}
    assert rows["one.txt"]["etag"] == "f97c5d29941bfb1b2fdab0874906ab82" and rows["one.txt"]["request_id"]
    assert kinds[-1] == "finished"


def test_a_name_that_is_not_utf_8_fails_alone(
    environ: Mapping[str, str], judge: SwiftJudge, container: str, tree: Path
) -> None:
    """bulkput upload TREE: exit 1, all other files are stored; --encode-names percent stores it as well"""
    with open(os.fsencode(tree) + b"/bad-\xff-name", "w") as file:
        file.write("bad")
    ran = bulkput("upload", tree, f"swift://{container}", "--summary", "-", environ=environ)
    assert ran.exit_code == 1
    assert ran.summary["failures"][0]["path"].endswith("bad-\udcff-name")
    assert r"bad-\xff-name: name: its name is not UTF-8; --encode-names percent" in ran.err
    assert len(judge.names(container)) == 5
    ran = bulkput("upload", tree, f"swift://{container}", "--encode-names", "percent", environ=environ)
    assert ran.exit_code == 0 and "bad-%FF-name" in judge.names(container)


def test_a_name_over_the_limit_fails_without_a_put(environ: Mapping[str, str], container: str, tree: Path) -> None:
    """bulkput upload swift://c/LONG/: one GET of /info asks for the limit"""
    prefix = "x" * 1020
    ran = bulkput("upload", tree, f"swift://{container}/{prefix}/", "--summary", "-", environ=environ)
    assert ran.exit_code == 1
    assert (ran.summary["uploaded"], ran.summary["failed"]) == (1, 4), "only `a-b` has a name of 1024 bytes"
    assert ran.summary["requests"] == {"GET": 2, "PUT": 2}
    assert "the object name has 1026 bytes, the store takes 1024" in ran.err


@pytest.mark.parametrize(
    ("arguments", "variables", "exit_code", "says"),
    [
        (["{tree}", "nowhere"], {}, 2, "write swift://CONTAINER[/PREFIX]"),
        (["{tree}", "swift://"], {}, 2, "names no container"),
        (["{tree}", "ftp://host/x"], {}, 2, "no store for ftp://"),
        (["{tree}", "http://user:secret@host/"], {}, 2, "shows in the process list"),
        (["{tree}/missing", "swift://c"], {}, 2, "No such file or directory"),
        (["{tree}", "swift://c"], {"ST_KEY": ""}, 2, "ST_KEY not set"),
        (["{tree}", "swift://c"], {"ST_AUTH": "", "ST_USER": "", "ST_KEY": ""}, 2, "no credentials for swift://"),
        (["{tree}", "swift://c"], {"ST_AUTH": "localhost"}, 2, "is not a URL"),
        (["{tree}", "swift://c"], {"ST_KEY": "wrong"}, 3, "check ST_USER and ST_KEY"),
        (["{tree}", "swift://c", "--header", "X-A: b\r\nX-C: d"], {}, 2, "control character"),
        (["{tree}", "swift://c", "--header", "ETag: 1"], {}, 2, "set by bulkput itself"),
        (["{tree}", "swift://c", "--concurrency", "0"], {}, 2, "--concurrency"),
        (["{tree}", "swift://c", "--expires-in", "soon"], {}, 2, "30m, 12h, 7d"),
        (["{tree}", "swift://c", "--expires-in", "0d"], {}, 2, "'0d' is too short: the shortest duration is 1"),
        (["{tree}", "swift://c", "--max-size", "0"], {}, 2, "'0' is too small: the smallest size is 1"),
        (["{tree}", "swift://c", "--summary", "/nowhere/s.json"], {}, 2, "/nowhere/s.json"),
        (["{tree}", "swift://c", "--trace", "/nowhere/t.jsonl"], {}, 2, "--trace /nowhere/t.jsonl"),
        (["{tree}"], {}, 2, "one SOURCE or more, and a DEST"),
        (["{tree}", "swift://c"], {"ST_KEY": "wrong\n"}, 2, "ST_KEY: its value has a control character"),
        (["{tree}", "swift://c"], {"ST_AUTH": "http://localhost:99999/auth"}, 2, "is not a URL"),
        (["{tree}", "swift://c", "--timeout", "inf"], {}, 2, "--timeout"),
        (["{tree}", "swift://c", "--timeout", "nan"], {}, 2, "is not a number of seconds"),
        (["{tree}", "swift://c", "--trace", "-"], {}, 2, "--trace needs a file"),
        (["{tree}", "swift://c", "--meta", "mtime:now"], {}, 2, "--meta Mtime"),
        (["{tree}", "http://127.0.0.1:1/", "--meta", "a:b"], {}, 2, "--meta and --expires-in need swift://"),
        (["{tree}", "http://127.0.0.1:1/", "--expires-in", "7d"], {}, 2, "--meta and --expires-in need swift://"),
        (["{tree}", "swift://c"], {"http_proxy": "socks5://127.0.0.1:1"}, 2, "only http:// and https:// proxies"),
        (["{tree}", "swift://" + "c" * 257], {}, 2, "Swift takes 256"),
    ],
)  # fmt: skip
def test_upload_answers_bad_arguments_with_one_sentence(
    environ: Mapping[str, str], tree: Path, arguments: list[str], variables: dict[str, str], exit_code: int, says: str
) -> None:
    """bulkput upload with wrong arguments: no traceback"""
    filled = [argument.replace("{tree}", str(tree)) for argument in arguments]
    ran = bulkput("upload", *filled, environ={**environ, **variables})
    assert ran.exit_code == exit_code
    assert says in ran.err
    assert "Traceback" not in ran.err
    assert "secret" not in ran.err and "wrong" not in ran.err.replace(str(tree), "")


def test_a_store_that_refuses_connections_stops_the_run(environ: Mapping[str, str], tree: Path) -> None:
    """bulkput upload --retries 1: exit 3"""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    ran = bulkput(
        *("upload", tree, "swift://c", "--retries", "1", "--summary", "-"),
        environ={**environ, "ST_AUTH": f"http://127.0.0.1:{port}/auth/v1.0"},
    )
    assert ran.exit_code == 3
    assert f"login http://127.0.0.1:{port}/auth/v1.0: cannot connect to 127.0.0.1:{port}" in ran.err
    assert ran.summary["found"] == 0 and "cannot connect" in ran.summary["stopped"]


def test_an_empty_directory_is_uploaded_with_success(
    environ: Mapping[str, str], container: str, tmp_path: Path
) -> None:
    """bulkput upload EMPTY swift://c"""
    ran = bulkput("upload", tmp_path, f"swift://{container}", environ=environ)
    assert ran.exit_code == 0 and "0 uploaded" in ran.err


@pytest.mark.parametrize(("flags", "uploaded"), [(["--fail-fast"], 0), (["--max-errors", "1"], 0), ([], 5)])
def test_failures_stop_the_run_only_with_fail_fast_or_max_errors(
    environ: Mapping[str, str], container: str, tree: Path, flags: list[str], uploaded: int
) -> None:
    """bulkput upload --fail-fast: every found file is accounted for, sent or not"""
    with open(os.fsencode(tree) + b"/\x01\xff", "w") as file:  # sorts first, and fails at once
        file.write("bad")
    ran = bulkput("upload", tree, f"swift://{container}", "--summary", "-", *flags, environ=environ)
    summary = ran.summary
    assert ran.exit_code == 1
    assert summary["found"] == summary["uploaded"] + summary["skipped"] + summary["failed"]
    assert (summary["uploaded"], summary["failed"]) == (uploaded, 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_requests_in_flight_finish_and_accounts_for_the_rest(tmp_path: Path, number: int) -> None:
    """bulkput upload, then Ctrl-C: exit 130, a summary that adds up, no partial object"""
    for n in range(300):
        (tmp_path / f"{n:03d}").write_text(str(n))
    with devserver_process("--latency", "put=0.5") as server:
        command = [
            sys.executable,
            "-m",
            "bulkput",
            "upload",
            str(tmp_path),
            "swift://c",
            "--json",
            "--concurrency",
            "8",
        ]
        with subprocess.Popen(
            [*command, "--summary", "-"], env={**os.environ, **server.environment}, stdout=subprocess.PIPE, text=True
        ) as run:
            assert run.stdout is not None
            while json.loads(run.stdout.readline())["event"] != "uploaded":
                pass
            run.send_signal(number)
            summary = json.loads(run.stdout.read().splitlines()[-1])
        names = SwiftJudge(server.auth_url, server.user, server.key).names("c")
    assert run.returncode == 130
    assert summary["stopped"] == "interrupted"
    assert summary["found"] == summary["uploaded"] + summary["skipped"] + summary["failed"]
    assert summary["failed"] == 0 and len(names) == summary["uploaded"] < 300


def test_a_closed_pipe_stops_the_run_without_a_traceback(
    environ: Mapping[str, str], container: str, tmp_path: Path
) -> None:
    """bulkput upload --json | head -1"""
    for n in range(2000):
        (tmp_path / f"{n:04d}").touch()
    command = [sys.executable, "-m", "bulkput", "upload", str(tmp_path), f"swift://{container}", "--json", "-q"]
    with subprocess.Popen(
        command, env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None and run.stderr is not None
        run.stdout.readline()
        run.stdout.close()
        err = run.stderr.read()
    assert run.returncode == 130
    assert "Traceback" not in err and "BrokenPipe" not in err


def test_ls_lists_one_level_or_with_r_every_object(environ: Mapping[str, str], container: str, tree: Path) -> None:
    """bulkput ls [-r] [-l] [--json] URL"""
    bulkput("upload", tree, f"swift://{container}/p", environ=environ)
    url = f"swift://{container}/p"
    assert bulkput("ls", url, environ=environ).out.splitlines() == ["p/a-b", "p/a/", "p/empty", "p/one.txt"]
    assert len(bulkput("ls", "-r", url, environ=environ).out.splitlines()) == 5
    assert "f97c5d29941bfb1b2fdab0874906ab82" in bulkput("ls", "-l", url, environ=environ).out
    rows = {row.get("name", row.get("prefix")): row for row in bulkput("ls", "--json", url, environ=environ).rows}
    assert set(rows["p/one.txt"]) == {"name", "bytes", "hash", "content_type", "last_modified"}
    assert rows["p/a/"] == {"prefix": "p/a/"}
    exact = bulkput("ls", f"swift://{container}/p/one.txt", environ=environ)
    assert (exact.exit_code, exact.out) == (0, "p/one.txt\n")


@pytest.mark.parametrize(
    ("url", "exit_code"), [("swift://{}/absent", 1), ("swift://{}", 1), ("http://localhost/{}", 2)]
)
def test_ls_of_a_missing_object_or_of_plain_http_fails(
    environ: Mapping[str, str], container: str, url: str, exit_code: int
) -> None:
    """bulkput ls URL: one line on stderr, nothing on stdout"""
    ran = bulkput("ls", url.format(container), environ=environ)
    assert (ran.exit_code, ran.out, len(ran.err.splitlines())) == (exit_code, "", 1)


def shell(command: str, environ: Mapping[str, str], **words: object) -> subprocess.CompletedProcess[str]:
    """Runs a command in bash; `{bulkput}` stands for the bulkput under test."""
    line = command.format(bulkput=f"{sys.executable} -m bulkput", **words)
    return subprocess.run(
        ["bash", "-c", line], env={**os.environ, **environ}, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("command", "exit_code"),
    [
        ("{bulkput} upload {tree} swift://{container} <&-", 0),
        ("{bulkput} upload {tree} swift://{container} >&- 2>&- <&-", 0),
        ("{bulkput} upload {tree} swift://{container} --json >&-", 0),
        ("{bulkput} upload {tree} swift://{container} -v 2>/dev/full", 0),
        ("{bulkput} upload {tree} swift://{container} -v 2> >(exit)", 0),
        ("{bulkput} upload {tree} swift://{container} --summary - >/dev/full", 3),
        ("{bulkput} upload {tree} swift://{container} --summary /dev/full", 3),
        ("{bulkput} upload {tree} swift://{container} --trace /dev/full", 3),
    ],
)
def test_output_that_cannot_be_written_never_loses_an_object(
    environ: Mapping[str, str], judge: SwiftJudge, container: str, tree: Path, command: str, exit_code: int
) -> None:
    """bulkput upload with streams closed, full or without a reader: lost messages are ignored, lost data is exit 3"""
    ran = shell(command, environ, tree=tree, container=container)
    assert ran.returncode == exit_code, ran.stderr
    assert "Traceback" not in ran.stderr
    assert len(judge.names(container)) == 5


@pytest.mark.parametrize(("where", "exit_codes"), [(">/dev/full", (3,)), ("| true; exit ${{PIPESTATUS[0]}}", (0, 130))])
def test_events_that_cannot_be_written_end_the_run_with_a_correct_summary(
    environ: Mapping[str, str], judge: SwiftJudge, container: str, tree: Path, where: str, exit_codes: tuple[int, ...]
) -> None:
    """bulkput upload --json to a full disk or a closed pipe: no traceback"""
    file = tree.parent / "summary.json"
    command = "{bulkput} upload {tree} swift://{container} --json --summary {file} " + where
    ran = shell(command, environ, tree=tree, container=container, file=file)
    assert ran.returncode in exit_codes and "Traceback" not in ran.stderr
    summary = json.loads(file.read_text())
    assert summary["found"] == summary["uploaded"] + summary["skipped"] + summary["failed"]
    assert summary["uploaded"] == len(judge.names(container))


@pytest.mark.parametrize("command", ["ls -r swift://{container} >/dev/full", "--help >/dev/full", "ls swift://c >&-"])
def test_ls_and_help_survive_output_that_cannot_be_written(
    environ: Mapping[str, str], container: str, tree: Path, command: str
) -> None:
    """bulkput ls, --help: no traceback"""
    bulkput("upload", tree, f"swift://{container}", environ=environ)
    ran = shell("{bulkput} " + command, environ, container=container)
    assert ran.returncode in (0, 1, 3) and "Traceback" not in ran.stderr


def test_a_summary_file_is_complete_or_untouched(environ: Mapping[str, str], container: str, tree: Path) -> None:
    """bulkput upload --summary FILE: its mode is 0600; a run that cannot start leaves no file behind"""
    file = tree.parent / "summary.json"
    assert bulkput("upload", tree, f"swift://{container}", "--summary", file, environ=environ).exit_code == 0
    before = file.read_text()
    assert json.loads(before)["uploaded"] == 5
    assert file.stat().st_mode & 0o777 == 0o600
    assert bulkput("upload", tree, "swift://", "--summary", file, environ=environ).exit_code == 2
    assert file.read_text() == before
    assert sorted(path.name for path in tree.parent.iterdir()) == ["summary.json", "tree"]


def test_a_trace_has_a_row_for_each_request(environ: Mapping[str, str], container: str, tree: Path) -> None:
    """bulkput upload --trace FILE: operation, key, start, duration and bytes"""
    file = tree.parent / "trace.jsonl"
    assert bulkput("upload", tree, f"swift://{container}", "--trace", file, environ=environ).exit_code == 0
    head, *rows = map(json.loads, file.read_text().splitlines())
    assert head["trace"] == 1 and head["began"].endswith("+00:00")
    assert [row["operation"] for row in rows] == ["prepare"] + 5 * ["put"]
    assert {row["key"]: row["bytes"] for row in rows[1:]} == {
        "one.txt": 3, "empty": 0, "a/two.html": 6, "a/b/three.bin": 2_500_000, "a-b": 15
    }  # fmt: skip
    assert all(row["started_s"] >= 0 and row["elapsed_s"] > 0 and row["error"] is None for row in rows)


def test_few_descriptors_mean_fewer_connections_and_no_failed_file(
    environ: Mapping[str, str], judge: SwiftJudge, container: str, tmp_path: Path
) -> None:
    """ulimit -n 64; bulkput upload: a message says so, and every file is stored"""
    for n in range(200):
        (tmp_path / f"{n}").touch()
    command = "ulimit -n 64; {bulkput} upload {tree} swift://{container}"
    ran = shell(command, environ, tree=tmp_path, container=container)
    assert ran.returncode == 0, ran.stderr
    assert "concurrency is 12, not 64: this process may open 64 files (ulimit -n)" in ran.stderr
    assert len(judge.names(container)) == 200


def test_a_run_with_too_few_descriptors_to_start_gets_one_sentence(environ: Mapping[str, str], tree: Path) -> None:
    """ulimit -n 12; bulkput upload"""
    ran = shell("ulimit -n 12; {bulkput} upload {tree} swift://c", environ, tree=tree)
    assert ran.returncode == 2
    assert "may open only 12 files" in ran.stderr and "Traceback" not in ran.stderr


def test_help_answers_for_every_verb_without_heavy_imports() -> None:
    """bulkput --help, bulkput VERB --help: aiohttp, rich, asyncio and pathspec are not imported"""
    verbs = re.findall(r"^  ([a-z]+)  ", bulkput("--help").out, re.MULTILINE)
    assert {"upload", "verify", "ls", "serve", "demo"} <= set(verbs)
    for verb in verbs:
        command = [sys.executable, "-m", "bulkput", verb, "--help"]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        assert ran.stdout.startswith(f"Usage: bulkput {verb} ")
    code = """if True:
        import sys
        from bulkput.cli.main import bulkput
        bulkput(["--help"], standalone_mode=False)
        print([name for name in ("aiohttp", "rich", "asyncio", "pathspec") if name in sys.modules])
        """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("option", [("--rate", "0"), ("--bandwidth", "0M/s"), ("--rate", "5/d")])
def test_a_rate_that_would_send_nothing_is_a_usage_error(
    environ: Mapping[str, str], tree: Path, option: tuple[str, str]
) -> None:
    """bulkput upload --rate 0 TREE swift://c"""
    ran = bulkput("upload", *option, tree, "swift://c", environ=environ)
    assert ran.exit_code == 2 and ran.out == ""
    assert re.search(rf"'{option[0]}': '{option[1]}' is not a (rate|bandwidth) above 0: write ", ran.err)


def test_a_run_with_rates_says_what_was_asked_and_reached(
    environ: Mapping[str, str], judge: SwiftJudge, container: str, tree: Path
) -> None:
    """bulkput upload --rate 1000/s --bandwidth 100M/s TREE swift://c --summary -"""
    options = ("--rate", "1000/s", "--bandwidth", "100M/s", "--summary", "-")
    ran = bulkput("upload", *options, tree, f"swift://{container}", environ=environ)
    assert ran.exit_code == 0, ran.err
    rates = ran.summary["rates"]
    assert (rates["objects_per_s"]["asked"], rates["bytes_per_s"]["asked"]) == (1_000, 100 * 1024**2)
    assert 0 < rates["objects_per_s"]["reached"] <= 1_000
    assert re.search(r"  rates: .+ of 1000/s requests, .+ of 100.0 MiB/s; requests waited for them \d+% of", ran.err)
    assert len(judge.names(container)) == 5
