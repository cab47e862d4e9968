"""S3 access logs: the lines of Amazon's manual and of Ceph, odd ones, and what the key of each names."""

import pytest

from bulkput.logs.groups import Groups
from bulkput.logs.parse import Parser, Record, parse_line
from bulkput.logs.paths import ObjectPath
from bulkput.logs.s3_access import object_of

OWNER = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
TAIL = (
    "s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP/XV/VLi31234= SigV4"
    " ECDHE-RSA-AES128-GCM-SHA256 AuthHeader horror.s3.us-west-1.amazonaws.com TLSV1.2 - -"
)
GET = (
    f"{OWNER} horror [06/Feb/2019:04:05:06 +0000] 192.0.2.3 {OWNER} 3E57427F3EXAMPLE REST.GET.OBJECT poe/raven.txt"
    f' "GET /poe/raven.txt?versionId=x HTTP/1.1" 200 - 1234 3462992 70 10 "http://a.example/" "curl/8 (x)" - {TAIL}'
)
PLACE = ObjectPath("horror", "poe/raven.txt")
RECORD = Record(
    "192.0.2.3", "2019-02-06", "04", "GET", "/poe/raven.txt", "200", 1234, "http://a.example/", "curl/8 (x)", PLACE
)  # fmt: skip


def read(log: str) -> tuple[list[Record], list[str]]:
    bad: list[str] = []
    block = log.encode("utf-8", "surrogateescape")
    return [record for lines in Parser(bad.append)(block) for record in lines], bad


def test_a_line_names_its_object_its_sender_and_its_time() -> None:
    """Alone and in a block."""
    assert parse_line(GET) == RECORD
    assert read(GET + "\n") == ([RECORD], [])


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("GET /poe", "GET /horror/poe", {"path": "/horror/poe/raven.txt"}),  # path style
        (" - -\n", " arn:aws:s3:us-west-1:1:accesspoint/x Yes us-east-1 later fields\n", {}),
        (f" - {TAIL}\n", " -\n", {}),  # of 2010
        (f" - {TAIL}\n", "\n", {}),
        (" 1234 ", " - ", {"size": 0}),
        ("192.0.2.3", "2001:db8::1", {"ip": "2001:db8::1"}),
        (f" {OWNER} 3E5", " - 3E5", {}),
        (f" {OWNER} 3E5", " arn:aws:sts::1:assumed-role/a/b 3E5", {}),
        ("REST.GET", "WEBSITE.GET", {}),
        ("GET /poe/raven.txt?versionId=x HTTP/1.1", 'GET /a"b" HTTP/1.1', {"path": '/a"b"'}),
        ("GET /poe/raven.txt?versionId=x HTTP/1.1", "GET /a b", {"path": "/a b"}),
        ('"GET /poe/raven.txt?versionId=x HTTP/1.1"', "-", {"method": "-", "path": "-"}),
        ('"GET /poe/raven.txt?versionId=x HTTP/1.1"', '"-"', {"method": "-", "path": "-"}),
        ('"http://a.example/"', '"a"b"', {"referrer": 'a"b'}),
        ('"http://a.example/" "curl/8 (x)"', "- -", {"referrer": "-", "agent": "-"}),
        ('"curl/8 (x)"', '"a "b" c"', {"agent": 'a "b" c'}),
        ('"curl/8 (x)"', '""', {"agent": ""}),
        ('"curl/8 (x)"', '"\udcff"', {"agent": "\udcff"}),
        (" 200 - 1234 ", " 404 NoSuchKey 1234 ", {"status": "404"}),
        ("horror [", "a.b-c.d [", {"place": PLACE._replace(container="a.b-c.d")}),
        ("horror [", f"{'b' * 65} [", {"place": PLACE._replace(container="b" * 65)}),
        ("OBJECT poe/raven.txt", "BUCKET -", {"place": ObjectPath("horror", "-")}),
        ("\n", "\r\n", {}),
    ],
)  # fmt: skip
def test_an_unusual_line_gives_the_same_record_alone_and_in_a_block(
    old: str, new: str, changed: dict[str, object]
) -> None:
    """The lines around it are not affected."""
    line = (GET + "\n").replace(old, new, 1)
    assert line != GET + "\n"
    expected = RECORD._replace(**changed)  # type: ignore[arg-type]
    assert read(line) == ([expected], [])
    records, bad = read((GET + "\n") * 70 + line + (GET + "\n") * 50)
    assert sorted(records) == sorted([RECORD] * 120 + [expected]) and not bad


def test_what_s3_does_by_itself_has_no_address_and_no_request() -> None:
    """A lifecycle rule that has removed an object, and the source of a copy."""
    expired = (
        f"{OWNER} horror [06/Feb/2019:04:05:06 +0000] - AmazonS3 3E57427F3EXAMPLE S3.EXPIRE.OBJECT a%2Bb"
        ' "-" - - - 12 - - "-" "-" - x= - - - - - - -'
    )
    place = ObjectPath("horror", "a+b")
    nothing = Record("-", "2019-02-06", "04", "-", "-", "-", 0, "-", "-", place)
    assert read(expired + "\n") == ([nothing], [])
    copied = GET.replace('"GET /poe/raven.txt?versionId=x HTTP/1.1"', "-").replace("GET.OBJECT", "COPY.OBJECT_GET")
    assert read(copied + "\n") == ([RECORD._replace(method="-", path="-")], [])


def test_cephs_lines_have_names_with_spaces_and_agents_without_quotes() -> None:
    """The lines of its bucket logging (LoggingType Standard): it encodes no key and quotes no agent."""
    ceph = (
        "test horror [06/Feb/2019:04:05:06 +0100] 192.0.2.3 test tx0000 REST.PUT.OBJECT the raven - 1%.txt"
        ' "PUT /horror/the%20raven%20-%201%25.txt HTTP/1.1" 200 - 1234 1234 - 7ms "-" aws-cli/2.1 md/x (a b)'
        " - - SigV4 - AuthHeader host.example - - Yes"
    )
    expected = Record(
        "192.0.2.3", "2019-02-06", "04", "PUT", "/horror/the%20raven%20-%201%25.txt", "200", 1234, "-",
        "aws-cli/2.1 md/x (a b)", ObjectPath("horror", "the raven - 1%.txt"),
    )  # fmt: skip
    assert read(ceph + "\n") == ([expected], [])
    assert read(ceph.replace("aws-cli/2.1 md/x (a b)", "-") + "\n") == ([expected._replace(agent="-")], [])


def test_what_a_key_means_follows_its_truth_table() -> None:
    """The docstring of `object_of` is the truth table."""
    lines = [line.strip() for line in (object_of.__doc__ or "").splitlines() if line.strip().startswith("|")]
    rows = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert len(rows) == 9
    for operation, key, path, expected, _ in rows:
        assert object_of(key, "c", operation, path) == expected, (operation, key, path)


@pytest.mark.parametrize(
    "line",
    [
        GET[:200],
        GET.replace(" 200 ", " 2000 "),
        GET.replace(" 1234 ", " 1_234 "),
        GET.replace(" 1234 ", " " + "9" * 19 + " "),
        GET.replace("Feb", "Foo"),
        GET.replace(" +0000]", "]"),
        GET.replace("horror [", "horror  ["),
        GET.partition(' "curl')[0],
        " " + GET,
    ],
)
def test_a_bad_line_is_reported_and_the_lines_around_it_are_read(line: str) -> None:
    """`on_bad_line` gets its text."""
    assert read((GET + "\n") * 40 + line + "\n" + (GET + "\n") * 30) == ([RECORD] * 70, [line])


def test_logs_of_many_buckets_and_formats_may_be_mixed() -> None:
    """Amazon puts the logs of several buckets into one object if their prefixes are the same."""
    other = '10.0.0.1 - - [06/Feb/2019:04:05:06 +0000] "GET /horror/poe/raven.txt HTTP/1.1" 200 1 "-" "x"\n'
    lines = [GET.replace("horror [", f"bucket{number % 40} [") + "\n" for number in range(200)]
    for log in ("".join(lines) + other, other + "".join(lines)):
        groups = Groups(by=("container", "object"))
        for read_lines in Parser()(log.encode()):
            groups.add(read_lines, None)
        counts = {group.key: group.count for group in groups.all()}
        assert counts == {("horror", "poe/raven.txt"): 1} | {(f"bucket{n}", "poe/raven.txt"): 5 for n in range(40)}


def test_the_bucket_of_a_line_is_stronger_than_the_container_of_its_log() -> None:
    """`--container` says what lines do not say."""
    groups = Groups(by=("container", "object"))
    for lines in Parser()((GET + "\n").encode()):
        groups.add(lines, "comics")
    groups.add([RECORD], "comics")
    assert [(group.key, group.count) for group in groups.all()] == [(("horror", "poe/raven.txt"), 2)]


@pytest.mark.parametrize("piece", ['"', ' "', "a ", "- ", ' "- ', " - -", '" 200', '" "', " [", "%25"])
def test_a_long_odd_line_takes_linear_time(piece: str) -> None:
    """A quadratic search would take minutes for 100 KiB."""
    long = piece * (100_000 // len(piece))
    for line in (long, GET.replace("poe/raven.txt ", long), GET.replace("curl/8", long), GET.replace("http:", long)):
        parse_line(line)
