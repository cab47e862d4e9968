"""Names of options in files and in the environment, and which known name was probably meant."""

from collections.abc import Iterable

PREFIX = "BULKPUT_"
NO_CONFIG = "BULKPUT_NO_CONFIG"
PROFILE = "BULKPUT_PROFILE"
_OTHERS = frozenset((NO_CONFIG, PROFILE, "BULKPUT_TEMPURL_KEY", "BULKPUT_DEVSERVER_USER", "BULKPUT_DEVSERVER_KEY"))
HTTP_PREFIX = "BULKPUT_HTTP_"
"""Credentials, for one host or for that of the destination: `stores/http/credentials.py`."""


def variable(key: str) -> str:
    """The environment variable of an option: `max-errors` is BULKPUT_MAX_ERRORS."""
    return PREFIX + key.upper().replace("-", "_")


def is_other_variable(name: str) -> bool:
    """Whether it is one of bulkput's that stands for no option."""
    return name in _OTHERS or name.startswith(HTTP_PREFIX)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like `name`, or None if none is like it. Case, `_` and dashes in front count little.

    >>> nearest("--Max_Errors", ["max-errors", "max-age"])
    'max-errors'
    """
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistake needs it

    meant = name.lower().replace("_", "-").strip("-")
    candidates = {each.lower().replace("_", "-"): each for each in sorted(known)}
    found = get_close_matches(meant, candidates, n=1)
    return candidates[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str], *, shown: str = "{}") -> str:
    """`: did you mean NAME?`, or nothing."""
    found = nearest(name, known)
    return f": did you mean {shown.format(found)}?" if found is not None else ""
