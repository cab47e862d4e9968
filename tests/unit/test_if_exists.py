"""What becomes of a file whose object is there already."""

from typing import get_args

import pytest

from bulkput.model import RemoteObject
from bulkput.options import IfExists
from bulkput.policy.if_exists import MARK, REASONS, Outcome, decide, has_mark, needs_comparison
from bulkput.policy.plain_http import refuses_to_replace

OURS, OTHERS = True, False
SAME, OTHER = True, False
TABLE: list[tuple[IfExists, bool, bool, Outcome]] = [
    ("skip", OURS, SAME, Outcome.STORED),
    ("fail", OURS, SAME, Outcome.STORED),
    ("differs", OURS, SAME, Outcome.STORED),
    ("skip", OURS, OTHER, Outcome.CHANGED),
    ("fail", OURS, OTHER, Outcome.CHANGED),
    ("differs", OURS, OTHER, Outcome.CHANGED),
    ("skip", OTHERS, SAME, Outcome.SKIPPED),
    ("skip", OTHERS, OTHER, Outcome.SKIPPED),
    ("fail", OTHERS, SAME, Outcome.FAILED),
    ("fail", OTHERS, OTHER, Outcome.FAILED),
    ("differs", OTHERS, SAME, Outcome.SKIPPED),
    ("differs", OTHERS, OTHER, Outcome.FAILED),
]


@pytest.mark.parametrize(("mode", "is_ours", "is_same", "outcome"), TABLE)
def test_the_table_holds(mode: IfExists, is_ours: bool, is_same: bool, outcome: Outcome) -> None:
    """All combinations."""
    assert len(TABLE) == 4 * (len(get_args(IfExists)) - 1)
    assert decide(mode, is_ours=is_ours, is_same=is_same) is outcome
    assert outcome is not Outcome.SKIPPED or mode in REASONS


@pytest.mark.parametrize(("mode", "is_ours", "outcome"), [row[:2] + row[3:] for row in TABLE])
def test_what_is_not_compared_would_change_nothing(mode: IfExists, is_ours: bool, outcome: Outcome) -> None:
    """`needs_comparison` saves reading the file only where both answers give the same."""
    if not needs_comparison(mode, is_ours=is_ours):
        assert decide(mode, is_ours=is_ours, is_same=True) is decide(mode, is_ours=is_ours, is_same=False) is outcome


@pytest.mark.parametrize(
    ("meta", "is_ours"),
    [
        (((MARK, "1f"),), True),
        ((("Color", "red"), (MARK.lower(), "1f")), True),
        (((MARK, "1F"),), False),
        (((MARK, "2f"),), False),
        (((MARK + "s", "1f"),), False),
        ((), False),
    ],
)
def test_a_mark_is_its_name_in_any_capitals_and_its_value(meta: tuple[tuple[str, str], ...], is_ours: bool) -> None:
    """Swift changes the capitals of a name."""
    row = RemoteObject("a", 1, None, None, None, meta=meta)
    assert has_mark(row, ((MARK, "1f"),)) is is_ours
    assert not has_mark(row, ())


@pytest.mark.parametrize(
    ("status", "said", "refuses"),
    [
        (403, "Not enough permissions to overwrite artifact 'libs:a.jar' (user 'ci' needs DELETE permission).", True),
        (403, "Not enough permissions to delete/overwrite artifact 'libs:a.jar'", True),
        (400, "Repository does not allow updating assets: releases", True),
        (400, "Repository with ID='releases' does not allow updating artifacts.", True),
        (409, "The file already exists", True),
        (403, "Forbidden", False),
        (400, "Bad Request", False),
        (409, "Conflict", False),
        (201, "does not allow updating", False),
        (500, "already exists", False),
    ],
)
def test_repositories_say_in_words_that_a_file_is_not_replaced(status: int, said: str, refuses: bool) -> None:
    """Artifactory 6 and 7, Nexus 2 and 3."""
    assert refuses_to_replace(status, said) is refuses
