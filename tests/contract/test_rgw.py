"""A real Ceph RGW, by its Swift API."""

import uuid

import pytest

from bulkput.testing.contract import StoreContract, Target
from tests.servers.judge import SwiftJudge
from tests.servers.swift import RealSwift


@pytest.mark.rgw
class TestRgw(StoreContract):
    @pytest.fixture
    def target(self, rgw: RealSwift) -> Target:
        container = f"contract-{uuid.uuid4().hex[:8]}"
        judge = SwiftJudge(rgw.auth_url, rgw.user, rgw.key)
        return Target(f"swift://{container}", rgw.environment, lambda name: judge.content(container, name))
