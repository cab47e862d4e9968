"""Whatever people give as header fields: no line on the wire ends early."""

import re

from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import UsageError
from bulkput.policy.headers import parse_fields

lines = st.lists(
    st.text()
    | st.builds(
        "{}:{}".format,
        st.sampled_from(["X-A", "x-a", "X-B", "Host", "a b", " X-C "]),
        st.text(st.sampled_from("ab \t\r\n\x00\x0b\x1c\x7f\x85é\u2028\udcff")),
    ),
    max_size=4,
)


@given(lines)
def test_no_accepted_field_can_end_a_line(given_lines: list[str]) -> None:
    """Names are tokens; values hold no control character except tab and can be encoded as UTF-8."""
    try:
        fields = parse_fields(given_lines, what="--header")
    except UsageError:
        return
    for name, value in fields:
        assert re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", name)
        assert not set(value) & {chr(code) for code in (*range(9), *range(10, 32), 127)}
        value.encode()


@given(st.dictionaries(st.from_regex(r"X-[a-z]{1,8}", fullmatch=True), st.from_regex(r"[!-~]{0,20}", fullmatch=True)))
def test_plain_fields_are_all_accepted_in_order(fields: dict[str, str]) -> None:
    """Well-formed fields pass unchanged."""
    assert parse_fields([f"{name}: {value}" for name, value in fields.items()], what="-H") == tuple(fields.items())
