"""Counts of the requests that reached the server, for tests (`requests per object == 1`)."""

from collections import Counter
from dataclasses import dataclass, field

from .target import ResourceKind


@dataclass(slots=True)
class Traffic:
    """Counts since the start, or since `clear`. A request counts when its head has arrived."""

    requests: Counter[tuple[str, ResourceKind]] = field(default_factory=Counter)
    statuses: Counter[tuple[str, ResourceKind, int]] = field(default_factory=Counter)
    connections: int = 0  # accepted
    in_flight: int = 0
    peak_in_flight: int = 0
    bytes_received: int = 0  # of object bodies, stored or not

    def arrived(self, verb: str, kind: ResourceKind) -> None:
        """Count a request whose head has arrived."""
        self.requests[verb, kind] += 1
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def answered(self, verb: str, kind: ResourceKind, status: int) -> None:
        """Count an answer by its status: 499 if the body broke off, 0 if the handler raised."""
        self.statuses[verb, kind, status] += 1
        self.in_flight -= 1

    def clear(self) -> None:
        """Reset the counts; requests in flight stay counted as in flight."""
        self.requests.clear()
        self.statuses.clear()
        self.connections = 0
        self.peak_in_flight = self.in_flight
        self.bytes_received = 0
