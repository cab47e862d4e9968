"""The servers of a whole OpenStack Swift: memcached, three storage servers and a proxy.

`scripts/swift` runs this file with the Python that Swift is installed in; `supervisor` starts, watches and ends them.
"""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from pathlib import Path

import swift_config
from supervisor import Cluster, Script, StartError, is_listening


class Swift(Cluster):
    name = "swift"
    hidden = ("OS_", "ST_")
    brings = ("swift",)

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.ports = {kind: self.reserve_port() for kind in (*swift_config.STORAGE, "proxy")}
        auth = f"http://127.0.0.1:{self.ports['proxy']}/auth/v1.0"
        self.credentials = {"ST_AUTH": auth, "ST_USER": swift_config.USER, "ST_KEY": swift_config.KEY}

    def start(self) -> None:
        check_extended_attributes(self.root)
        environment = Path(sys.prefix) / "bin"
        self.commands.mkdir()
        (self.commands / "swift").symlink_to(environment / "swift")  # nothing else of that environment
        self.start_memcached()
        swift_config.write_storage(self.root, self.ports)
        for kind in swift_config.STORAGE:
            self.start_swift(kind, [str(environment / f"swift-{kind}-server"), str(self.root / f"{kind}.conf")])
        self.wait_until((self.root / "memcached.port").exists)
        _, _, memcached = (self.root / "memcached.port").read_text().split()[:3]
        swift_config.write_proxy(self.root, self.ports["proxy"], memcached=int(memcached))
        self.start_swift("proxy", [str(environment / "swift-proxy-server"), str(self.root / "proxy.conf")])
        self.wait_until(lambda: all(map(is_listening, self.ports.values())))
        self.wait_until(self.has_login)

    def start_memcached(self) -> None:
        """memcached holds TempAuth's tokens. It takes a free port by itself and writes it to a file."""
        program = shutil.which("memcached", path=f"{os.environ.get('PATH', '')}:/usr/bin:/usr/local/bin")
        if program is None:
            raise StartError("memcached is not installed; scripts/tools installs it")
        user = pwd.getpwuid(os.getuid()).pw_name
        command = [program, "-l", "127.0.0.1", "-p", "-1", "-U", "0", "-u", user, "-t", "1"]
        self.start_server("memcached", command, {"MEMCACHED_PORT_FILENAME": str(self.root / "memcached.port")})

    def start_swift(self, kind: str, command: list[str]) -> None:
        """PYTHONPATH is where Swift finds `swift_config.log_to_stderr`."""
        self.start_server(kind, command, {"PYTHONPATH": str(Path(__file__).parent)})


def check_extended_attributes(root: Path) -> None:
    """Swift keeps the metadata of an object in extended attributes of its file."""
    try:
        os.setxattr(root, "user.bulkput", b"1")
    except OSError as error:
        hint = "set SWIFT_DIR to a directory that has them"
        raise StartError(f"{root}: no extended attributes ({error.strerror}); {hint}") from error


if __name__ == "__main__":
    sys.exit(Script(Swift, __file__).main(sys.argv[1:]))
