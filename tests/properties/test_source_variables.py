"""The environment of the store that a run copies from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import UsageError
from bulkput.policy.source_variables import PREFIX, is_source_variable, source_variables

PLAIN = st.sampled_from(["ST_AUTH", "ST_KEY", "OS_CLOUD", "OS_CACERT", "AWS_PROFILE", "AWS_REGION", "HOME", "NETRC"])
NAMES = PLAIN | PLAIN.map(lambda name: PREFIX + name).filter(is_source_variable)
KIND = {"ST_AUTH": "swift", "ST_KEY": "swift", "OS_CLOUD": "swift", "OS_CACERT": "swift"}
KIND |= {"AWS_PROFILE": "s3", "AWS_REGION": "s3"}


@given(st.dictionaries(NAMES, st.sampled_from("xyz")))
def test_a_login_is_all_of_the_source_or_all_of_both(environ: dict[str, str]) -> None:
    """By kind of store: a variable of the destination never meets one of the source."""
    found = source_variables(environ)
    own = {KIND[name.removeprefix(PREFIX)] for name in environ if is_source_variable(name)}
    for name, kind in KIND.items():
        expected = environ.get(PREFIX + name) if kind in own else environ.get(name)
        assert found.get(name) == expected
    assert found.get("HOME") == environ.get("HOME")


@given(st.dictionaries(PLAIN, st.text(max_size=3)))
def test_without_a_login_of_its_own_the_source_gets_the_environment_itself(environ: dict[str, str]) -> None:
    assert source_variables(environ) is environ


def test_only_variables_of_a_login_are_for_the_source() -> None:
    """Another one is refused, so that a source does not get the login of the destination by a typing error."""
    assert not any(map(is_source_variable, ("BULKPUT_SOURCE_", "BULKPUT_SOURCE_COLOR", "ST_AUTH")))
    with pytest.raises(UsageError, match="BULKPUT_SOURCE_CLOUD is no variable of a login"):
        source_variables({"BULKPUT_SOURCE_CLOUD": "old", "BULKPUT_SOURCE_ST_KEY": "key"})
