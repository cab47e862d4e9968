"""Which files are sent last, and in which order."""

import resource
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.engine.upload.stages import Stages
from bulkput.errors import UsageError
from bulkput.model import Found, Reason, Skip, SourceFile
from bulkput.policy.order import Order
from bulkput.sources.waiting import Waiting


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        (b"app.js", 0),
        (b"about.html", 1),
        (b"deep/er/about.html", 1),
        (b"index.html", 2),
        (b"deep/index.html", 2),
        (b"sitemap.xml", 3),
        (b"deep/sitemap.xml", 0),
        (b"\xff.html", 1),
    ],
)
def test_the_last_pattern_that_matches_is_the_stage(name: bytes, stage: int) -> None:
    """Patterns are in gitignore syntax, relative to the source."""
    order = Order(("*.html", "index.html", "/sitemap.xml"))
    assert list(order.stages) == [0, 1, 2, 3]
    assert order.stage(name) == stage


def test_a_pattern_that_matches_only_what_a_later_one_takes_is_not_called_useless() -> None:
    """It matches; only its stage is empty."""
    order = Order(("*.html", "index.html", "*.php"))
    order.stage(b"index.html")
    assert order.useless() == ["`last` '*.php' matched nothing"]


@pytest.mark.parametrize("pattern", ["", "  "])
def test_an_empty_pattern_is_refused(pattern: str) -> None:
    """It would match nothing, and look like an order."""
    with pytest.raises(UsageError, match="`last` needs a pattern"):
        Order(("*.html", pattern))


def test_a_pattern_may_begin_with_the_path_of_the_source() -> None:
    """As in `walk.include`."""
    order = Order(("/srv/site/index.html",), source=[b"/srv/site"])
    assert order.stage(b"index.html") == 1
    assert order.stage(b"deep/index.html") == 0


async def test_more_files_than_a_batch_wait_and_come_in_their_order() -> None:
    """Whatever the size of the batches; what is no file passes at once."""
    found: list[Found] = [SourceFile(b"x", b"%03d.html" % number, number, 0) for number in range(100)]
    gone: list[Found] = [Skip(b"y", b"y.html", Reason.NOT_A_FILE), SourceFile(b"d", b"d.html", 0, 0, is_directory=True)]
    passed: list[tuple[list[Found], bool]] = []

    async def run(source: AsyncIterable[Found], *, is_last: bool) -> None:
        passed.append(([each async for each in source], is_last))

    async def walk() -> AsyncIterator[Found]:
        for each in (*found[:50], *gone, *found[50:]):
            yield each

    async def room() -> None:
        made_room.append(len(passed))

    made_room: list[int] = []
    with closing(Stages(Order(("*.html", "*9.html")), run, lambda: False, room, batch=7)) as stages:
        await stages.run(walk())
    nines = [each for each in found if isinstance(each, SourceFile) and each.name.endswith(b"9.html")]
    others = [each for each in found if each not in nines]
    assert passed == [(gone, False), (others, False), (nines, True)]
    assert made_room == [1] * 13 + [2] * 2, "before each batch of 7"


FILES = st.builds(SourceFile, st.binary(min_size=1), st.binary(min_size=1), st.integers(0), st.integers())


@given(st.lists(st.lists(FILES, max_size=5), max_size=6), st.integers(1, 7), st.sampled_from([1, 100, 1_000_000]))
def test_what_waits_comes_back_in_its_order(batches: list[list[SourceFile]], size: int, in_memory: int) -> None:
    """Whatever the sizes of the batches."""
    waiting = Waiting(in_memory=in_memory)
    for batch in batches:
        waiting.add(batch)
    given_back = list(waiting.batches(size))
    waiting.close()
    assert [file for batch in given_back for file in batch] == [file for batch in batches for file in batch]
    assert all(len(batch) == size for batch in given_back[:-1])


def test_files_that_find_no_room_on_disk_are_a_usage_error_at_once() -> None:
    """Also if their last bytes still fit into a buffer; closing it afterwards raises nothing."""
    waiting = Waiting(in_memory=1)
    waiting.add([SourceFile(b"a", b"a", 1, 1)])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))
    try:
        with pytest.raises(UsageError, match="set TMPDIR"):
            waiting.add([SourceFile(b"a", b"a", 1, 1)] * 3)
        waiting.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
