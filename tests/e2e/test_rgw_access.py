"""A real Ceph RGW that does not take every token, or stands behind a proxy."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.changes_relay import Asked, PassOn, Said, relay
from tests.e2e.cli import bulkput
from tests.servers.judge import SwiftJudge
from tests.servers.rgw import RealRgw
from tests.servers.swift import RealSwift

pytestmark = pytest.mark.rgw


@pytest.fixture
def container(rgw: RealRgw) -> str:
    """The name of a container that exists."""
    name = f"access-{uuid.uuid4().hex[:8]}"
    SwiftJudge(rgw.auth_url, rgw.user, rgw.key).put(name, "", b"")
    return name


@pytest.fixture
def judge(rgw: RealRgw) -> SwiftJudge:
    return SwiftJudge(rgw.auth_url, rgw.user, rgw.key)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Ten files."""
    return made(tmp_path / "tree", 10)


def made(root: Path, count: int) -> Path:
    root.mkdir()
    for n in range(count):
        (root / f"{n:03d}").write_text(f"{n:03d}")
    return root


# --- tokens


def test_tokens_that_expire_during_an_upload_cost_a_login_each(
    rgw: RealRgw, container: str, tmp_path: Path, judge: SwiftJudge
) -> None:
    """bulkput upload --rate 50, with tokens that live two seconds: RGW does not say so, and answers 401 after that"""
    with rgw.tokens_living(2):
        slowly = ("--rate", "50", "--concurrency", "32", "--summary", "-")
        ran = bulkput("upload", made(tmp_path / "many", 200), f"swift://{container}", *slowly, environ=rgw.environment)
    summary = ran.summary
    assert (ran.exit_code, summary["uploaded"], summary["failed"]) == (0, 200, 0), ran.err
    assert 2 <= summary["requests"]["GET"] <= summary["elapsed_s"] / 2 + 2
    assert judge.names(container) == [f"{n:03d}" for n in range(200)]


def test_a_token_that_expires_between_pages_costs_verify_a_login(rgw: RealRgw, container: str, tree: Path) -> None:
    """bulkput verify: each token is used once, then it is as if it had expired"""
    assert bulkput("upload", tree, f"swift://{container}", environ=rgw.environment).exit_code == 0
    used: set[str] = set()

    def once(asked: Asked, pass_on: PassOn) -> Said:
        token = asked.headers.get("x-auth-token", "")
        if token in used:
            asked.headers["x-auth-token"] = token[:-2] + "00"  # RGW finds that its signature is wrong
        elif token:
            used.add(token)
        return pass_on(asked)

    with relay(rgw.auth_url, once) as relayed:
        ran = bulkput("verify", tree, f"swift://{container}", environ={**rgw.environment, "ST_AUTH": relayed.auth_url})
        paths = [urlsplit(asked.path).path for asked in relayed.asked]
    assert (ran.exit_code, ran.err) == (0, "10 identical; 5 requests in " + ran.err.partition(" in ")[2])
    assert [path.startswith("/auth") for path in paths] == [True, False, False, True, False]


def test_a_gateway_that_answers_403_to_expired_tokens_costs_a_login_each(
    rgw: RealRgw, container: str, tmp_path: Path, judge: SwiftJudge
) -> None:
    """bulkput upload --rate 30, with tokens that live two seconds, behind a proxy that makes each 401 a 403, as other
    gateways answer"""

    def forbidden(asked: Asked, pass_on: PassOn) -> Said:
        said = pass_on(asked)
        said.status = 403 if said.status == 401 else said.status
        return said

    many = made(tmp_path / "many", 150)
    slowly = ("--rate", "30", "--concurrency", "16", "--summary", "-")
    with rgw.tokens_living(2), relay(rgw.auth_url, forbidden) as relayed:
        environ = {**rgw.environment, "ST_AUTH": relayed.auth_url}
        ran = bulkput("upload", many, f"swift://{container}", *slowly, environ=environ)
    summary = ran.summary
    assert (ran.exit_code, summary["uploaded"], summary["failed"]) == (0, 150, 0), ran.err
    assert 2 <= summary["requests"]["GET"] <= summary["elapsed_s"] / 2 + 2
    assert len(judge.names(container)) == 150


@pytest.mark.parametrize("who", ["a reader", "another account"])
def test_a_user_who_may_not_write_is_told_so_after_one_new_login(
    rgw: RealRgw, container: str, tree: Path, who: str
) -> None:
    """bulkput upload --concurrency 8: RGW answers 403, which once may mean that the token has expired. The PUT of the
    container is answered 202 all the same"""
    name = uuid.uuid4().hex[:8]
    user = rgw.add_subuser(name, "secret", access="read") if who == "a reader" else rgw.add_account(name, "secret")
    own = SwiftJudge(rgw.auth_url, rgw.user, rgw.key).storage_url
    environ = {**user.environment, "OS_STORAGE_URL": own}
    eight = ("--concurrency", "8", "--summary", "-")
    ran = bulkput("upload", tree, f"swift://{container}", *eight, environ=environ)
    assert (ran.exit_code, ran.summary["uploaded"]) == (3, 0)
    assert "403 Forbidden" in ran.err and ran.summary["requests"]["GET"] == 2


@pytest.mark.parametrize(
    ("verb", "status"), [(("ls",), 0), (("verify",), 0), (("rm", "-r", "--yes"), 3), (("cp", "-r"), 3)]
)
def test_a_reader_may_read_and_nothing_else(
    rgw: RealRgw, container: str, tree: Path, judge: SwiftJudge, verb: tuple[str, ...], status: int
) -> None:
    """bulkput ls, verify, rm and cp; to a bulk-delete RGW answers 200, with a 403 for each object"""
    reader = rgw.add_subuser(uuid.uuid4().hex[:8], "secret", access="read")
    url = f"swift://{container}/few/"
    assert bulkput("upload", tree, url, environ=rgw.environment).exit_code == 0
    arguments = {"verify": (tree, url), "cp": (url, f"swift://{container}/other/")}.get(verb[0], (url,))
    ran = bulkput(*verb, *arguments, environ=reader.environment)
    assert (ran.exit_code, "403 Forbidden" in ran.err) == (status, status == 3), ran.err
    assert judge.names(container) == [f"few/{n:03d}" for n in range(10)]


@pytest.mark.parametrize("wrong", [{"ST_KEY": "wrong"}, {"ST_USER": "nobody:tester"}])
def test_a_wrong_login_is_told_without_the_key(rgw: RealRgw, tree: Path, wrong: dict[str, str]) -> None:
    """bulkput upload: RGW answers 401 to a wrong key, 403 to an unknown user"""
    ran = bulkput("upload", tree, "swift://never-made", environ={**rgw.environment, **wrong})
    assert (ran.exit_code, ran.err.count("check ST_USER and ST_KEY")) == (3, 1), ran.err
    assert rgw.key not in ran.err.replace(wrong.get("ST_USER", rgw.user), "")


# --- proxies


@contextmanager
def proxy(rgw: RealSwift, outside: str, inside: str) -> Iterator[tuple[dict[str, str], list[str]]]:
    """A proxy that passes on paths below `outside` as paths below `inside`, and others as they are. Gives the variables
    for it, and the requests it got: method and path, as the client has sent them."""
    asked_for: list[str] = []

    def rewrite(asked: Asked, pass_on: PassOn) -> Said:
        asked_for.append(f"{asked.method} {urlsplit(asked.path).path}")
        if asked.path.startswith(outside):
            asked.path = inside + asked.path.removeprefix(outside)
        return pass_on(asked)

    account = urlsplit(SwiftJudge(rgw.auth_url, rgw.user, rgw.key).storage_url).path
    with relay(rgw.auth_url, rewrite) as relayed:
        host = relayed.auth_url.removesuffix(urlsplit(rgw.auth_url).path)
        storage_url = host + outside + account.removeprefix(inside)
        yield {**rgw.environment, "ST_AUTH": relayed.auth_url, "OS_STORAGE_URL": storage_url}, asked_for


@pytest.mark.parametrize(
    ("outside", "inside", "places"),
    [
        ("/swift/v1", "/swift/v1", ["/swift/info"]),
        ("/swift", "/swift", ["/swift/info"]),
        ("/objects/swift", "/swift", ["/objects/swift/info"]),
        ("/v1", "/swift/v1", ["/info", "/swift/info"]),
        ("/objects/v1", "/swift/v1", ["/objects/info", "/info", "/swift/info"]),
    ],
)
def test_limits_are_found_behind_a_proxy(
    rgw: RealRgw, container: str, tree: Path, outside: str, inside: str, places: list[str]
) -> None:
    """bulkput upload, then rm -r, which asks /info whether there is a bulk-delete; RGW's own `/info` is a bucket's"""
    with proxy(rgw, outside, inside) as (environ, asked_for):
        assert bulkput("upload", tree, f"swift://{container}/p", environ=environ).exit_code == 0
        ran = bulkput("rm", "-r", "--yes", f"swift://{container}/p/", environ=environ)
        assert (ran.exit_code, "10 removed" in ran.err) == (0, True), ran.err
    assert [asked for asked in asked_for if asked.endswith("/info")] == [f"GET {place}" for place in places]
    assert [asked.partition(" ")[0] for asked in asked_for if asked.startswith(("POST", "DELETE"))] == ["POST"]


def test_without_info_everything_works_by_swifts_defaults(
    rgw: RealRgw, container: str, tree: Path, judge: SwiftJudge
) -> None:
    """bulkput upload, cp, rm, through a proxy that passes on nothing but the API"""

    def only_the_api(asked: Asked, pass_on: PassOn) -> Said:
        return pass_on(asked) if asked.path.startswith(("/auth", "/swift/v1")) else Said(404, b"not here")

    with relay(rgw.auth_url, only_the_api) as relayed:
        environ, url = {**rgw.environment, "ST_AUTH": relayed.auth_url}, f"swift://{container}"
        sent = bulkput("upload", tree, f"{url}/a/", "--segment-above", "1", "--segment-size", "2", environ=environ)
        assert sent.exit_code == 0, sent.err
        assert bulkput("cp", "-r", f"{url}/a/", f"{url}/b/", environ=environ).exit_code == 0
        assert judge.content(container, "b/007") == b"007"
        assert bulkput("rm", "-r", "--yes", f"{url}/a/", environ=environ).exit_code == 0
    assert judge.names(container) == [f"b/{n:03d}" for n in range(10)]
