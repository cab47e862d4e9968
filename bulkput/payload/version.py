"""The state of a file, as its status shows it."""

import os
from typing import NamedTuple


class Version(NamedTuple):
    """One state of a file: two states differ in at least one of these."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    changed_ns: int
    """The ctime. Programs can put an old mtime back (touch -r), and change this by it."""
    links: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Version":
        times = (status.st_mtime_ns, status.st_ctime_ns)
        return cls(status.st_dev, status.st_ino, status.st_size, *times, status.st_nlink)

    @property
    def state(self) -> str:
        """Tells this state of the file from others that have the same size and mtime."""
        return f"{self.device}-{self.inode}-{self.changed_ns}"

    def holds(self, status: os.stat_result) -> bool:
        """Whether that is still the file's state: cheaper than `of` and a comparison, for every small file."""
        return (
            status.st_mtime_ns == self.mtime_ns
            # A new or a removed link changes the ctime, too: another file may have taken the place of this one.
            and (status.st_ctime_ns == self.changed_ns or status.st_nlink != self.links)
            and status.st_size == self.size
            and status.st_ino == self.inode
            and status.st_dev == self.device
        )

    def begins(self, later: "Version") -> bool:
        """Whether `later` may begin with all bytes of this version: the same file, not shorter."""
        return (later.device, later.inode) == (self.device, self.inode) and later.size >= self.size
