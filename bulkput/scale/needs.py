"""What a process has to have for a run, and whether it has it."""

import os
import sys
from typing import NamedTuple

from bulkput import __version__
from bulkput.errors import printable
from bulkput.policy.naming import is_url


class Needs(NamedTuple):
    """What a process has to have for a run."""

    version: str
    """bulkput's."""
    python: str
    """Major and minor version: records are pickled."""
    sources: tuple[bytes, ...]
    """Absolute paths that it has to see."""

    @property
    def plain(self) -> tuple[str, str, tuple[bytes, ...]]:
        """As it is sent: other versions of bulkput and Python can read it."""
        return self.version, self.python, self.sources


def why_unfit(needs: tuple[str, str, tuple[bytes, ...]]) -> str | None:
    """Why this process cannot send the files of a run that has these `Needs`, as they are sent; None if it can."""
    version, python, sources = needs
    if version != __version__:
        return f"has bulkput {__version__}, and this is {version}: install the same version"
    if python != python_version():
        return f"has Python {python_version()}, and this is {python}: install the same version"
    for source in sources:
        if not is_url(source) and not os.path.lexists(source):
            return f"does not see {printable(source)}: mount the sources there, at the same path"
    return None


def python_version() -> str:
    """Major and minor version."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"
