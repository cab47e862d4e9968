"""The proxies that the environment names: HTTPS_PROXY, HTTP_PROXY, NO_PROXY."""

import os
import sys
from urllib.parse import urlsplit

from bulkput.errors import UsageError

_ASKS_SYSTEM = sys.platform in ("darwin", "win32")
"""There the system's settings count besides the environment."""


class Proxies:
    """Looked up once per scheme and host: the environment does not change, and requests are many."""

    def __init__(self) -> None:
        self._found: dict[str, str | None] = {}

    def of(self, url: str) -> str | None:
        """The proxy for `url`, or None. Raises UsageError for one that is not spoken to."""
        base = url[: url.find("/", 8)]
        if base not in self._found:
            self._found[base] = _look_up(url)
        return self._found[base]


def _look_up(url: str) -> str | None:
    if not _ASKS_SYSTEM and not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - 10 ms

    parts = urlsplit(url)
    proxy = None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)
    if proxy is not None and urlsplit(proxy).scheme not in ("http", "https"):
        kind = urlsplit(proxy).scheme  # and no more of it: it may hold a password
        raise UsageError(f"{parts.scheme}_proxy is {kind}://...: only http:// and https:// proxies are spoken to")
    return proxy
