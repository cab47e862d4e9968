"""The table of docs/s3-servers.md, of what each S3 that tests run on does: each cell is what the server does."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.contract import s3_objects, s3_parts
from tests.contract.s3wire import Bucket
from tests.contract.tables import ROOT, table_below
from tests.servers.rgw import RealRgw
from tests.servers.s3 import RealS3

PAGE = ROOT / "docs" / "s3-servers.md"
HEADING = "## What they do"
PROBES: dict[str, Callable[[Bucket], str]] = {**s3_objects.PROBES, **s3_parts.PROBES}


@pytest.fixture(scope="module")
def strangers_keys(rgw: RealRgw) -> tuple[str, str]:
    """The keys of another user of the gateway."""
    keys = ("stranger", "strange-secret")
    rgw.add_s3_user(*keys)
    return keys


def as_stranger(request: pytest.FixtureRequest, name: str, server: RealS3) -> RealS3:
    """The server as another user. Swift has one (scripts/swift_config.py); to moto all keys are the same user's."""
    keys = request.getfixturevalue("strangers_keys") if name == "rgw_s3" else ("admin:admin", "admin")
    return replace(server, access_key=keys[0], secret_key=keys[1])


def test_the_table_has_a_row_for_each_probe() -> None:
    """docs/s3-servers.md"""
    assert list(table_below(HEADING, PAGE)) == list(PROBES)


@pytest.mark.parametrize("fact", PROBES)
@pytest.mark.parametrize(
    ("column", "name"),
    [
        pytest.param("Swift s3api", "s3api", marks=pytest.mark.swift),
        pytest.param("Ceph RGW", "rgw_s3", marks=pytest.mark.rgw),
        ("moto", "moto"),
    ],
)
def test_the_server_does_what_the_table_says(request: pytest.FixtureRequest, column: str, name: str, fact: str) -> None:
    """docs/s3-servers.md"""
    server: RealS3 = request.getfixturevalue(name)
    bucket = Bucket(server, as_stranger(request, name, server))
    assert PROBES[fact](bucket) == table_below(HEADING, PAGE)[fact][column], PAGE
