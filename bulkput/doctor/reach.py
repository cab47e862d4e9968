"""Judges the way to a host: its addresses, the connections to them, and its clock. Pure.

| what was seen                                       | verdict                                                        |
|-----------------------------------------------------|----------------------------------------------------------------|
| the name has no address                             | fail: wrong name, or a resolver that does not answer           |
| the lookup took a second or more                    | warn: the first resolver is dead, and the next one was asked   |
| no address takes a connection                       | fail: refused, silent or without a route                       |
| some addresses take none                            | warn, unless this machine has no route to their kind (IPv6)    |
| a connection took a second or more                  | warn: its first packet was lost, TCP repeats it after a second |
| the clocks differ by more than half a minute        | warn                                                           |
| the server answers no HTTP                          | fail                                                           |
"""

import errno
import socket
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import Any

from bulkput.doctor.finding import Finding, Step, failure, ok, skipped, warning
from bulkput.doctor.texts import ms_text, place_text, span_text
from bulkput.record import frozen
from bulkput.transport.addresses import is_no_such_name

_SLOW_S = 1.0
"""glibc asks the next resolver after 5 s, systemd-resolved after less; TCP repeats a lost SYN after 1 s (RFC 6298)."""
_SKEW_S = 30.0
"""Tokens, temporary URLs and certificates end by a clock; below half a minute no limit of theirs comes into sight. S3
refuses requests from 15 minutes on."""


@frozen
class Lookup:
    """One name lookup. `why` is empty if it gave addresses."""

    host: str
    addresses: tuple[str, ...]
    seconds: float
    why: str = ""
    is_unknown: bool = False
    """The resolver says that there is no such name; else it did not answer."""


class Outcome(StrEnum):
    """What a connection attempt came to. The value is the text that users read."""

    OPEN = "connected"
    REFUSED = "refused"
    SILENT = "no answer in time"
    NO_ROUTE = "no route"
    BROKEN = "failed"


@frozen
class Attempt:
    """One TCP connection to one address."""

    address: str
    outcome: Outcome
    seconds: float


@frozen
class Reading:
    """A server's clock, read from an answer: its Date as text, and our own time when the request went out and when the
    answer came. `why` is empty if an answer came."""

    date: str | None
    sent_s: float
    came_s: float
    status: int | None = None
    server: str = ""
    why: str = ""


def outcome_of(error: OSError) -> Outcome:
    match error.errno:
        case _ if isinstance(error, TimeoutError):
            return Outcome.SILENT
        case errno.ECONNREFUSED:
            return Outcome.REFUSED
        case errno.ENETUNREACH | errno.EHOSTUNREACH | errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT:
            return Outcome.NO_ROUTE
    return Outcome.BROKEN


def failed_lookup(host: str, error: Exception, seconds: float) -> Lookup:
    match error:
        case TimeoutError():
            return Lookup(host, (), seconds, "the resolver did not answer in time")
        case socket.gaierror() if is_no_such_name(error):
            return Lookup(host, (), seconds, "there is no such name", is_unknown=True)
        case socket.gaierror(errno=socket.EAI_AGAIN):
            return Lookup(host, (), seconds, "the resolver does not answer")
        case UnicodeError():
            return Lookup(host, (), seconds, "this is not a host name", is_unknown=True)
    return Lookup(host, (), seconds, str(error) or type(error).__name__)


def resolved(look: Lookup) -> Finding:
    host = look.host
    facts: dict[str, Any] = {"host": host, "addresses": look.addresses}
    if look.why:
        cause, advice = (
            ("unknown-host", f"check how {host} is spelt in the URL and in the variables; is a VPN needed?")
            if look.is_unknown
            else ("no-resolver", "the resolvers are in /etc/resolv.conf; does another name resolve?")
        )
        return failure(Step.RESOLVE, cause, f"{host}: {look.why}", advice, seconds=look.seconds, **facts)
    if is_address(host):
        return ok(Step.RESOLVE, f"{host} is an address", **facts)
    text = f"{host}: {', '.join(look.addresses)}"
    if look.seconds >= _SLOW_S:
        advice = "each new connection may wait that long: does the first resolver in /etc/resolv.conf answer?"
        return warning(Step.RESOLVE, "slow-resolver", text, advice, seconds=look.seconds, **facts)
    return ok(Step.RESOLVE, text, seconds=look.seconds, **facts)


def connected(host: str, port: int, attempts: Sequence[Attempt]) -> Finding:
    """`attempts` has one for each address, at least one."""
    opened = [attempt for attempt in attempts if attempt.outcome is Outcome.OPEN]
    rows = [{"address": each.address, "outcome": each.outcome.value, "seconds": each.seconds} for each in attempts]
    facts = {"host": host, "port": port, "attempts": rows}
    seconds = max(attempt.seconds for attempt in attempts)
    place = place_text(host, port)
    text = f"{place}: {', '.join(map(_attempt_text, attempts))}"
    if [attempt.address for attempt in attempts] == [host]:
        text = f"{place}: {attempts[0].outcome.value}"
    if not opened:
        # An address without a route (IPv6, here) tells less than one that does not answer.
        outcomes = [attempt.outcome for attempt in attempts]
        cause, advice = _DEAD[next((each for each in outcomes if each is not Outcome.NO_ROUTE), Outcome.NO_ROUTE)]
        return failure(Step.CONNECT, cause, text, advice.format(port=port), seconds=seconds, **facts)
    families = {_family(attempt.address) for attempt in opened}
    # Without IPv6 here, IPv6 addresses have no route: that is usual, and nobody waits for them.
    dead = [
        attempt.address
        for attempt in attempts
        if attempt not in opened
        and not (attempt.outcome is Outcome.NO_ROUTE and _family(attempt.address) not in families)
    ]
    if dead:
        advice = f"others are used instead; mend {', '.join(dead)}, or take it out of the DNS"
        return warning(Step.CONNECT, "dead-address", text, advice, seconds=seconds, **facts)
    if max(attempt.seconds for attempt in opened) >= _SLOW_S:
        advice = (
            "a packet was lost, or the server is too busy to accept: repeat, and look at its load and the line's loss"
        )
        return warning(Step.CONNECT, "slow-connect", text, advice, seconds=seconds, **facts)
    return ok(Step.CONNECT, text, seconds=seconds, **facts)


_DEAD = {
    Outcome.REFUSED: (
        "connection-refused",
        "nothing listens on port {port} there: check the port, and whether the server runs",
    ),
    Outcome.SILENT: (
        "silent",
        "a firewall drops the packets, or the host is down: does port {port} work from elsewhere?",
    ),
    Outcome.NO_ROUTE: ("no-route", "this machine has no route there: check its network, and whether a VPN is needed"),
    Outcome.BROKEN: ("no-connection", "check the server, and what is between it and this machine"),
}


def skew_of(reading: Reading) -> float | None:
    """Seconds by which the server's clock is ahead of ours, to the half second; None if it shows no time.

    A Date is cut to whole seconds, so its middle is half a second later. It was made between request and answer.
    """
    try:
        server_s = parsedate_to_datetime(reading.date or "").timestamp() + 0.5
    except (ValueError, OverflowError):
        return None
    if reading.sent_s - 0.5 <= server_s <= reading.came_s + 0.5:
        return 0.0
    return server_s - (reading.sent_s + reading.came_s) / 2


def clock(host: str, reading: Reading, *, others: Sequence[float] = ()) -> Finding:
    """`others` are the skews of other servers, which help to say whose clock is wrong."""
    seconds = reading.came_s - reading.sent_s
    if reading.why:
        advice = "does the port belong to this service, and the scheme (http or https) to the port?"
        return failure(Step.CLOCK, "no-http", f"{host}: no HTTP answer: {reading.why}", advice, seconds=seconds)
    skew_s = skew_of(reading)
    facts = {"host": host, "skew_s": skew_s, "status": reading.status, "server": reading.server}
    if skew_s is None:
        return skipped(Step.CLOCK, f"{host}: its answers have no Date", seconds=seconds, **facts)
    if abs(skew_s) <= _SKEW_S:
        text = "agrees with this machine's" if abs(skew_s) < 1 else _apart(skew_s)
        return ok(Step.CLOCK, f"{host}: its clock {text}", seconds=seconds, **facts)
    text = f"{host}: its clock {_apart(skew_s)}"
    whose = "compare both with a third; tokens and temporary URLs end by the server's clock"
    if any(abs(other - skew_s) < _SKEW_S for other in others):
        whose = "two servers agree, so this machine's clock is the wrong one"
    return warning(Step.CLOCK, "clock", text, whose, seconds=seconds, **facts)


def _apart(skew_s: float) -> str:
    return f"is {span_text(skew_s)} {'ahead of' if skew_s > 0 else 'behind'} this machine's"


def is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _attempt_text(attempt: Attempt) -> str:
    if attempt.outcome is Outcome.OPEN:
        return f"{attempt.address} {ms_text(attempt.seconds)}"
    return f"{attempt.address} {attempt.outcome.value}"
