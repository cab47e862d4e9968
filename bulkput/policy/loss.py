"""Whether an error of a call says that the process which was called is gone, or that there is a bug.

| the error                                              | then                                               |
|--------------------------------------------------------|----------------------------------------------------|
| OSError, EOFError (also TimeoutError, ConnectionError) | the process is lost: its files go to another       |
| BrokenExecutor, CancelledError of `concurrent.futures` | the same                                           |
| of a package that the executor itself is from          | the same (Dask's KilledWorker, for example)        |
| any other: of Python, of pickle, of another package    | a bug: it is raised, and no process is to blame    |

An error counts as what it is derived from, too: loky's TerminatedWorkerError is a BrokenExecutor.
"""

from collections.abc import Collection
from concurrent.futures import BrokenExecutor, CancelledError

_ALWAYS = (OSError, EOFError, BrokenExecutor, CancelledError)
_OF_ALL = ("builtins", "abc", "typing", "concurrent")
"""Modules of classes that every executor is derived from, and errors that mean other things."""


def is_loss(error: Exception, packages: Collection[str]) -> bool:
    """Apply the table above. `packages`: those of the executor, by their first names."""
    return isinstance(error, _ALWAYS) or not packages_of(type(error)).isdisjoint(packages)


def packages_of(kind: type) -> frozenset[str]:
    """The first names of the packages that a class and its bases are from, without Python's own of all classes."""
    modules = {each.__module__.partition(".")[0] for each in kind.__mro__}
    return frozenset(modules.difference(_OF_ALL))
