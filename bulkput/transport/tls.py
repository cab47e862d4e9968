"""TLS contexts: certificates are verified unless the user asks otherwise, and connections to a host resume sessions."""

import os
import ssl
from typing import Any

from bulkput.errors import UsageError
from bulkput.options import WireOptions
from bulkput.transport.base import TransportError

_NOT_TLS = frozenset(("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"))
"""The reasons that OpenSSL versions give if the server's first bytes are not TLS."""
SPEAKS_TLS = "(if it speaks TLS there, write https:// in its URL)"
"""What to say if a server does not answer in clear text."""
_ALERT = b"\x15\x03"
"""How a server's TLS alert begins (RFC 8446, 5.1): its answer to a request in clear text."""
_WANTS_ONE = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
_REFUSES = frozenset(
    f"{version}_ALERT_{problem}"
    for version, problem in (
        ("TLSV1", "UNKNOWN_CA"),
        ("TLSV1", "ACCESS_DENIED"),
        ("SSLV3", "BAD_CERTIFICATE"),
        ("SSLV3", "UNSUPPORTED_CERTIFICATE"),
        ("SSLV3", "CERTIFICATE_REVOKED"),
        ("SSLV3", "CERTIFICATE_EXPIRED"),
        ("SSLV3", "CERTIFICATE_UNKNOWN"),
    )
)
"""OpenSSL's names of the alerts by which a server refuses a client's certificate (RFC 8446, 6.2). In TLS 1.3 they come
after the handshake, instead of an answer (4.4.2.4 and E.1.2 there)."""


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
    """Raises UsageError if a file that `options` names cannot be used."""
    context = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
    context._sessions = {}
    context.set_alpn_protocols(["http/1.1"])
    if options.cert_file is not None:
        _load_client_certificate(context, options.cert_file, options.key_file)
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


def _load_client_certificate(context: ssl.SSLContext, file: str, key: str | None) -> None:
    key_file = key or file

    def no_passphrase() -> str:  # without this, OpenSSL would ask for it on the terminal, and wait
        raise UsageError(
            f"the key in {key_file} has a passphrase, which bulkput does not ask for:"
            " name a key without one (openssl pkey makes it)"
        )

    try:
        context.load_cert_chain(file, key, password=no_passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise UsageError(f"the key in {key_file} is not that of the client certificate in {file}") from None
        why = (error.reason or "PEM expected").replace("_", " ").lower()
        raise UsageError(f"no client certificate and key (PEM) in {file} and {key_file}: {why}") from None
    except OSError as error:
        raise UsageError(f"cannot read the client certificate {file} and key {key_file}: {error.strerror}") from None


def client_refused(error: BaseException | None) -> TransportError | None:
    """What to say if a connection broke because the server wants another client certificate, or one at all."""
    while error is not None and not isinstance(error, ssl.SSLError):  # aiohttp's errors carry it, or are caused by it
        error = getattr(error, "os_error", error.__cause__)
    match error:
        case ssl.SSLError(reason=reason) if reason == _WANTS_ONE:
            detail = "the server wants a client certificate: name one by OS_CERT, and its key by OS_KEY"
        case ssl.SSLError(reason=str(reason)) if reason in _REFUSES:
            why = reason.partition("_ALERT_")[2].replace("_", " ").lower()
            detail = f"the server does not accept the client certificate of OS_CERT: {why}"
        case _:
            return None
    return TransportError(detail, is_permanent=True)


def is_alert(data: bytes) -> bool:
    """Whether this, in place of an answer, is an alert of a server that speaks TLS."""
    return data.startswith(_ALERT)


def is_no_tls(error: OSError) -> bool:
    """Whether the server's first bytes were not TLS."""
    return isinstance(error, ssl.SSLError) and error.reason in _NOT_TLS


def why_not_connected(error: OSError) -> str:
    """Why a connection could not be made, as text for people."""
    match error:
        case ssl.SSLError() if is_no_tls(error):
            return "the server does not speak TLS there; should the URL begin with http://?"
        case ssl.SSLError():  # its errno is OpenSSL's, so `strerror` would say something else
            return f"TLS handshake failed: {(error.reason or str(error)).replace('_', ' ').lower()}"
        case TimeoutError():
            return "no answer in time"
    return os.strerror(error.errno).lower() if error.errno else str(error) or "the connection was lost"
