"""The command line in the process of the tests."""

import sys
from pathlib import Path

import pytest

from bulkput.cli.main import main
from tests.e2e.cli import Bulkput, Ran


@pytest.fixture
def bulkput(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bulkput:
    """Runs `bulkput ARGUMENTS` to its end in this process: a new process takes a second to start."""

    def run(*arguments: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["bulkput", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        assert isinstance(code, int)
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return run
