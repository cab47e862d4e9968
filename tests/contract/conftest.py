"""Compares what comes of the contract suite with the table in docs/contract.md, test by test."""

import os
from collections.abc import Generator

import pytest

from tests.contract.tables import CONTRACT, CONTRACT_PAGE, UNCHECKED, cell, column_of, table_below, words

IS_CHECKED = UNCHECKED not in os.environ  # while the tests run, they hide it


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that passes fails all the same if the table says that the store cannot do this, and the other way round.
    What is skipped before it begins (there is no such server here) says nothing."""
    report = yield
    column = column_of(item.nodeid)
    if call.when != "call" or column is None or report.outcome == "failed" or not IS_CHECKED:
        return report
    skipped = str(call.excinfo.value) if call.excinfo is not None and report.skipped else None
    told = table_below(CONTRACT, CONTRACT_PAGE).get(words(item.name), {}).get(column)
    if told != cell(skipped):
        report.outcome = "failed"
        report.longrepr = (
            f"docs/contract.md says {told!r} of {column}, and this is {cell(skipped)!r}: see tests/contract/tables.py"
        )
    return report
