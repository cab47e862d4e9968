"""The worlds of tests/scale/test_worlds.py, as far as they are values; that one runs them on a real Swift."""

import pytest

from tests.scale.worlds import world as records
from tests.scale.worlds.draw import draw
from tests.scale.worlds.world import content


@pytest.mark.parametrize("seed", range(0, 200, 10))
def test_a_seed_gives_one_world_whose_text_recreates_it(seed: int) -> None:
    """The output of a failing run suffices to repeat it."""
    world = draw(seed)
    assert draw(seed) == world
    assert eval(str(world), vars(records)) == world


@pytest.mark.parametrize(
    ("spec", "bytes_"), [("", b""), ("one*1", b"one"), ("one*2+two*1", b"oneonetwo"), ("a \n*2", b"a \na \n")]
)
def test_content_specs_give_their_bytes(spec: str, bytes_: bytes) -> None:
    """Short enough for a world on a page."""
    assert content(spec) == bytes_
