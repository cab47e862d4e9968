"""The checks of scripts/release on wheels and sdists that are made here, file by file: each can complain."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Mapping
from email.message import Message
from pathlib import Path

import pytest

import bulkput
from scripts import release_checks as checks

ROOT = Path(__file__).parents[2]
VERSION = checks.version_in(ROOT)
WANTED = checks.wanted_in_wheel(ROOT)
OWN = dict.fromkeys(("METADATA", "WHEEL", "RECORD", "entry_points.txt"), b"x")


def wheel_of(files: Mapping[str, bytes], folder: Path, *, link: str = "") -> Path:
    """Writes a wheel with these files; `link` is one that is stored as a symbolic link."""
    path = folder / f"bulkput-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            top = {"bulkput": "", "share": f"bulkput-{VERSION}.data/data/"}.get(name.partition("/")[0])
            entry = zipfile.ZipInfo(f"{f'bulkput-{VERSION}.dist-info/' if top is None else top}{name}")
            entry.external_attr = (stat.S_IFLNK if name == link else stat.S_IFREG) << 16
            archive.writestr(entry, content)
    return path


def sdist_of(names: list[str], folder: Path, links: Mapping[str, str] | None = None) -> Path:
    path = folder / f"bulkput-{VERSION}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            entry = tarfile.TarInfo(f"bulkput-{VERSION}/{name}")
            if target := (links or {}).get(name):
                entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry, io.BytesIO())
    return path


def test_a_wheel_with_all_files_of_the_tree_has_no_fault(tmp_path: Path) -> None:
    """What `wanted_in_wheel` names, with the files that every wheel has."""
    assert checks.faults_of_wheel(wheel_of(WANTED | OWN, tmp_path), ROOT) == []


@pytest.mark.parametrize(
    "missing",
    [
        "share/man/man1/bulkput.1",
        "share/man/man1/bulkput-upload.1",
        "share/bash-completion/completions/bulkput",
        "share/zsh/site-functions/_bulkput",
        "share/fish/vendor_completions.d/bulkput.fish",
        "bulkput/py.typed",
        "bulkput/__init__.pyi",
        "bulkput/demo/baselines.py",
        "bulkput/testing/contract.py",
        "bulkput/watch/static/index.html",
        "bulkput/watch/static/uplot/LICENSE",
        "licenses/LICENSE",
        "entry_points.txt",
    ],
)
def test_a_wheel_without_one_of_its_files_has_that_fault(tmp_path: Path, missing: str) -> None:
    """The complaint names the file."""
    files = {name: content for name, content in (WANTED | OWN).items() if name != missing}
    assert checks.faults_of_wheel(wheel_of(files, tmp_path), ROOT) == [f"the wheel has no {missing}"]


def test_a_wheel_without_man_pages_has_a_fault_even_if_the_tree_has_none(tmp_path: Path) -> None:
    """Both could lose them by the same mistake."""
    tree = tmp_path / "tree"
    for name in ("bulkput", "LICENSE"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).symlink_to(ROOT / name)
    files = {name: content for name, content in (WANTED | OWN).items() if not name.startswith("share/man/")}
    faults = checks.faults_of_wheel(wheel_of(files, tmp_path), tree)
    assert [f"the wheel has no share/man/man1/bulkput{suffix}.1" for suffix in ("-upload", "")] == faults


def test_a_link_in_a_wheel_counts_as_absent(tmp_path: Path) -> None:
    """pip writes the path that it leads to into a file."""
    files = WANTED | OWN | {"bulkput/demo/baselines.py": b"../../benchmarks/baselines.py"}
    wheel = wheel_of(files, tmp_path, link="bulkput/demo/baselines.py")
    assert checks.faults_of_wheel(wheel, ROOT) == ["the wheel has no bulkput/demo/baselines.py"]


def test_a_wheel_with_tests_or_with_another_text_has_a_fault(tmp_path: Path) -> None:
    """Nothing but the package is installed, as it is in the tree."""
    files = WANTED | OWN | {"tests/conftest.py": b"", "bulkput/model.py": b"other"}
    assert checks.faults_of_wheel(wheel_of(files, tmp_path), ROOT) == [
        "the wheel has tests/conftest.py, which does not belong there",
        "bulkput/model.py in the wheel is not that of the tree",
    ]


def test_wheels_differ_by_the_files_that_differ(tmp_path: Path) -> None:
    """Those that only one of them has, too."""
    (tmp_path / "other").mkdir()
    one = wheel_of({"bulkput/a.py": b"1", "bulkput/b.py": b"2", "bulkput/c.py": b"3"}, tmp_path)
    other = wheel_of({"bulkput/a.py": b"1", "bulkput/b.py": b"4"}, tmp_path / "other")
    assert checks.differences(one, one) == []
    assert [fault.split()[0] for fault in checks.differences(one, other)] == ["bulkput/b.py", "bulkput/c.py"]


def sdist_names() -> list[str]:
    folders = [path for folder in checks.IN_SDIST for path in (ROOT / folder).rglob("*") if path.is_file()]
    names = [path.relative_to(ROOT).as_posix() for path in [*folders, *ROOT.glob("*.md")]]
    return [*names, "LICENSE", "pyproject.toml", "PKG-INFO"]


def test_an_sdist_misses_what_is_not_in_it(tmp_path: Path) -> None:
    """Tests, pages, scripts, man pages, and what a build needs."""
    names = sdist_names()
    assert checks.faults_of_sdist(sdist_of(names, tmp_path), ROOT) == []
    for missing in (
        "pyproject.toml",
        "man/bulkput.1",
        "tests/conftest.py",
        "docs/ci.md",
        "README.md",
        "scripts/release",
    ):
        sdist = sdist_of([name for name in names if name != missing], tmp_path)
        assert checks.faults_of_sdist(sdist, ROOT) == [f"the sdist has no {missing}"]


def test_a_link_in_an_sdist_leads_to_a_file_in_it(tmp_path: Path) -> None:
    """baselines.py is a link to benchmarks/."""
    names, link = sdist_names(), "bulkput/demo/baselines.py"
    good = sdist_of(names, tmp_path, {link: "../../benchmarks/baselines.py"})
    assert checks.faults_of_sdist(good, ROOT) == []
    bad = sdist_of(names, tmp_path, {link: "../../elsewhere/baselines.py"})
    assert checks.faults_of_sdist(bad, ROOT) == [f"{link} in the sdist is a link to nothing"]


def metadata(**changed: str) -> str:
    told = Message()
    fields = {
        "Name": "bulkput",
        "Version": VERSION,
        "Requires-Python": ">=3.11",
        "Description-Content-Type": "text/markdown",
        "License-Expression": "Apache-2.0",
    }
    for name, value in (fields | {name.replace("_", "-"): value for name, value in changed.items()}).items():
        told[name] = value
    return f"{told.as_string().rstrip()}\n\n"


def test_metadata_are_those_of_the_tree() -> None:
    """Version, Pythons, licence, and the README as the description."""
    readme = (ROOT / "README.md").read_text()
    assert checks.faults_of_metadata(metadata() + readme, ROOT) == []
    assert checks.faults_of_metadata(metadata(Version="9.9.9") + readme, ROOT) == [f"Version is 9.9.9, not {VERSION}"]
    told = checks.faults_of_metadata(metadata(Requires_Python=">=3.9") + readme, ROOT)
    assert told == ["Requires-Python is >=3.9, not >=3.11"]
    assert checks.faults_of_metadata(metadata(), ROOT) == ["the description is not README.md"]


CHANGELOG = """\
# Changelog

## [Unreleased]

## [1.10.0] - 2026-02-01

### Added

- A flag:

```
## [1.1.0]
```

## [1.1.0] - 2026-01-01

- The first.

[1.10.0]: https://example.org/1.10.0
[1.1.0]: https://example.org/1.1.0
"""


@pytest.mark.parametrize(
    ("version", "text"),
    [
        ("Unreleased", ""),
        ("1.10.0", "### Added\n\n- A flag:\n\n```\n## [1.1.0]\n```"),
        ("1.1.0", "- The first."),
        ("1.1", None),
        ("1x1.0", None),
        ("Changelog", None),
    ],
)
def test_a_section_is_the_text_below_the_heading_of_its_version(version: str, text: str | None) -> None:
    """The whole version, and no heading inside a fenced block."""
    assert checks.section(CHANGELOG, version) == text


def test_version_and_pythons_are_those_of_the_project() -> None:
    """The oldest Python first."""
    assert bulkput.__version__ == VERSION
    assert checks.oldest_first(["3.13", "3.9", "3.11", "3.9"]) == ["3.9", "3.11", "3.13"]
    assert checks.pythons_in(ROOT)[0] == "3.11"
    assert checks.project_in(ROOT)["requires-python"] == ">=3.11"
