"""Options, sources and URLs of a wrong type: one sentence, before anything is sent."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

import bulkput
from bulkput.errors import UsageError
from bulkput.option_types import checked, require
from bulkput.options import UploadOptions
from bulkput.verb_options import CopyOptions, ListOptions, RemoveOptions, StoreOptions, VerifyOptions


@pytest.mark.parametrize(
    ("group", "name", "value", "says"),
    [
        ("walk", "include", "*.tmp", r"`walk.include` is a tuple of str: write \('\*.tmp',\), not '\*.tmp'"),
        ("walk", "include", [b"*.tmp"], "`walk.include` is a tuple of str, not list"),
        ("walk", "max_size", 1.5, "`walk.max_size` is a whole number or None, not float"),
        ("headers", "meta", {"Color": "red"}, "`headers.meta` is a tuple of pairs of str, not dict"),
        ("headers", "extra", (("A", "b", "c"),), "`headers.extra` is a tuple of pairs of str, not tuple"),
        ("headers", "mtime_format", "unix", "`headers.mtime_format` is one of nanoseconds, swiftclient, not 'unix'"),
        ("retry", "retries", "8", "`retry.retries` is a whole number, not str"),
        ("wire", "concurrency", True, "`wire.concurrency` is a whole number or None, not bool"),
        ("wire", "timeout_s", "90", "`wire.timeout_s` is a number, not str"),
        ("skip", "delete_extra", "yes", "`skip.delete_extra` is True or False, not str"),
        ("wire", "objects_per_s", "50/s", "`wire.objects_per_s` is a number or None, not str"),
        ("wire", "objects_per_s", 0, "`wire.objects_per_s` is a number above 0, not 0"),
        ("wire", "concurrency", 0, "`wire.concurrency` is 1 or more, not 0"),
        ("wire", "concurrency", -1, "`wire.concurrency` is 1 or more, not -1"),
        ("wire", "min_rate", 0, "`wire.min_rate` is 1 or more, not 0"),
        ("wire", "timeout_s", 0, "`wire.timeout_s` is a number above 0, not 0"),
        ("wire", "timeout_s", float("nan"), "`wire.timeout_s` is a number above 0, not nan"),
        ("body", "chunk_size", 0, "`body.chunk_size` is 1 or more, not 0"),
        ("body", "readers", 0, "`body.readers` is 1 or more, not 0"),
        ("retry", "retries", -1, "`retry.retries` is 0 or more, not -1"),
        ("stop", "max_errors", 0, "`stop.max_errors` is 1 or more, not 0"),
    ],
)
def test_an_option_of_a_wrong_type_is_a_usage_error(group: str, name: str, value: object, says: str) -> None:
    """The sentence names the option and what it takes. It shows no value that may be a secret."""
    options: Any = UploadOptions()
    with pytest.raises(UsageError, match=f"^{says}$"):
        made = dataclasses.replace(getattr(options, group), **{name: value})
        checked(dataclasses.replace(options, **{group: made}), UploadOptions)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"exclude": "*.jpg"}, r"`gzip.exclude` is a tuple of str: write \('\*.jpg',\)"),
        ({"min_size": "1k"}, "`gzip.min_size` is a whole number"),
        ({"least_saving": None}, "`gzip.least_saving` is a number"),
    ],
)
def test_a_gzip_option_of_a_wrong_type_is_refused_when_it_is_made(values: dict[str, Any], says: str) -> None:
    """Its other checks compare numbers."""
    with pytest.raises(UsageError, match=says):
        bulkput.GzipOptions(**values)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (bulkput.WalkOptions(), "`options` is UploadOptions, not WalkOptions"),
        ({"dry_run": True}, "`options` is UploadOptions, not dict"),
        (UploadOptions(walk=("*.tmp",)), "`walk` is WalkOptions, not tuple"),  # type: ignore[arg-type]
        (UploadOptions(journal=Path("up.db")), "`journal` is a str or None, not PosixPath"),  # type: ignore[arg-type]
    ],
)
async def test_an_upload_refuses_other_options_than_its_own(options: Any, says: str) -> None:
    """Before it looks at anything."""
    with pytest.raises(UsageError, match=f"^{says}$"):
        await bulkput.upload(".", "swift://c", options=options, environ={})


@pytest.mark.parametrize("kind", [UploadOptions, VerifyOptions, CopyOptions, RemoveOptions, ListOptions, StoreOptions])
def test_every_default_has_the_type_of_its_option(kind: type[Any]) -> None:
    """So each annotation is one that the check knows, and a default needs no check at run time."""
    groups: list[Any] = [kind()]
    while groups:
        group = groups.pop()
        for each in dataclasses.fields(group):
            value = getattr(group, each.name)
            require(value, each.type, each.name)
            groups += [value] if dataclasses.is_dataclass(value) else []


def test_a_list_serves_as_a_tuple_and_an_int_as_a_float() -> None:
    """Such values mean what they say."""
    walk = bulkput.WalkOptions(include=["*.html", "*.css"])  # type: ignore[arg-type]
    options = UploadOptions(walk=walk, wire=bulkput.WireOptions(timeout_s=9))
    assert checked(options, UploadOptions) is options


@pytest.mark.parametrize(
    ("sources", "destination", "says"),
    [
        ([], "swift://c", "`sources` is empty"),
        (None, "swift://c", "`sources` is a path .*NoneType"),
        ([7], "swift://c", "`sources` is a path .*int"),
        (".", Path("swift://c"), "`destination` is a str, not PosixPath"),
    ],
)
async def test_sources_and_destination_of_a_wrong_type_are_usage_errors(
    sources: Any, destination: Any, says: str
) -> None:
    """For uploads and verifications alike."""
    for verb in (bulkput.upload, bulkput.verify):
        with pytest.raises(UsageError, match=says):
            await verb(sources, destination, environ={"OS_STORAGE_URL": "http://127.0.0.1:1/", "OS_AUTH_TOKEN": "t"})


@pytest.mark.parametrize(
    "headers",
    [
        bulkput.HeaderOptions(meta=(("Color", "red\r\nX-Evil: 1"),)),
        bulkput.HeaderOptions(extra=(("X-Evil\r\n", "1"),)),
        bulkput.HeaderOptions(cache_control="no-store\n"),
    ],
    ids=["meta", "extra", "cache_control"],
)
async def test_a_header_that_cannot_be_sent_is_refused_before_the_run(
    headers: bulkput.HeaderOptions, tmp_path: Path
) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(UsageError, match=r"^`headers\.(meta|extra|cache_control)`"):
        await bulkput.upload(tmp_path, "http://127.0.0.1:1/", options=UploadOptions(headers=headers), environ={})
