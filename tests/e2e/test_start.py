"""How a command starts and ends: which modules it imports, and what still happens after its last line."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.servers.nginx import NginxDav

NOT_FOR_A_PLAIN_UPLOAD = (
    "aiohappyeyeballs",
    "aiohttp",
    "bulkput.bench",
    "bulkput.cli.chosen",
    "bulkput.config.settings",
    "bulkput.devserver",
    "bulkput.engine.compare.listing",
    "bulkput.engine.objects",
    "bulkput.engine.verify",
    "bulkput.journal.journal",
    "bulkput.logs",
    "bulkput.payload.gzip_body",
    "bulkput.report.console",
    "bulkput.sources.file_list",
    "bulkput.transport.session",
    "bulkput.verb_options",
    "bulkput.watch",
    "difflib",
    "email",
    "idna",
    "isal",
    "json",
    "matplotlib",
    "mimetypes",
    "multidict",
    "numpy",
    "pathspec",
    "prometheus_client",
    "random",
    "rich",
    "shutil",
    "sqlite3",
    "tempfile",
    "tomllib",
    "urllib.request",
    "yarl",
    "zlib_ng",
)
"""Each takes between one and 200 ms: publishing a few files takes little more in all."""

PROGRAM = """
import atexit, sys, threading, time
sys.argv = ["bulkput", *sys.argv[1:]]
atexit.register(lambda: print("modules:", *sorted(sys.modules), file=sys.stderr))
threading.Thread(target=lambda: (time.sleep(0.2), print("thread: done", file=sys.stderr))).start()
from bulkput.__main__ import main
main()
"""


def process(*arguments: str | Path, program: str = PROGRAM, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def imported(ran: "subprocess.CompletedProcess[str]") -> set[str]:
    line = next(line for line in ran.stderr.splitlines() if line.startswith("modules: "))
    return set(line.split()[1:])


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "page.html").write_text("<p>hello")
    return tmp_path / "tree"


@pytest.mark.parametrize(
    "arguments",
    [["upload"], ["upload", "--progress", "plain", "--exclude", "x"], ["upload", "--expires-in", "7d"]],
    ids=["plain", "with patterns", "with a header"],
)
def test_an_upload_to_swift_imports_only_what_it_uses(
    environ: dict[str, str], tree: Path, arguments: list[str]
) -> None:
    """bulkput upload DIRECTORY swift://c"""
    ran = process(*arguments, tree, "swift://start", **environ)
    assert ran.returncode == 0, ran.stderr
    allowed = {"pathspec"} if "--exclude" in arguments else set()
    assert not imported(ran) & (set(NOT_FOR_A_PLAIN_UPLOAD) - allowed)


@pytest.mark.nginx
def test_an_upload_by_plain_http_imports_only_what_it_uses(nginx: NginxDav, tree: Path) -> None:
    """bulkput upload DIRECTORY http://..."""
    ran = process("upload", tree, f"{nginx.url}/start/")
    assert ran.returncode == 0, ran.stderr
    assert not imported(ran) & set(NOT_FOR_A_PLAIN_UPLOAD)


def test_a_listing_imports_no_other_client_than_our_own(environ: dict[str, str], tree: Path) -> None:
    """bulkput ls swift://c"""
    assert process("upload", tree, "swift://listed", **environ).returncode == 0
    ran = process("ls", "swift://listed", **environ)
    assert ran.stdout == "page.html\n"
    assert not imported(ran) & {"aiohttp", "rich", "sqlite3", "tempfile", "bulkput.engine.upload"}


def test_help_imports_no_event_loop() -> None:
    """bulkput --help"""
    assert not imported(process("--help")) & {"asyncio", "ssl", "uvloop", "hashlib", "aiohttp", "rich", "json"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--version"], 0),
        (["ls", "swift://nothing-there"], 1),
        (["ls"], 2),
        (["upload", "/nothing/there", "swift://c"], 2),
    ],
)
def test_a_command_waits_for_threads_and_runs_exit_functions(
    environ: dict[str, str], arguments: list[str], code: int
) -> None:
    """However it ends: coverage and profilers depend on that."""
    ran = process(*arguments, **environ)
    assert ran.returncode == code, ran.stderr
    assert ran.stderr.index("thread: done") < ran.stderr.index("modules:")


def test_all_of_a_long_output_reaches_a_pipe(environ: dict[str, str], tmp_path: Path) -> None:
    """bulkput ls: the process ends without the interpreter's own flush"""
    for number in range(3_000):
        (tmp_path / f"{number:05}-{'x' * 40}").touch()
    assert process("upload", "-q", tmp_path, "swift://long", **environ).returncode == 0
    lines = process("ls", "swift://long", **environ).stdout.splitlines()
    assert len(lines) == 3_000 and lines[-1].startswith("02999-")


def test_a_profiler_gets_its_report(environ: dict[str, str]) -> None:
    """python -m cProfile -m bulkput"""
    program = "import cProfile, sys; sys.argv = ['bulkput', *sys.argv[1:]]; cProfile.run('import runpy; "
    program += 'runpy.run_module("bulkput", run_name="__main__")\')'
    ran = process("--version", program=program, **environ)
    assert "function calls" in ran.stdout


def test_an_interrupt_while_modules_are_imported_ends_in_silence(tmp_path: Path) -> None:
    """bulkput upload, and Ctrl-C at once: a traceback, or "this is a bug in bulkput", would say something else"""
    program = """
        import os, signal, sys

        class Interrupting:
            def find_spec(self, name, path=None, target=None):
                if name == "bulkput.options":
                    os.kill(os.getpid(), signal.SIGINT)

        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.meta_path.insert(0, Interrupting())
        sys.argv = ["bulkput", "upload", ".", "swift://c"]
        from bulkput.__main__ import main
        main()
    """
    ran = subprocess.run([sys.executable, "-c", dedent(program)], cwd=tmp_path, capture_output=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (-signal.SIGINT, b"", b"")
