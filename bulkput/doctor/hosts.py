"""The steps on the way to a host: proxy, name, connections, TLS, clock."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address

from bulkput.doctor import network
from bulkput.doctor.certificate import OF_TIME, Trust, no_tls, tls
from bulkput.doctor.finding import Findings, Step, failure, ok, skipped
from bulkput.doctor.reach import Outcome, clock, connected, resolved, skew_of
from bulkput.doctor.texts import place_text
from bulkput.options import WireOptions

_MOST_HANDSHAKES = 16
"""Addresses whose certificates are looked at."""


class Hosts:
    """Looks at the hosts of one store: that of the login, and that of the account."""

    def __init__(self, wire: WireOptions, findings: Findings, environ: Mapping[str, str]) -> None:
        self._wire = wire
        self._findings = findings
        self._environ = environ
        self._skews: list[float] = []

    async def reach(self, url: str) -> bool:
        """Make all steps to the host of `url`. Returns whether requests to it can be made. Raises UsageError for a
        wrong proxy variable."""
        add, within_s = self._findings.add, self._wire.connect_timeout_s
        way = network.way_to(url, self._environ)
        if way.proxy is not None:
            text = f"requests to {way.host} pass through {way.proxy.url} ({way.proxy.variable})"
            add(ok(Step.PROXY, text, proxy=way.proxy.url, variable=way.proxy.variable))
        host, port = way.first
        # The system's resolver asks its second server only after some seconds: that is slow, and no failure.
        lookup = await network.look_up(host, port, timeout_s=self._wire.timeout_s)
        if not add(resolved(lookup)):
            return False
        attempts = await network.connect(lookup.addresses, port, timeout_s=within_s)
        if not add(connected(host, port, attempts)):
            return False
        opened = [attempt.address for attempt in attempts if attempt.outcome is Outcome.OPEN]
        return await self._shake_hands(way, url, opened) and await self._read_clock(way, url)

    async def _shake_hands(self, way: network.Way, url: str, addresses: Sequence[str]) -> bool:
        add = self._findings.add
        if not way.is_tls:
            return add(no_tls(way.host, is_local=all(ip_address(each).is_loopback for each in addresses)))
        if way.proxy is not None and way.proxy.scheme == "https":
            return add(skipped(Step.TLS, f"{way.host}: not looked at, the way to the proxy is encrypted itself"))
        some = addresses[:_MOST_HANDSHAKES]
        shakes = await asyncio.gather(*(network.shake_hands(way, address, self._wire) for address in some))
        server_now_s = None
        if any(shake.code in OF_TIME for shake in shakes):
            # Anybody may have sent this Date. It only tells people which of two clocks to look at first.
            reading = await network.read_clock(url, replace(self._wire, verify_tls=False, ca_file=None))
            skew_s = skew_of(reading)
            server_now_s = time.time() + skew_s if skew_s is not None else None
        wire = self._wire
        trust = Trust(now_s=time.time(), server_now_s=server_now_s, ca_file=wire.ca_file, verifies=wire.verify_tls)
        return add(tls(way.host, way.port, shakes, trust))

    async def _read_clock(self, way: network.Way, url: str) -> bool:
        where, wire = place_text(way.host, way.port), self._wire
        reading = await network.read_clock(url, wire)
        is_odd = reading.status == 400 or (reading.why and reading.came_s - reading.sent_s < wire.connect_timeout_s)
        if is_odd and not way.is_tls and way.proxy is None:
            shaken = await network.shake_hands(way, way.host, replace(wire, verify_tls=False, ca_file=None))
            if not shaken.why:
                text = f"{where}: this port speaks TLS, and the URL begins with http://"
                advice = "write https:// in the URL or the variables"
                return self._findings.add(failure(Step.CLOCK, "needs-tls", text, advice))
        finding = clock(where, reading, others=self._skews)
        if (skew_s := skew_of(reading)) is not None:
            self._skews.append(skew_s)
        return self._findings.add(finding)
