"""Which name a misspelt one means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.policy.nearest import did_you_mean, meant_url, mistakes, nearest

VERBS = ("upload", "verify", "ls", "cp", "mv", "rm", "serve", "segments", "status")
WORDS = st.text("abcl", max_size=8)


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("uplaod", ["upload"]),
        ("uplod", ["upload"]),
        ("uuplload", ["upload"]),
        ("UPLOAD", ["upload"]),
        ("sl", ["ls"]),
        ("cpm", ["cp"]),
        ("xm", ["rm"]),
        ("mm", ["mv", "rm"]),
        ("se", ["serve", "segments"]),
        ("s", ["serve", "segments", "status"]),
        ("x", []),
        ("", []),
        ("lsof", []),
        ("pload", ["upload"]),
        ("oload", ["upload"]),
        ("load", []),
        ("download", []),
    ],
)
def test_a_misspelt_name_is_the_beginning_or_has_few_mistakes(word: str, names: list[str]) -> None:
    """One, or two in a word of five characters."""
    assert nearest(word, VERBS) == names


@given(WORDS, WORDS)
def test_mistakes_are_none_for_equal_words_only_and_the_same_both_ways(left: str, right: str) -> None:
    """They are at least the difference of the lengths, and at most the longer length."""
    count = mistakes(left, right)
    assert (count == 0) == (left == right)
    assert count == mistakes(right, left)
    assert abs(len(left) - len(right)) <= count <= max(len(left), len(right))


@given(WORDS, st.data())
def test_one_slip_is_one_mistake(word: str, data: st.DataObject) -> None:
    """A letter added, left out or replaced, or two neighbours swapped."""
    at = data.draw(st.integers(0, len(word)))
    slips = [word[:at] + "z" + word[at:]]
    if at < len(word):
        slips += [word[:at] + word[at + 1 :], word[:at] + "z" + word[at + 1 :]]
    if at + 1 < len(word) and word[at] != word[at + 1]:
        slips.append(word[:at] + word[at + 1] + word[at] + word[at + 2 :])
    assert [mistakes(word, slip) for slip in slips] == [1] * len(slips)


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("max_errors", ["max-errors"]),
        ("--Max-Errors", ["max-errors"]),
        ("maxerrors", ["max-errors"]),
        ("--max", ["max-errors", "max-age"]),
        ("concurency", ["concurrency"]),
        ("BULKPUT_MAX_ERORS", ["BULKPUT_MAX_ERRORS"]),
        ("xyz", []),
        ("--", []),
    ],
)
def test_dashes_underscores_and_capitals_are_no_mistakes(word: str, names: list[str]) -> None:
    """Keys of a file are flags without the dashes in front, and variables have underscores."""
    assert nearest(word, ("max-errors", "max-age", "concurrency", "BULKPUT_MAX_ERRORS")) == names


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("uplaod", ": did you mean upload?"),
        ("mm", ": did you mean mv or rm?"),
        ("s", ": did you mean serve, segments or status?"),
        ("nothing", ""),
    ],
)
def test_the_question_names_up_to_three(word: str, said: str) -> None:
    """Nothing is asked if no name is near."""
    assert did_you_mean(word, VERBS) == said


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("swfit://c/p", "swift://c/p"),
        ("SWIFT:/c", "swift://c"),
        ("swift:c", "swift://c"),
        ("swift:", "swift://"),
        ("swift:///c", "swift://c"),
        ("htps://h/x", "https://h/x"),
        ("https:/h/x?temp_url_sig=secret", "https://..."),
        ("https:/user:secret@h/x", "https://..."),
        ("remote:c", None),
        ("dist//x", None),
        ("s:/x", None),
        ("./swift:c", None),
        ("swift", None),
        ("", None),
    ],
)
def test_the_url_that_was_meant(url: str, meant: str | None) -> None:
    """It has one of the schemes; what may be secret is left out."""
    assert meant_url(url, ("swift", "http", "https")) == meant
