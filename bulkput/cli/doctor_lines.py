"""What `bulkput doctor` prints: a line for each finding, the conclusion, and commands to type."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

from rich.text import Text

from bulkput.cli.flags import in_flags
from bulkput.doctor.finding import Finding, Report, Step, Verdict
from bulkput.doctor.texts import ms_text
from bulkput.errors import printable
from bulkput.record import frozen
from bulkput.report.console import console
from bulkput.stores.base import Destination

_STYLES = {Verdict.OK: "green", Verdict.SKIPPED: "dim", Verdict.WARN: "bold yellow", Verdict.FAIL: "bold red"}


class DoctorView:
    """Lines on a stream, each as soon as its step is over. `verbose`: with the facts of each step below it."""

    def __init__(self, stream: TextIO, *, verbose: bool) -> None:
        self._console = console(stream)
        self._verbose = verbose

    def show(self, finding: Finding) -> None:
        verdict, *rest = finding_lines(finding, verbose=self._verbose)
        self._print(Text.assemble((verdict, _STYLES[finding.verdict]), rest[0]))
        for line in rest[1:]:
            self._print(Text(line))

    def conclude(self, report: Report, target: "Target") -> None:
        self._print(Text())
        self._print(Text(conclusion(report)))
        if found := commands(report, target):
            self._print(Text())
        for command in found:
            self._print(Text(f"  {command}"))

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)


def finding_lines(finding: Finding, *, verbose: bool) -> list[str]:
    """The verdict, the rest of its line, and further lines: what to do, and the facts."""
    took = ms_text(finding.seconds) if finding.seconds is not None else ""
    lines = [f"{finding.verdict.value:<8}", f"{finding.step.value:<12}{took:>8}  {_line(finding.text)}"]
    if finding.advice:
        lines.append(f"{'':8}{'':12}{'':8}  -> {_line(finding.advice)}")
    if verbose:
        lines += [f"{'':30}{name}: {_fact(value)}" for name, value in (finding.facts or {}).items()]
    return lines


def _line(text: str) -> str:
    return printable(in_flags(text))


def _fact(value: object) -> str:
    return printable(value if isinstance(value, str) else json.dumps(value, default=str))


def conclusion(report: Report) -> str:
    """Whether uploads work, in one sentence."""
    if report.interrupted:
        return "Interrupted: the steps that are not shown were not made."
    worst = next((each for each in report.findings if each.verdict is Verdict.FAIL), None)
    if worst is not None:
        return f"Uploads do not work: mend {worst.step.value} first."
    warnings = sum(each.verdict is Verdict.WARN for each in report.findings)
    more = f"{warnings} warning{'s' if warnings > 1 else ''}" if warnings else "nothing is wrong"
    if not any(each.step is Step.PUT and each.verdict is Verdict.OK for each in report.findings):
        return f"Nothing was written, so whether uploads work is not proven; {more}."
    return f"Uploads work; {more}."


@frozen
class Target:
    """How a command names what was looked at: a URL, quoted, and the flag with the cloud, if it has one."""

    url: str
    login: str = ""

    @classmethod
    def of(cls, url: str, cloud: str | None) -> "Target":
        """`url` is as it was typed; the signature of a temporary one is left out."""
        where = Destination.parse(url)
        if where.temp_url is not None:
            return cls(shlex.quote(f"{where}?temp_url_sig=..."))
        login = f" --cloud {shlex.quote(cloud)}" if cloud and where.scheme == "swift" else ""
        return cls(shlex.quote(url), login)

    def __str__(self) -> str:
        return self.url + self.login


def commands(report: Report, target: Target) -> list[str]:
    """What to type: for each cause, then the upload itself, or another look if uploads do not work."""
    found = [command for finding in report.findings if finding.cause for command in _remedies(report, finding, target)]
    if report.verdict is Verdict.FAIL or "missing" in report.causes:
        found.append(f"bulkput doctor {target}")
    elif not report.interrupted:
        found.append(f"bulkput upload SOURCE {target}{''.join(_flags(report))}")
    return list(dict.fromkeys(found))


def _is_of(scheme: str, report: Report) -> bool:
    return Destination.parse(report.url).scheme == scheme


def _flags(report: Report) -> Iterator[str]:
    """The flags with which an upload works here."""
    for finding in report.findings:
        match finding.cause:
            case "unverified":
                yield " --insecure"
            case "large" if instead := (finding.facts or {})["instead"]:
                yield f" --large {instead}"


_SHOWN_BY = {
    "getent ahosts {host}": ("unknown-host", "no-resolver", "slow-resolver"),
    "nc -vz {host} {port}": (
        "silent", "connection-refused", "no-route", "no-connection", "dead-address", "slow-connect",
    ),
    "timedatectl": ("clock",),
    "prlimit --pid $$ --nofile=4096:4096    # as root": ("descriptors",),
    "openssl s_client -connect {host}:{port} -servername {host} -showcerts </dev/null": (
        "chain-incomplete", "unknown-authority", "self-signed", "name-mismatch", "certificate", "handshake",
    ),
    "export OS_CACERT=FILE": ("chain-incomplete", "unknown-authority", "self-signed"),
    "openssl s_client -connect {host}:{port} -servername {host} </dev/null | openssl x509 -noout -dates": (
        "expired", "chain-expired", "expires-soon", "not-yet-valid", "certificates-differ",
    ),
}  # fmt: skip
"""Commands that show more about a cause, or mend it."""


def _remedies(report: Report, finding: Finding, target: Target) -> Iterator[str]:
    """The commands for the cause of one finding."""
    facts = {"host": "", "port": "", **(finding.facts or {})}
    yield from (command.format(**facts) for command, causes in _SHOWN_BY.items() if finding.cause in causes)
    destination = Destination.parse(report.url)
    root, is_swift = shlex.quote(destination.root), _is_of("swift", report)
    as_owner = "    # as the owner of the container"
    if _is_of("s3", report):
        yield from _of_s3(finding, facts, destination, target)
    match finding.cause:
        case "missing" if is_swift:
            yield f"swift post {root}"
        case "quota-full" if _is_full(facts, "container"):
            yield f"swift post {root} --meta quota-bytes:BYTES{as_owner}"
        case "forbidden" if is_swift and finding.step is Step.PUT:
            yield f"swift post {root} --write-acl {_user(report)}{as_owner}; repeat those who are in the list"
        case "storage-not-encrypted":
            yield f"export OS_STORAGE_URL={shlex.quote('https' + str(facts['storage_url']).removeprefix('http'))}"
        case "left":
            yield from (f"bulkput rm {shlex.quote(_of(destination, name))}{target.login}" for name in report.left)


def _of_s3(finding: Finding, facts: Mapping[str, Any], destination: Destination, target: Target) -> Iterator[str]:
    """The commands for the cause of one finding in S3."""
    bucket = shlex.quote(destination.root)
    match finding.cause:
        case "unknown-key" | "wrong-secret":
            yield "aws configure list    # where the keys come from"
        case "expired-keys":
            yield "aws sso login"
        case "wrong-region" if facts.get("region"):
            yield f"export AWS_REGION={shlex.quote(facts['region'])}"
        case "not-stored" if finding.step is Step.PLACE:
            yield "export AWS_ENDPOINT_URL_S3=https://HOST"
        case "missing":
            yield f"bulkput upload SOURCE {target} --make-bucket"
        case "forbidden" if finding.step is Step.PUT:
            yield f"aws s3api get-bucket-policy --bucket {bucket}    # as its owner; it has to allow s3:PutObject"
        case "unknown-host" | "name-mismatch" if str(facts["host"]).startswith(f"{destination.root}."):
            yield "aws configure set s3.addressing_style path    # the bucket in the path, not in the host"
        case "unfinished":
            yield f"bulkput segments {target}"


def _is_full(facts: Mapping[str, Any], name: str) -> bool:
    space = facts.get("spaces", {}).get(name, {})
    return space.get("most_bytes") is not None and (space.get("bytes") or 0) >= space["most_bytes"]


def _user(report: Report) -> str:
    """Of v1 auth: ACCOUNT:USER. A list of Keystone's has ids, and takes a bare name for that of a role."""
    users = [(each.facts or {}).get("user", "") for each in report.findings if each.step is Step.LOGIN]
    return shlex.quote(users[0]) if users and ":" in users[0] else "PROJECT_ID:USER_ID"


def _of(destination: Destination, name: str) -> str:
    """The URL of an object."""
    return str(Destination(destination.scheme, destination.root, name))


def as_json_object(report: Report, target: Target) -> dict[str, Any]:
    """The object that `--json` prints."""
    return {
        "schema": 1,
        "url": report.url,
        "verdict": report.verdict.value,
        "conclusion": conclusion(report),
        "interrupted": report.interrupted,
        "findings": [
            {
                "step": each.step.value,
                "verdict": each.verdict.value,
                "cause": each.cause or None,
                "text": in_flags(each.text),
                "advice": in_flags(each.advice),
                "seconds": each.seconds,
                "facts": each.facts or {},
            }
            for each in report.findings
        ],
        "left": list(report.left),
        "commands": commands(report, target),
    }
