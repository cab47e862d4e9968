"""What is wrong with the journals of several shards."""

import pytest

from bulkput.policy.shard_set import ShardJournal, wrong_with


def journal(share: str, *, number: int = 0, **settings: str) -> ShardJournal:
    told = {name.replace("__", "."): value for name, value in settings.items()}
    name = f"{share.replace('/', '-') or 'all'}{'abc'[number]}.db"
    return ShardJournal(name, {"destination": "swift://c", "share": share, "share.by": "hash"} | told)


@pytest.mark.parametrize(
    ("journals", "wrong"),
    [
        ([journal("1/2"), journal("2/2")], []),
        ([journal("", destination="swift://x"), journal("")], []),
        ([ShardJournal("old.db", {}), ShardJournal("older.db", {"destination": "swift://c"})], []),
        ([journal("2/2"), journal("1/2", sources='["/elsewhere"]')], []),
        ([journal("1/3"), journal("3/3")], ["shard 2/3 is missing"]),
        ([journal("4/4")], ["shards 1/4, 2/4, 3/4 are missing"]),
        ([journal("1/2"), journal(""), journal("2/2")], ["alla.db is of a run without `share`"]),
        ([journal("1/2"), journal("2/2"), journal("2/2", number=1)], ["shard 2/2 is given twice: 2-2a.db, 2-2b.db"]),
        (
            [journal("1/2"), journal("1/2", number=1), journal("1/2", number=2)],
            ["shard 2/2 is missing", "shard 1/2 is given 3 times: 1-2a.db, 1-2b.db, 1-2c.db"],
        ),
        (
            [journal("1/2"), journal("2/3")],
            ["these are shards of different splits: 2 shards by hash (1-2a.db); 3 shards by hash (2-3a.db)"],
        ),
        (
            [journal("1/2"), journal("2/2", share__by="bytes")],
            ["these are shards of different splits: 2 shards by hash (1-2a.db); 2 shards by bytes (2-2a.db)"],
        ),
        (
            [journal("1/2"), journal("2/2", destination="swift://d\n", gzip__mode="auto")],
            [
                r"shards have different `destination`: swift://c (1-2a.db); swift://d\n (2-2a.db)",
                "shards have different `gzip.mode`: none (1-2a.db); auto (2-2a.db)",
            ],
        ),
        (
            [journal("1/2", headers="sha256:a"), journal("2/2", headers="sha256:b")],
            ["shards have different `headers`: 1-2a.db; 2-2a.db"],
        ),
    ],
)
def test_what_is_wrong_with_a_set_of_journals(journals: list[ShardJournal], wrong: list[str]) -> None:
    """The table of the module, in its order; sources may be in another place on each machine."""
    assert wrong_with(journals) == wrong


def test_of_very_many_missing_shards_ten_are_named() -> None:
    """A thousand sentences would hide the one that counts."""
    (told,) = wrong_with([journal(f"{number}/1000") for number in range(1, 501)])
    assert told.startswith("shards 501/1000, 502/1000, ") and told.endswith(", 510/1000 and 490 more are missing")


def test_shards_of_different_lists_may_have_lost_a_file() -> None:
    """Those whose runs have not ended have no digest, and are not complete in any case."""
    every = [journal(f"{shard}/3", share__by="bytes", share__split=split) for shard, split in enumerate("aab", start=1)]
    (told,) = wrong_with(every)
    assert told.startswith("shards were cut from different lists or sizes, so a file may be in none of them")
    assert told.endswith(": 1-3a.db, 2-3a.db; 3-3a.db")
    unfinished = journal("3/3", share__by="bytes")
    assert wrong_with([*every[:2], unfinished]) == []
