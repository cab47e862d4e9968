"""Names of options in files and in the environment."""

from bulkput.policy.source_variables import is_source_variable

PREFIX = "BULKPUT_"
NO_CONFIG = "BULKPUT_NO_CONFIG"
PROFILE = "BULKPUT_PROFILE"
_OTHERS = frozenset(
    (
        NO_CONFIG, PROFILE, "BULKPUT_TEMPURL", "BULKPUT_TEMPURL_KEY", "BULKPUT_S3_SSE_C_KEY", "BULKPUT_DEVSERVER_USER",
        "BULKPUT_DEVSERVER_KEY", "BULKPUT_RATE_TOKEN",
    )
)  # fmt: skip
HTTP_PREFIX = "BULKPUT_HTTP_"
"""Credentials, for one host or for that of the destination: `stores/http/credentials.py`."""


def variable(key: str) -> str:
    """The environment variable of an option: `max-errors` is BULKPUT_MAX_ERRORS."""
    return PREFIX + key.upper().replace("-", "_")


def is_other_variable(name: str) -> bool:
    """Whether it is one of bulkput's that stands for no option."""
    return name in _OTHERS or name.startswith(HTTP_PREFIX) or is_source_variable(name)
