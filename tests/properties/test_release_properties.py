"""Properties of the changelog's sections."""

from hypothesis import given
from hypothesis import strategies as st

from scripts.release_checks import section

VERSIONS = st.from_regex(r"\d{1,2}\.\d{1,2}\.\d{1,2}(rc\d)?", fullmatch=True)
TEXTS = st.lists(
    st.sampled_from(["", "### Added", "- a [link](docs/ci.md)", "#### ## [1.0.0]", "text ## [1.0.0]", "####"])
)


@given(st.dictionaries(VERSIONS, TEXTS, min_size=1, max_size=6))
def test_every_section_is_found_as_it_was_written(sections: dict[str, list[str]]) -> None:
    """Whatever other sections stand around it."""
    changelog = "# Changelog\n\n" + "\n".join(
        line for version, lines in sections.items() for line in (f"## [{version}] - 2026-01-01", "", *lines, "")
    )
    for version, lines in sections.items():
        assert section(changelog, version) == "\n".join(lines).strip()
    assert section(changelog, "100.0.0") is None
