"""Objects that other programs and bulkput have sent to a real S3 in parts: compared with files, and found if they were
never finished. Docstrings begin with the command."""

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import bulkput as library
from bulkput import events as ev
from bulkput.engine.open_store import connected
from bulkput.model import Reason
from bulkput.options import MIB, SkipOptions, UploadOptions
from bulkput.policy.etag import parts_in
from bulkput.verb_options import SegmentOptions
from bulkput.verb_results import UnreadSegments
from tests.e2e.changes_relay import Asked, PassOn, Said, relay
from tests.e2e.cli import Ran
from tests.e2e.cli import bulkput as in_a_process
from tests.servers.judge import S3Judge
from tests.servers.s3 import RealS3

pytestmark = pytest.mark.timeout(180)
SIZE = 17 * MIB + 5


class Place:
    """A bucket of a real S3, and a directory with one file."""

    def __init__(self, server: RealS3, root: Path) -> None:
        self.server, self.bucket, self.root = server, server.make_bucket(), root
        self.url = f"s3://{self.bucket}"
        self.judge = S3Judge(server)
        self.file = root / "large"
        root.mkdir()
        self.file.write_bytes(os.urandom(SIZE))

    def run(self, verb: str, *arguments: str | Path) -> Ran:
        return in_a_process(verb, *arguments, environ=self.server.environment)

    def etag(self, key: str = "large") -> str:
        return str(self.judge.head(self.bucket, key)["etag"])

    def change(self) -> None:
        with self.file.open("r+b") as file:
            file.seek(SIZE - 3)
            file.write(b"!!!")

    def begin(self, key: str, *contents: bytes) -> str:
        """Somebody begins an upload and does not finish it."""
        client = self.server.client()
        begun = client.create_multipart_upload(Bucket=self.bucket, Key=key)
        for number, content in enumerate(contents, 1):
            client.upload_part(Bucket=self.bucket, Key=key, UploadId=begun["UploadId"], PartNumber=number, Body=content)
        return str(begun["UploadId"])


@pytest.fixture(params=[pytest.param("rgw_s3", marks=pytest.mark.rgw), "moto"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(request.getfixturevalue(request.param), tmp_path / "tree")


def by_boto3(place: Place, part_size: int) -> None:
    """As the AWS command line does, which has the same library."""
    from boto3.s3.transfer import TransferConfig  # noqa: PLC0415

    config = TransferConfig(multipart_threshold=1, multipart_chunksize=part_size)
    place.server.client().upload_file(str(place.file), place.bucket, "large", Config=config)


def by_rclone(place: Place) -> None:
    if (rclone := shutil.which("rclone")) is None:
        pytest.skip("there is no rclone here")
    server = place.server
    where = f":s3,provider=Other,force_path_style,endpoint='{server.endpoint}',env_auth:{place.bucket}"
    command = [rclone, "copyto", str(place.file), f"{where}/large", "--s3-upload-cutoff", "0", "--config", os.devnull]
    command += ["--s3-no-check-bucket", "--retries", "1"]
    ran = subprocess.run(
        command, env={**os.environ, **server.environment}, capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("part_mib", [5, 8, 15, 16, 7])
def test_a_file_that_boto3_has_sent_in_parts_is_identical(place: Place, part_mib: int) -> None:
    """bulkput upload --skip identical, verify: with the sizes of various programs, and 7 MiB"""
    by_boto3(place, part_mib * MIB)
    assert parts_in(place.etag()) == -(-SIZE // (part_mib * MIB))
    assert_identical(place)


@pytest.mark.rgw
def test_a_file_that_rclone_has_sent_in_parts_is_identical(rgw_s3: RealS3, tmp_path: Path) -> None:
    """bulkput upload --skip identical, verify: its parts have 5 MiB (moto does not take them)"""
    place = Place(rgw_s3, tmp_path / "tree")
    by_rclone(place)
    assert parts_in(place.etag()) == 4
    assert_identical(place)


def assert_identical(place: Place) -> None:
    sent = place.run("upload", "--skip", "identical", "--summary", "-", place.root, place.url)
    assert (sent.exit_code, sent.summary["uploaded"], sent.summary["skipped"]) == (0, 0, 1), sent.err
    verified = place.run("verify", place.root, place.url)
    assert (verified.exit_code, verified.out) == (0, ""), verified.out


def test_a_file_that_has_changed_since_is_sent_again(place: Place) -> None:
    """bulkput upload --skip identical, verify: the size is the same"""
    by_boto3(place, 8 * MIB)
    place.change()
    verified = place.run("verify", place.root, place.url)
    assert verified.exit_code == 1
    assert verified.out.startswith(("different large (", "not comparable large (")), verified.out
    sent = place.run("upload", "--skip", "identical", "--summary", "-", place.root, place.url)
    assert (sent.exit_code, sent.summary["uploaded"]) == (0, 1)
    assert place.judge.content(place.bucket, "large") == place.file.read_bytes()


def test_what_bulkput_has_sent_in_parts_is_identical_by_its_manifest_too(place: Place) -> None:
    """bulkput upload --segment-above 1M --segment-size 5M --write-manifest, then --skip identical and verify"""
    arguments = ("--segment-above", "1M", "--segment-size", "5M", "--write-manifest", "m.ndjson")
    sent = place.run("upload", *arguments, "--summary", "-", place.root, f"{place.url}/p")
    assert (sent.exit_code, sent.summary["uploaded"]) == (0, 2), sent.err
    etag = place.etag("p/large")
    assert parts_in(etag) == 4
    (line,) = [json.loads(line) for line in (place.judge.content(place.bucket, "p/m.ndjson") or b"").splitlines()]
    assert (line["hash"], line["bytes"]) == (etag.strip('"'), SIZE)
    again = place.run("upload", "--skip", "identical", "--summary", "-", place.root, f"{place.url}/p")
    assert (again.exit_code, again.summary["skipped"]) == (0, 1), again.err
    assert place.run("verify", place.root, f"{place.url}/p", "--exclude", "/m.ndjson").exit_code == 0
    verified = place.run("verify", "--manifest", f"{place.url}/p/m.ndjson")
    assert verified.exit_code == 0, verified.out + verified.err


def look(place: Place, below: str = "", **options: Any) -> tuple[UnreadSegments, list[ev.Event]]:
    told: list[ev.Event] = []
    given = SegmentOptions(**options)
    url, environ = place.url + below, place.server.environment
    return asyncio.run(library.segments(url, options=given, on_event=told.append, environ=environ)), told


def test_unfinished_uploads_are_listed_and_removed_when_they_are_old_enough(place: Place) -> None:
    """bulkput segments --reap s3://BUCKET/dir: with their parts; a young one stays, and those elsewhere"""
    ids = [place.begin("dir/a b+ü%41", bytes(5 * MIB), b"end"), place.begin("dir/b", b"x"), place.begin("dir2", b"x")]
    done, told = look(place, "/dir")
    found = {event.path: event for event in told if isinstance(event, ev.UnfinishedFound)}
    assert set(found) == {f"{place.bucket}/dir/a b+ü%41", f"{place.bucket}/dir/b"}
    parted = found[f"{place.bucket}/dir/a b+ü%41"]
    assert (parted.id, parted.parts, parted.size) == (ids[0], 2, 5 * MIB + 3)
    assert parted.age_s is not None and parted.age_s < 60
    assert (done.exit_code, done.found, done.parts, done.bytes) == (0, 2, 3, 5 * MIB + 4)

    done, _ = look(place, "/dir", reap=True)
    assert (done.exit_code, done.removed, done.young) == (0, 0, 2)
    assert len(place.judge.unfinished(place.bucket)) == 3
    done, _ = look(place, "/dir", reap=True, older_than_s=0)
    assert (done.exit_code, done.removed, done.removed_bytes, done.failed) == (0, 2, 5 * MIB + 4, 0)
    assert place.judge.unfinished(place.bucket) == ["dir2"]


async def test_an_upload_that_is_gone_has_no_parts_and_cannot_be_aborted_twice(place: Place) -> None:
    """bulkput segments: somebody has finished or aborted it since the listing"""
    await asyncio.to_thread(place.begin, "k", b"x")
    async with connected(place.url, environ=place.server.environment) as (store, _):
        power = store.powers.unfinished
        assert power is not None
        (upload,) = [each async for each in power.list("")]
        assert len(await power.parts(upload) or ()) == 1
        assert await power.abort(upload)
        assert await power.parts(upload) is None
        assert not await power.abort(upload)


def test_the_command_says_unfinished_upload(place: Place) -> None:
    """bulkput segments s3://BUCKET, and of a bucket that is not there: exit 1"""
    place.begin("a", b"12345")
    ran = place.run("segments", place.url)
    assert (ran.exit_code, ran.out.split()[0], ran.out.split()[-1]) == (0, "1", f"{place.bucket}/a")
    assert ran.err.startswith("1 unfinished upload, 1 part, 5 B; ")
    assert place.run("segments", "s3://bulkput-there-is-no-such-bucket").exit_code == 1


def test_what_appears_since_the_listing_is_kept_by_skip_existing(moto: RealS3, tmp_path: Path) -> None:
    """bulkput upload --skip existing: the PUT has the condition. (moto checks no signature, so a relay may look.)"""
    place = Place(moto, tmp_path / "tree")
    (place.root / "b").write_bytes(b"ours")

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        if asked.method == "PUT" and asked.path.endswith("/b"):
            place.judge.put(place.bucket, "b", b"theirs")
        return pass_on(asked)

    with relay(moto.endpoint, meddle) as made:
        environ = {**moto.environment, "AWS_ENDPOINT_URL": made.auth_url.rstrip("/")}
        options = UploadOptions(skip=SkipOptions(mode="existing"))
        summary = asyncio.run(library.upload(place.root, place.url, options=options, environ=environ))
    assert (summary.uploaded, summary.skipped_by_reason) == (1, {Reason.EXISTING.value: 1})
    assert place.judge.content(place.bucket, "b") == b"theirs"
    assert place.judge.names(place.bucket) == ["b", "large"]
