"""Decides which files are sent only after all others: pages after what they link to, an index after its packages.

| `last`                         | the file     | its stage |
|--------------------------------|--------------|-----------|
| `*.html`, then `index.html`    | `app.js`     | 0         |
|                                | `about.html` | 1         |
|                                | `index.html` | 2         |

Each pattern makes a stage, in the order in which they are given. Of several patterns that match a file, the last
counts. A directory's marker is in stage 0: nothing links to it.
"""

from collections.abc import Iterable, Iterator

from bulkput.errors import UsageError, name_text
from bulkput.policy.filters import Patterns, shortened


class Order:
    """The stages of one run. Names are bytes, relative to the source, parts joined by `/`, as in `Filters`."""

    def __init__(self, last: tuple[str, ...], *, source: Iterable[bytes] = ()) -> None:
        """`source` has all absolute paths of the only source, and is empty if there are several. Raises UsageError if a
        pattern is empty or not gitignore syntax."""
        if not all(pattern.strip() for pattern in last):
            raise UsageError("`last` needs a pattern, such as '*.html'")
        places = [name_text(path) for path in source]
        self._patterns = [Patterns("`last`", (pattern,), places) for pattern in last]

    @property
    def stages(self) -> range:
        """The numbers of all stages, in their order."""
        return range(len(self._patterns) + 1)

    def stage(self, name: bytes) -> int:
        """The number of the file's stage."""
        # Every pattern is asked, so that `useless` knows each that matches.
        matching = [number for number, pattern in enumerate(self._patterns, 1) if pattern.match_name(name)]
        return matching[-1] if matching else 0

    def useless(self) -> list[str]:
        """A sentence for each pattern that has matched nothing, as `Filters.useless`."""
        return shortened(list(self._useless()))

    def _useless(self) -> Iterator[str]:
        for pattern in self._patterns:
            yield from pattern.useless()
