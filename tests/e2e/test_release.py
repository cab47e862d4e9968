"""scripts/release in a small repository: what it refuses, and what it leaves. A whole release takes minutes."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = '[project]\nclassifiers = ["Programming Language :: Python :: 3.11"]\n'
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n- Something.\n"
SECTION = "\n## [1.2.3] - 2026-01-01\n\n- The first.\n"
Repository = Callable[..., Path]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Makes a repository with the scripts and a package of version 1.2.3, all committed."""

    def make(*, changelog: str = CHANGELOG, tag: str = "") -> Path:
        root = tmp_path / "repository"
        for folder in ("scripts", "bulkput"):
            (root / folder).mkdir(parents=True)
        for name in ("release", "release.py", "release_checks.py"):
            shutil.copy(ROOT / "scripts" / name, root / "scripts" / name)
        (root / "bulkput" / "__init__.py").write_text('"""A package."""\n\n__version__ = "1.2.3"\n')
        (root / "pyproject.toml").write_text(PYPROJECT)
        (root / "CHANGELOG.md").write_text(changelog)
        (root / ".gitignore").write_text("__pycache__/\ndist/\n")
        commands = "git init -q . && git add . && git -c user.name=x -c user.email=x@example.org commit -qm first"
        subprocess.run(commands + (f" && git tag {tag}" if tag else ""), shell=True, cwd=root, check=True)
        return root

    return make


def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "tmp").mkdir(exist_ok=True)
    return {**os.environ, "TMPDIR": str(tmp_path / "tmp"), "PYTHON": sys.executable}


def release(root: Path, *arguments: str) -> tuple[int, str]:
    """Runs scripts/release; gives its exit code and what it says. It leaves nothing, since none of these succeeds."""
    done = subprocess.run(
        [root / "scripts" / "release", *arguments],
        cwd=root.parent,
        env=environ(root.parent),
        capture_output=True,
        text=True,
        check=False,
    )
    assert list((root.parent / "tmp").iterdir()) == []
    assert not (root / "dist").exists()
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("changelog", "tag", "arguments", "said"),
    [
        (CHANGELOG + SECTION, "", [], "the commit has no tag: git tag v1.2.3, or try all of it by --rehearse"),
        (
            CHANGELOG + SECTION,
            "v1.2.4",
            ["--rehearse"],
            "the commit has the tag v1.2.4, but bulkput/__init__.py says 1.2.3",
        ),
        (CHANGELOG, "v1.2.3", [], "CHANGELOG.md has no section [1.2.3]: say there what has changed"),
        (
            "# Changelog\n\n## [1.2.3] - 2026-01-01\n",
            "v1.2.3",
            [],
            "CHANGELOG.md has nothing below [1.2.3]: say there what has changed",
        ),
        ("# Changelog\n", "", ["--rehearse"], "CHANGELOG.md has no section [1.2.3]: say there what has changed"),
        (CHANGELOG, "", ["--rehearse", "--python", "3.99"], "there is no Python 3.99 that can make environments"),
    ],
    ids=["no tag", "another tag", "no section", "an empty section", "no section at all", "no such Python"],
)
def test_a_release_that_cannot_be_built_says_what_is_missing(
    repository: Repository, changelog: str, tag: str, arguments: list[str], said: str
) -> None:
    """scripts/release: exit 2, before anything is installed or built"""
    code, told = release(repository(changelog=changelog, tag=tag), *arguments)
    assert code == 2
    assert told.startswith(f"scripts/release: {said}"), told


def test_a_release_of_uncommitted_files_is_refused_by_their_names(repository: Repository) -> None:
    """scripts/release with a changed and a new file: neither would be in what is built"""
    root = repository(changelog=CHANGELOG + SECTION, tag="v1.2.3")
    (root / "CHANGELOG.md").write_text("other")
    (root / "new.py").touch()
    code, told = release(root)
    assert code == 2
    assert "commit, stash or remove these first" in told and " M CHANGELOG.md" in told and "?? new.py" in told


def test_a_wrong_option_is_a_usage_error_and_help_is_none(repository: Repository) -> None:
    """scripts/release --upload: there is no such thing"""
    root = repository()
    assert release(root, "--upload")[0] == 2
    assert "'3' is no version such as 3.12" in release(root, "--python", "3")[1]
    assert release(root, "--help") == (0, "")


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_interrupted_release_leaves_no_file_and_no_process(
    repository: Repository, signum: signal.Signals, code: int
) -> None:
    """scripts/release --rehearse, and a signal while an environment is made"""
    root = repository()
    version = "{}.{}".format(*sys.version_info)
    command = [root / "scripts" / "release", "--rehearse", "--python", version]
    environment = environ(root.parent)
    environment["PATH"] = f"{Path(sys.base_prefix) / 'bin'}:{environment['PATH']}"
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as script:
        assert script.stdout is not None
        while not re.search(rb"install build.*\.\.\.$", script.stdout.read1()):
            assert script.poll() is None
        script.send_signal(signum)
        script.communicate()
    assert script.returncode == code
    assert list((root.parent / "tmp").iterdir()) == []
    assert processes_of(root.parent / "tmp") == []


def processes_of(directory: Path) -> list[str]:
    """Gives the command lines that name something below the directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue  # it has ended
        if str(directory).encode() in line:
            found.append(line.decode(errors="replace"))
    return found
