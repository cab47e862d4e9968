"""The status page's server: who may ask what, and that it leaves when it shall."""

import json
import re
import socket
import threading
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bulkput import events as ev
from bulkput.errors import SourceError, Throttled, UsageError
from bulkput.model import Reason, Skip, SourceFile
from bulkput.recorder import Recorder
from bulkput.transport.listening import Address, parse
from bulkput.watch import server as module
from bulkput.watch.metrics import metrics
from bulkput.watch.numbers import About, Ended, Numbers
from bulkput.watch.server import MOST_READERS, StatusServer

HOSTILE = b'a"\\\n<img src=x onerror=alert(1)>'


@pytest.fixture
def numbers() -> Numbers:
    """A run in its midst."""
    made = Numbers(Recorder(), About(sources=("dist",), destination='swift://c/"x"', tag="build-1"))
    for event in (
        *[ev.Discovered(SourceFile(b"a", b"a", 1, 1))] * 5,
        ev.Tuned(64, "at the start"),
        ev.Failed(HOSTILE, None, SourceError(HOSTILE, "reading", "gone")),
        ev.Skipped(Skip(b"b", b"b", Reason.EXCLUDED)),
        ev.Retrying(Throttled("put", "a", "429", retry_after_s=None), 1, 0.1),
        ev.ScanDone(),
    ):
        made.recorder(event)
        made(event)
    made.look()
    return made


@pytest.fixture
def served(numbers: Numbers) -> Iterator[StatusServer]:
    with StatusServer(numbers, parse("0")) as running:
        yield running
        numbers.end(Ended(0))


@dataclass
class Answer:
    status: int
    headers: HTTPMessage
    body: bytes


def asked(url: str, path: str = "", *, method: str = "GET", host: str | None = None) -> Answer:
    with closing(HTTPConnection(urlsplit(url).netloc, timeout=10)) as connection:
        connection.request(method, f"/{path}", headers={"Host": host} if host is not None else {})
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())


def test_every_answer_forbids_what_the_page_does_not_need(served: StatusServer) -> None:
    """Scripts of others, frames, guesses at types, caches; errors too."""
    for path in ("", "page.js", "page.css", "uplot/uPlot.min.css", "metrics", "numbers.json", "nothing-here"):
        answer = asked(served.url, path)
        assert answer.status == (404 if path == "nothing-here" else 200) and answer.body
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';") and "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Server"] == "bulkput"
        assert answer.headers["Access-Control-Allow-Origin"] is None


@pytest.mark.parametrize("path", ["", "events", "metrics", "numbers.json", "page.js", "nothing-here"])
def test_a_host_that_is_not_this_machine_gets_nothing(served: StatusServer, path: str) -> None:
    """A stranger's name that was made to resolve to 127.0.0.1."""
    for host in ("evil.example", f"evil.example:{urlsplit(served.url).port}", "127.0.0.1.evil.example", ""):
        answer = asked(served.url, path, host=host)
        assert answer.status == 403 and b"dist" not in answer.body and b"swift" not in answer.body


def test_a_page_on_every_address_is_also_asked_for_by_the_name_of_the_machine(numbers: Numbers) -> None:
    """By no other name."""
    with StatusServer(numbers, parse("0.0.0.0:0")) as running:
        assert running.url.startswith("http://localhost:")
        for host, status in ((socket.gethostname(), 200), ("10.0.0.7", 200), ("evil.example", 403)):
            assert asked(running.url, host=host).status == status
        numbers.end(Ended(0))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"])
def test_only_get_is_answered(served: StatusServer, method: str) -> None:
    """Nothing of a run can be changed."""
    for path in ("", "events", "metrics"):
        assert asked(served.url, path, method=method).status == 405


def test_metrics_are_what_prometheus_reads(served: StatusServer) -> None:
    """Its own parser takes them; counts are those of the run."""
    answer = asked(served.url, "metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(answer.body.decode())}
    assert all(family.documentation.endswith(".") for family in families.values())
    values = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert values["bulkput_found_total",] == 5
    assert values["bulkput_failed_total",] == values["bulkput_throttled_total",] == 1
    assert values["bulkput_skipped_total", Reason.EXCLUDED.value] == 1
    assert values["bulkput_state", "running"] == 1 and values["bulkput_state", "ended"] == 0
    assert values["bulkput_scan_complete",] == 1 and values["bulkput_concurrency_limit",] == 64
    info = families["bulkput_run_info"].samples[0].labels
    assert info["destination"] == 'swift://c/"x"' and info["tag"] == "build-1"
    assert {type(family.type) for family in families.values()} == {str}


def test_the_metrics_are_those_of_the_documentation(numbers: Numbers) -> None:
    """docs/watching.md has each, with its type, and no other."""
    for names in numbers.recorder.done_by.values():
        names.update(("a", "b"))
    numbers.recorder(ev.Skipped(Skip(b"c", b"c", Reason.EXCLUDED)))
    numbers.look()
    made = {line.split()[2] for line in metrics(numbers).decode().splitlines() if line.startswith("# TYPE")}
    numbers.end(Ended(0))
    made |= {line.split()[2] for line in metrics(numbers).decode().splitlines() if line.startswith("# TYPE")}
    page = (Path(__file__).parents[2] / "docs" / "watching.md").read_text()
    assert made | {"bulkput_left_seconds"} == set(re.findall(r"^\| `(bulkput_\w+)` \|", page, re.MULTILINE))


def test_a_port_that_is_taken_is_a_mistake(served: StatusServer, numbers: Numbers) -> None:
    """The sentence says what to do; so it does for a host that is not ours."""
    taken = urlsplit(served.url).port or 0
    with pytest.raises(UsageError, match="another program has this port: name another one, or 0"):
        StatusServer(numbers, Address("127.0.0.1", taken))
    for host in ("192.0.2.1", "no-such-host.invalid", "a" * 64, "a..b"):
        with pytest.raises(UsageError, match=f"^{host}:0: "):
            StatusServer(numbers, Address(host, 0))


def messages(url: str) -> Generator[dict[str, object], None, None]:
    with urllib.request.urlopen(f"{url}events", timeout=10) as answer:
        for line in answer:
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))


def test_a_reader_gets_the_numbers_after_each_look_until_the_end(numbers: Numbers) -> None:
    """The stream closes after the message that says how the run ended."""
    with StatusServer(numbers, parse("0")) as running:
        stream = messages(running.url)
        assert next(stream)["done"] == 2
        numbers.recorder(ev.Skipped(Skip(b"c", b"c", Reason.EXCLUDED)))
        numbers.look()
        running.publish()
        assert next(stream)["done"] == 3
        numbers.end(Ended(1, "why"))
    last = list(stream)
    assert [each["ended"] for each in last][-1] == {"exit_code": 1, "why": "why"}
    assert len(last) == 1


def test_a_reader_that_does_not_read_is_dropped(numbers: Numbers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others still get the numbers, and the end of the run does not wait for it."""
    monkeypatch.setattr(module, "_UNREAD_S", 0.2)
    for number in range(200):
        numbers.recorder.done_by["container"][f"{'x' * 400}{number}"] += 1
    with (
        StatusServer(numbers, parse("0")) as running,
        closing(messages(running.url)) as stream,
        socket.socket() as deaf,
    ):
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", urlsplit(running.url).port or 0))
        deaf.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        ended = threading.Event()

        def publish() -> None:
            while not ended.wait(0.01):
                numbers.look()
                running.publish()

        looking = threading.Thread(target=publish)
        looking.start()
        try:
            while running.readers < 2:
                next(stream)
            while running.readers > 1:
                next(stream)
        finally:
            ended.set()
            looking.join()
        deaf.settimeout(10)
        with suppress(ConnectionError):
            while deaf.recv(65536):  # what the system has kept for it, then the end
                pass
        numbers.end(Ended(0))


def test_there_are_at_most_so_many_readers(served: StatusServer) -> None:
    """One more is told so; metrics have nothing to do with it."""
    with ExitStack() as stack:
        for _ in range(MOST_READERS):
            next(stack.enter_context(closing(messages(served.url))))
        assert asked(served.url, "events").status == 503
        assert asked(served.url, "metrics").status == 200


def test_the_end_of_a_run_does_not_wait_where_nobody_reads(numbers: Numbers) -> None:
    """Nor is anything left: the port is free, the threads have ended."""
    with StatusServer(numbers, parse("0")) as running:
        numbers.end(Ended(0))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("bulkput-status")]
    with pytest.raises(ConnectionRefusedError):
        asked(running.url)


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"GET\r\n\r\n", b"G" * 100_000]
)
def test_what_is_no_http_ends_its_own_connection_only(
    served: StatusServer, garbage: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    """A browser that was told https:// sends TLS; nothing of it shows among the lines of the run."""
    with socket.create_connection(("127.0.0.1", urlsplit(served.url).port or 0), timeout=10) as connection:
        connection.sendall(garbage)
        assert b"400" in connection.recv(65536)
    assert asked(served.url).status == 200
    assert capfd.readouterr() == ("", "")
