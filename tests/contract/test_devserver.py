"""The devserver, through swift://."""

import pytest

from bulkput.devserver import DevServer
from bulkput.testing.contract import StoreContract, Target
from tests.conftest import environ_of
from tests.servers.judge import SwiftJudge


class TestDevServer(StoreContract):
    removes_many = False

    @pytest.fixture
    def target(self, devserver: DevServer) -> Target:
        judge = SwiftJudge(devserver.auth_url, devserver.options.user, devserver.options.key)
        return Target("swift://contract", environ_of(devserver), lambda name: judge.content("contract", name))
