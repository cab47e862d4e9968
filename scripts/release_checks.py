"""What a release has to be: the text of its changelog, its metadata, the files in its wheel and sdist.

Nothing here runs a program. Every check gives its complaints, each as a sentence; none means that all is well.
"""

from __future__ import annotations

import email
import re
import stat
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

SHELLS = {
    "bulkput.bash": "bash-completion/completions/bulkput",
    "bulkput.zsh": "zsh/site-functions/_bulkput",
    "bulkput.fish": "fish/vendor_completions.d/bulkput.fish",
}
"""Where each shell looks for the completions of a command, below `share/`."""
NEVER_MISSING = (
    "bulkput/__init__.py",
    "bulkput/__init__.pyi",
    "bulkput/py.typed",
    "bulkput/demo/baselines.py",
    *(f"bulkput/watch/static/{name}" for name in ("index.html", "page.js", "page.css", "charts.js", "icon.svg")),
    *(f"bulkput/watch/static/uplot/{name}" for name in ("uPlot.iife.min.js", "uPlot.min.css", "LICENSE")),
    "share/man/man1/bulkput.1",
    "share/man/man1/bulkput-upload.1",
    *(f"share/{place}" for place in SHELLS.values()),
    "licenses/LICENSE",
)
"""Should one of them be missing in the tree as well, the wheel would still be wrong."""
IN_SDIST = ("bulkput", "man", "benchmarks", "scripts", "tests", "docs")
"""What tests need, and the pages that the README links to."""
HEADING = re.compile(r"## \[([^\]]+)\]")
FENCE = re.compile(r" {0,3}(```|~~~)")
REFERENCE = re.compile(r"\[[^\]]+\]: \S+$")
VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
PYTHON = re.compile(r"Programming Language :: Python :: (3\.\d+)")


def version_in(tree: Path) -> str:
    """The version that the tree says; its one place is `bulkput/__init__.py`."""
    (version,) = VERSION.findall((tree / "bulkput" / "__init__.py").read_text())
    return str(version)


def project_in(tree: Path) -> Mapping[str, object]:
    """The table `project` of pyproject.toml."""
    project = tomllib.loads((tree / "pyproject.toml").read_text())["project"]
    assert isinstance(project, dict)  # noqa: S101 - TOML has no other [project]
    return project


def pythons_in(tree: Path) -> list[str]:
    """The Pythons that pyproject.toml says bulkput runs on, the oldest first."""
    classifiers = project_in(tree)["classifiers"]
    assert isinstance(classifiers, list)  # noqa: S101
    return oldest_first(match[1] for each in classifiers if (match := PYTHON.fullmatch(each)))


def oldest_first(pythons: Iterable[str]) -> list[str]:
    return sorted(set(pythons), key=lambda version: int(version.partition(".")[2]))


def section(changelog: str, version: str) -> str | None:
    """What stands below `## [version]`: "" if nothing does, None if there is no such heading.

    A line in a fenced block is no heading. Link definitions at the end of the file belong to no section.
    """
    found: list[str] | None = None
    fence = ""
    for line in changelog.splitlines():
        if match := FENCE.match(line):
            fence = "" if fence == match[1] else fence or match[1]
        if not fence and line.startswith("## "):
            if found is not None:
                break
            heading = HEADING.match(line)
            found = [] if heading and heading[1] == version else None
        elif found is not None and (fence or not REFERENCE.match(line)):
            found.append(line)
    return None if found is None else "\n".join(found).strip()


def wanted_in_wheel(tree: Path) -> dict[str, bytes]:
    """Every file that a wheel of the tree has, by its name in `names_in_wheel`; the metadata is not among them."""
    wanted = {path.relative_to(tree).as_posix(): path.read_bytes() for path in _files(tree / "bulkput")}
    wanted |= {f"share/man/man1/{path.name}": path.read_bytes() for path in _files(tree / "man")}
    for name, place in SHELLS.items():
        wanted[f"share/{place}"] = (tree / "bulkput" / "cli" / "shells" / name).read_bytes()
    return {**wanted, "licenses/LICENSE": (tree / "LICENSE").read_bytes()}


def _files(folder: Path) -> Iterable[Path]:
    """Links are followed: a wheel has what they lead to."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)


def names_in_wheel(wheel: Path) -> dict[str, bytes]:
    """The content of each file in a wheel. Its directories with the version in their names are left out of the names.

    A symbolic link counts as absent: pip would write the path that it leads to into a file.
    """
    found = {}
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            if not entry.is_dir() and not stat.S_ISLNK(entry.external_attr >> 16):
                name = re.sub(r"^[^/]+\.(dist-info|data/data)/", "", entry.filename)
                found[name] = archive.read(entry)
    return found


def faults_of_wheel(wheel: Path, tree: Path) -> list[str]:
    """A wheel has every file of the package, man pages and completions, byte for byte, and nothing else."""
    wanted, found = wanted_in_wheel(tree), names_in_wheel(wheel)
    own = {"METADATA", "WHEEL", "RECORD", "entry_points.txt"}
    missing = {*wanted, *NEVER_MISSING, *own} - set(found)
    return [
        *(f"the wheel has no {name}" for name in sorted(missing)),
        *(f"the wheel has {name}, which does not belong there" for name in sorted(set(found) - set(wanted) - own)),
        *(
            f"{name} in the wheel is not that of the tree"
            for name in sorted(wanted)
            if found.get(name, wanted[name]) != wanted[name]
        ),
    ]


def faults_of_sdist(sdist: Path, tree: Path) -> list[str]:
    """An sdist has whatever is needed to build a wheel and to run the tests; links in it lead to its own files."""
    files = [path for folder in IN_SDIST for path in _files(tree / folder)]
    wanted = {path.relative_to(tree).as_posix() for path in [*files, *tree.glob("*.md")]} | {
        "LICENSE",
        "pyproject.toml",
    }
    with tarfile.open(sdist) as archive:
        top = sdist.name.removesuffix(".tar.gz")
        members = {member.name.removeprefix(f"{top}/"): member for member in archive.getmembers()}
        dangling = [name for name, member in members.items() if member.issym() and not _leads_inside(archive, member)]
    return [
        *(f"the sdist has no {name}" for name in sorted({*wanted, "PKG-INFO"} - set(members))),
        *(f"{name} in the sdist is a link to nothing" for name in sorted(dangling)),
    ]


def _leads_inside(archive: tarfile.TarFile, link: tarfile.TarInfo) -> bool:
    try:
        return archive.extractfile(link) is not None
    except KeyError:  # tarfile's answer to a link whose target is not in the archive
        return False


def metadata_of_wheel(wheel: Path) -> str:
    return names_in_wheel(wheel)["METADATA"].decode()


def metadata_of_sdist(sdist: Path) -> str:
    with tarfile.open(sdist) as archive:
        member = archive.extractfile(f"{sdist.name.removesuffix('.tar.gz')}/PKG-INFO")
        return member.read().decode() if member else ""


def faults_of_metadata(metadata: str, tree: Path) -> list[str]:
    """Version, Pythons and description are those of the tree."""
    told = email.message_from_string(metadata)
    pythons = pythons_in(tree)
    wanted = {
        "Name": "bulkput",
        "Version": version_in(tree),
        "Requires-Python": f">={pythons[0]}",  # the oldest of the classifiers
        "Description-Content-Type": "text/markdown",
        "License-Expression": "Apache-2.0",
    }
    faults = [f"{name} is {told[name]}, not {value}" for name, value in wanted.items() if told[name] != value]
    if description_in(metadata) != (tree / "README.md").read_text():
        faults.append("the description is not README.md")
    return faults


def description_in(metadata: str) -> str:
    return metadata.partition("\n\n")[2]


def differences(one: Path, other: Path) -> list[str]:
    """What differs between two wheels that should be the same."""
    first, second = names_in_wheel(one), names_in_wheel(other)
    names = sorted({*first, *second})
    return [f"{name} differs, or is in one of them only" for name in names if first.get(name) != second.get(name)]
