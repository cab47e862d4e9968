"""One suite for all stores: what each promises. A store is done when a ten-line test file passes it.

A subclass gives a `target` fixture. Its class attributes (`given.py:StoreTests`) state the powers of the store and what
its server cannot do, so its file shows what is not tested. `docs/stores.md` has an example.
"""

from bulkput.testing.given import Target
from bulkput.testing.large import LargeTests
from bulkput.testing.listings import ListingTests
from bulkput.testing.objects import ObjectTests
from bulkput.testing.powers import PowerTests
from bulkput.testing.reading import ReadingTests

__all__ = ["StoreContract", "Target"]


class StoreContract(ObjectTests, ListingTests, PowerTests, ReadingTests, LargeTests):
    """The whole suite."""
