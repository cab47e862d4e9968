"""The commands and programs in README.md and docs/, as a reader pastes them.

A comment above a block controls this test:

    <!-- before: COMMAND -->       runs first, because the block needs it
    <!-- not run: REASON -->       the block is not run

Jobs of CI systems, in YAML and Groovy, are run by test_ci_snippets.py.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.cli import bulkput
from tests.servers.judge import SwiftJudge
from tests.servers.nginx import NginxDav
from tests.servers.s3 import of_swift
from tests.servers.swift import RealSwift

pytestmark = [pytest.mark.swift, pytest.mark.nginx, pytest.mark.timeout(180)]
ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^((?:<!-- .*? -->\n)*)```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
NOTE = re.compile(r"<!-- (before|not run): (.*?) -->")
NEEDS_SHELL = re.compile(r"^(?!bulkput |#)\S|^\S[^#']*[|*$>]", re.MULTILINE)
"""Matches other programs, pipes, redirections, globs and variables. A block without them runs without a shell in a
forked process: a new interpreter takes several times as long as the command."""
LOG = '192.0.2.{n} - - [14/Feb/2010:04:0{n}:00 +0000] "GET /v1/A/horror/poe.txt HTTP/1.1" 200 {n}00 "-" "curl/7.{n}"\n'


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str
    before: str
    why_not: str
    """The reason why it is not run; empty if it is."""

    @property
    def is_run(self) -> bool:
        return self.language in ("sh", "python") and not self.why_not


def blocks(page: str) -> list[Block]:
    found = []
    for notes, language, text in BLOCK.findall((ROOT / page).read_text()):
        told = dict(NOTE.findall(notes))
        found.append(Block(language, text, told.get("before", ""), told.get("not run", "")))
    return found


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A git repository with all files that the pages mention."""
    for tree in ("dist", "site", "archive"):
        (tmp_path / tree / "sub").mkdir(parents=True)
        for name in ("index.html", "a.txt", "sub/b.css"):
            (tmp_path / tree / name).write_text(f"{tree} {name}\n" * 500)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key").touch()
    (tmp_path / "logs").mkdir()
    for name in ("access.log", "access.log.1", "logs/syslog"):
        (tmp_path / name).write_text("".join(LOG.format(n=n) for n in range(1, 6)))
    (tmp_path / "report.pdf").write_bytes(b"%PDF-" * 1000)
    (tmp_path / "disk.img").write_bytes(os.urandom(3 * 1024 * 1024))
    for example in (ROOT / "docs" / "examples").glob("*.toml"):
        shutil.copy(example, tmp_path)
    (tmp_path / "list").write_text("index.html\nsub/b.css\n")
    (tmp_path / ".gitignore").write_text("# rubbish\n*.tmp\nup.db*\n")
    (tmp_path / "a.tmp").touch()
    subprocess.run("git init -q . && git add .", shell=True, cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if any(b.is_run for b in blocks(page))])
def test_every_command_and_program_of_a_page_succeeds(
    page: str, place: Path, swift: RealSwift, nginx: NginxDav
) -> None:
    """All blocks of sh and Python of a page run one after the other in one directory and exit with 0."""
    SwiftJudge(swift.auth_url, swift.user, swift.key).set_key("a key for docs/tempurl.md")
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = {
        **os.environ,
        **swift.environment,
        **of_swift(swift).environment,
        "PATH": programs,
        "TMPDIR": str(place.parent),
    }
    for block in blocks(page):
        if not block.is_run:
            continue
        text = block.text.replace("https://dav.example.org", nginx.url)
        if block.language == "sh" and not NEEDS_SHELL.search(text):
            for line in [*block.before.split("; "), *text.splitlines()]:
                if words := shlex.split(line, comments=True):
                    assert words[0] == "bulkput", f"{page}: {line}"
                    ended = bulkput(*words[1:], environ=environ, cwd=place)
                    assert ended.exit_code == 0, f"{page}: {line}\n{ended.out}\n{ended.err}"
            continue
        program = [sys.executable, "-c", text] if block.language == "python" else ["sh", "-euxc", text]
        ran = subprocess.run(program, cwd=place, env=environ, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, f"{page}:\n{text}\n{ran.stdout}\n{ran.stderr}"


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_a_page_runs_or_has_a_reason_not_to(page: str) -> None:
    """Each block has a language, and at most three of a page have a reason."""
    found = blocks(page)
    assert len(found) == (ROOT / page).read_text().count("\n```") / 2
    assert {block.language for block in found} <= {"sh", "python", "json", "text", "toml", "yaml", "groovy"}
    assert sum(bool(block.why_not) for block in found) <= 3
    assert all(len(block.why_not.split()) >= 3 for block in found if block.why_not)
