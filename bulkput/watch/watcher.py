"""Looks at a run once a second, from a thread of its own."""

import threading
from collections.abc import Callable

from bulkput.watch.numbers import Numbers

EVERY_S = 1.0
"""People read a number at most once a second, and the looks of a day fit the history at any interval."""


class Watcher:
    """Looks at the numbers within its `with` block, then tells `looked`, if there is one."""

    def __init__(self, numbers: Numbers, looked: Callable[[], None] | None = None) -> None:
        """`looked` is called by the watcher's thread."""
        self._numbers = numbers
        self._looked = looked
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="bulkput-watcher", daemon=True)

    def __enter__(self) -> "Watcher":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Ends the looks: from then on only the caller's thread uses the numbers."""
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(EVERY_S):
            self._numbers.look()
            if self._looked is not None:
                self._looked()
