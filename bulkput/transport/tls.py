"""TLS contexts: certificates are verified unless the user asks otherwise, and connections to a host resume sessions."""

import os
import ssl
from typing import Any

from bulkput.errors import UsageError
from bulkput.options import WireOptions

_NOT_TLS = frozenset(("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"))
"""The reasons that OpenSSL versions give if the server's first bytes are not TLS."""


class ResumingContext(ssl.SSLContext):
    """Offers each host's last session at the next handshake, which saves sending and checking certificates.

    Event loops create TLS objects by `wrap_bio` and cannot pass a session in, so this class adds it. In TLS 1.3 the
    tickets arrive after the handshake, so call `keep` once the first answer has arrived.
    """

    _sessions: dict[str, ssl.SSLSession]

    def keep(self, host: str, session: ssl.SSLSession | None) -> None:
        if session is not None:
            self._sessions[host] = session

    def wrap_bio(self, incoming: Any, outgoing: Any, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        kwargs.setdefault("session", self._sessions.get(kwargs.get("server_hostname") or ""))
        return super().wrap_bio(incoming, outgoing, *args, **kwargs)


def tls_context(options: WireOptions) -> ResumingContext:
    """Raises UsageError if `options.ca_file` cannot be read."""
    context = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
    context._sessions = {}
    context.set_alpn_protocols(["http/1.1"])
    if not options.verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        if options.ca_file is not None:
            context.load_verify_locations(options.ca_file)
        else:
            context.load_default_certs()
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"cannot read certificates from {options.ca_file}: {error}") from None
    return context


def why_not_connected(error: OSError) -> str:
    """Why a connection could not be made, as text for people."""
    match error:
        case ssl.SSLError(reason=reason) if reason in _NOT_TLS:
            return "the server does not speak TLS there; should the URL begin with http://?"
        case ssl.SSLError():  # its errno is OpenSSL's, so `strerror` would say something else
            return f"TLS handshake failed: {(error.reason or str(error)).replace('_', ' ').lower()}"
        case TimeoutError():
            return "no answer in time"
    return os.strerror(error.errno).lower() if error.errno else str(error) or "the connection was lost"
