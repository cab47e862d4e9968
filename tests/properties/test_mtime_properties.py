"""The modification time in the form that swiftclient compares."""

import os
import tempfile

from hypothesis import given
from hypothesis import strategies as st

from bulkput.stores.swift.forms import mtime_text


@given(st.integers(min_value=0, max_value=2**33 * 10**9))
def test_the_mtime_is_what_swiftclient_makes_of_the_same_file(mtime_ns: int) -> None:
    """Text for text: `"%f" % os.path.getmtime(path)`."""
    with tempfile.NamedTemporaryFile() as file:
        os.utime(file.name, ns=(mtime_ns, mtime_ns))
        assert mtime_text(os.stat(file.name).st_mtime_ns) == "%f" % os.path.getmtime(file.name)  # noqa: UP031
