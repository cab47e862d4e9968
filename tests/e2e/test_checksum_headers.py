"""--checksum-headers: what arrives at a server, and what a repository's refusal means."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cli import bulkput
from tests.servers.artifactory import Artifactory, artifactory, sums
from tests.servers.nginx import nginx_dav

QUICKLY = ("--retries", "3", "--summary", "-")
LOGGED = """
location /logged/ {
    root {{root}};
    client_max_body_size 0;
    dav_methods PUT;
    create_full_put_path on;
    access_log {{root}}.log checksums;
}
"""


@pytest.fixture
def repository() -> Iterator[Artifactory]:
    with artifactory() as running:
        yield running


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "a.jar").write_bytes(b"content")
    return tmp_path / "a.jar"


@pytest.mark.nginx
@pytest.mark.parametrize("flags", [(), ("--gzip", "always", "--gzip-as", "suffix"), ("--transport", "aiohttp")])
def test_every_object_arrives_with_the_checksums_of_its_bytes(tmp_path: Path, flags: tuple[str, ...]) -> None:
    """bulkput upload --checksum-headers: nothing, a few bytes, what a thread hashes, a streamed file, a gzip stream"""
    tree, root = tmp_path / "tree", tmp_path / "files"
    tree.mkdir()
    noise = random.Random(1).randbytes(9_000_000)  # does not become smaller: its gzip stream is made while it is sent
    for name, content in {"empty": b"", "small": b"x", "held": noise[:200_000], "streamed": noise}.items():
        (tree / name).write_bytes(content)
    root.mkdir()
    with nginx_dav(root, locations=LOGGED) as server:
        ran = bulkput("upload", "--checksum-headers", *flags, *QUICKLY, tree, f"{server.url}/logged/")
    assert ran.exit_code == 0, ran.err
    lines = [line.split() for line in Path(f"{root}.log").read_text().splitlines() if line.startswith("PUT ")]
    arrived = {path: values for _, path, *values in lines}
    stored = {f"/logged/{path.name}": list(sums(path.read_bytes()).values()) for path in (root / "logged").iterdir()}
    assert arrived == stored and len(stored) == 4
    for path in (root / "logged").iterdir():
        content = path.read_bytes() if path.suffix != ".gz" else gzip.decompress(path.read_bytes())
        assert content == (tree / path.name.removesuffix(".gz")).read_bytes()


def test_without_the_flag_no_checksums_are_sent(repository: Artifactory, file: Path) -> None:
    """bulkput upload a.jar http://.../"""
    assert bulkput("upload", file, repository.url).exit_code == 0
    assert [field for _, fields in repository.puts for field in fields if "checksum" in field] == []


@pytest.mark.parametrize("policy", ["CLIENT", "SERVER"])
@pytest.mark.parametrize("name", ["a.jar", "already exists.jar", "checksum"])
def test_damaged_bytes_are_sent_again_whatever_the_file_is_called(
    repository: Artifactory, file: Path, policy: str, name: str
) -> None:
    """A repository that compares refuses them (409); one that trusts itself stores them, and its answer shows it"""
    repository.policy, repository.damages = ("CLIENT" if policy == "CLIENT" else "SERVER"), 2
    ran = bulkput("upload", "--checksum-headers", *QUICKLY, file.rename(file.with_name(name)), repository.url)
    assert (ran.exit_code, ran.summary["uploaded"], ran.summary["retries"]) == (0, 1, 2), ran.err
    assert list(repository.files.values()) == [b"content"]
    assert not any("x-checksum-deploy" in fields for _, fields in repository.puts)


def test_bytes_that_always_arrive_damaged_are_a_failure_with_the_reason_of_the_repository(
    repository: Artifactory, file: Path
) -> None:
    """Exit 1; nothing is stored"""
    repository.damages = 100
    ran = bulkput("upload", "--checksum-headers", "--retries", "1", file, repository.url)
    assert ran.exit_code == 1 and repository.files == {}
    assert "409 Conflict: Checksum policy 'LocalRepoChecksumPolicy: CLIENT' rejected" in ran.err
    assert "after 2 attempts" in ran.err


def test_a_release_that_must_not_be_replaced_is_not_tried_again(repository: Artifactory, file: Path) -> None:
    """Also if its name speaks of a checksum"""
    named = file.rename(file.with_name("checksum mismatch.jar"))
    repository.replaces = False
    assert bulkput("upload", "--checksum-headers", named, repository.url).exit_code == 0
    ran = bulkput("upload", "--checksum-headers", *QUICKLY, named, repository.url)
    assert (ran.exit_code, ran.summary["retries"]) == (1, 0)
    assert "lets nobody replace it" in ran.err


def test_a_file_with_the_wrong_checksum_of_another_is_not_tried_again(repository: Artifactory, file: Path) -> None:
    """It says the same the next time"""
    assert bulkput("upload", "--checksum-headers", file, repository.url).exit_code == 0
    wrong = file.with_name("a.jar.sha1")
    wrong.write_text("0" * 40)
    ran = bulkput("upload", "--checksum-headers", *QUICKLY, wrong, repository.url)
    assert (ran.exit_code, ran.summary["retries"]) == (1, 0)
    assert "Checksum error for" in ran.err


@pytest.mark.parametrize("destination", ["swift://c", "tempurl://"])
def test_a_store_without_such_fields_refuses_the_flag_before_the_run(file: Path, destination: str) -> None:
    """bulkput upload --checksum-headers a.jar swift://c: exit 2, one line, whether there is a login or not"""
    environ = {"BULKPUT_TEMPURL": "https://h/v1/A/c/?temp_url_sig=1&temp_url_expires=9999999999&temp_url_prefix="}
    ran = bulkput("upload", "--checksum-headers", file, destination, environ=environ)
    assert ran.exit_code == 2
    assert "--checksum-headers is for http:// and https:// only" in ran.err and ran.err.count("\n") == 1
