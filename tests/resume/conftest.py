"""Fixtures for repeated uploads of one tree with a journal."""

from pathlib import Path

import pytest

from tests.e2e.cli import Ran, bulkput
from tests.servers.judge import SwiftJudge
from tests.servers.swift import RealSwift

KNOWN = "uploaded before, says the journal"


@pytest.fixture
def judge(server: RealSwift) -> SwiftJudge:
    return SwiftJudge(server.auth_url, server.user, server.key)


@pytest.fixture
def container(tmp_path: Path) -> str:
    return "".join(character for character in tmp_path.parent.name + tmp_path.name if character.isalnum())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "sub").mkdir(parents=True)
    for number in range(20):
        (root / f"f{number:02d}").write_text(f"content {number}")
        (root / "sub" / f"s{number:02d}").write_text(f"other {number}")
    return root


class Runs:
    """Runs `bulkput upload` with the same journal at each call."""

    def __init__(self, tmp_path: Path, container: str, environ: dict[str, str]) -> None:
        self.journal = tmp_path / "up.db"
        self.destination = f"swift://{container}/p"
        self.environ = environ

    def __call__(self, *arguments: str | Path, to: str | None = None, **environ: str) -> Ran:
        return bulkput(
            "upload", "--journal", self.journal, "--summary", "-", *arguments, to or self.destination,
            environ=self.environ | environ,
        )  # fmt: skip


@pytest.fixture
def run(tmp_path: Path, container: str, environ: dict[str, str]) -> Runs:
    return Runs(tmp_path, container, environ)
