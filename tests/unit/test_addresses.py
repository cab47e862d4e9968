"""A host's addresses."""

import asyncio

import pytest

from bulkput.transport.addresses import Addresses


class Resolver:
    """Answers with `found`, or raises it, once the gate is open."""

    def __init__(self, found: list[str] | Exception) -> None:
        self.found = found
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = 0

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        await self.gate.wait()
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


async def test_addresses_take_turns() -> None:
    """Each address is first once per round; the others follow as fallbacks."""
    addresses = Addresses("many", 80, Resolver(["a", "b", "c"]))
    turns = [await addresses.in_turn() for _ in range(4)]
    assert turns == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]


async def test_an_unreachable_address_comes_last() -> None:
    """The other addresses take its turns, and it stays in every list."""
    addresses = Addresses("many", 80, Resolver(["a", "b", "c"]))
    assert await addresses.in_turn() == ["a", "b", "c"]
    addresses.avoid(["b"])
    turns = [await addresses.in_turn() for _ in range(3)]
    assert turns == [["c", "a", "b"], ["a", "c", "b"], ["c", "a", "b"]]


async def test_addresses_take_turns_again_after_all_were_unreachable() -> None:
    """The store recovers on both addresses, not on one alone."""
    addresses = Addresses("many", 80, Resolver(["a", "b"]))
    addresses.avoid(["a", "b"])
    assert [await addresses.in_turn() for _ in range(2)] == [["a", "b"], ["b", "a"]]


async def test_an_unreachable_address_gets_its_turn_back_after_a_while() -> None:
    """No request is needed in between."""
    addresses = Addresses("many", 80, Resolver(["a", "b"]), kept_s=0.0)
    addresses.avoid(["b"])
    assert [await addresses.in_turn() for _ in range(2)] == [["a", "b"], ["b", "a"]]


@pytest.mark.parametrize("found", [["a"], [], OSError(), UnicodeError()])
async def test_concurrent_lookups_share_one_request(found: list[str] | Exception) -> None:
    """All waiting callers get the same addresses or the same failure."""
    resolver = Resolver(found)
    resolver.gate.clear()
    addresses = Addresses("many", 80, resolver)
    asking = [asyncio.ensure_future(addresses.in_turn()) for _ in range(50)]
    await asyncio.sleep(0)
    resolver.gate.set()
    expected = found if isinstance(found, list) else []
    assert await asyncio.gather(*asking) == [expected] * 50
    assert resolver.asked == 1


async def test_a_failed_lookup_is_not_cached() -> None:
    """The next call asks the resolver again."""
    resolver = Resolver(OSError())
    addresses = Addresses("many", 80, resolver)
    assert await addresses.in_turn() == []
    resolver.found = ["a"]
    assert await addresses.in_turn() == ["a"]


async def test_known_addresses_are_used_while_the_resolver_fails() -> None:
    """An outage of the resolver does not stop an upload to a known address."""
    resolver = Resolver(["a"])
    addresses = Addresses("many", 80, resolver, kept_s=0.0)
    assert await addresses.in_turn() == ["a"]
    resolver.found = OSError()
    assert await addresses.in_turn() == ["a"]
    assert resolver.asked == 2


async def test_a_cancelled_lookup_is_repeated_for_the_waiting_callers() -> None:
    """Callers that share a lookup do not fail if its first caller is cancelled."""
    resolver = Resolver(["a"])
    resolver.gate.clear()
    addresses = Addresses("many", 80, resolver)
    first, second = (asyncio.ensure_future(addresses.in_turn()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    resolver.gate.set()
    assert await second == ["a"]
    assert resolver.asked == 2 and first.cancelled()
