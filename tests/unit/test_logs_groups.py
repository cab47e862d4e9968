"""Groups of log lines: counts, distinct values and their limit; and blocks of whole lines."""

import gzip
from pathlib import Path

import pytest

from bulkput.errors import SourceError, UsageError
from bulkput.logs import read as reading
from bulkput.logs.groups import Groups
from bulkput.logs.keys import KEYS, parse_keys
from bulkput.logs.read import file_blocks
from bulkput.logs.record import Record

LINE = Record("10.0.0.1", "2010-02-14", "04", "GET", "/horror/raven", "200", 10, "-", "curl")


def lines(count: int = 1, **changed: str | int) -> list[Record]:
    return [LINE._replace(**changed)] * count


def test_a_group_counts_lines_and_bytes_and_lists_distinct_values() -> None:
    """The lines are grouped by object over two containers."""
    groups = Groups(by=("object",))
    groups.add(lines(2))
    groups.add(lines(ip="10.0.0.2", path="/comics/raven", size=5))
    (group,) = groups.all()
    assert (group.key, group.count, group.bytes) == (("raven",), 3, 25)
    assert group.seen["ip"] == {"10.0.0.1", "10.0.0.2"}
    assert group.seen["container"] == {"horror", "comics"}
    assert group.seen["object"] == {"raven"}


@pytest.mark.parametrize(
    ("by", "key"),
    [
        ("object", "raven"), ("container", "horror"), ("date", "2010-02-14"), ("hour", "04"), ("user-agent", "curl"),
        ("status", "200"), ("referrer", "-"), ("ip", "10.0.0.1"), ("method", "GET"),
    ],
)  # fmt: skip
def test_lines_can_be_grouped_by_every_key(by: str, key: str) -> None:
    """The first part of the key is the value of that field."""
    groups = Groups(by=(by, "status") if by != "status" else (by,))
    groups.add(lines())
    (group,) = groups.all()
    assert group.key[0] == key


def test_distinct_values_are_listed_up_to_the_limit_and_not_above() -> None:
    """One more value than the limit: None."""
    groups = Groups(by=("object",), distinct=3)
    for number in range(3):
        groups.add(lines(ip=f"10.0.0.{number}"))
    (group,) = groups.all()
    assert group.seen["ip"] == {"10.0.0.0", "10.0.0.1", "10.0.0.2"}
    groups.add(lines(ip="10.0.0.4"))
    groups.add(lines(ip="10.0.0.0"))
    (group,) = groups.all()
    assert group.seen["ip"] is None and group.count == 5


def test_the_container_of_a_log_applies_to_all_its_paths() -> None:
    """Without it, the first part of the path is the container."""
    groups = Groups(by=("container", "object"))
    groups.add(lines(path="/poe/raven"), "horror")
    groups.add(lines(path="/poe/raven"))
    assert [group.key for group in groups.all()] == [("horror", "poe/raven"), ("poe", "raven")]


def test_keys_are_separated_by_commas_or_given_one_by_one() -> None:
    """Wrong keys raise an error that lists the right ones."""
    assert parse_keys(["date, hour"]) == parse_keys(["date", "hour"]) == ("date", "hour")
    for wrong in (["colour"], ["date,date"], [""], []):
        with pytest.raises(UsageError, match="group by"):
            parse_keys(wrong)
    with pytest.raises(UsageError, match=", ".join(KEYS)):
        parse_keys(["colour"])


def test_blocks_have_whole_lines_at_every_block_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All bytes come, in order, and a line end after the last line."""
    log = tmp_path / "log"
    content = b"".join(b"x" * (number % 50) + b"\n" for number in range(500)) + b"last"
    log.write_bytes(content)
    for size in (1, 10, 64, 1000, 100_000):
        monkeypatch.setattr(reading, "_BLOCK", size)
        monkeypatch.setattr(reading, "_READ", size)
        blocks = list(file_blocks(log))
        assert b"".join(blocks) == content + b"\n"
        assert all(block.endswith(b"\n") for block in blocks)


def test_a_line_longer_than_the_limit_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without line ends would fill the memory."""
    monkeypatch.setattr(reading, "_BLOCK", 100)
    monkeypatch.setattr(reading, "_LONGEST", 1000)
    log = tmp_path / "log"
    log.write_bytes(b"x" * 2500 + b"\nshort\n")
    assert [len(block) for block in file_blocks(log)] == [1001, 1001, 501, 6]


def test_a_truncated_gzip_gives_the_whole_lines_before_its_error(tmp_path: Path) -> None:
    """More than nine tenths of a log whose last bytes are missing."""
    log = tmp_path / "log.gz"
    lines = b"".join(b"line %d\n" % number for number in range(100_000))
    log.write_bytes(gzip.compress(lines)[:-9])
    blocks = []
    with pytest.raises(SourceError, match="truncated gzip"):
        for block in file_blocks(log):
            blocks.append(block)
    got = b"".join(blocks)
    assert lines.startswith(got) and got.endswith(b"\n") and len(got) > len(lines) * 0.9
