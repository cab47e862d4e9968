"""A devserver for the tests of one file."""

from collections.abc import Iterator, Mapping

import pytest

from tests.servers.devserver import devserver_process
from tests.servers.swift import RealSwift


@pytest.fixture(scope="module")
def server() -> Iterator[RealSwift]:
    with devserver_process() as running:
        yield running


@pytest.fixture
def environ(server: RealSwift) -> Mapping[str, str]:
    """The environment variables that point bulkput at the devserver."""
    return server.environment
