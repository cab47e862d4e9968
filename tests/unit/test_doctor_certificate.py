"""How the doctor judges certificates, by a table of chains and of OpenSSL's numbers."""

from dataclasses import replace

import pytest

from bulkput.doctor.certificate import Certificate, Handshake, Trust, certificate_of, no_tls, tls

DAY = 86_400
NOW = 1_800_000_000.0  # 2027-01-15
TRUST = Trust(now_s=NOW)


def one(subject: str, issuer: str, *, begins: float = -30, ends: float = 60) -> Certificate:
    """A certificate; times in days from now."""
    names = (subject, f"*.{subject}")
    return Certificate(
        subject=subject, issuer=issuer, names=names, begins_s=NOW + begins * DAY, ends_s=NOW + ends * DAY
    )


def shake(*chain: Certificate, code: int | None = None, address: str = "192.0.2.1") -> Handshake:
    why = "as OpenSSL says it" if code is not None else ""
    return Handshake(address=address, seconds=0.01, version="TLSv1.3", chain=chain, code=code, why=why)


OWN, MIDDLE = one("store.example", "R11"), one("R11", "Root X1", ends=900)
OLD, OLD_MIDDLE = replace(OWN, ends_s=NOW - 3 * DAY), replace(MIDDLE, ends_s=NOW - DAY)
FUTURE = replace(OWN, begins_s=NOW + 2 * DAY)
SELF = one("store.example", "store.example")


@pytest.mark.parametrize(
    ("chain", "code", "cause", "says"),
    [
        ((OLD, MIDDLE), 10, "expired", "the certificate expired on 2027-01-12, 3 days ago"),
        ((OWN, OLD_MIDDLE), 10, "chain-expired", "R11, of the server's chain, expired on 2027-01-14"),
        ((), 10, "expired", "as OpenSSL says it"),
        ((FUTURE, MIDDLE), 9, "not-yet-valid", "valid only from 2027-01-17, in 2 days"),
        ((OWN, MIDDLE), 62, "name-mismatch", "for store.example, *.store.example, not for host"),
        ((OWN, MIDDLE), 64, "name-mismatch", "not for host"),
        ((), 62, "name-mismatch", "for other names, not for host"),
        ((SELF,), 18, "self-signed", "self-signed (store.example)"),
        ((replace(SELF, ends_s=NOW - DAY),), 18, "self-signed", "it has expired, too, on 2027-01-14"),
        ((OWN, MIDDLE), 19, "unknown-authority", "issued by Root X1, which is not trusted"),
        ((OWN, MIDDLE), 20, "unknown-authority", "issued by Root X1"),
        ((OWN,), 20, "chain-incomplete", "sends only its own certificate, and its issuer (R11) is not trusted"),
        ((OWN,), 21, "chain-incomplete", "sends only its own certificate"),
        ((), 20, "unknown-authority", "issued by an authority"),
        ((OWN, MIDDLE), 66, "certificate", "not accepted: as OpenSSL says it"),
    ],
)
def test_each_refusal_has_its_cause(chain: tuple[Certificate, ...], code: int, cause: str, says: str) -> None:
    """The table is that of the module."""
    finding = tls("host", 443, [shake(*chain, code=code)], TRUST)
    assert (finding.verdict, finding.cause) == ("fail", cause)
    assert says in finding.text and finding.advice


@pytest.mark.parametrize(("own", "code", "off_days"), [(OLD, 10, -10), (FUTURE, 9, 3)])
def test_a_certificate_that_is_valid_by_the_servers_clock_shows_that_ours_is_wrong(
    own: Certificate, code: int, off_days: float
) -> None:
    """Without the server's clock, or where it agrees with ours, the certificate is wrong."""
    seen = [shake(own, MIDDLE, code=code)]
    finding = tls("host", 443, seen, replace(TRUST, server_now_s=NOW + off_days * DAY))
    assert (finding.cause, finding.advice) == ("clock", "set this machine's clock")
    assert tls("host", 443, seen, replace(TRUST, server_now_s=NOW)).cause != "clock"


@pytest.mark.parametrize(
    ("shakes", "cause"),
    [
        ([shake(OWN, MIDDLE)], ""),
        ([shake()], ""),  # the chain is unknown
        ([shake(replace(OWN, ends_s=NOW + 14.1 * DAY), MIDDLE)], ""),
        ([shake(replace(OWN, ends_s=NOW + 13.9 * DAY), MIDDLE)], "expires-soon"),
        ([shake(OWN, replace(MIDDLE, ends_s=NOW + DAY))], "expires-soon"),
        ([shake(OWN, MIDDLE), shake(OWN, MIDDLE, address="192.0.2.2")], ""),
        ([shake(OWN, MIDDLE), shake(replace(OWN, ends_s=NOW + 20 * DAY), MIDDLE)], "certificates-differ"),
    ],
)
def test_a_good_handshake_may_still_be_a_warning(shakes: list[Handshake], cause: str) -> None:
    """For what ends within two weeks, and for addresses that show different certificates."""
    finding = tls("host", 443, shakes, TRUST)
    assert (finding.verdict, finding.cause) == ("warn" if cause else "ok", cause)


def test_one_bad_address_fails_all() -> None:
    """Uploads use all addresses in turn, so the bad one is named."""
    finding = tls("host", 443, [shake(OWN, MIDDLE), shake(OLD, code=10, address="192.0.2.2")], TRUST)
    assert finding.cause == "expired" and "host (192.0.2.2): " in finding.text


def test_an_own_file_of_authorities_is_named_in_the_advice() -> None:
    """It takes the place of the system's authorities."""
    finding = tls("host", 443, [shake(OWN, MIDDLE, code=20)], replace(TRUST, ca_file="/etc/ours.pem"))
    assert finding.advice == "/etc/ours.pem does not have the certificate of its authority"


def test_what_is_not_verified_is_a_warning() -> None:
    """With the library's name of the option."""
    finding = tls("host", 443, [shake(OWN, MIDDLE)], replace(TRUST, verifies=False))
    assert finding.cause == "unverified" and "`wire.verify_tls=False`" in finding.advice


def test_a_port_without_tls_is_told_from_a_failed_handshake() -> None:
    """The scheme of the URL is wrong, or the port."""
    bad = Handshake(address="192.0.2.1", seconds=0.1, why="the connection was lost")
    assert tls("host", 443, [bad], TRUST).cause == "handshake"
    assert tls("host", 443, [replace(bad, is_no_tls=True)], TRUST).cause == "no-tls"
    assert "can be read on the way" in no_tls("host", is_local=False).text


def test_a_certificate_is_read_from_the_form_of_the_ssl_module() -> None:
    """As `SSLSocket.getpeercert` has it; a name without parts is possible."""
    info = {
        "subject": ((("commonName", "store.example"),),),
        "issuer": ((("countryName", "US"),), (("organizationName", "Let's Encrypt"),), (("commonName", "R11"),)),
        "subjectAltName": (("DNS", "store.example"), ("IP Address", "192.0.2.1"), ("email", "a@b")),
        "notBefore": "Jan  1 00:00:00 2027 GMT",
        "notAfter": "Mar  1 00:00:00 2027 GMT",
    }
    made = certificate_of(info)
    assert (made.subject, made.issuer) == ("store.example", "R11, Let's Encrypt")
    assert made.names == ("store.example", "192.0.2.1") and made.ends_s - made.begins_s == 59 * DAY
    assert certificate_of({**info, "subject": ()}).subject == "no name"
