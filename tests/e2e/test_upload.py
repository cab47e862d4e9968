"""The command line against a devserver in another process. Each test is headed by the command that it covers."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.e2e.cli import bulkput
from tests.servers.devserver import devserver_process
from tests.servers.judge import SwiftJudge
from tests.servers.swift import RealSwift


@pytest.fixture(scope="module")
def server() -> Iterator[RealSwift]:
    with devserver_process() as running:
        yield running


@pytest.fixture
def environ(server: RealSwift) -> Mapping[str, str]:
    return server.environment


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


def test_a_directory_contributes_its_contents_below_the_prefix(
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
        ("/a//b?c#d", "a//b?c#d"),
    ],
)
def test_a_single_file_goes_to_the_destination_or_below_it(
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


def test_filters_choose_files_and_say_so(
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


def test_a_dry_run_sends_nothing_and_names_the_objects(
    environ: Mapping[str, str], judge: SwiftJudge, container: str, tree: Path
) -> None:
    """bulkput upload --dry-run"""
    ran = bulkput("upload", tree, f"swift://{container}/p", "--dry-run", "--summary", "-", environ=environ)
    assert ran.exit_code == 0
    assert ran.summary["requests"] == {} and ran.summary["skipped_by_reason"] == {"dry run": 5}
    assert "-> p/a/two.html: dry run" in ran.err
    assert judge.rows(container) == []


def test_json_has_one_row_for_each_entry(environ: Mapping[str, str], container: str, tree: Path) -> None:
    """bulkput upload --json"""
    (tree / "outside").symlink_to("/etc/hostname")
    ran = bulkput("upload", tree, f"swift://{container}", "--json", environ=environ)
    kinds = [row["event"] for row in ran.rows]
    assert sorted(kinds) == ["finished", "scan_done", "skipped", *["uploaded"] * 5]
    rows = {row["key"]: row for row in ran.rows if row["event"] == "uploaded"}
    assert rows["one.txt"]["etag"] == "f97c5d29941bfb1b2fdab0874906ab82" and rows["one.txt"]["request_id"]
    assert kinds[-1] == "finished"


def test_one_bad_file_fails_alone(environ: Mapping[str, str], judge: SwiftJudge, container: str, tree: Path) -> None:
    """bulkput upload TREE, with a name that is not UTF-8 in it: exit 1, all others are there"""
    with open(os.fsencode(tree) + b"/bad-\xff-name", "w") as file:
        file.write("bad")
    ran = bulkput("upload", tree, f"swift://{container}", "--summary", "-", environ=environ)
    assert ran.exit_code == 1
    assert ran.summary["failures"][0]["path"].endswith("bad-\udcff-name")
    assert r"bad-\udcff-name: name: its name is not UTF-8; --encode-names percent" in ran.err
    assert len(judge.names(container)) == 5
    ran = bulkput("upload", tree, f"swift://{container}", "--encode-names", "percent", environ=environ)
    assert ran.exit_code == 0 and "bad-%FF-name" in judge.names(container)


def test_a_name_over_the_limit_fails_before_any_request(environ: Mapping[str, str], container: str, tree: Path) -> None:
    """bulkput upload swift://c/LONG/: one GET of /info to be sure, no PUT of the object"""
    prefix = "x" * 1020
    ran = bulkput("upload", tree, f"swift://{container}/{prefix}/", "--summary", "-", environ=environ)
    assert ran.exit_code == 1
    assert (ran.summary["uploaded"], ran.summary["failed"]) == (1, 4), "only `a-b` makes 1024 bytes"
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
        (["{tree}", "swift://c", "--summary", "/nowhere/s.json"], {}, 2, "/nowhere/s.json"),
        (["{tree}", "swift://" + "c" * 257], {}, 2, "Swift takes 256"),
    ],
)  # fmt: skip
def test_a_users_mistake_gets_one_sentence_and_no_traceback(
    environ: Mapping[str, str], tree: Path, arguments: list[str], variables: dict[str, str], exit_code: int, says: str
) -> None:
    """bulkput upload, called wrongly"""
    filled = [argument.replace("{tree}", str(tree)) for argument in arguments]
    ran = bulkput("upload", *filled, environ={**environ, **variables})
    assert ran.exit_code == exit_code
    assert says in ran.err
    assert "Traceback" not in ran.err
    assert "secret" not in ran.err and "wrong" not in ran.err.replace("--", "")


def test_a_store_that_is_not_there_stops_the_run(environ: Mapping[str, str], tree: Path) -> None:
    """bulkput upload --retries 1, nobody listening: exit 3"""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    ran = bulkput(
        *("upload", tree, "swift://c", "--retries", "1", "--summary", "-"),
        environ={**environ, "ST_AUTH": f"http://127.0.0.1:{port}/auth/v1.0"},
    )
    assert ran.exit_code == 3
    assert f"login http://127.0.0.1:{port}/auth/v1.0: cannot connect to 127.0.0.1:{port}" in ran.err
    assert ran.summary["found"] == 0 and "cannot connect" in ran.summary["stopped"]


def test_an_empty_directory_is_a_success_with_nothing_in_it(
    environ: Mapping[str, str], container: str, tmp_path: Path
) -> None:
    """bulkput upload EMPTY swift://c"""
    ran = bulkput("upload", tmp_path, f"swift://{container}", environ=environ)
    assert ran.exit_code == 0 and "0 uploaded" in ran.err


@pytest.mark.parametrize(("flags", "uploaded"), [(["--fail-fast"], 0), (["--max-errors", "1"], 0), ([], 5)])
def test_failures_stop_the_run_only_when_asked_to(
    environ: Mapping[str, str], container: str, tree: Path, flags: list[str], uploaded: int
) -> None:
    """bulkput upload --fail-fast: everything found is accounted for, sent or not"""
    with open(os.fsencode(tree) + b"/\x01\xff", "w") as file:  # sorts first, and fails at once
        file.write("bad")
    ran = bulkput("upload", tree, f"swift://{container}", "--summary", "-", *flags, environ=environ)
    summary = ran.summary
    assert ran.exit_code == 1
    assert summary["found"] == summary["uploaded"] + summary["skipped"] + summary["failed"]
    assert (summary["uploaded"], summary["failed"]) == (uploaded, 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_what_is_in_flight_and_accounts_for_the_rest(tmp_path: Path, number: int) -> None:
    """bulkput upload, then Ctrl-C: exit 130, a summary that adds up, nothing half done"""
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


def test_a_reader_that_leaves_stops_the_run_quietly(environ: Mapping[str, str], container: str, tmp_path: Path) -> None:
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


def test_ls_lists_one_level_or_everything(environ: Mapping[str, str], container: str, tree: Path) -> None:
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


def test_ls_of_what_is_not_there_fails(environ: Mapping[str, str], container: str) -> None:
    """bulkput ls swift://c/absent: exit 1, one line"""
    ran = bulkput("ls", f"swift://{container}/absent", environ=environ)
    assert ran.exit_code != 0 and ran.out == "" and "Traceback" not in ran.err
    assert len(ran.err.splitlines()) == 1


def test_help_is_quick_and_complete() -> None:
    """bulkput --help, bulkput VERB --help: every verb answers, and nothing heavy is imported for it"""
    assert bulkput("--help").exit_code == 0
    for verb in ("upload", "ls", "serve", "demo"):
        ran = bulkput(verb, "--help")
        assert ran.exit_code == 0 and "--help" in ran.out
    code = """if True:
        import sys
        from bulkput.cli.main import bulkput
        bulkput(["--help"], standalone_mode=False)
        print([name for name in ("aiohttp", "rich", "asyncio", "pathspec") if name in sys.modules])
        """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
