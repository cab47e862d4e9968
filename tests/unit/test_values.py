"""Rates as people write them on the command line."""

import click
import pytest

from bulkput.cli.values import Bandwidth, Rate

MIB = 1024**2


@pytest.mark.parametrize(
    ("text", "per_s"),
    [("500/s", 500), ("500", 500), ("30/m", 0.5), ("1800/h", 0.5), ("2.5/s", 2.5), (" 500/S ", 500)],
)
def test_a_rate_is_per_second_unless_it_says_otherwise(text: str, per_s: float) -> None:
    """Minutes and hours are for stores that take little."""
    assert Rate().convert(text, None, None) == per_s


@pytest.mark.parametrize(
    ("text", "bytes_per_s"),
    [
        ("100M/s", 100 * MIB),
        ("100M", 100 * MIB),
        ("1.5G/s", 1536 * MIB),
        ("512KiB/s", 512 * 1024),
        ("64kb", 64 * 1024),
        ("1000", 1000),
    ],
)
def test_a_bandwidth_has_the_units_of_all_sizes(text: str, bytes_per_s: float) -> None:
    """Powers of 1024, as for --max-size."""
    assert Bandwidth().convert(text, None, None) == bytes_per_s


@pytest.mark.parametrize("text", ["0", "0/s", "0.0", "-1", "x", "5/d", "1e3", "inf", "nan", "", "500/", "\u0661"])
def test_a_rate_that_is_none_is_refused_with_how_to_write_one(text: str) -> None:
    """Zero too: it would send nothing."""
    with pytest.raises(click.BadParameter, match="is not a rate above 0: write 500/s, 30/m or "):
        Rate().convert(text, None, None)


@pytest.mark.parametrize("text", ["0", "0M/s", "-1", "M", "1.5Q/s", "1M/m", "", "1_0", "\u0661"])
def test_a_bandwidth_that_is_none_is_refused_with_how_to_write_one(text: str) -> None:
    """Zero too: it would send nothing."""
    with pytest.raises(click.BadParameter, match="is not a bandwidth above 0: write 512K/s, 100M/s or "):
        Bandwidth().convert(text, None, None)
