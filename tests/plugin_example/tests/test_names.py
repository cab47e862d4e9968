"""Names on disk: `bulkput_file/names.py`, for every name."""

from bulkput_file.names import added_by, path_of
from hypothesis import example, given
from hypothesis import strategies as st

from bulkput.testing.given import HOSTILE_NAMES

NAMES = st.text(st.sampled_from("a/.%_é\0\n") | st.characters(codec="utf-8"), min_size=1, max_size=400)


def name_of(path: tuple[str, ...]) -> bytes:
    *directories, file = path
    added = [added_by(entry, is_directory=True) for entry in directories]
    return b"".join(each or b"?" for each in added) + (added_by(file, is_directory=False) or b"")


@given(NAMES)
@example(HOSTILE_NAMES[5])
@example("a" * 64)
@example("a" * 64 + "/")
@example("." * 128)
def test_a_path_is_made_of_short_plain_entries_and_gives_its_name_again(name: str) -> None:
    path = path_of(name)
    assert all(0 < len(entry) <= 210 and entry.isascii() and entry.isprintable() for entry in path)
    assert not {"", ".", "..", "%meta", "%tmp"} & set(path) and not any("/" in entry for entry in path)
    assert name_of(path) == name.encode()


@given(NAMES, NAMES)
@example("d/a-b", "d/a/1")
@example("a" * 64 + "-", "a" * 64 + "/0")
def test_paths_sorted_entry_by_entry_have_their_names_in_order(one: str, other: str) -> None:
    def sorted_as(name: str) -> list[bytes]:
        *directories, file = path_of(name)
        return [added_by(each, is_directory=True) or b"" for each in directories] + [
            added_by(file, is_directory=False) or b""
        ]

    assert (sorted_as(one) < sorted_as(other)) == (one.encode() < other.encode())


@given(NAMES, NAMES)
def test_no_object_is_in_the_way_of_another(one: str, other: str) -> None:
    """A file is never where another object is, or needs a directory."""
    if one != other:
        assert path_of(one) != path_of(other)[: len(path_of(one))]
