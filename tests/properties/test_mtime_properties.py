"""The modification time as it is stored: exact, or in the form that swiftclient compares."""

import os
import re
import tempfile
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from bulkput.policy.mtime import mtime_text, swiftclient_mtime


@given(st.integers(min_value=0, max_value=2**33 * 10**9))
def test_the_mtime_header_equals_that_of_swiftclient(mtime_ns: int) -> None:
    """The text equals `"%f" % os.path.getmtime(path)`."""
    with tempfile.NamedTemporaryFile() as file:
        os.utime(file.name, ns=(mtime_ns, mtime_ns))
        assert swiftclient_mtime(os.stat(file.name).st_mtime_ns) == "%f" % os.path.getmtime(file.name)  # noqa: UP031


@given(st.integers())
def test_the_mtime_is_exact_to_the_nanosecond(mtime_ns: int) -> None:
    """The text has nine decimals, also for times before 1970 and beyond 64 bits."""
    text = mtime_text(mtime_ns)
    assert re.fullmatch(r"-?(0|[1-9][0-9]*)[.][0-9]{9}", text)
    assert Fraction(text) * 10**9 == mtime_ns
