"""The numbers of a run for Prometheus. docs/watching.md explains each metric.

Names follow https://prometheus.io/docs/practices/naming/: base units, `_total` for what only grows.
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from bulkput.errors import printable
from bulkput.watch.numbers import Numbers

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
STATES = ("starting", "running", "stalled", "stopping", "ended")


def metrics(numbers: Numbers) -> bytes:
    """The text that Prometheus scrapes."""
    registry = CollectorRegistry()  # of our own: the global one would add what the client library tells of Python
    registry.register(_Run(numbers))
    return generate_latest(registry)


class _Run(Collector):
    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers

    def collect(self) -> Iterator[Metric]:
        yield from self._about()
        yield from self._counters()
        yield from self._gauges()
        yield from self._groups()

    def _about(self) -> Iterator[Metric]:
        about = self._numbers.about
        info = InfoMetricFamily("bulkput_run", "What runs: version, destination, tag.")
        info.add_metric(
            [], {"version": about.version, "destination": printable(about.destination), "tag": about.tag or ""}
        )
        yield info
        state = GaugeMetricFamily("bulkput_state", "1 for the state that the run is in.", labels=["state"])
        for each in STATES:
            state.add_metric([each], float(each == self._numbers.state))
        yield state

    def _counters(self) -> Iterator[Metric]:
        numbers, recorder = self._numbers, self._numbers.recorder
        for name, text, value in (
            ("found", "Entries that the scan has found.", recorder.found),
            ("uploaded", "Objects that the store holds, each proven.", recorder.uploaded),
            ("failed", "Entries that failed.", recorder.failed),
            ("removed", "Objects that a mirror has removed.", recorder.removed),
            ("retries", "Attempts that failed and are tried again.", recorder.retries),
            ("throttled", "Retries because the store asked for fewer requests.", numbers.throttled),
            ("warnings", "Warnings.", numbers.warned),
        ):
            yield CounterMetricFamily(f"bulkput_{name}", text, value=value)
        skipped = CounterMetricFamily("bulkput_skipped", "Entries that were not sent, by reason.", labels=["reason"])
        for why, count in dict(recorder.skipped).items():
            skipped.add_metric([numbers.worded(why)], count)
        yield skipped

    def _gauges(self) -> Iterator[Metric]:
        numbers, recorder = self._numbers, self._numbers.recorder
        # A failed attempt at a large file takes back what it had counted, so this is no counter.
        yield GaugeMetricFamily(
            "bulkput_moved_bytes", "Bytes of files that are uploaded or on the way.", value=recorder.bytes_moved
        )
        for name, text, value in (
            ("sent_bytes", "Bytes of objects and parts that the store holds.", recorder.bytes_sent),
            ("elapsed_seconds", "Seconds since the run began.", numbers.elapsed_s),
            ("scan_complete", "1 when all entries are found, so that found_total is the whole.", numbers.is_scan_done),
            ("in_flight", "Items that workers handle now.", numbers.in_flight),
            ("concurrency_limit", "Requests that may be in flight.", recorder.concurrency),
        ):
            yield GaugeMetricFamily(f"bulkput_{name}", text, value=float(value))
        if (left := numbers.left_s) is not None:
            yield GaugeMetricFamily("bulkput_left_seconds", "Seconds until the end, as far as known.", value=left)
        if numbers.ended is not None:
            yield GaugeMetricFamily(
                "bulkput_exit_code", "The exit code of the run that has ended.", value=numbers.ended.exit_code
            )

    def _groups(self) -> Iterator[Metric]:
        for label, done in self._numbers.recorder.done_by.items():
            family = CounterMetricFamily(
                f"bulkput_{label}_done", f"Entries with an outcome, by {label}.", labels=[label]
            )
            for name, count in dict(done).items():
                family.add_metric([printable(name)], count)
            if family.samples:
                yield family
