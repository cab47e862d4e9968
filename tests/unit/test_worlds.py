"""The worlds of tests/scale/test_worlds.py, as far as they are values; that one runs them on a real Swift."""

import pytest

from tests.scale.worlds import world as records
from tests.scale.worlds.draw import draw
from tests.scale.worlds.world import content


@pytest.mark.parametrize("seed", range(0, 200, 10))
def test_a_seed_always_gives_the_same_world_and_its_text_makes_it_again(seed: int) -> None:
    """So that what a failing run prints is enough."""
    world = draw(seed)
    assert draw(seed) == world
    assert eval(str(world), vars(records)) == world


@pytest.mark.parametrize(
    ("spec", "bytes_"), [("", b""), ("one*1", b"one"), ("one*2+two*1", b"oneonetwo"), ("a \n*2", b"a \na \n")]
)
def test_contents_are_written_as_words_and_times(spec: str, bytes_: bytes) -> None:
    """Short enough for a world on a page."""
    assert content(spec) == bytes_
