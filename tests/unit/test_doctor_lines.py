"""What `bulkput doctor` prints: aligned lines, the conclusion, and commands to type."""

import shlex
from io import StringIO
from typing import Any

import pytest

from bulkput.cli.doctor_lines import DoctorView, Target, as_json_object, commands, conclusion, finding_lines
from bulkput.doctor.finding import Finding, Report, Step, failure, ok, warning

URL = "swift://c/p"
PUT = ok(Step.PUT, "stored")
TARGET = Target.of(URL, None)


def report(*findings: Finding, url: str = URL, **more: Any) -> Report:
    return Report(url=url, findings=findings, **more)


def test_a_line_has_verdict_step_time_and_text_in_columns() -> None:
    """What to do stands on a line of its own; options are flags, and no control character passes."""
    finding = warning(Step.LARGE, "large", "static: odd\x1b[31m", "set `large.mode='dlo'`", seconds=0.0123, size=1)
    assert finding_lines(finding, verbose=False) == [
        "warn    ",
        "large          12 ms  static: odd\\x1b[31m",
        "                              -> set --large dlo",
    ]
    assert finding_lines(finding, verbose=True)[3:] == ["                              size: 1"]
    out = StringIO()
    DoctorView(out, verbose=False).show(PUT)
    assert out.getvalue() == "ok      put                   stored\n"


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (report(PUT), "Uploads work; nothing is wrong."),
        (report(PUT, warning(Step.LIST, "c", "x", "y")), "Uploads work; 1 warning."),
        (report(PUT, *[warning(Step.LIST, "c", "x", "y")] * 2), "Uploads work; 2 warnings."),
        (
            report(warning(Step.PLACE, "missing", "x", "y")),
            "Nothing was written, so whether uploads work is not proven",
        ),
        (report(failure(Step.TLS, "expired", "x", "y"), PUT), "Uploads do not work: mend tls first."),
        (report(interrupted=True), "Interrupted"),
    ],
)
def test_the_conclusion_says_whether_uploads_work(found: Report, says: str) -> None:
    """The first failure is what to mend first."""
    assert conclusion(found).startswith(says)


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        (failure(Step.RESOLVE, "unknown-host", "x", "y", host="a"), ["getent ahosts a", "bulkput doctor swift://c/p"]),
        (
            failure(Step.CONNECT, "connection-refused", "x", "y", host="a", port=80),
            ["nc -vz a 80", "bulkput doctor swift://c/p"],
        ),
        (warning(Step.PLACE, "missing", "x", "y"), ["swift post c", "bulkput doctor swift://c/p"]),
        (warning(Step.CLOCK, "clock", "x", "y"), ["timedatectl", "bulkput upload SOURCE swift://c/p"]),
        (warning(Step.LARGE, "large", "x", "y", instead="dlo"), ["bulkput upload SOURCE swift://c/p --large dlo"]),
        (warning(Step.LARGE, "large", "x", "y", instead=None), ["bulkput upload SOURCE swift://c/p"]),
        (
            warning(Step.LOGIN, "storage-not-encrypted", "x", "y", storage_url="http://a/v1/A"),
            ["export OS_STORAGE_URL=https://a/v1/A", "bulkput upload SOURCE swift://c/p"],
        ),
    ],
)
def test_causes_have_commands(finding: Finding, expected: list[str]) -> None:
    """Then comes the upload, or another look."""
    assert commands(report(finding), TARGET) == expected


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        (failure(Step.PLACE, "unknown-key", "x", "y"), "aws configure list    # where the keys come from"),
        (failure(Step.PLACE, "expired-keys", "x", "y"), "aws sso login"),
        (failure(Step.PLACE, "clock", "x", "y"), "timedatectl"),
        (failure(Step.PLACE, "not-stored", "x", "y"), "export AWS_ENDPOINT_URL_S3=https://HOST"),
        (failure(Step.PLACE, "missing", "x", "y"), "bulkput upload SOURCE s3://a.b/p --make-bucket"),
        (warning(Step.PLACE, "wrong-region", "x", "y", region="eu-west-1"), "export AWS_REGION=eu-west-1"),
        (warning(Step.UNFINISHED, "unfinished", "x", "y"), "bulkput segments s3://a.b/p"),
        (
            failure(Step.PUT, "forbidden", "x", "y"),
            "aws s3api get-bucket-policy --bucket a.b    # as its owner; it has to allow s3:PutObject",
        ),
        (
            failure(Step.RESOLVE, "unknown-host", "x", "y", host="a.b.s3.example.org", port=443),
            "aws configure set s3.addressing_style path    # the bucket in the path, not in the host",
        ),
        (
            failure(Step.TLS, "name-mismatch", "x", "y", host="a.b.s3.example.org", port=443),
            "aws configure set s3.addressing_style path    # the bucket in the path, not in the host",
        ),
    ],
)
def test_causes_in_s3_have_commands_of_their_own(finding: Finding, expected: str) -> None:
    """None of Swift's is among them."""
    url = "s3://a.b/p"
    found = commands(report(finding, url=url), Target.of(url, "cloud"))
    assert expected in found and not any("swift" in command for command in found)


def test_the_path_is_no_remedy_where_the_bucket_is_not_in_the_host() -> None:
    """A host that is unknown with the bucket in the path is unknown."""
    finding = failure(Step.RESOLVE, "unknown-host", "x", "y", host="s3.example.org", port=443)
    found = commands(report(finding, url="s3://a.b/p"), Target.of("s3://a.b/p", None))
    assert found == ["getent ahosts s3.example.org", "bulkput doctor s3://a.b/p"]


def test_the_cloud_is_part_of_the_commands() -> None:
    """Only Swift has one."""
    assert commands(report(PUT), Target.of(URL, "my cloud")) == ["bulkput upload SOURCE swift://c/p --cloud 'my cloud'"]
    assert commands(report(PUT, url="http://h/d/"), Target.of("http://h/d/", "x")) == [
        "bulkput upload SOURCE http://h/d/"
    ]
    missing = warning(Step.PLACE, "missing", "x", "y")
    assert commands(report(missing), Target.of(URL, "x"))[-1] == "bulkput doctor swift://c/p --cloud x"


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("tempurl://docs/", "tempurl://docs/"),
        (
            "https://h/v1/A/c/p?temp_url_sig=secret&temp_url_expires=1999999999&temp_url_prefix=p",
            "'https://h/v1/A/c/p?temp_url_sig=...'",
        ),
    ],
)
def test_commands_leave_out_the_signature_of_a_temporary_url(url: str, named: str) -> None:
    """It would end up in a log."""
    found = commands(report(url="https://h/v1/A/c/p"), Target.of(url, "x"))
    assert found == [f"bulkput upload SOURCE {named}"]


def test_the_owners_commands_name_container_and_user() -> None:
    """A container and a user with blanks stay one word each."""
    denied = failure(Step.PUT, "forbidden", "x", "y")
    for user, named in (("a:b c", "a:b c"), ("demo", "PROJECT_ID:USER_ID")):  # Keystone's: a name would be a role's
        found = report(ok(Step.LOGIN, "x", user=user), denied, url="swift://my c/p")
        first = commands(found, TARGET)[0]
        assert shlex.split(first, comments=True) == ["swift", "post", "my c", "--write-acl", named]
    full = failure(Step.QUOTA, "quota-full", "x", "y", spaces={"container": {"bytes": 5, "most_bytes": 5}})
    assert commands(report(full), TARGET)[0].startswith("swift post c --meta quota-bytes:")
    full = failure(Step.QUOTA, "quota-full", "x", "y", spaces={"account": {"bytes": 5, "most_bytes": 5}})
    assert commands(report(full), TARGET) == ["bulkput doctor swift://c/p"], "only its reseller can raise that"


def test_each_object_that_is_left_has_its_command() -> None:
    """With the URL of the object, of both kinds of stores."""
    left = warning(Step.CLEAN_UP, "left", "x", "y")
    assert commands(report(left, left=("p/a b",)), TARGET)[0] == "bulkput rm 'swift://c/p/a b'"
    assert commands(report(left, left=("p/a",)), Target.of(URL, "x"))[0] == "bulkput rm swift://c/p/a --cloud x"
    assert commands(report(left, url="http://h/d/", left=("a",)), TARGET)[0] == "bulkput rm http://h/d/a"


def test_json_has_what_the_lines_have() -> None:
    """With flags in place of options."""
    found = as_json_object(report(warning(Step.LARGE, "large", "x", "set `large.mode='dlo'`", instead="dlo")), TARGET)
    (finding,) = found["findings"]
    assert finding == {
        "step": "large", "verdict": "warn", "cause": "large", "text": "x", "advice": "set --large dlo",
        "seconds": None, "facts": {"instead": "dlo"},
    }  # fmt: skip
    assert (found["schema"], found["verdict"], found["commands"][0].endswith("--large dlo")) == (1, "warn", True)
