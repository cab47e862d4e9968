"""Which of several containers an object belongs to: `swift://name-{00..63}/prefix`.

    index     = (first four bytes of SHA-256 of the object's name in UTF-8, as a big-endian number) modulo count
    container = the one at that index, counted from 0 in the order of the numbers

The name is the whole name of the object, with the URL's prefix. So the container depends on nothing but the name and
the pattern, and any program can compute it: docs/spread.md has test vectors. SHA-256, because every language and every
shell has it; four bytes, because these fit the integers of all of them. 2^32 is so much larger than the number of
containers that the remainders are as good as even.

| written            | is                                                         |
|--------------------|------------------------------------------------------------|
| `name-{00..63}`    | 64 containers, name-00 to name-63 (two digits, as in bash)  |
| `n{0..15}x`        | 16 containers, n0x to n15x                                 |
| `n{008..011}`      | n008, n009, n010, n011                                     |
| `{3..1}`, `{a,b}`, | a mistake, as is any other brace                           |
| `{1..}`, two pairs |                                                            |
"""

import re
from functools import lru_cache
from hashlib import sha256

from bulkput.errors import UsageError, printable
from bulkput.record import frozen

MOST = 10_000
"""Containers of one pattern. Each is one request before the first object; a listing asks all of them."""
_PATTERN = re.compile(r"([^{}]*)\{([0-9]{1,9})\.\.([0-9]{1,9})\}([^{}]*)", re.DOTALL)
_EXAMPLE = "write one range of numbers, such as name-{00..63}"


@frozen
class Spread:
    """The containers `before`NUMBER`after`, with numbers from `first` to `last` of at least `width` digits."""

    before: str
    first: int
    last: int
    width: int
    after: str

    @property
    def count(self) -> int:
        return self.last - self.first + 1

    @property
    def names(self) -> tuple[str, ...]:
        """All containers, by their index."""
        return tuple(self.name(index) for index in range(self.count))

    def name(self, index: int) -> str:
        """The container at an index from 0."""
        return f"{self.before}{self.first + index:0{self.width}d}{self.after}"

    def container_of(self, key: str) -> str:
        """The container of the object with this name."""
        return self.name(index_of(key, self.count))

    def holds(self, container: str) -> bool:
        """Whether it is one of these containers."""
        number = container[len(self.before) : len(container) - len(self.after)]
        is_number = number.isascii() and number.isdigit() and len(number) <= max(self.width, len(str(self.last)))
        return is_number and self.first <= int(number) <= self.last and container == self.name(int(number) - self.first)


def index_of(key: str, count: int) -> int:
    """Where the object with this name belongs, among `count` containers: from 0 to before `count`."""
    return int.from_bytes(sha256(key.encode("utf-8", "surrogatepass")).digest()[:4]) % count


@lru_cache(maxsize=64)
def spread_of(container: str) -> Spread | None:
    """The containers that are written as `container`; None if that is the name of one. Raises UsageError."""
    if "{" not in container and "}" not in container:
        return None
    found = _PATTERN.fullmatch(container)
    if found is None:
        raise UsageError(f"container {printable(container)} has a brace that is no range: {_EXAMPLE}")
    before, first, last, after = found.groups()
    is_padded = any(len(number) > 1 and number.startswith("0") for number in (first, last))
    spread = Spread(before, int(first), int(last), max(len(first), len(last)) if is_padded else 1, after)
    if spread.count < 1:
        raise UsageError(f"container {printable(container)} counts down: {_EXAMPLE}")
    if spread.count > MOST:
        raise UsageError(f"container {printable(container)} means {spread.count} containers, and {MOST} are the most")
    return spread


def container_of(container: str, key: str) -> str:
    """The container of the object `key`, if `container` is a pattern; else `container`. Raises UsageError."""
    spread = spread_of(container)
    return container if spread is None else spread.container_of(key)


def share_containers(one: str, other: str) -> bool:
    """Whether two different ways to write containers mean some container both. Raises UsageError."""
    a, b = spread_of(one), spread_of(other)
    if a is None or b is None:
        return (a is not None and a.holds(other)) or (b is not None and b.holds(one))
    few, many = (a, b) if a.count <= b.count else (b, a)
    return one != other and any(many.holds(name) for name in few.names)


def check_one(container: str, why: str) -> None:
    """Raises UsageError, which says `why`, if `container` is a pattern: for what works in one container only."""
    if (spread := spread_of(container)) is not None:
        raise UsageError(f"{why}: name one container, such as {printable(spread.name(0))}")
