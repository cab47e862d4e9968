"""A store of another package, tests/plugin_example: built, installed beside bulkput, and used.

Wheels of both are built and installed into a new environment without a network. What they depend on comes from the
environment of the tests by a path file, which shows packages but not the editable bulkput there: nothing is downloaded,
and nothing of the source tree is imported.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.e2e.cli import Ran

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tests" / "plugin_example"
OFFLINE = ("--no-index", "--no-deps", "--quiet", "--disable-pip-version-check")

pytestmark = pytest.mark.timeout(240)  # two wheels and an environment, on a busy machine


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with both packages, as a user has it."""
    place = tmp_path_factory.mktemp("plugin")
    pip = [sys.executable, "-m", "pip"]
    wheels = place / "wheels"
    run(*pip, "wheel", *OFFLINE, "--no-build-isolation", "--wheel-dir", wheels, ROOT, EXAMPLE)
    run(sys.executable, "-m", "venv", "--without-pip", place / "venv")
    python = place / "venv" / "bin" / "python"
    run(*pip, "--python", python, "install", *OFFLINE, *wheels.glob("*.whl"))
    (packages,) = (place / "venv" / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return place / "venv"


def run(*command: str | Path, cwd: Path | None = None, environ: dict[str, str] | None = None) -> Ran:
    """Runs a program to its end, which has to be a success."""
    of_tests = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    ran = subprocess.run(command, cwd=cwd, env=of_tests | (environ or {}), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def test_the_package_passes_the_public_suite_of_stores_in_ten_lines(environment: Path, tmp_path: Path) -> None:
    """pytest, in the new environment: both packages are the installed ones"""
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")
    shutil.copy(EXAMPLE / "pyproject.toml", tmp_path)
    python = environment / "bin" / "python"
    where = "import bulkput, bulkput_file; print(bulkput.__file__, bulkput_file.__file__)"
    assert all(file.startswith(str(environment)) for file in run(python, "-c", where, cwd=tmp_path).out.split())
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # on a disk, fsync takes most of the time
    with tempfile.TemporaryDirectory(dir=memory) as place:
        command = (python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
        ran = run(*command, cwd=tmp_path, environ={"TMPDIR": place})
    assert " passed, " in ran.out and "failed" not in ran.out, ran.out
    suite = (EXAMPLE / "tests" / "test_contract.py").read_text().partition("class TestFile")[2]
    assert len([line for line in suite.splitlines() if line.strip()]) <= 10


def test_every_verb_works_with_the_store(environment: Path, tmp_path: Path) -> None:
    """bulkput upload TREE file://c/p; then ls, verify, upload --skip, cp, --if-exists and rm"""
    tree, disk = tmp_path / "tree", tmp_path / "disk"
    disk.mkdir()
    content = {
        "plain.txt": b"plain",
        "empty": b"",
        "a/a/deep": b"x" * 3_000_000,  # streamed
        "a/größe 100%?.dat": b"percent",
        "a/a-b": b"before a/a/ in the order of names",
        "n" * 100: b"long",
    }
    for name, data in content.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data)

    def bulkput(*arguments: str | Path) -> Ran:
        environ = {"FILE_STORE_ROOT": str(disk), "BULKPUT_NO_CONFIG": "1"}
        return run(environment / "bin" / "bulkput", *arguments, environ=environ)

    uploaded = bulkput("upload", "--meta", "Color:red", "--summary", "-", tree, "file://c/p").summary
    assert (uploaded["uploaded"], uploaded["failed"]) == (len(content), 0)
    assert stored(disk / "c") == {f"p/{name}": data for name, data in content.items()}
    listed = bulkput("ls", "--json", "-r", "file://c/p/").rows
    assert [row["name"] for row in listed] == sorted((f"p/{name}" for name in content), key=str.encode)
    verified = bulkput("verify", tree, "file://c/p")
    assert "6 identical" in verified.out + verified.err
    assert bulkput("upload", "--skip", "identical", "--summary", "-", tree, "file://c/p").summary["uploaded"] == 0
    again = bulkput("upload", "--if-exists", "skip", "--summary", "-", tree, "file://c/p").summary
    assert again["uploaded"] == 0
    bulkput("cp", "-r", "file://c/p/a", "file://c/q")
    assert stored(disk / "c")["q/a-b"] == content["a/a-b"]
    bulkput("rm", "-r", "--yes", "file://c/p/")
    assert {name.partition("/")[0] for name in stored(disk / "c")} == {"q"}


def test_without_its_variable_the_store_says_what_to_set(environment: Path, tmp_path: Path) -> None:
    """bulkput ls file://c: exit 2, one line"""
    ran = subprocess.run(
        [environment / "bin" / "bulkput", "ls", "file://c"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert ran.returncode == 2
    assert "FILE_STORE_ROOT, which is not set" in ran.stderr and ran.stderr.count("\n") == 1


def stored(container: Path) -> dict[str, bytes]:
    """The objects of a container by their names, as the README of the package says where they are."""
    found = {}
    for path in container.rglob("*"):
        *directories, file = path.relative_to(container).parts
        if path.is_file() and directories[:1] not in (["%meta"], ["%tmp"]):
            parts = [part.removesuffix("%%") if part.endswith("%%") else f"{part[:-1]}/" for part in directories]
            found[unquote("".join((*parts, file)))] = path.read_bytes()
    return found


def test_what_is_kept_with_an_object_is_text_that_people_can_read(environment: Path, tmp_path: Path) -> None:
    """One JSON object, in a file that has the mtime of the object's in its name"""
    (tmp_path / "a.txt").write_text("hello")
    environ = {"FILE_STORE_ROOT": str(tmp_path)}
    run(environment / "bin" / "bulkput", "upload", tmp_path / "a.txt", "file://c/x/", environ=environ)
    (kept,) = (tmp_path / "c" / "%meta" / "x%").iterdir()
    assert kept.name == f"a.txt%{(tmp_path / 'c' / 'x%' / 'a.txt').stat().st_mtime_ns}"
    row = json.loads(kept.read_text())
    assert (row["md5"], row["headers"]["content_type"]) == ("5d41402abc4b2a76b9719d911017c592", "text/plain")
