"""Tests for the authors of stores: `contract.py`. They need pytest and pytest-asyncio.

Nothing else in bulkput imports this folder.
"""

import pytest

for _module in ("given", "objects", "listings", "powers"):
    pytest.register_assert_rewrite(f"{__name__}.{_module}")  # so that a failure shows the values
