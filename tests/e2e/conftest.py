"""The command line in the process of the tests, and tests that run on two stores."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkput.cli.main import main
from tests.e2e.cli import Bulkput, Ran
from tests.e2e.s3_world import Box
from tests.e2e.store_pair import Pair
from tests.servers.parted import BUCKETS, Bucket, install
from tests.servers.s3 import RealS3
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


@pytest.fixture
def parted_bucket(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """Installs the store of `parted://` (tests/servers/parted.py); gives its bucket `b`, which is empty."""
    place = tmp_path_factory.mktemp("installed")
    install(place)
    monkeypatch.syspath_prepend(str(place))
    BUCKETS["b"] = Bucket()
    yield BUCKETS["b"]
    BUCKETS.clear()


@pytest.fixture(
    params=[
        pytest.param("rgw_s3", marks=pytest.mark.rgw),
        pytest.param("s3api", marks=pytest.mark.swift),
        "moto",
    ]
)
def box(request: pytest.FixtureRequest) -> Box:
    """A bucket of its own in each S3 in turn: Ceph's gateway, the real Swift's, moto."""
    server: RealS3 = request.getfixturevalue(request.param)
    return Box(server, server.make_bucket())


@pytest.fixture
def pair(swift: RealSwift, rgw_s3: RealS3) -> Pair:
    """A container of the real Swift and a bucket of Ceph's gateway."""
    return Pair(swift, rgw_s3)
