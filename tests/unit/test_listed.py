"""What a line of a list of files means, and with what a list makes no sense."""

import os.path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import UsageError
from bulkput.options import FileListOptions, SkipOptions, UploadOptions
from bulkput.policy.listed import check_list, check_upload, is_below, object_name, relative_name

BASES = (b"/srv/", b"/mnt/srv/")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"a", b"a"),
        (b"a/b", b"a/b"),
        (b"./a//b/", b"a/b"),
        (b"a/./b", b"a/b"),
        (b"a/.b", b"a/.b"),
        (b".a", b".a"),
        (b"...", b"..."),
        (b"a..", b"a.."),
        (b"a/../b", b"b"),
        (b".", b""),
        (b"a/..", b""),
        (b"/srv", b""),
        (b"/srv/", b""),
        (b"/srv/a", b"a"),
        (b"//srv/./a", b"a"),
        (b"/mnt/srv/a/b", b"a/b"),
        (b" a\t", b" a\t"),
        (b"#a", b"#a"),
        (b"a\xff", b"a\xff"),
    ],
)
def test_a_listed_name_is_made_relative_to_the_base(line: bytes, name: bytes) -> None:
    """Any spelling of the path gives the same name, byte for byte."""
    assert relative_name(line, BASES) == name
    assert is_below(name)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"..", b".."),
        (b"../a", b"../a"),
        (b"b/../../a", b"../a"),
        (b"/etc/a", b"/etc/a"),
        (b"/srv2/a", b"/srv2/a"),
        (b"/srv/../etc/a", b"/etc/a"),
        (b"/", b"/"),
        (b"/../..", b"/"),
    ],
)
def test_a_listed_name_outside_the_base_is_not_below_it(line: bytes, name: bytes) -> None:
    """Its relative name still shows the outside path."""
    assert relative_name(line, BASES) == name
    assert not is_below(name)


PARTS = st.lists(st.sampled_from([b"a", b"b.", b".", b"..", b"", b".c", b"srv"]), max_size=8)


@given(PARTS, st.booleans())
def test_a_listed_path_is_normalised_like_normpath(parts: list[bytes], is_absolute: bool) -> None:
    """This holds for directories without links."""
    line = (b"/" if is_absolute else b"") + b"/".join(parts)
    name = relative_name(line, (b"/srv/",))
    path = os.path.normpath(os.path.join(b"/srv", line)).replace(b"//", b"/")
    if is_below(name):
        assert path == os.path.join(b"/srv", name).rstrip(b"/")
    else:
        assert (path != b"/srv" and not path.startswith(b"/srv/")) or name.startswith(b"../")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"a/b", b"a/b"),
        (b"./a/b", b"a/b"),
        (b".//./a/b", b"a/b"),
        (b".", b""),
        (b"./", b""),
        (b"./.", b""),
        (b"s3://b/dir/", b""),
        (b".a", b".a"),
        (b"./.a", b".a"),
        (b"..", b".."),
        (b"../a", b"../a"),
        (b"...", b"..."),
        (b"a//b/", b"a//b/"),
        (b"a/./b", b"a/./b"),
        (b"a/../b", b"a/../b"),
        (b"/a", b"/a"),
        (b"s3://b/dir/a%20b", b"a%20b"),
        (b"s3://b/dir/./a", b"./a"),
        (b"s3://b/direct", b"s3://b/direct"),
        (b"s3://other/a", b"s3://other/a"),
        (b"a\xff", b"a\xff"),
    ],
)
def test_a_listed_object_is_named_relative_to_the_url(line: bytes, name: bytes) -> None:
    """As files are, but `//`, `.` and `..` within a name may be parts of it."""
    assert object_name(line, b"s3://b/dir/") == name


def test_escapes_of_a_listed_http_url_are_undone() -> None:
    assert object_name(b"https://h/d/a%20b", b"https://h/d/") == b"a b"
    assert object_name(b"a%20b", b"https://h/d/") == b"a%20b"


@given(st.lists(st.sampled_from([b"a", b"b.", b".c", b"srv"]), max_size=8))
def test_what_find_writes_names_the_same_object_as_the_file_of_that_name(parts: list[bytes]) -> None:
    """So a list of files and one of objects upload to the same names."""
    name = b"/".join(parts)
    assert object_name(b"./" + name, b"s3://b/") == relative_name(b"./" + name, BASES) == name


LIST = FileListOptions(path="list")


@pytest.mark.parametrize(
    ("options", "has_sources", "why"),
    [
        (UploadOptions(files=LIST), True, "`files.base` instead"),
        (UploadOptions(files=LIST, skip=SkipOptions(delete_extra=True)), False, "`skip.delete_extra`"),
        (UploadOptions(files=LIST, skip=SkipOptions(expire_extra_s=9)), False, "`skip.expire_extra_s`"),
        (UploadOptions(files=LIST, journal="j", retry_failed=True), False, "leave out `files`"),
        (UploadOptions(fail_if_empty=True, journal="j", retry_failed=True), True, "`retry_failed`"),
    ],
)
def test_options_that_conflict_with_a_file_list_are_refused(
    options: UploadOptions, has_sources: bool, why: str
) -> None:
    """The refusal comes before any file is looked at."""
    with pytest.raises(UsageError, match=why):
        check_list(options, has_sources=has_sources)
        check_upload(options)


def test_a_file_list_works_with_journal_skip_and_dry_run() -> None:
    """Journal, skip, dry run."""
    skip = SkipOptions(mode="identical")
    options = UploadOptions(files=LIST, skip=skip, journal="j", dry_run=True)
    check_list(options, has_sources=False)
    check_upload(options)
    check_list(UploadOptions(), has_sources=True)
