"""Makes what decides by the names of files, from the options of a run. Patterns may begin with the source's path."""

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bulkput.options import GzipOptions, WalkOptions
from bulkput.policy.filters import Filters
from bulkput.policy.gzip_names import GzipNames

if TYPE_CHECKING:
    from bulkput.policy.order import Order


def make_filters(roots: Sequence[bytes], options: WalkOptions) -> Filters:
    """The filters of a run. Blocking. Raises UsageError for a pattern that is not gitignore syntax."""
    return Filters(options, source=places_of(roots), now_ns=time.time_ns())


def make_gzip_names(roots: Sequence[bytes], options: GzipOptions, *, compresses: bool = False) -> GzipNames:
    """Which files of a run stay uncompressed. Blocking. `compresses` as for GzipNames. Raises UsageError like
    `make_filters`."""
    return GzipNames(options, source=places_of(roots), compresses=compresses)


def make_order(roots: Sequence[bytes], last: tuple[str, ...]) -> "Order | None":
    """Which files of a run are sent last; None if `last` is empty. Blocking. Raises UsageError like `make_filters`."""
    if not last:
        return None
    from bulkput.policy.order import Order  # noqa: PLC0415 - few runs have an order

    return Order(last, source=places_of(roots))


def places_of(roots: Sequence[bytes]) -> tuple[bytes, ...]:
    """The absolute paths by which the only source is known: patterns may begin with them."""
    return (os.path.abspath(roots[0]), os.path.realpath(roots[0])) if len(roots) == 1 else ()
