"""The version has one place, from which everything else takes it."""

import re
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import bulkput

ROOT = Path(__file__).parents[2]
MADE_FROM_IT = ("man/", "benchmarks/")
"""Man pages have the version that made them (test_man_pages.py), and results the one that was measured."""


def test_the_version_stands_in_one_place() -> None:
    """bulkput/__init__.py: pyproject.toml names that file, and no other line of the project says the version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" in project["project"]["dynamic"] and "version" not in project["project"]
    assert project["tool"]["hatch"]["version"]["path"] == "bulkput/__init__.py"
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    ours = re.compile(rf"(?i)(version|bulkput).*(?<![\w.]){re.escape(bulkput.__version__)}(?![\w.])")
    places = []
    for name in listed.stdout.splitlines():
        if not name.startswith(MADE_FROM_IT) and name != "CHANGELOG.md":
            lines = (ROOT / name).read_text(errors="replace").splitlines()
            places += [f"{name}: {line}" for line in lines if ours.search(line)]
    assert places == [f'bulkput/__init__.py: __version__ = "{bulkput.__version__}"']


def test_what_is_installed_has_the_version_of_the_package() -> None:
    """The build takes it from the package; scripts/install installs again when it changes."""
    assert version("bulkput") == bulkput.__version__
