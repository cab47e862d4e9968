"""What `cp`, `mv` and `rm` do when a Swift cannot be relied on: a relay before the devserver makes it so."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from bulkput.devserver import DevServer
from bulkput.engine.objects.copy import copy, move
from bulkput.engine.objects.remove import remove
from bulkput.errors import NotFound, UsageError
from bulkput.options import RetryOptions
from bulkput.stores.swift.wire_format import page
from bulkput.verb_options import CopyOptions, RemoveOptions
from bulkput.verb_results import Changes
from tests.e2e.changes_relay import Asked, Meddle, PassOn, Said, relay
from tests.servers.judge import SwiftJudge

_NAMES = ("a/1", "a/2", "b")
_ONCE = RetryOptions(retries=0)
A1, A2, BOTH = "swift://c/a/1", "swift://c/a/2", "swift://c/a"


@pytest.fixture
async def judge(devserver: DevServer) -> SwiftJudge:
    """Its container c holds _NAMES."""
    made = SwiftJudge(devserver.auth_url, devserver.options.user, devserver.options.key)
    await asyncio.to_thread(put, made, *_NAMES)
    return made


def put(judge: SwiftJudge, *names: str) -> None:
    judge._request("PUT", "/c")
    for name in names:
        judge.put("c", name, name.encode())


async def names(judge: SwiftJudge, container: str = "c") -> list[str]:
    return await asyncio.to_thread(judge.names, container)


async def through(judge: SwiftJudge, meddle: Meddle, verb: str, *urls: str, is_recursive: bool = False) -> Changes:
    """Run it with the relay in between; `{}` in a URL is the relay's address."""
    with relay(judge.auth_url, meddle) as made:
        environ = {"ST_AUTH": made.auth_url, "ST_USER": judge.user, "ST_KEY": judge.key}
        urls = tuple(url.format(made.auth_url.partition("/auth")[0]) for url in urls)
        if verb == "rm":
            removal = RemoveOptions(is_recursive=is_recursive, retry=_ONCE)
            return await remove(*urls, options=removal, environ=environ)
        options = CopyOptions(is_recursive=is_recursive, retry=_ONCE, dry_run=verb.endswith("-n"))
        return await (move if verb.startswith("mv") else copy)(*urls, options=options, environ=environ)


def honest(asked: Asked, pass_on: PassOn) -> Said:
    return pass_on(asked)


def is_listing(asked: Asked) -> bool:
    return asked.method == "GET" and "format=json" in asked.path


def without(parameter: str) -> Meddle:
    """A server that ignores a parameter of listings."""

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        asked.path = re.sub(f"&{parameter}=[^&]*", "", asked.path)
        return pass_on(asked)

    return meddle


def with_row(name: str, **more: Any) -> Meddle:
    """Listings tell more of the object."""

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        said = pass_on(asked)
        if is_listing(asked):
            rows = json.loads(said.body)
            said.body = json.dumps([row | more if row["name"] == name else row for row in rows]).encode()
        return said

    return meddle


async def test_a_listing_that_ignores_the_prefix_removes_nothing(judge: SwiftJudge) -> None:
    """`bulkput rm -r` stops with exit code 3."""
    changes = await through(judge, without("prefix"), "rm", "swift://c/b", is_recursive=True)
    assert changes.exit_code == 3 and {"a/1", "a/2"} <= set(await names(judge))


async def test_a_copy_stops_if_the_listing_ignores_the_marker(judge: SwiftJudge) -> None:
    """`bulkput cp -r` stops with exit code 3."""
    changes = await through(judge, without("marker"), "cp", BOTH, "swift://c/z", is_recursive=True)
    assert changes.exit_code == 3 and changes.done <= 2


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"null",
        b"[1]",
        b"[" * 100_000,
        b'[{"name": 7, "bytes": 1}]',
        b'[{"name": "a/1", "bytes": "1"}]',
        b'[{"name": "a/1", "bytes": 1, "hash": 5}]',
        b'[{"name": "a/1", "bytes": 1, "symlink_path": 5}]',
        b'[{"name": "a/\\ud800", "bytes": 1}]',
    ],
)
def test_an_invalid_listing_is_refused_by_the_parser(body: bytes) -> None:
    """The parser raises one of the errors that its caller handles."""
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError, RecursionError)):
        page(json.loads(body))


async def test_an_invalid_listing_stops_a_removal(judge: SwiftJudge) -> None:
    """`bulkput rm -r` stops with exit code 3 and removes nothing."""

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        return Said(200, b"{}") if is_listing(asked) else pass_on(asked)

    changes = await through(judge, meddle, "rm", BOTH, is_recursive=True)
    assert (changes.exit_code, "not a JSON listing" in str(changes.stopping)) == (3, True)
    assert await names(judge) == list(_NAMES)


async def test_an_object_missing_from_the_listing_is_copied_and_removed(judge: SwiftJudge) -> None:
    """`bulkput cp` and `rm` ask the store itself about single objects."""

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        return Said(200, b"[]") if is_listing(asked) else pass_on(asked)

    assert (await through(judge, meddle, "cp", A1, "swift://c/z")).exit_code == 0
    assert (await through(judge, meddle, "rm", A1)).exit_code == 0
    assert await names(judge) == ["a/2", "b", "z"]


async def test_removing_a_directory_marker_keeps_the_objects_below_it(judge: SwiftJudge) -> None:
    """The command is `bulkput rm swift://c/d/`."""
    await asyncio.to_thread(put, judge, "d/", "d/x")
    assert (await through(judge, honest, "rm", "swift://c/d/")).exit_code == 0
    with pytest.raises(NotFound, match="below it"):
        await through(judge, honest, "rm", "swift://c/a/")
    assert await names(judge) == [*_NAMES, "d/x"]


@pytest.mark.parametrize("urls", [(A1, "{}/v1/AUTH_test/c/a/1"), ("{}/v1/AUTH_test/c/a/1", A1)])
async def test_a_move_onto_itself_under_another_kind_of_url_is_refused(
    judge: SwiftJudge, urls: tuple[str, str]
) -> None:
    """The command is `bulkput mv swift://c/x http://HOST/.../c/x`, where HOST serves the same objects."""

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        if not asked.path.startswith("/auth"):
            asked.headers["x-auth-token"] = judge._token
        return pass_on(asked)

    changes = await through(judge, meddle, "mv", *urls)
    assert (changes.exit_code, "itself under another" in str(changes.failures[0].error)) == (1, True)
    assert await names(judge) == list(_NAMES)


async def test_an_unproven_copy_fails_and_its_source_stays(judge: SwiftJudge) -> None:
    """The COPY is answered by 201, and no answer has an ETag; the object there has the same size."""

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        said = Said(201) if asked.method == "COPY" else pass_on(asked)
        return Said(said.status, said.body, {n: v for n, v in said.headers.items() if n.lower() != "etag"})

    changes = await through(judge, meddle, "mv", A1, A2)
    assert (changes.exit_code, changes.failed) == (1, 1) and await names(judge) == list(_NAMES)


def no_a1(asked: Asked, pass_on: PassOn) -> Said:
    return Said(404) if "/c/a/1" in asked.path else pass_on(asked)


@pytest.mark.parametrize("source", [A1, "swift://missing/x"])
@pytest.mark.parametrize("is_recursive", [False, True])
async def test_a_copy_of_a_missing_source_creates_no_container(
    judge: SwiftJudge, source: str, *, is_recursive: bool
) -> None:
    """`bulkput cp [-r]` of a listed but missing object, or of a missing container, exits with 1."""
    with pytest.raises(NotFound):
        await through(judge, no_a1, "cp", source, "swift://fresh/", is_recursive=is_recursive)
    assert (await asyncio.to_thread(judge._request, "HEAD", "/fresh"))[0] == 404


async def test_a_copied_object_that_is_gone_is_counted_but_a_dangling_link_fails(judge: SwiftJudge) -> None:
    """`bulkput cp -r` sends the objects through this machine."""
    changes = await through(judge, no_a1, "cp", BOTH, "swift://c/y", is_recursive=True)
    assert (changes.exit_code, changes.done, changes.gone) == (0, 1, 1)
    linked = with_row("a/1", symlink_path="/v1/AUTH_test/c/nothing")
    meddle: Meddle = lambda a, p: no_a1(a, lambda asked: linked(asked, p))  # noqa: E731 - one of two
    changes = await through(judge, meddle, "cp", BOTH, "swift://c/z", is_recursive=True)
    assert (changes.exit_code, changes.done, changes.gone, changes.failed) == (1, 1, 0, 1)


def nested(asked: Asked, pass_on: PassOn) -> Said:
    if "multipart-manifest=get" in asked.path and asked.method == "GET":
        parts = [{"name": "/other/large", "bytes": 1, "hash": "0" * 32, "sub_slo": True}]
        return Said(200, json.dumps(parts).encode(), {"X-Static-Large-Object": "True"})
    return with_row("a/1", slo_etag='"x"')(asked, pass_on)


def dynamic(asked: Asked, pass_on: PassOn) -> Said:
    said = with_row("a/1", bytes=0)(asked, pass_on)
    if asked.method == "HEAD" and asked.path.endswith("/c/a/1"):
        said.headers["X-Object-Manifest"] = "c/a/"
    return said


@pytest.mark.parametrize(
    ("meddle", "says"),
    [
        (nested, "segments, or theirs"),
        (dynamic, "dynamic large object"),
        (with_row("a/1", symlink_path="/v1/AUTH_test/c/a/%32"), "is a link"),
    ],
)
async def test_a_move_that_would_break_objects_is_refused(judge: SwiftJudge, meddle: Meddle, says: str) -> None:
    """`bulkput mv -r` refuses links, and large objects whose segments may be among the moved objects."""
    with pytest.raises(UsageError, match=says):
        await through(judge, meddle, "mv", BOTH, "swift://c/z", is_recursive=True)
    assert await names(judge) == list(_NAMES)


async def test_a_dry_run_counts_the_objects_that_would_fail(judge: SwiftJudge) -> None:
    """`bulkput mv -r --dry-run` fails for a directory's marker that would get an empty name."""
    await asyncio.to_thread(put, judge, "a/")
    changes = await through(judge, honest, "mv -n", BOTH, "swift://new", is_recursive=True)
    assert (changes.exit_code, changes.done, changes.failed) == (1, 2, 1)
