"""Build wheel and sdist, and prove both far from the source tree. `scripts/release` runs this; its --help says more.

`release_checks` has what is decided without running a program.
"""

# ruff: noqa: S603, T201, PLW1509 - a program that starts programs and prints, and that has no threads

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import release_checks as checks

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ("build", "twine", "readme_renderer[md]", "pipx", "uv")
"""They go into an environment of their own, so that a release does not depend on what a developer has installed."""
OF_THE_USER = re.compile(r"PYTHON|VIRTUAL_ENV|(BULKPUT|OS|ST|PIPX)_|NETRC$|MANPATH$|XDG_(DATA|STATE|CACHE|BIN)_HOME$")
"""Variables that could lead to the source tree, to a server, or to files of the user."""
DEMO = ("--files", "200", "--scale", "0.05")
"""200 files in three ways, with a twentieth of the latencies of 2009: about five seconds."""
FILES = 50
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
RENDER = "import sys; from readme_renderer.markdown import render; print(render(sys.stdin.read()) or '')"


class NotReadyError(Exception):
    """Something has to be done before a release can be built. Exit code 2."""


class WrongError(Exception):
    """Something that was built is wrong. Exit code 1."""


@dataclass(frozen=True, slots=True)
class Built:
    """Wheel and sdist of one version, and the Pythons to try them on."""

    version: str
    wheel: Path
    sdist: Path
    pythons: Mapping[str, str]
    """The program of each version, the oldest first."""
    tools: Path
    """The programs of `TOOLS`."""

    @property
    def newest(self) -> str:
        return list(self.pythons.values())[-1]


def main() -> int:
    options = arguments()
    for number in SIGNALS:
        signal.signal(number, lambda got, _: sys.exit(128 + got))  # so that what is temporary is removed
    try:
        with tempfile.TemporaryDirectory(prefix="bulkput-release-") as place:
            release(options, Path(place).resolve())
    except NotReadyError as error:
        print(f"scripts/release: {error}", file=sys.stderr)
        return 2
    except WrongError as error:
        print(f"\nscripts/release: {error}", file=sys.stderr)
        return 1
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/release", allow_abbrev=False)
    parser.add_argument("--rehearse", action="store_true", help="without a tag; the text may stand below Unreleased")
    parser.add_argument("--to", type=Path, default=ROOT / "dist", metavar="DIR", help="default: dist")
    parser.add_argument("--python", action="append", type=minor, metavar="VERSION", help="such as 3.12; repeatable")
    return parser.parse_args()


def minor(text: str) -> str:
    if not re.fullmatch(r"3\.\d+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no version such as 3.12")
    return text


def release(options: argparse.Namespace, place: Path) -> None:
    version, text = ready(is_rehearsal=options.rehearse)
    pythons = {name: interpreter(name) for name in checks.oldest_first(options.python or checks.pythons_in(ROOT))}
    print(f"bulkput {version}, commit {git('rev-parse', '--short', 'HEAD')}, Python {', '.join(pythons)}")
    tree = place / "tree"
    with step("install build, twine, pipx and uv"):
        tools = environment(place / "tools", list(pythons.values())[-1])  # the newest
        run(tools / "pip", "install", "-q", *TOOLS)
    with step("build wheel and sdist of the commit"):
        export(tree)
        run(tools / "python", "-m", "build", "--sdist", "--wheel", "--outdir", place / "built", tree)
    built = Built(version, *results(place / "built"), pythons, tools)
    check(built, tree, place)
    shutil.rmtree(tree)  # from here on, nothing can come from it
    for name, python in pythons.items():
        for kind, what in {"wheel": built.wheel, "sdist": built.sdist}.items():
            with step(f"Python {name}: install the {kind}, upload, demo"):
                prove(what, built, place / f"{kind}-{name}", python)
    with step("uvx"):
        prove_uvx(built, place / "uvx-home")
    with step("pipx run, pipx install"):
        prove_pipx(built, place / "pipx-home")
    wheel, sdist = deliver(built, text, options.to)
    if options.rehearse:
        print(f"This was a rehearsal. A release has a section [{version}] in CHANGELOG.md, and the tag v{version}.")
    else:
        print(f"To publish:\n    pipx run twine upload {wheel} {sdist}")


# --- before anything is built ---


def ready(*, is_rehearsal: bool) -> tuple[str, str]:
    """The version, and the text of its changelog."""
    if changed := git("status", "--porcelain"):
        raise NotReadyError(f"commit, stash or remove these first, they would not be in the release:\n{changed}")
    version, changelog = checks.version_in(ROOT), (ROOT / "CHANGELOG.md").read_text()
    tags = [tag for tag in git("tag", "--points-at", "HEAD").splitlines() if re.match(r"v\d", tag)]
    if tags and tags != [f"v{version}"]:
        raise NotReadyError(f"the commit has the tag {' and '.join(tags)}, but bulkput/__init__.py says {version}")
    if not tags and not is_rehearsal:
        raise NotReadyError(f"the commit has no tag: git tag v{version}, or try all of it by --rehearse")
    text = checks.section(changelog, version)
    if text is None and is_rehearsal:
        text = checks.section(changelog, "Unreleased")
    if not text:
        is_empty = "has nothing below" if text == "" else "has no section"
        raise NotReadyError(f"CHANGELOG.md {is_empty} [{version}]: say there what has changed")
    return version, text


def interpreter(version: str) -> str:
    """The program of a Python, from PATH or pyenv. pyenv's shims are on PATH even for versions that do not run."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    folders = [Path(folder) for folder in os.environ.get("PATH", os.defpath).split(os.pathsep)]
    for folder in [*folders, *(each / "bin" for each in sorted(pyenv.glob(f"{version}.*"), reverse=True))]:
        program = folder / f"python{version}"
        told = "import ensurepip, sys; print('%d.%d' % sys.version_info[:2])"  # Debian has Pythons that make no venv
        try:
            done = subprocess.run([program, "-I", "-c", told], capture_output=True, text=True, check=False)
        except OSError:
            continue
        if done.returncode == 0 and done.stdout.strip() == version:
            return str(program)
    raise NotReadyError(
        f"there is no Python {version} that can make environments, neither on PATH nor in {pyenv}: "
        f"pyenv install {version}, or name those to try by --python VERSION"
    )


def export(tree: Path) -> None:
    """Write the files of the commit, without what lies ignored in the working tree."""
    tree.mkdir()
    git("archive", "--output", str(tree.with_suffix(".tar")), "HEAD")
    run("tar", "-xf", tree.with_suffix(".tar"), "-C", tree)


# --- what was built ---


def results(folder: Path) -> tuple[Path, Path]:
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


def check(built: Built, tree: Path, place: Path) -> None:
    """Look at the files and the metadata of wheel and sdist, and at the wheel that the sdist makes."""
    metadata = checks.metadata_of_wheel(built.wheel)
    with step("files and metadata"):
        complain(checks.faults_of_wheel(built.wheel, tree))
        complain(checks.faults_of_sdist(built.sdist, tree))
        complain(checks.faults_of_metadata(metadata, tree))
        complain(checks.faults_of_metadata(checks.metadata_of_sdist(built.sdist), tree))
    with step("twine check --strict, the description as HTML"):
        run(built.tools / "twine", "check", "--strict", built.wheel, built.sdist)
        description = checks.description_in(metadata)  # twine takes any Markdown, even if nothing can render it
        html = run(built.tools / "python", "-c", RENDER, given=description)
        if html.count("<h2") != len(re.findall(r"^## ", description, re.MULTILINE)) or "<table" not in html:
            raise WrongError("the description loses headings or tables when it is rendered as PyPI does it")
    with step("the sdist makes the same wheel"):
        again = place / "again"
        run(built.tools / "pip", "wheel", "-q", "--no-deps", "--wheel-dir", again, built.sdist)
        complain(checks.differences(built.wheel, again / built.wheel.name))


def complain(faults: Sequence[str]) -> None:
    if faults:
        raise WrongError("\n".join(faults))


def prove(what: Path, built: Built, place: Path, python: str) -> None:
    """Install a wheel or an sdist into an empty environment, and use it from an empty directory."""
    bin_ = environment(place / "venv", python)
    run(bin_ / "pip", "install", "-q", what)
    away = place / "away"
    away.mkdir()
    environ = {**clean(), "PATH": f"{bin_}:{os.environ['PATH']}", "XDG_CONFIG_HOME": str(away / "no-config")}

    def told(*command: str | Path) -> str:
        return run(*command, environ=environ, cwd=away)

    expect_version(told(bin_ / "bulkput", "--version"), built)
    if not told(bin_ / "python", "-c", "import bulkput; print(bulkput.__file__)").startswith(str(place)):
        raise WrongError("bulkput was imported from somewhere else than the environment")
    expect_shared(place / "venv" / "share")
    if shutil.which("man") and Path(told("man", "-w", "bulkput-upload").strip()).parents[3] != place / "venv":
        raise WrongError("`man bulkput-upload` opens another page than that of the environment")
    (away / "tree").mkdir()
    for number in range(FILES):
        (away / "tree" / f"{number}.txt").write_text(f"{number}\n" * number)
    with served(bin_ / "bulkput", environ, away) as login:
        environ |= login
        told(bin_ / "bulkput", "upload", "tree", "swift://box")
        told(bin_ / "bulkput", "verify", "tree", "swift://box")
        listed = told(bin_ / "bulkput", "ls", "swift://box").splitlines()
        if len(listed) != FILES:
            raise WrongError(f"{FILES} files were uploaded, and {len(listed)} are listed")
    demo = told(bin_ / "bulkput", "demo", *DEMO)
    if "read back: all 600 objects are byte for byte their files" not in demo:
        raise WrongError(f"the demo did not read back what it uploaded:\n{demo}")


@contextmanager
def served(bulkput: Path, environ: Mapping[str, str], cwd: Path) -> Iterator[dict[str, str]]:
    """Run `bulkput serve`; gives the variables that it prints."""
    with started([bulkput, "serve", "--port", "0"], environ, cwd) as server:
        line = server.stdout.readline() if server.stdout else ""
        if not line.startswith("export "):
            raise WrongError(f"bulkput serve: {line or server.communicate()[1]}")
        yield dict(re.findall(r"(\w+)=(\S+)", line))


def prove_uvx(built: Built, home: Path) -> None:
    uvx = [built.tools / "uvx", "--no-python-downloads", "--python", built.newest, "--from", built.wheel]
    expect_version(run(*uvx, "bulkput", "--version", environ=at_home(home), cwd=home), built)


def prove_pipx(built: Built, home: Path) -> None:
    """Man pages and completions lie where a user's man and shells look."""
    environ = {**at_home(home), "PATH": f"{home}/.local/bin:{built.tools}:{os.environ['PATH']}"}
    spec = ["run", "--python", built.newest, "--spec", built.wheel, "bulkput", "--version"]
    expect_version(run("pipx", *spec, environ=environ, cwd=home), built)
    run("pipx", "install", "--python", built.newest, built.wheel, environ=environ, cwd=home)
    expect_version(run(home / ".local" / "bin" / "bulkput", "--version", environ=environ, cwd=home), built)
    expect_shared(home / ".local" / "share")


def expect_version(printed: str, built: Built) -> None:
    if printed.split()[-1:] != [built.version]:
        raise WrongError(f"`bulkput --version` says {printed.strip()!r} and not {built.version}")


def expect_shared(share: Path) -> None:
    """The man pages, and the completions of all shells, are below `share`."""
    wanted = [share / "man" / "man1" / "bulkput.1", *(share / place for place in checks.SHELLS.values())]
    complain([f"there is no {path.relative_to(share.parent)}" for path in wanted if not path.is_file()])


def deliver(built: Built, text: str, folder: Path) -> tuple[Path, Path]:
    """Put the files where the user wants them; gives wheel and sdist there."""
    folder.mkdir(parents=True, exist_ok=True)
    wheel, sdist = (folder / path.name for path in (built.wheel, built.sdist))
    shutil.copyfile(built.wheel, wheel)
    shutil.copyfile(built.sdist, sdist)
    (folder / "RELEASE.md").write_text(text + "\n")
    print(f"All of it works. {folder} has the wheel, the sdist, and the text of the release: RELEASE.md.")
    return wheel, sdist


# --- programs ---


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is done, and how long it took."""
    print(f"{what} ...", end="", flush=True)
    began = time.monotonic()
    yield
    print(f" {time.monotonic() - began:.1f} s", flush=True)


def run(
    *command: str | Path, environ: Mapping[str, str] | None = None, cwd: Path | None = None, given: str = ""
) -> str:
    """Run a program; gives what it prints. One that fails ends the release, with all that it said."""
    with started(command, clean() if environ is None else environ, cwd) as process:
        printed, said = process.communicate(given)
    if process.returncode != 0:
        words = " ".join(map(str, command))
        raise WrongError(f"{words}\nended with exit code {process.returncode}:\n{printed}{said}")
    return printed


@contextmanager
def started(
    command: Sequence[str | Path], environ: Mapping[str, str], cwd: Path | None
) -> Iterator[subprocess.Popen[str]]:
    """Start a program, in a session of its own. It ends with the block, and so does whatever it has started."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # else one could come after the fork and before the `try`
    try:
        process = subprocess.Popen(
            command, env=environ, cwd=cwd, text=True, start_new_session=True, preexec_fn=take_signals, **pipes
        )
    except OSError as error:
        raise NotReadyError(f"{command[0]}: {error.strerror}") from None
    with process:
        try:
            take_signals()
            yield process
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()  # ends when the last of them has ended: no one writes into `place` any more


def take_signals() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=False)  # noqa: S607
    except OSError as error:
        raise NotReadyError(f"git: {error.strerror}") from None
    if done.returncode != 0:
        raise NotReadyError(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.rstrip()


def environment(folder: Path, python: str) -> Path:
    """Make an empty environment; gives the directory of its programs."""
    run(python, "-m", "venv", folder)
    return folder / "bin"


def clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not OF_THE_USER.match(name)}


def at_home(home: Path) -> dict[str, str]:
    """The environment of a user whose home is empty. The real user's settings of pip and uv go on, such as a mirror."""
    home.mkdir()
    return {
        **clean(),
        "HOME": str(home),
        "XDG_CONFIG_HOME": os.environ.get("XDG_CONFIG_HOME", str(Path.home() / ".config")),
    }


if __name__ == "__main__":
    sys.exit(main())
