"""A real OpenStack Swift."""

import uuid

import pytest

from bulkput.testing.contract import StoreContract, Target
from tests.servers.judge import SwiftJudge
from tests.servers.swift import RealSwift


@pytest.mark.swift
class TestSwift(StoreContract):
    @pytest.fixture
    def target(self, swift: RealSwift) -> Target:
        container = f"contract-{uuid.uuid4().hex[:8]}"
        judge = SwiftJudge(swift.auth_url, swift.user, swift.key)
        return Target(f"swift://{container}", swift.environment, lambda name: judge.content(container, name))
