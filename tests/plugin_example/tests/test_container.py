"""A container on disk: `bulkput_file/container.py` and `listing.py`."""

import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from bulkput_file.container import Container, Draft
from bulkput_file.listing import Listing
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bulkput.model import ObjectHeaders, Prefix

HEADERS = ObjectHeaders(content_type="text/plain")
NAMES = st.text(st.sampled_from("aA/.-é"), min_size=1, max_size=8) | st.sampled_from(
    ["b" * 64, "b" * 64 + "/", "b" * 99]
)


@pytest.fixture
def container(tmp_path: Path) -> Container:
    made = Container(str(tmp_path / "c"))
    assert made.make()
    return made


def put(container: Container, name: str, data: bytes, *, only_new: bool = False) -> None:
    draft = Draft(container)
    try:
        draft.write(data)
        draft.finish(name, HEADERS, md5=None, size=len(data), only_new=only_new)
    finally:
        draft.discard()


def bytes_of(container: Container, name: str) -> bytes:
    return b"".join(piece for piece, _ in container.read(name))


def files_below(container: Container) -> list[str]:
    return [os.path.join(place, file) for place, _, files in os.walk(container.path) for file in files]


def expected(names: set[str], prefix: str, delimiter: str | None, start_after: str) -> Iterator[str | Prefix]:
    """The listing, as slowly as it can be said."""
    groups = set[str]()
    for name in sorted(names, key=str.encode):
        head, found, _ = name.removeprefix(prefix).partition(delimiter) if delimiter else (name, "", "")
        item = Prefix(prefix + head + found) if found else None
        shown = item.name if item is not None else name
        if name.startswith(prefix) and shown.encode() > start_after.encode() and shown not in groups:
            groups |= {shown}
            yield item or name


@settings(max_examples=25, deadline=None)
@given(st.sets(NAMES, max_size=12), st.text("a/b", max_size=3), st.sampled_from([None, "/", "a"]), st.just("") | NAMES)
@example({"d/a", "d/a/1", "d/a-b", "d/a/2"}, "d/", "/", "d/a/")
def test_a_listing_has_the_names_in_order_in_pages_of_any_size(
    names: set[str], prefix: str, delimiter: str | None, start_after: str
) -> None:
    with tempfile.TemporaryDirectory() as place:
        container = Container(place)
        container.make()
        for name in names:
            put(container, name, name.encode())
        for page in (1, 2, 100):
            found = list(Listing(place, prefix, delimiter, start_after or None, page=page))
            assert found == list(expected(names, prefix, delimiter, start_after)), page


def test_of_many_writers_of_a_new_name_one_succeeds(container: Container) -> None:
    def write(number: int) -> bool:
        try:
            put(container, "deep/name", b"%d" % number, only_new=True)
        except FileExistsError:
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        (winner,) = (number for number, is_first in enumerate(threads.map(write, range(64))) if is_first)
    assert bytes_of(container, "deep/name") == b"%d" % winner
    assert len(files_below(container)) == 2, "the object, and what is kept with it"


def test_bytes_and_what_is_kept_with_them_belong_together_whoever_writes(container: Container) -> None:
    """Writers and a remover at once: a reader sees one whole object, or none."""

    def write(number: int) -> None:
        put(container, "a/b", b"x" * number)

    def look(_: int) -> None:
        found = container.find("a/b")
        assert found is None or (found.kept is not None and found.kept.size == found.size)

    with ThreadPoolExecutor(16) as threads:
        calls = (write, look, lambda _: container.remove("a/b"))
        for each in [threads.submit(call, number) for number in range(50) for call in calls]:
            each.result()


def test_an_object_that_is_removed_leaves_nothing_and_an_empty_container_can_be_removed(container: Container) -> None:
    for name in ("a", "a/b/c", "d" * 700, "/" * 100):
        put(container, name, b"x")
    put(container, "a", b"another")
    container.remove_if_empty()
    assert container.find("a/b/c") is not None, "it is not empty"
    for name in ("a", "a/b/c", "d" * 700, "/" * 100):
        container.remove(name)
    assert sorted(entry.name for entry in Path(container.path).iterdir()) == ["%meta", "%tmp"]
    assert files_below(container) == []
    container.make()
    container.remove_if_empty()
    assert not container.exists()


def test_bytes_keep_what_is_theirs_on_a_file_system_that_counts_whole_seconds(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two objects of one name get different times, and a refused one takes nothing from the other."""
    monkeypatch.setattr(time, "time_ns", lambda: 1_600_000_000_000_000_000)
    put(container, "a", b"first")
    put(container, "a", b"second")
    with pytest.raises(FileExistsError):
        put(container, "a", b"third", only_new=True)
    found = container.find("a")
    assert found is not None and found.kept is not None and found.size == len(b"second")


def test_a_draft_that_is_not_finished_leaves_nothing(container: Container) -> None:
    draft = Draft(container)
    draft.write(b"half")
    assert len(files_below(container)) == 1
    draft.discard()
    assert files_below(container) == []


def test_a_file_of_another_program_is_an_object_without_md5_and_type(container: Container) -> None:
    """And so is one that another program has changed; names that no object can have are left out."""
    put(container, "changed", b"before")
    (Path(container.path) / "changed").write_bytes(b"after")
    (Path(container.path) / "new").write_bytes(b"x")
    (Path(container.path) / "ü%zz").write_bytes(b"x")
    for name, size in (("changed", 5), ("new", 1)):
        found = container.find(name)
        assert found is not None and found.kept is None and found.size == size
    assert list(Listing(container.path, "", None, None)) == ["changed", "new"]


def test_a_link_is_no_object(container: Container, tmp_path: Path) -> None:
    """It could lead to any file of the machine."""
    (tmp_path / "secret").write_bytes(b"x")
    (Path(container.path) / "link").symlink_to(tmp_path / "secret")
    assert container.find("link") is None
    assert list(Listing(container.path, "", None, None)) == []
    with pytest.raises(OSError):
        bytes_of(container, "link")


def test_without_a_container_nothing_is_made(tmp_path: Path) -> None:
    absent = Container(str(tmp_path / "absent"))
    with pytest.raises(FileNotFoundError):
        put(absent, "a", b"x")
    with pytest.raises(FileNotFoundError):
        list(Listing(absent.path, "", None, None))
    assert absent.find("a") is None and not absent.exists()
