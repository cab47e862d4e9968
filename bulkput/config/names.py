"""Names of options in files and in the environment, and which known name was probably meant."""

from collections.abc import Iterable

from bulkput.policy.nearest import nearest

PREFIX = "BULKPUT_"
NO_CONFIG = "BULKPUT_NO_CONFIG"
PROFILE = "BULKPUT_PROFILE"
_OTHERS = frozenset(
    (
        NO_CONFIG, PROFILE, "BULKPUT_TEMPURL", "BULKPUT_TEMPURL_KEY", "BULKPUT_DEVSERVER_USER", "BULKPUT_DEVSERVER_KEY",
    )
)  # fmt: skip
HTTP_PREFIX = "BULKPUT_HTTP_"
"""Credentials, for one host or for that of the destination: `stores/http/credentials.py`."""


def variable(key: str) -> str:
    """The environment variable of an option: `max-errors` is BULKPUT_MAX_ERRORS."""
    return PREFIX + key.upper().replace("-", "_")


def is_other_variable(name: str) -> bool:
    """Whether it is one of bulkput's that stands for no option."""
    return name in _OTHERS or name.startswith(HTTP_PREFIX)


def did_you_mean(name: str, known: Iterable[str], *, shown: str = "{}") -> str:
    """`: did you mean NAME?`, or nothing if no known name is like it. `_` and dashes in front count little.

    >>> did_you_mean("--Max_Errors", ["max-errors", "max-age"])
    ': did you mean max-errors?'
    """
    found = nearest(name.replace("_", "-").strip("-"), sorted(known))
    return f": did you mean {shown.format(found[0])}?" if found else ""
