"""Objects spread over five containers, through swift://."""

import pytest

from bulkput.devserver import DevServer
from bulkput.engine.open_store import connected
from bulkput.policy.spread import container_of, spread_of
from bulkput.testing.contract import StoreContract, Target
from bulkput.testing.given import HEADERS, ONCE, power, whole
from tests.conftest import environ_of
from tests.servers.judge import SwiftJudge

PATTERN = "spread-{08..12}"


class TestSpread(StoreContract):
    """A judge without bulkput looks for each object where the hash says."""

    removes_many = False
    powers = StoreContract.powers - {"urls", "composing"}

    @pytest.fixture
    def target(self, devserver: DevServer) -> Target:
        judge = SwiftJudge(devserver.auth_url, devserver.options.user, devserver.options.key)
        return Target(
            f"swift://{PATTERN}",
            environ_of(devserver),
            lambda name: judge.content(container_of(PATTERN, name), name),
        )

    async def test_containers_of_the_account_are_listed(self, target: Target) -> None:
        """All of the range are there after `prepare`."""
        spread = spread_of(PATTERN)
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            page = await power(store.powers.containers)("")
            assert spread is not None
            assert tuple(row.name for row in page.rows) == spread.names

    async def test_a_store_beside_holds_the_objects_of_the_other_container(self, target: Target) -> None:
        """It is one container, with the powers of one; the range beside itself is the same objects."""
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, count):
            beside = power(store.powers.beside)
            await store.prepare()
            other, same = beside("other"), beside(PATTERN)
            await other.prepare()
            await store.put("same", whole(b"here"), HEADERS)
            await other.put("same", whole(b"there"), HEADERS)
            rows = [await each.stat("same") for each in (store, same, other)]
            assert [row and row.bytes for row in rows] == [4, 4, 5]
            assert other.powers.composing is not None
            assert count.requests["GET"] == 2  # the login, and `/info`
