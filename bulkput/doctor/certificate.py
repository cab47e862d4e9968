"""Judges what a server shows in its TLS handshakes. Pure.

OpenSSL says in one number why it refuses a certificate (openssl-verification-options(1), `x509_vfy.h`); what to do
depends on which certificate of the chain it is about, and on whose clock is wrong:

| number   | and                                              | cause             | whose fault                       |
|----------|--------------------------------------------------|-------------------|-----------------------------------|
| 9, 10    | valid by the server's own clock                  | clock             | this machine's clock              |
| 10       | the first certificate of the chain has expired   | expired           | the server's                      |
| 10       | another one has expired                          | chain-expired     | the server sends an old chain     |
| 9        |                                                  | not-yet-valid     | either clock, or the issuer       |
| 62, 64   |                                                  | name-mismatch     | the URL, or the server            |
| 18       |                                                  | self-signed       | the client does not know it       |
| 19       |                                                  | unknown-authority | the client does not know it       |
| 20, 21   | the server sends its own certificate alone       | chain-incomplete  | the server leaves out the middle, |
|          |                                                  |                   | or the client does not know it    |
| 20, 21   |                                                  | unknown-authority | the client does not know it       |
| others   |                                                  | certificate       |                                   |
"""

import ssl
from collections.abc import Mapping, Sequence
from typing import Any

from bulkput.doctor.finding import Finding, Step, failure, ok, skipped, warning
from bulkput.doctor.texts import date_text, days_text
from bulkput.record import frozen

_SOON_S = 14 * 86_400
"""Certificates of Let's Encrypt are renewed 30 days before their end: with 14 days left, renewing has failed."""
_MOST_NAMES = 5
_NOT_YET_VALID, _EXPIRED = OF_TIME = 9, 10
_SELF_SIGNED, _SELF_SIGNED_IN_CHAIN = 18, 19
_NO_ISSUER = (20, 21)
_WRONG_NAME = (62, 64)


@frozen(kw_only=True)
class Certificate:
    """One certificate of a chain. The times are in seconds since 1970."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    begins_s: float
    ends_s: float


@frozen(kw_only=True)
class Handshake:
    """One TLS handshake with one address. `why` is empty if it succeeded; `code` is OpenSSL's number for a certificate
    that it refuses, else None. `chain` begins with the server's own certificate; it is empty if none was seen.
    `is_no_tls`: what came from the server was not TLS."""

    address: str
    seconds: float
    version: str = ""
    chain: tuple[Certificate, ...] = ()
    code: int | None = None
    why: str = ""
    is_no_tls: bool = False


def certificate_of(info: Mapping[str, Any]) -> Certificate:
    """From the form of `ssl.SSLSocket.getpeercert`. Raises ValueError and KeyError."""
    return Certificate(
        subject=_name(info.get("subject", ())),
        issuer=_name(info.get("issuer", ())),
        names=tuple(value for kind, value in info.get("subjectAltName", ()) if kind in ("DNS", "IP Address")),
        begins_s=ssl.cert_time_to_seconds(info["notBefore"]),
        ends_s=ssl.cert_time_to_seconds(info["notAfter"]),
    )


@frozen(kw_only=True)
class Trust:
    """What a certificate is checked against: our clock, the server's if it is known, and `ca_file`, which takes the
    place of the system's authorities. `verifies`: it is checked at all."""

    now_s: float
    server_now_s: float | None = None
    ca_file: str | None = None
    verifies: bool = True

    @property
    def advice(self) -> str:
        if self.ca_file is not None:
            return f"{self.ca_file} does not have the certificate of its authority"
        return "set OS_CACERT to a file with the certificate of its authority"


def tls(host: str, port: int, shakes: Sequence[Handshake], trust: Trust) -> Finding:
    """`shakes` has one for each address, at least one."""
    seconds = max(shake.seconds for shake in shakes)
    facts = {"host": host, "port": port, "handshakes": [_row(shake) for shake in shakes]}
    bad = next((shake for shake in shakes if shake.why), None)
    if bad is not None:
        where = f"{host} ({bad.address})" if len(shakes) > 1 else host
        cause, text, advice = _what_is_wrong(host, bad, trust)
        return failure(Step.TLS, cause, f"{where}: {text}", advice, seconds=seconds, **facts)
    text = f"{host}: {_summary(shakes[0], trust.now_s)}"
    if not trust.verifies:
        advice = "without `wire.verify_tls=False` it is: now anybody on the way can read the credentials"
        return warning(Step.TLS, "unverified", f"{text}; not verified", advice, seconds=seconds, **facts)
    if len({shake.chain[:1] for shake in shakes}) > 1:
        ends = ", ".join(f"{shake.address} {_until(shake)}" for shake in shakes)
        advice = "one of the servers may have missed its renewal"
        return warning(
            Step.TLS, "certificates-differ", f"{text}; others differ: {ends}", advice, seconds=seconds, **facts
        )
    ending = min(shakes[0].chain, key=lambda each: each.ends_s, default=None)
    if ending is not None and ending.ends_s < trust.now_s + _SOON_S:
        which = "" if ending is shakes[0].chain[0] else f"; {ending.subject} ends {date_text(ending.ends_s)}"
        advice = "renew it on the server before that day: then every upload fails"
        return warning(Step.TLS, "expires-soon", text + which, advice, seconds=seconds, **facts)
    return ok(Step.TLS, text, seconds=seconds, **facts)


def no_tls(host: str, *, is_local: bool) -> Finding:
    """For http://."""
    text = f"{host}: http://: what is sent, credentials too, can be read on the way"
    return skipped(Step.TLS, text if not is_local else f"{host}: http://, on this machine", host=host)


def _what_is_wrong(host: str, shake: Handshake, trust: Trust) -> tuple[str, str, str]:
    """Cause, text and advice: see the table above."""
    chain, code = shake.chain, shake.code
    if shake.is_no_tls:
        return "no-tls", "this port does not speak TLS", "write http:// in the URL or the variables, or another port"
    if code is None:
        return (
            "handshake",
            shake.why,
            "compare with another client; if the server asks for a certificate of yours, name it by OS_CERT and OS_KEY",
        )
    if code in OF_TIME:
        return _wrong_time(shake, trust)
    if code in _WRONG_NAME:
        names = ", ".join(chain[0].names[:_MOST_NAMES]) or "no name" if chain else "other names"
        more = ", ..." if chain and len(chain[0].names) > _MOST_NAMES else ""
        text = f"the certificate is for {names}{more}, not for {host}"
        return "name-mismatch", text, "write one of these names in the URL or the variables, or mend the server"
    ended = f"; it has expired, too, on {date_text(chain[0].ends_s)}" if chain and chain[0].ends_s < trust.now_s else ""
    if code == _SELF_SIGNED:
        who = chain[0].subject if chain else "no name"
        return "self-signed", f"the certificate is self-signed ({who}), and not trusted here{ended}", trust.advice
    top = chain[-1].issuer if chain else "an authority"
    if code in _NO_ISSUER and len(chain) == 1:
        text = f"the server sends only its own certificate, and its issuer ({top}) is not trusted here{ended}"
        advice = (
            "let the server send its whole chain (browsers fetch what is missing); if the authority is a private one: "
        )
        return "chain-incomplete", text, advice + trust.advice
    if code in (_SELF_SIGNED_IN_CHAIN, *_NO_ISSUER):
        text = f"the certificate is issued by {top}, which is not trusted here{ended}"
        return "unknown-authority", text, trust.advice
    return "certificate", f"the certificate is not accepted: {shake.why}", "ask those who run the server"


def _wrong_time(shake: Handshake, trust: Trust) -> tuple[str, str, str]:
    now_s = trust.now_s
    one = next((each for each in shake.chain if not each.begins_s <= now_s <= each.ends_s), None)
    if one is None:
        return "expired" if shake.code == _EXPIRED else "not-yet-valid", shake.why, "renew it on the server"
    if trust.server_now_s is not None and one.begins_s <= trust.server_now_s <= one.ends_s:
        text = f"the certificate is valid by the server's clock, but this machine's says {date_text(now_s)}"
        return "clock", text, "set this machine's clock"
    if now_s < one.begins_s:
        text = f"the certificate is valid only from {date_text(one.begins_s)}, in {days_text(one.begins_s - now_s)}"
        return "not-yet-valid", text, "is this machine's clock right? Else ask those who issued it"
    ago = f"expired on {date_text(one.ends_s)}, {days_text(now_s - one.ends_s)} ago"
    if one is shake.chain[0]:
        return "expired", f"the certificate {ago}", "renew it on the server; until then every upload fails"
    return "chain-expired", f"{one.subject}, of the server's chain, {ago}", "let the server send its issuer's new chain"


def _summary(shake: Handshake, now_s: float) -> str:
    if not shake.chain:
        return shake.version
    own, *above = shake.chain
    chain = f", chain of {len(shake.chain)}" if above else ""
    left = days_text(own.ends_s - now_s)
    return f"{shake.version}, valid until {date_text(own.ends_s)} ({left}), issued by {own.issuer}{chain}"


def _until(shake: Handshake) -> str:
    return f"until {date_text(shake.chain[0].ends_s)}" if shake.chain else "unknown"


def _name(parts: Any) -> str:
    """The most telling parts of a distinguished name: `R11, Let's Encrypt`."""
    fields = {kind: value for part in parts for kind, value in part}
    return ", ".join(fields[kind] for kind in ("commonName", "organizationName") if kind in fields) or "no name"


def _row(shake: Handshake) -> dict[str, Any]:
    return {
        "address": shake.address,
        "seconds": shake.seconds,
        "version": shake.version,
        "why": shake.why,
        "chain": [
            {
                "subject": each.subject,
                "issuer": each.issuer,
                "names": each.names,
                "begins": date_text(each.begins_s),
                "ends": date_text(each.ends_s),
            }
            for each in shake.chain
        ],
    }
