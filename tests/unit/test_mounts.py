"""Which file system a path is on."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.sources.mounts import may_hang, parse

HOST = rb"""21 26 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw
22 26 0:21 / /proc rw,nosuid shared:13 - proc proc rw
26 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 26 8:2 / /home rw shared:2 master:3 - xfs /dev/sda2 rw
31 30 0:40 / /home/ann/nfs\040share rw - nfs4 server:/export rw,vers=4.2
32 31 8:2 /scratch /home/ann/nfs\040share/local rw - xfs /dev/sda2 rw
33 26 0:41 /sub/dir /srv rw - cifs //server/share rw
34 26 0:42 / /mnt/s3 rw - fuse.s3fs s3fs rw
35 26 8:3 / /mnt/usb rw - fuseblk /dev/sdb1 rw
36 26 0:43 / /odd\134name\011\012 rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (b"/", "ext4"),
        (b"/etc/passwd", "ext4"),
        (b"/home", "xfs"),
        (b"/home/", "xfs"),
        (b"/homeless", "ext4"),
        (b"/home/ann", "xfs"),
        (b"/home/ann/nfs share", "nfs4"),
        (b"/home/ann/nfs share/deep/file", "nfs4"),
        (b"/home/ann/nfs", "xfs"),
        (b"/home/ann/nfs share/local/file", "xfs"),
        (b"/srv/x", "cifs"),
        (b"/mnt/s3/bucket", "fuse.s3fs"),
        (b"/odd\\name\t\n/x", "tmpfs"),
        (b"/proc/1/fd", "proc"),
    ],
)
def test_a_path_belongs_to_its_nearest_mount_point(path: bytes, kind: str) -> None:
    """Escaped names and bind mounts are included."""
    assert parse(HOST).kind(path) == kind


@pytest.mark.parametrize(
    ("path", "kinds"),
    [
        (b"/home", {"xfs", "nfs4"}),
        (b"/home/ann/nfs share/local", {"xfs"}),
        (b"/etc", {"ext4"}),
        (b"/mnt", {"ext4", "fuse.s3fs", "fuseblk"}),
    ],
)
def test_mounts_below_a_source_are_included(path: bytes, kinds: set[str]) -> None:
    """A tree may span several file systems."""
    assert parse(HOST).kinds(path) == kinds


def test_a_mount_hides_earlier_mounts_below_it() -> None:
    """The longest mount point would be wrong: the earlier /a/b lies hidden below the new NFS."""
    mounts = parse(
        b"1 0 8:1 / / rw - ext4 /dev/a rw\n"
        b"2 1 8:2 / /a rw - xfs /dev/b rw\n"
        b"3 2 8:3 / /a/b rw - btrfs /dev/c rw\n"
        b"4 2 0:9 / /a rw - nfs s:/x rw\n"
    )
    assert [mounts.kind(path) for path in (b"/a", b"/a/b", b"/a/b/c")] == ["nfs"] * 3
    assert mounts.kinds(b"/a") == {"nfs"}


def test_the_order_of_the_mount_table_does_not_matter() -> None:
    """A moved root is listed after the mounts upon it."""
    lines = HOST.splitlines(keepends=True)
    for path in (b"/home/ann/nfs share/local/x", b"/srv", b"/etc"):
        assert parse(b"".join(reversed(lines))).kind(path) == parse(HOST).kind(path)


@pytest.mark.parametrize("table", [b"", b"\n", b"garbage\n", b"1 0 8:1 / /elsewhere rw - ext4 /dev/a rw\n"])
def test_a_mount_table_without_a_root_gives_no_kind(table: bytes) -> None:
    """This happens in a chroot whose root is no mount."""
    assert parse(table).kind(b"/a") == ""


@given(st.binary(min_size=1, max_size=12).filter(lambda name: b"/" not in name and b"\0" not in name))
def test_a_mount_point_of_any_name_is_found(name: bytes) -> None:
    """The kernel escapes spaces, tabs, newlines and backslashes."""
    escaped = b"".join(b"\\%03o" % byte if byte in b" \t\n\\" else bytes((byte,)) for byte in name)
    table = b"1 0 8:1 / / rw - ext4 a rw\n2 1 0:2 / /" + escaped + b" rw - nfs b rw\n"
    assert parse(table).kind(b"/" + name) == "nfs"


def test_a_local_file_system_does_not_hang(tmp_path: Path) -> None:
    """Tests run on local disks or in containers."""
    assert may_hang([os.fsencode(tmp_path)], False) is None


def test_an_unknown_file_system_may_hang() -> None:
    """The example is proc; an unknown network file system is treated the same way."""
    assert may_hang([b"/proc/self"], False) == "proc"
