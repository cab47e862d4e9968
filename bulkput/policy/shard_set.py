"""Whether the journals of several shards are those of one whole upload, and what is wrong if they are not.

| the journals                                         | is told                                                    |
|------------------------------------------------------|------------------------------------------------------------|
| all without a share                                  | nothing: uploads that have nothing to do with each other   |
| some with, some without                              | which are without: their files may be those of shards, too |
| of different numbers of shards, or by hash and bytes | the splits: their shards are no parts of one whole         |
| 1/3 and 3/3                                          | shard 2/3 is missing                                       |
| 1/2, 2/2 and 2/2                                     | shard 2/2 is given twice                                   |
| with other settings that decide what is stored       | the setting, such as the destination                       |
| by bytes, with other digests of names and sizes      | that a file may be in no shard, or in two                  |

Sources may differ: each machine may have the tree in another place.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from bulkput.errors import printable
from bulkput.record import frozen

_OF_EACH = frozenset(("sources", "share", "share.by", "share.split"))
"""Settings that may differ from shard to shard, or that have a sentence of their own."""
_MOST_TOLD = 10


@frozen
class ShardJournal:
    """The `settings` of a journal, and how the user calls it."""

    name: str
    settings: Mapping[str, str]

    @property
    def share(self) -> str:
        """`2/4`, or empty if the run took everything."""
        return self.settings.get("share", "")

    @property
    def split(self) -> str:
        """What the shards of one split have in common: their number, and what they go by."""
        return f"{self.share.partition('/')[2]} shards by {self.settings.get('share.by', 'hash')}"


def wrong_with(journals: Sequence[ShardJournal]) -> list[str]:
    """A sentence for each thing that is wrong; empty if these are all shards of one split, or no shards."""
    shards = [each for each in journals if each.share]
    if not shards:
        return []
    wrong = [f"{printable(each.name)} is of a run without `share`" for each in journals if not each.share]
    if len(splits := _by(shards, lambda each: each.split)) > 1:
        return [*wrong, f"these are shards of different splits: {_told(splits)}"]
    wrong += _missing(shards)
    for share, same in _by(shards, lambda each: each.share).items():
        if len(same) > 1:
            wrong.append(f"shard {share} is given {_times(len(same))}: {_names(same)}")
    return wrong + list(_different(shards))


def _missing(shards: Sequence[ShardJournal]) -> list[str]:
    of = shards[0].share.partition("/")[2]
    there = {each.share for each in shards}
    missing = [share for number in range(1, int(of) + 1) if (share := f"{number}/{of}") not in there]
    if not missing:
        return []
    more = f" and {len(missing) - _MOST_TOLD} more" if len(missing) > _MOST_TOLD else ""
    told = ", ".join(missing[:_MOST_TOLD]) + more
    return [f"shard {told} is missing" if len(missing) == 1 else f"shards {told} are missing"]


def _different(shards: Sequence[ShardJournal]) -> Iterator[str]:
    for name in sorted({name for each in shards for name in each.settings} - _OF_EACH):
        values = _by(shards, lambda each, name=name: each.settings.get(name, ""))  # type: ignore[misc]
        if len(values) > 1:
            is_digest = any(value.startswith("sha256:") for value in values)  # which tells a reader nothing
            told = "; ".join(map(_names, values.values())) if is_digest else _told(values)
            yield f"shards have different `{name}`: {told}"
    # A shard whose run has not ended has no digest yet, and is not done.
    digested = [each for each in shards if "share.split" in each.settings]
    splits = _by(digested, lambda each: each.settings["share.split"])
    if len(splits) > 1:
        yield (
            "shards were cut from different lists or sizes, so a file may be in none of them, or in two: run all again,"
            f" on the same list: {'; '.join(map(_names, splits.values()))}"
        )


def _by(journals: Sequence[ShardJournal], key: Callable[[ShardJournal], str]) -> dict[str, list[ShardJournal]]:
    found: dict[str, list[ShardJournal]] = {}
    for each in journals:
        found.setdefault(key(each), []).append(each)
    return found


def _told(groups: Mapping[str, Sequence[ShardJournal]]) -> str:
    return "; ".join(f"{printable(value) or 'none'} ({_names(same)})" for value, same in groups.items())


def _names(journals: Sequence[ShardJournal]) -> str:
    more = f" and {len(journals) - _MOST_TOLD} more" if len(journals) > _MOST_TOLD else ""
    return ", ".join(printable(each.name) for each in journals[:_MOST_TOLD]) + more


def _times(count: int) -> str:
    return "twice" if count == 2 else f"{count} times"
