"""Which file system a path is on, by Linux's /proc/self/mountinfo (proc(5)), and whether a read there may hang.

The list below names the file systems that do not hang: a local disk may be slow, but it answers or fails. Every other
type counts as one that may, among them NFS, SMB, Ceph, Lustre, 9p, AFS and FUSE. If that is wrong, a small file costs a
switch to a thread; if the opposite were wrong, the whole run would stop for as long as a server is away.
"""

import os
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_LOCAL = frozenset(
    (
        *("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "bcachefs", "f2fs", "jfs", "nilfs2", "reiserfs", "minix"),
        *("vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk", "hfs", "hfsplus", "ufs"),
        *("iso9660", "udf", "squashfs", "erofs", "cramfs"),
        *("tmpfs", "ramfs", "rootfs", "devtmpfs", "overlay", "aufs", "ecryptfs"),
    )
)
"""fuseblk is FUSE on a local disk (ntfs-3g). overlay and aufs are the file systems of containers, on local layers."""
_KERNELS_OWN = (b"/dev/", b"/proc/", b"/sys/")
"""Mounts below these do not count: they hold nothing to upload, and every machine has an autofs there."""
_TABLE = "/proc/self/mountinfo"
_ESCAPE = rb"\\([0-7]{3})"


class Mount(NamedTuple):
    """One line of mountinfo; `parent` is the number of the mount that this one is mounted on."""

    number: int
    parent: int
    point: bytes
    kind: str


class Mounts:
    """The mounts that this process sees."""

    def __init__(self, mounts: Iterable[Mount]) -> None:
        self._all = tuple(mounts)
        self._upon = {(mount.parent, mount.point): mount for mount in self._all}
        numbers = {mount.number for mount in self._all}
        self._root = next((m for m in self._all if m.point == b"/" and m.parent not in numbers - {m.number}), None)

    def kind(self, path: bytes) -> str:
        """The type of the file system of `path`, which is absolute and has no links; empty if unknown.

        Found as the kernel does it: from the root down, at each name going to the last mount upon it. Looking for the
        longest mount point would be wrong, since a mount hides older ones below it.
        """
        mount = self._root
        if mount is None:
            return ""
        for name in _upwards(path):
            while (upon := self._upon.get((mount.number, name))) is not None and upon is not mount:
                mount = upon
        return mount.kind

    def kinds(self, path: bytes) -> set[str]:
        """The types of the file systems of `path` and of all mounts below it."""
        base = os.path.join(path, b"")
        return {self.kind(path), *(self.kind(point) for point in self.points() if point.startswith(base))}

    def points(self) -> Iterator[bytes]:
        """All mount points."""
        return (mount.point for mount in self._all)


def parse(table: bytes) -> Mounts:
    """Parse mountinfo, whose lines read `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw`."""
    return Mounts(_mounts(table))


def may_hang(paths: Iterable[bytes], follows_links: bool) -> str | None:
    """The type of a file system below `paths` that may hang; None if there is none, or no mountinfo to look into.

    If links are followed they may lead anywhere, so every mount of the machine counts, except the kernel's own.
    """
    try:
        with open(_TABLE, "rb") as file:
            mounts = parse(file.read())
    except OSError:
        return None
    kinds = set[str]().union(*(mounts.kinds(os.path.realpath(path)) for path in paths))
    if follows_links:
        kinds |= {mounts.kind(point) for point in mounts.points() if not (point + b"/").startswith(_KERNELS_OWN)}
    return min((kind or "an unknown file system" for kind in kinds - _LOCAL), default=None)


def _mounts(table: bytes) -> Iterator[Mount]:
    for line in table.split(b"\n"):
        before, found, after = line.partition(b" - ")
        fields = before.split(b" ")
        if found and len(fields) >= 6:
            kind = after.partition(b" ")[0].decode("ascii", "replace")
            yield Mount(int(fields[0]), int(fields[1]), _unescaped(fields[4]), kind)


def _unescaped(field: bytes) -> bytes:
    r"""mountinfo writes space, tab, line end and backslash as `\040`, `\011`, `\012` and `\134`."""
    return re.sub(_ESCAPE, lambda match: bytes((int(match[1], 8),)), field) if b"\\" in field else field


def _upwards(path: bytes) -> Iterator[bytes]:
    """`/`, `/a`, `/a/b` of `/a/b`."""
    yield b"/"
    end = 0
    while (end := path.find(b"/", end + 1)) > 0:
        yield path[:end]
    if path != b"/":
        yield path
