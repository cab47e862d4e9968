"""The suite itself: a store of another package passes it, and each fault of such a store fails it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bulkput.devserver import DevServer
from bulkput.testing.contract import StoreContract, Target
from tests.conftest import environ_of
from tests.contract.faulty import FAULTS
from tests.servers.judge import SwiftJudge

MadeTarget = Callable[[str], Target]

CAUGHT = {
    "hash listed": "test_a_listed_row_shows_the_object_as_it_is",
    "size listed": "test_a_listed_row_shows_the_object_as_it_is",
    "time listed": "test_a_listed_row_shows_the_object_as_it_is",
    "time": "test_a_listed_row_shows_the_object_as_it_is",
    "large listed": "test_a_listed_row_shows_the_object_as_it_is",
    "large": "test_put_stores_every_field_of_its_headers",
    "link": "test_put_stores_every_field_of_its_headers",
    "order of UTF-16": "test_a_listing_is_sorted_by_the_bytes_of_the_names",
    "start_after is a prefix": "test_a_listing_starts_after_any_given_name",
    "start_after is included": "test_a_listing_starts_after_any_given_name",
    "was_made is always true": "test_undo_prepare_keeps_a_container_that_existed_or_is_not_empty",
    "was_made is always false": "test_undo_prepare_deletes_the_empty_container_that_prepare_created",
    "encoding": "test_put_stores_every_field_of_its_headers",
    "type": "test_put_stores_every_field_of_its_headers",
    "metadata": "test_put_stores_every_field_of_its_headers",
    "expiry": "test_put_stores_every_field_of_its_headers",
    "cache control": "test_describe_gives_headers_that_put_stores_again",
    "type of a copy": "test_a_copy_keeps_all_metadata_that_is_not_replaced",
    "metadata of a copy": "test_a_copy_keeps_all_metadata_that_is_not_replaced",
    "life of parts": "test_parts_live_longer_than_their_object",
}


@pytest.fixture
def target_of(devserver: DevServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeTarget:
    """Gives the target for a fault. `faulty.py` is found by the entry point of an installed package."""
    info = tmp_path / "bulkput_faulty-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bulkput-faulty\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[bulkput.stores]\nfaulty = tests.contract.faulty:open_store\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    judge = SwiftJudge(devserver.auth_url, devserver.options.user, devserver.options.key)

    def target(fault: str) -> Target:
        environ = {**environ_of(devserver), "FAULT": fault}
        return Target("faulty://contract", environ, lambda name: judge.content("contract", name))

    return target


class TestStoreOfAnotherPackage(StoreContract):
    removes_many = False

    @pytest.fixture
    def target(self, target_of: MadeTarget) -> Target:
        return target_of("none")


@pytest.mark.parametrize("fault", sorted(FAULTS.keys() - {"none"}))
async def test_the_suite_fails_for_a_faulty_store(target_of: MadeTarget, fault: str) -> None:
    """One test fails for each fault, with the store as the only difference to the one above."""
    with pytest.raises(AssertionError):
        await getattr(StoreContract(), CAUGHT[fault])(target_of(fault))
