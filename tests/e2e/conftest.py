"""The command line in the process of the tests, and tests that run on two stores."""

import sys
from pathlib import Path

import pytest

from bulkput.cli.main import main
from tests.e2e.cli import Bulkput, Ran
from tests.servers.swift import RealSwift


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


@pytest.fixture(
    params=[pytest.param("swift", marks=pytest.mark.swift), pytest.param("rgw", marks=pytest.mark.rgw)], scope="module"
)
def swift_or_rgw(request: pytest.FixtureRequest) -> RealSwift:
    """A real Swift and a real Ceph RGW in turn."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, RealSwift)
    return found
