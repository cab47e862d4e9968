"""Shards of any names and sizes: together they are everything, and no two have the same."""

from collections import Counter
from itertools import chain

from hypothesis import given, settings
from hypothesis import strategies as st

from bulkput.model import SourceFile
from bulkput.options import ShareOptions, WalkOptions
from bulkput.policy.share import FILE_WEIGHT, dealer, shard_of
from bulkput.sources.share import Share
from bulkput.sources.walk import walk
from tests.properties.test_walk_properties import Tree, full_names, on_disk, trees


@given(st.sets(st.binary(min_size=1, max_size=20)), st.integers(1, 9))
def test_each_name_belongs_to_exactly_one_shard(names: set[bytes], of: int) -> None:
    """Complete union, empty intersection, whatever the bytes of the names are."""
    parts = [{name for name in names if shard_of(name, of) == shard} for shard in range(1, of + 1)]
    assert set().union(*parts) == names
    assert sum(map(len, parts)) == len(names)


@settings(max_examples=40)
@given(trees, st.integers(1, 5))
def test_the_shards_of_a_tree_are_the_tree(tree: Tree, of: int) -> None:
    """On a real file system: each file is found by one of them."""
    with on_disk(tree) as root:
        found: list[bytes] = []
        for shard in range(1, of + 1):
            share = Share(ShareOptions(shard=shard, of=of), is_of_list=False)
            walked = share.only(walk([root], WalkOptions(), share=share), [root])
            taken = [file.name for file in walked if isinstance(file, SourceFile)]
            assert len(taken) + share.elsewhere == len(list(full_names(tree)))
            found += taken
    assert sorted(found) == sorted(full_names(tree))


sizes = st.dictionaries(st.binary(min_size=1, max_size=8), st.integers(0, 2**40), max_size=30)


@settings(max_examples=60)
@given(sizes, st.integers(1, 6))
def test_shares_by_bytes_are_complete_and_balanced(files: dict[bytes, int], of: int) -> None:
    """No two shards differ by more than the heaviest file, and all have the same digest."""
    shares = [Share(ShareOptions(shard=shard, of=of, by="bytes"), is_of_list=True) for shard in range(1, of + 1)]
    parts = [list(share.dealt(iter([*files, *files]), files.__getitem__)) for share in shares]
    assert all(part == sorted(part) for part in parts)
    assert sorted(chain(*parts)) == sorted(files)
    assert len({share.split for share in shares}) == 1
    weights = [sum(files[name] + FILE_WEIGHT for name in part) for part in parts]
    assert max(weights) - min(weights) <= max(files.values(), default=0) + FILE_WEIGHT


@given(st.lists(st.integers(0, 2**40)), st.integers(1, 6))
def test_dealt_in_decreasing_order_the_heaviest_shard_is_near_the_best(files: list[int], of: int) -> None:
    """At most the mean plus the share of one file that did not fit (Graham 1969)."""
    weights: Counter[int] = Counter()
    shard_of_next = dealer(of)
    for size in sorted(files, reverse=True):
        weights[shard_of_next(size)] += size + FILE_WEIGHT
    total, largest = weights.total(), max(files, default=0) + FILE_WEIGHT
    assert max(weights.values(), default=0) <= total / of + largest * (1 - 1 / of) + 1


def test_names_spread_evenly_over_shards() -> None:
    """100 000 names that differ in a number: each of 16 shards has its 16th, within 5 %."""
    counts = Counter(shard_of(b"img/%06d.jpg" % number, 16) for number in range(100_000))
    assert sorted(counts) == list(range(1, 17))
    assert all(abs(count - 6250) < 313 for count in counts.values())
