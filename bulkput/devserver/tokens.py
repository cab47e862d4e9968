"""Logins and tokens: the server's side of the v1 login (swift/common/middleware/tempauth.py)."""

import secrets
import time
from dataclasses import dataclass

from .options import DevServerOptions


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token, and when it expires (seconds since the epoch)."""

    text: str
    expires: float

    def __repr__(self) -> str:
        return f"IssuedToken(expires={self.expires})"


class Tokens:
    """The one user's current token. A login while it is valid returns the same token with the same expiry."""

    def __init__(self, options: DevServerOptions) -> None:
        self._user = options.user
        self._key = options.key
        self._life = options.token_life
        self._current: IssuedToken | None = None

    def log_in(self, user: str, key: str) -> IssuedToken | None:
        """The token for these credentials, or None if they are wrong."""
        # As bytes: compare_digest refuses text outside ASCII, and headers may carry any.
        given, wanted = (f"{u}\n{k}".encode(errors="replace") for u, k in ((user, key), (self._user, self._key)))
        if not secrets.compare_digest(given, wanted):
            return None
        now = time.time()
        if self._current is None or self._current.expires <= now:
            self._current = IssuedToken("AUTH_tk" + secrets.token_hex(16), now + self._life)
        return self._current

    def accepts(self, text: str | None) -> bool:
        """Whether this is the current token and has not expired."""
        current = self._current
        return current is not None and text == current.text and time.time() < current.expires

    def seconds_left(self) -> int:
        """Whole seconds of life the current token has left."""
        return 0 if self._current is None else max(int(self._current.expires - time.time()), 0)

    def revoke(self) -> None:
        """End the current token now: every client gets 401 until it logs in again."""
        self._current = None
