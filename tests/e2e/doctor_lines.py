"""What `bulkput doctor` has printed, taken apart."""

import re

from tests.e2e.cli import Ran

ON_THE_WAY = ("descriptors", "resolve", "connect", "tls", "clock", "login")
PROBE = re.compile(r"bulkput-doctor-[0-9a-f]{32}-object")


def steps(ran: Ran) -> list[tuple[str, str]]:
    """Verdict and step of each line."""
    return re.findall(r"^(ok|skipped|warn|fail) +([a-z-]+) ", ran.out, re.M)


def bad(ran: Ran) -> list[tuple[str, str]]:
    return [(verdict, step) for verdict, step in steps(ran) if verdict in ("warn", "fail")]


def told(ran: Ran, step: str) -> str:
    """The text of the step's line, and what to do."""
    found = re.search(rf"^\w+ +{step} .*\n(?: +-> .*\n)?", ran.out, re.M)
    assert found is not None, ran.out
    return found[0]


def commands(ran: Ran) -> list[str]:
    return re.findall(r"^  (\S.*)", ran.out, re.M)
