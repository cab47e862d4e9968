"""`bulkput upload --rules` to a real Swift and a real Ceph RGW, read with curl. Docstrings begin with the command."""

import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.cli import bulkput
from tests.servers.judge import SwiftJudge
from tests.servers.swift import RealSwift

pytestmark = pytest.mark.timeout(180)
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
WORDS = b"some words, again and again\n" * 500
LONG, MINUTE, ASK = "public, max-age=31536000, immutable", "public, max-age=60", "no-cache"


@pytest.fixture(scope="module")
def server(swift_or_rgw: RealSwift) -> RealSwift:
    return swift_or_rgw


@pytest.fixture
def judge(server: RealSwift) -> SwiftJudge:
    return SwiftJudge(server.auth_url, server.user, server.key)


@pytest.fixture
def container() -> str:
    return f"rules-{uuid.uuid4().hex[:8]}"


class Curl:
    """Reads objects of one account."""

    def __init__(self, server: RealSwift) -> None:
        login = ("-H", f"X-Auth-User: {server.user}", "-H", f"X-Auth-Key: {server.key}")
        answer = fields_of(run("-I", "-X", "GET", *login, server.auth_url))
        self._url, self._token = answer["x-storage-url"], answer["x-auth-token"]

    def __call__(self, path: str, *options: str) -> bytes:
        return run("-H", f"X-Auth-Token: {self._token}", *options, f"{self._url}/{path}")

    def head(self, path: str) -> dict[str, str]:
        return fields_of(self(path, "-I"))


def run(*arguments: str) -> bytes:
    return subprocess.run(["curl", "-sf", *arguments], check=True, capture_output=True, timeout=60).stdout


def fields_of(answer: bytes) -> dict[str, str]:
    """The fields of a response, by their names in lower case."""
    pairs = (line.partition(": ") for line in answer.decode().splitlines() if ": " in line)
    return {name.lower(): value for name, _, value in pairs}


@pytest.fixture
def curl(server: RealSwift) -> Curl:
    return Curl(server)


APP = {
    "index.html": ("text/html; charset=utf-8", ASK, True),
    "about/index.html": ("text/html; charset=utf-8", ASK, True),
    "favicon.ico": ("image/vnd.microsoft.icon", ASK, True),
    "robots.txt": ("text/plain", ASK, True),
    "assets/index-B6fRZ1kd.js": ("text/javascript", LONG, True),
    "assets/index-D3x0dYQ2.css": ("text/css", LONG, True),
    "assets/logo-Cq0fPz3a.png": ("image/png", LONG, False),
    "assets/index-B6fRZ1kd.js.map": None,
}
YUM = {
    "repodata/repomd.xml": ("application/xml", MINUTE, False),
    "repodata/repomd.xml.asc": ("application/pgp-signature", MINUTE, False),
    "repodata/0a1b-primary.xml.gz": ("application/gzip", LONG, False),
    "Packages/h/hello-2.12-1.x86_64.rpm": ("application/x-rpm", LONG, False),
}
APT = {
    "dists/stable/InRelease": ("text/plain; charset=utf-8", ASK, False),
    "dists/stable/Release": ("text/plain; charset=utf-8", ASK, False),
    "dists/stable/Release.gpg": ("application/pgp-signature", ASK, False),
    "dists/stable/main/binary-amd64/Packages": ("text/plain; charset=utf-8", ASK, False),
    "dists/stable/main/binary-amd64/Packages.gz": ("application/gzip", ASK, False),
    "dists/stable/main/binary-amd64/by-hash/SHA256/0a1b": ("application/octet-stream", LONG, False),
    "pool/main/h/hello/hello_2.12-1_amd64.deb": ("application/vnd.debian.binary-package", LONG, False),
}
PYPI = {
    "simple/index.html": ("text/html; charset=utf-8", "public, max-age=600", False),
    "simple/hello/index.html": ("text/html; charset=utf-8", "public, max-age=600", False),
    "packages/hello-1.0-py3-none-any.whl": ("application/octet-stream", LONG, False),
    "packages/hello-1.0.tar.gz": ("application/octet-stream", LONG, False),
}
HELM = {
    "index.yaml": ("application/yaml", MINUTE, False),
    "hello-1.0.0.tgz": ("application/gzip", LONG, False),
    "hello-1.0.0.tgz.prov": ("text/plain; charset=utf-8", LONG, False),
}
"""Files of each example: type, Cache-Control, and whether the object is compressed; None: it is not sent."""
Expected = Mapping[str, tuple[str, str, bool] | None]


@pytest.mark.parametrize(
    ("example", "expected"),
    [("single-page-app", APP), ("yum", YUM), ("apt", APT), ("pypi", PYPI), ("helm", HELM)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_example_gives_each_file_what_it_says(
    server: RealSwift, container: str, curl: Curl, judge: SwiftJudge, tmp_path: Path, example: str, expected: Expected
) -> None:
    """bulkput upload --rules docs/examples/EXAMPLE.toml --exclude '*.map' TREE, then curl -I and --compressed. Every
    pattern matches something; `--gzip auto` for all compresses nothing that the example leaves alone."""
    root = tmp_path / "dist"
    for name in expected:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(WORDS)
    rules = EXAMPLES / f"{example}.toml"
    ran = bulkput(
        "upload", "--rules", rules, "--gzip", "auto", "--exclude", "*.map", root, f"swift://{container}",
        environ=server.environment,
    )  # fmt: skip
    assert ran.exit_code == 0, ran.err
    assert [line for line in ran.err.splitlines() if "warning: rule" in line] == []
    sent = {name: what for name, what in expected.items() if what is not None}
    assert sorted(judge.names(container)) == sorted(sent)
    for name, (content_type, cache_control, is_compressed) in sent.items():
        head = curl.head(f"{container}/{name}")
        found = head["content-type"], head["cache-control"], head.get("content-encoding") == "gzip"
        assert found == (content_type, cache_control, is_compressed), name
        assert curl(f"{container}/{name}", "--compressed") == WORDS


def test_metadata_disposition_and_expiry_of_a_rule_can_be_read_back(
    server: RealSwift, container: str, curl: Curl, tmp_path: Path
) -> None:
    """bulkput upload --rules publish.toml TREE, then curl -I"""
    root = tmp_path / "dist"
    root.mkdir()
    (root / "report.pdf").write_bytes(b"%PDF-")
    (root / "other").write_bytes(b"x")
    (tmp_path / "r.toml").write_text(
        '[[rule]]\nmatch = "*.pdf"\ncontent-disposition = \'attachment; filename="r.pdf"\'\nexpires-in = "2d"\n'
        'metadata = {project = "4711"}\n'
    )
    ran = bulkput("upload", "--rules", tmp_path / "r.toml", root, f"swift://{container}", environ=server.environment)
    assert ran.exit_code == 0, ran.err
    report, other = curl.head(f"{container}/report.pdf"), curl.head(f"{container}/other")
    assert report["content-disposition"] == 'attachment; filename="r.pdf"'
    assert report["x-object-meta-project"] == "4711"
    assert int(report["x-delete-at"]) > 0
    assert {"content-disposition", "x-object-meta-project", "x-delete-at"}.isdisjoint(other)


def test_segments_expire_after_their_object_and_only_if_it_does(
    server: RealSwift, container: str, judge: SwiftJudge, tmp_path: Path
) -> None:
    """bulkput upload --rules publish.toml --segment-above 1 --segment-size 1 TREE: a rule lets one object expire"""
    root = tmp_path / "tree"
    (root / "tmp").mkdir(parents=True)
    (root / "tmp" / "a").write_bytes(b"abc")
    (root / "b").write_bytes(b"defg")
    (tmp_path / "r.toml").write_text("[[rule]]\nmatch = '/tmp/'\nexpires-in = '2d'\n")
    options = ("--rules", tmp_path / "r.toml", "--segment-above", "1", "--segment-size", "1")
    ran = bulkput("upload", *options, root, f"swift://{container}", environ=server.environment)
    assert ran.exit_code == 0, ran.err
    assert (judge.content(container, "tmp/a"), judge.content(container, "b")) == (b"abc", b"defg")
    expires_at = int(judge.head(container, "tmp/a")["X-Delete-At"])
    assert "X-Delete-At" not in judge.head(container, "b")
    segments = judge.names(f"{container}_segments")
    lives = {name: judge.head(f"{container}_segments", name).get("X-Delete-At") for name in segments}
    assert len(lives) == 7
    for name, expiry in lives.items():
        assert (expiry is None) if name.startswith("b/") else (expiry is not None and int(expiry) > expires_at), name
