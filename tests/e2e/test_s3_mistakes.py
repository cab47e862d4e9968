"""What is said if the way to a bucket is wrong: one sentence that says what to do, and nothing is stored."""

import json
import os
import re
import socket
import ssl
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.cli import Ran, bulkput
from tests.servers.certificates import Certificate, make_authority
from tests.servers.nginx import NginxDav, nginx_dav
from tests.servers.rgw import RealRgw
from tests.servers.s3 import RealS3
from tests.servers.swift import RealSwift
from tests.servers.threads import tcp_server

pytestmark = pytest.mark.rgw
TOLD = re.compile(r"^(?:stopped|failed|retrying|warning|bulkput)\b.*", re.MULTILINE)
SIGNED = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=60&X-Amz-Signature=geheim"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """More files than a run has in flight."""
    (tmp_path / "tree").mkdir()
    for number in range(100):
        (tmp_path / "tree" / str(number)).write_text(str(number))
    return tmp_path / "tree"


@pytest.fixture(scope="module")
def bucket(rgw_s3: RealS3) -> str:
    return rgw_s3.make_bucket()


def stored(server: RealS3, bucket: str) -> int:
    return int(server.client().list_objects_v2(Bucket=bucket)["KeyCount"])


def told(ran: Ran) -> str:
    """The one sentence of a run that failed."""
    sentences = TOLD.findall(ran.err)
    assert len(sentences) == 1, ran.err
    assert "Traceback" not in ran.err
    return str(sentences[0])


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """The URL of a server that has this answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_PUT = do_GET  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: object) -> None:
            """Prints nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """One whose authority nobody trusts."""
    return make_authority(tmp_path_factory.mktemp("authority")).issue("127.0.0.1", "localhost")


@contextmanager
def speaking_tls(certificate: Certificate) -> Iterator[int]:
    """The port of a server that ends every connection which does not begin with a handshake, as OpenSSL does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.file, certificate.key)

    def behave(connection: socket.socket) -> None:
        with suppress(ssl.SSLError):
            context.wrap_socket(connection, server_side=True).close()

    with tcp_server(behave) as seen:
        yield urlsplit(seen.url).port or 0


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            {"AWS_ACCESS_KEY_ID": "nobody"},
            "403 InvalidAccessKeyId: the store does not know this access key: check AWS_A",
        ),
        ({"AWS_SECRET_ACCESS_KEY": "geheim"}, "403 SignatureDoesNotMatch: the secret is not that of the access key"),
    ],
)
def test_wrong_keys_stop_a_run_with_one_sentence(
    rgw_s3: RealS3, bucket: str, tree: Path, environ: dict[str, str], said: str
) -> None:
    """Before the first file is sent."""
    ran = bulkput("upload", tree, f"s3://{bucket}", environ={**rgw_s3.environment, **environ})
    assert ran.exit_code == 3
    assert told(ran).startswith(f"stopped: look at bucket {bucket}: {said}")
    assert "geheim" not in ran.err
    assert stored(rgw_s3, bucket) == 0


@pytest.mark.parametrize("flags", [(), ("--skip", "identical"), ("--skip", "identical", "--delete-extra")])
def test_a_missing_bucket_stops_a_run_with_one_sentence(rgw_s3: RealS3, tree: Path, flags: tuple[str, ...]) -> None:
    """It is not made: its name may be misspelt."""
    name = f"bulkput-{uuid.uuid4().hex[:12]}"
    ran = bulkput("upload", *flags, tree, f"s3://{name}", environ=rgw_s3.environment)
    assert ran.exit_code == 3
    looked = f"404 NoSuchBucket: there is no bucket {name}: check its name, AWS_PROFILE and AWS_ENDPOINT_URL"
    assert f"{looked}; --make-bucket makes it" in told(ran)
    assert name not in [each["Name"] for each in rgw_s3.client().list_buckets()["Buckets"]]


def test_listing_a_missing_bucket_is_a_mistake_with_one_sentence(rgw_s3: RealS3) -> None:
    """Not an empty bucket: exit code 2."""
    name = f"bulkput-{uuid.uuid4().hex[:12]}"
    ran = bulkput("ls", f"s3://{name}/x/", environ=rgw_s3.environment)
    assert (ran.exit_code, ran.out) == (2, "")
    assert told(ran) == f"bulkput: there is no bucket {name}: check its name, AWS_PROFILE and AWS_ENDPOINT_URL"


def test_a_verification_of_a_missing_bucket_says_so(rgw_s3: RealS3, tree: Path, tmp_path: Path) -> None:
    """Also if there is no file that could be missing."""
    name = f"bulkput-{uuid.uuid4().hex[:12]}"
    (tmp_path / "empty").mkdir()
    for source, lines in ((tree, 100), (tmp_path / "empty", 0)):
        ran = bulkput("verify", source, f"s3://{name}", environ=rgw_s3.environment)
        assert (ran.exit_code, len(ran.out.splitlines())) == (1, lines)
        assert told(ran) == f"bulkput: there is no bucket {name}: nothing is stored at s3://{name}"


@pytest.mark.parametrize("flags", [(), ("--skip", "identical"), ("--skip", "existing", "--delete-extra")])
def test_a_dry_run_says_that_the_bucket_is_missing(rgw_s3: RealS3, tree: Path, flags: tuple[str, ...]) -> None:
    """It ends as the run itself would, unless that would make the bucket."""
    name = f"bulkput-{uuid.uuid4().hex[:12]}"
    ran = bulkput("upload", "--dry-run", *flags, tree, f"s3://{name}", environ=rgw_s3.environment)
    assert (ran.exit_code, ran.out) == (3, "")
    looked = f"404 NoSuchBucket: there is no bucket {name}: check its name, AWS_PROFILE and AWS_ENDPOINT_URL"
    assert f"{looked}; --make-bucket makes it" in told(ran)
    makes = bulkput("upload", "--dry-run", "--make-bucket", *flags, tree, f"s3://{name}", environ=rgw_s3.environment)
    assert (makes.exit_code, len(makes.out.splitlines())) == (0, 100)
    assert told(makes) == f"warning: there is no bucket {name} yet: the upload makes it"
    assert name not in [each["Name"] for each in rgw_s3.client().list_buckets()["Buckets"]]


def test_a_dry_run_without_an_answer_plans_all_the_same(rgw_s3: RealS3, tree: Path) -> None:
    """It warns, since it could not ask."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    environ = {**rgw_s3.environment, "AWS_ENDPOINT_URL": url}
    ran = bulkput("upload", "--dry-run", "--retries", "0", tree, "s3://bucket", environ=environ)
    assert (ran.exit_code, len(ran.out.splitlines())) == (0, 100)
    assert told(ran).startswith(
        "warning: it is not known whether the upload would begin: look at bucket bucket: cannot "
    )


def test_the_bucket_of_somebody_else_stops_a_run_with_one_sentence(
    rgw: RealRgw, rgw_s3: RealS3, bucket: str, tree: Path
) -> None:
    """Of the files in flight one is reported."""
    key = f"u{uuid.uuid4().hex[:8]}"
    rgw.add_s3_user(key, "secret")
    environ = {**rgw_s3.environment, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": "secret"}
    ran = bulkput("upload", tree, f"s3://{bucket}", environ=environ)
    said = "these keys may neither list the bucket nor write to it: the bucket may be somebody else's"
    failed, stopped = TOLD.findall(ran.err)
    assert ran.exit_code == 3
    assert failed.endswith(": not sent: the login failed")
    assert stopped.startswith(f"stopped: login {bucket}: 403 AccessDenied: {said}")
    made = bulkput("upload", "--make-bucket", tree, f"s3://{bucket}", environ=environ)
    assert made.exit_code == 3
    assert "BucketAlreadyExists: somebody else has a bucket of this name: choose another" in told(made)
    assert stored(rgw_s3, bucket) == 0


def test_a_run_without_a_signature_is_refused_with_one_sentence(rgw_s3: RealS3, bucket: str, tree: Path) -> None:
    """The bucket is not public. There is no word about keys that the user might have."""
    environ = {**rgw_s3.environment, "AWS_SKIP_SIGNATURE": "true"}
    ran = bulkput("upload", tree, f"s3://{bucket}", environ=environ)
    failed, stopped = TOLD.findall(ran.err)
    assert ran.exit_code == 3
    assert failed.endswith(": not sent: the login failed")
    assert "AccessDenied: the bucket is not for everybody, and AWS_SKIP_SIGNATURE sends no keys: unset it" in stopped
    assert "these keys" not in ran.err
    assert stored(rgw_s3, bucket) == 0
    listed = bulkput("ls", f"s3://{bucket}", environ=environ)
    assert listed.exit_code == 3
    assert "403 AccessDenied: the key, or a request without one, may not do this here" in told(listed)


@pytest.mark.parametrize("path", ["/swift/v1", "/auth/v1.0", "/swift/v1/AUTH_test"])
def test_the_url_of_swifts_api_is_told(rgw_s3: RealS3, bucket: str, tree: Path, path: str) -> None:
    """Its own API has another address than S3."""
    ran = bulkput(
        "upload", tree, f"s3://{bucket}", environ={**rgw_s3.environment, "AWS_ENDPOINT_URL": rgw_s3.endpoint + path}
    )
    assert ran.exit_code == 3
    assert "the answer is not one of S3's: AWS_ENDPOINT_URL has to be the address of an S3" in told(ran)
    assert stored(rgw_s3, bucket) == 0


def test_a_server_of_swift_is_told(server: RealSwift, rgw_s3: RealS3, tree: Path) -> None:
    """One that speaks no S3 at all."""
    root = server.auth_url.removesuffix("/auth/v1.0")
    ran = bulkput("upload", tree, "s3://bucket", environ={**rgw_s3.environment, "AWS_ENDPOINT_URL": root})
    assert ran.exit_code == 3
    assert "the answer is not one of S3's" in told(ran)


@pytest.mark.nginx
def test_a_web_server_is_told_and_gets_nothing(nginx: NginxDav, rgw_s3: RealS3, tree: Path) -> None:
    """It would store what is PUT there."""
    ran = bulkput("upload", tree, "s3://bucket", environ={**rgw_s3.environment, "AWS_ENDPOINT_URL": nginx.url})
    assert ran.exit_code == 3
    assert "the answer is not one of S3's" in told(ran)
    assert not (nginx.root / "bucket").exists()


@pytest.mark.parametrize("verb", ["upload", "ls", "verify"])
def test_a_page_of_html_is_no_answer_of_s3(rgw_s3: RealS3, tree: Path, verb: str) -> None:
    """Though it comes with a 200."""
    with answering(200, b"<!DOCTYPE html><html><body>Welcome") as url:
        words = [verb, "s3://bucket"] if verb == "ls" else [verb, str(tree), "s3://bucket"]
        ran = bulkput(*words, environ={**rgw_s3.environment, "AWS_ENDPOINT_URL": url})
    assert ran.exit_code == (3 if verb == "upload" else ran.exit_code)
    assert ran.exit_code not in (0, 130)
    said = told(ran)
    assert "not one of S3's" in said or "not XML of S3: is there something else at this address?" in said


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://nowhere.invalid", "cannot resolve host name nowhere.invalid (AWS_ENDPOINT_URL or endpoint_url in the"),
        ("http://127.0.0.1:{closed}", "connection refused (AWS_ENDPOINT_URL or endpoint_url in the profile names it)"),
        ("https://127.0.0.1:{plain}", "the server does not speak TLS there; should the URL begin with http://?"),
        ("http://127.0.0.1:{tls}", "without an answer (if it speaks TLS there, write https:// in its URL)"),
        ("https://127.0.0.1:{tls}", "TLS certificate of 127.0.0.1 not accepted"),
        ("", "bucket.s3.nowhere-9.amazonaws.com (Amazon's host in the region of AWS_REGION or the profile; AWS_END"),
    ],
)
def test_a_server_that_never_answers_is_given_up_within_seconds(
    rgw_s3: RealS3, certificate: Certificate, tree: Path, url: str, said: str
) -> None:
    """`ls` says meanwhile what it waits for; an upload has its line of progress."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    with speaking_tls(certificate) as tls:
        ports = {"closed": closed, "plain": urlsplit(rgw_s3.endpoint).port, "tls": tls}
        environ = {**rgw_s3.environment, "AWS_ENDPOINT_URL": url.format(**ports), "AWS_REGION": "nowhere-9"}
        for words in (("ls", "s3://bucket"), ("upload", str(tree), "s3://bucket")):
            began_s = time.monotonic()
            ran = bulkput(*words, environ=environ)
            took_s = time.monotonic() - began_s
            assert (ran.exit_code, ran.out) == (3, "")
            last = [line for line in ran.err.splitlines() if line.startswith(("bulkput: ", "stopped: "))][-1]
            assert said in last, ran.err
            assert took_s < 15, ran.err
            assert ("retrying in " in ran.err) == ("after 4 attempts" in last)
            assert "Traceback" not in ran.err


@pytest.mark.nginx
def test_a_web_server_that_wants_tls_is_told(rgw_s3: RealS3, certificate: Certificate, tree: Path) -> None:
    """It answers 400 in clear text."""
    with nginx_dav(certificate=certificate) as server:
        url = server.url.replace("https://", "http://")
        ran = bulkput("upload", tree, "s3://bucket", environ={**rgw_s3.environment, "AWS_ENDPOINT_URL": url})
    assert ran.exit_code == 3
    assert "the server wants TLS there: write https:// in AWS_ENDPOINT_URL" in told(ran)


def test_a_closed_port_is_told(rgw_s3: RealS3, tree: Path) -> None:
    """After the retries."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    environ = {**rgw_s3.environment, "AWS_ENDPOINT_URL": url}
    ran = bulkput("upload", "--retries", "0", tree, "s3://bucket", environ=environ)
    assert ran.exit_code == 3
    assert told(ran).startswith(f"stopped: look at bucket bucket: cannot connect to {url[7:]}: connection refused")


def test_tls_at_a_plain_port_is_told(rgw_s3: RealS3, bucket: str, tree: Path) -> None:
    """With the scheme that is meant."""
    environ = {**rgw_s3.environment, "AWS_ENDPOINT_URL": rgw_s3.endpoint.replace("http://", "https://")}
    ran = bulkput("upload", "--retries", "0", tree, f"s3://{bucket}", environ=environ)
    assert ran.exit_code == 3
    assert "the server does not speak TLS there; should the URL begin with http://?" in told(ran)


def test_another_region_than_the_gateways_changes_nothing(rgw_s3: RealS3, tree: Path) -> None:
    """Ceph's gateway takes any in a signature."""
    name = rgw_s3.make_bucket()
    ran = bulkput("upload", tree, f"s3://{name}", environ={**rgw_s3.environment, "AWS_REGION": "eu-west-9"})
    assert (ran.exit_code, stored(rgw_s3, name)) == (0, 100)


@pytest.mark.parametrize(
    ("environ", "flags", "url", "said"),
    [
        ({"AWS_ENDPOINT_URL": "localhost:80"}, (), "s3://{}", "AWS_ENDPOINT_URL='localhost:80' is no address of an S3"),
        ({"AWS_SECRET_ACCESS_KEY": ""}, (), "s3://{}", "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not"),
        ({"AWS_ACCESS_KEY_ID": ""}, (), "s3://{}", "no credentials for s3://: set AWS_ACCESS_KEY_ID and AWS_SECRET_A"),
        ({"AWS_PROFILE": "wrok"}, (), "s3://{}", "credentials for s3://: The config profile (wrok) could not be found"),
        ({"BULKPUT_S3_SSE_C_KEY": "geheim"}, (), "s3://{}", "BULKPUT_S3_SSE_C_KEY is no key for SSE-C: it is 32"),
        ({}, ("--expires-in", "1d"), "s3://{}", "S3 keeps no expiry of an object: --expires-in needs swift://"),
        ({}, ("--header", "X-Delete-At: 9"), "s3://{}", "S3 keeps no expiry of an object: --header X-Delete-At needs"),
        ({}, ("--header", "X-Object-Meta-A: b"), "s3://{}", "X-Object-Meta-A is Swift's: in S3 use --meta or x-am"),
        ({}, ("--header", "Content-MD5: abc"), "s3://{}", "--header: Content-MD5 is set by bulkput itself"),
        ({}, ("--header", "x-amz-date: abc"), "s3://{}", "--header: x-amz-date is set by bulkput itself"),
        ({}, ("--storage-policy", "gold"), "s3://{}", "--storage-policy is for Swift only: S3 has storage classes, in"),
        ({}, ("--skip", "identical", "--expire-extra", "1d"), "s3://{}", "--expire-extra does not work here: the obj"),
        ({}, ("--meta", "Mtime:1"), "s3://{}", "--meta Mtime is the file's own modification time"),
        ({}, ("--skip", "unchanged", "--delete-extra"), "s3://b--use1-az4--x-s3", "a directory bucket lists names"),
        ({}, ("--skip", "identical"), "s3://b--use1-az4--x-s3", "--skip identical compares MD5s, and this store shows"),
        ({}, ("--if-exists", "differs"), "s3://b--use1-az4--x-s3", "--if-exists differs compares MD5s, and this store"),
        ({}, (), "s3://ab", "'ab' is no name of a bucket: 3 to 63 small letters, digits, hyphens and dots; write s3://"),
        ({}, (), "s3://a_b c", "'a_b c' is no name of a bucket"),
        ({}, (), "s3://AKIA:geheim@bucket/x", "keys do not belong into a URL, and a name of a bucket has no @: write"),
        ({}, (), "s3://127.0.0.1:9000/x", "'127.0.0.1:9000' is a server and no name of a bucket: write s3://BUCKET"),
        ({}, (), "s3://192.168.5.4", "'192.168.5.4' is a server and no name of a bucket"),
        ({}, (), "s3://AKIAEXAMPLE:geheim/geheim@bucket/x", "keys do not belong into a URL"),
        ({}, (), "s3://AKIAEXAMPLE:geheim//geheim@bucket/x", "keys do not belong into a URL"),
        ({}, (), "s3://arn:aws:s3:eu-west-1:1:accesspoint/x", "an ARN is no name of a bucket"),
        ({}, (), "s3://abc#d", "'abc#d' is no name of a bucket"),
        ({"AWS_ENDPOINT_URL": ""}, (), "s3://My_Bucket", "'My_Bucket' is no name of a bucket at Amazon: 3 to 63 small"),
        ({"AWS_REGION": "us east"}, (), "s3://{}", "AWS_REGION='us east' is no region: letters, digits and hyphens"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_ENDPOINT_URL": ""}, (), "s3://{}", "AWS_REGION is set and"),
        ({"BULKPUT_S3_SSE_C_KEY": "YQ" * 21 + "Y=", "AWS_ENDPOINT_URL": "http://h.org"}, (), "s3://{}", "in clear te"),
        ({}, (), "s3:///x", "names no bucket: write s3://BUCKET[/PREFIX]"),
        ({}, (), "s3:{}/x", "is no URL: did you mean s3://"),
        ({}, (), "https://{}.s3.amazonaws.com/x?" + SIGNED, "amazonaws.com/x?...' is a presigned URL"),
        ({}, (), "s3://{}/x?" + SIGNED, "/x?...' is a presigned URL, which is for one object and one request"),
        ({}, (), "https://h/b/x?AWSAccessKeyId=A&Signature=geheim&Expires=1", "'https://h/b/x?...' is a presigned URL"),
        ({}, (), "https://storage.googleapis.com/b/x?X-Goog-Signature=geheim", "is a presigned URL, which is for one"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_of_s3_is_one_sentence(
    rgw_s3: RealS3, bucket: str, tree: Path, environ: dict[str, str], flags: tuple[str, ...], url: str, said: str
) -> None:
    """Exit code 2, before any request. No key and no signature is repeated."""
    ran = bulkput("upload", *flags, tree, url.format(bucket), environ={**rgw_s3.environment, **environ})
    assert (ran.exit_code, ran.out) == (2, "")
    assert told(ran) == ran.err.rstrip("\n")
    assert said in ran.err
    assert "geheim" not in ran.err
    assert stored(rgw_s3, bucket) == 0


def test_the_bucket_of_another_tenant_is_named_with_a_colon(rgw: RealRgw, rgw_s3: RealS3, tree: Path) -> None:
    """Ceph has tenants. A bucket policy of the other tenant lets this user in."""
    tenant, key = f"t{uuid.uuid4().hex[:8]}", f"u{uuid.uuid4().hex[:8]}"
    rgw.add_s3_user(key, "secret", tenant=tenant)
    other = replace(rgw_s3, access_key=key, secret_key="secret")
    name = other.make_bucket()
    arn = f"arn:aws:s3::{tenant}:{name}"
    allowed = {"Effect": "Allow", "Principal": "*", "Action": ["s3:*"], "Resource": [arn, f"{arn}/*"]}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    other.client().put_bucket_policy(Bucket=name, Policy=policy)
    url, environ = f"s3://{tenant}:{name}", rgw_s3.environment
    assert bulkput("upload", tree, f"{url}/x/", environ=environ).exit_code == 0
    assert stored(other, name) == 100
    assert bulkput("verify", tree, f"{url}/x/", environ=environ).exit_code == 0
    assert bulkput("cp", f"{url}/x/1", f"{url}/y", environ=environ).exit_code == 0
    assert bulkput("ls", f"{url}/y", environ=environ).out.split() == ["y"]
    assert bulkput("rm", "-r", "--yes", f"{url}/", environ=environ).exit_code == 0
    assert stored(other, name) == 0


def test_a_refused_command_leaves_no_journal_behind(rgw_s3: RealS3, bucket: str, tree: Path, tmp_path: Path) -> None:
    """Whatever is wrong with it. A journal of an earlier run stays."""
    journal = tmp_path / "journal"
    for url, source in (("s3://ab", tree), (f"s3://{bucket}", tmp_path / "absent")):
        ran = bulkput("upload", "--journal", journal, source, url, environ=rgw_s3.environment)
        assert ran.exit_code == 2
        assert [each for each in os.listdir(tmp_path) if each.startswith("journal")] == []
    name = rgw_s3.make_bucket()
    assert bulkput("upload", "--journal", journal, tree, f"s3://{name}", environ=rgw_s3.environment).exit_code == 0
    kept = journal.read_bytes()
    ran = bulkput("upload", "--journal", journal, tree / "1", f"s3://{name}", environ=rgw_s3.environment)
    assert (ran.exit_code, journal.read_bytes()) == (2, kept), ran.err
    assert bulkput("upload", "--journal", journal, tree, "s3://ab", environ=rgw_s3.environment).exit_code == 2
    assert journal.read_bytes() == kept


def test_a_path_in_the_endpoint_is_named_where_the_store_has_none(rgw_s3: RealS3, bucket: str, tree: Path) -> None:
    """Some stores have one, so it is no mistake by itself."""
    environ = {**rgw_s3.environment, "AWS_ENDPOINT_URL": rgw_s3.endpoint + "/minio"}
    for words in (("upload", tree, f"s3://{bucket}"), ("upload", "--dry-run", tree, f"s3://{bucket}")):
        ran = bulkput(*words, environ=environ)
        assert ran.exit_code == 3
        assert "(AWS_ENDPOINT_URL has the path /minio: leave it out, unless the store needs it)" in told(ran)


def test_profiles_are_named_if_none_is_chosen_and_none_has_keys(rgw_s3: RealS3, tree: Path, tmp_path: Path) -> None:
    """In ~/.aws/config, where [default] is not among them."""
    (tmp_path / "config").write_text("[profile work]\nregion = eu-west-1\n[profile play]\nregion = eu-west-2\n")
    environ = {**rgw_s3.environment, "AWS_ACCESS_KEY_ID": "", "AWS_CONFIG_FILE": str(tmp_path / "config")}
    ran = bulkput("upload", tree, "s3://bucket", environ=environ)
    assert ran.exit_code == 2
    assert "no credentials for s3://: set AWS_PROFILE to one of your profiles (work, play), or AWS_ACC" in told(ran)


def test_a_bucket_in_capitals_is_not_made_of_small_letters(rgw_s3: RealS3, bucket: str, tree: Path) -> None:
    """The store says that there is none."""
    ran = bulkput("upload", tree, f"s3://{bucket.upper()}", environ=rgw_s3.environment)
    assert ran.exit_code == 3
    assert f"look at bucket {bucket.upper()}: 404 NoSuchBucket" in told(ran)
    assert stored(rgw_s3, bucket) == 0


def test_listing_a_directory_bucket_is_refused_with_one_sentence(rgw_s3: RealS3) -> None:
    """Its names come in no order."""
    ran = bulkput("ls", "s3://b--use1-az4--x-s3", environ=rgw_s3.environment)
    assert (ran.exit_code, ran.out) == (2, "")
    assert "a directory bucket lists names in no order" in told(ran)


def test_a_missing_extra_is_a_sentence_and_variables_need_none(rgw_s3: RealS3, tree: Path, tmp_path: Path) -> None:
    """As in an environment into which botocore was never installed."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    for name in ("botocore", "boto3", "awscrt"):
        (hidden / f"{name}.py").write_text(f"raise ImportError({name!r})\n")
    name = rgw_s3.make_bucket()
    program = [sys.executable, "-m", "bulkput", "upload", str(tree), f"s3://{name}"]
    environ = {**os.environ, **rgw_s3.environment, "PYTHONPATH": str(hidden)}

    def ran(**more: str) -> Ran:
        import subprocess  # noqa: PLC0415 - a new interpreter, unlike all other tests here

        ended = subprocess.run(program, env={**environ, **more}, capture_output=True, text=True, check=False)
        return Ran(ended.returncode, ended.stdout, ended.stderr)

    assert ran().exit_code == 0
    assert stored(rgw_s3, name) == 100
    refused = ran(AWS_PROFILE="work")
    assert refused.exit_code == 2
    assert told(refused).endswith("pip install 'bulkput[s3]'")
    checksum = ran(BULKPUT_CHECKSUM="crc32c")
    assert checksum.exit_code == 2
    assert "--checksum crc32c needs a library that is not installed: pip install 'bulkput[s3]'" in told(checksum)
