"""Start, watch and end a whole OpenStack Swift: memcached, three storage servers and a proxy.

`scripts/swift` runs this file with the Python that Swift is installed in. This process alone starts the five servers,
and ends them by their pids. Four rules ensure that no server is left behind:

- Signals are blocked and taken one by one with `sigtimedwait`, so none interrupts a clean-up.
- Every child asks the kernel for SIGTERM when its parent dies (PR_SET_PDEATHSIG). So SIGKILL here ends them too.
- Each server leads its own session, so Ctrl-C reaches CMD and not the store that CMD is still using.
- The process of `up` holds a lock as long as it lives, so no stale pid file can name another process.
"""
# ruff: noqa: S603, T201, PLW1509 - a program that starts programs and prints, and that has no threads

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import http.client
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TextIO

import swift_config

REPO = Path(__file__).resolve().parent.parent
STATE = Path(os.environ.get("SWIFT_DIR") or REPO / ".run" / "swift").absolute()
SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
START_SECONDS = 60.0
STOP_SECONDS = 10.0
PR_SET_PDEATHSIG = 1
SI_KERNEL = 0x80


class StartError(Exception):
    """Swift did not come up; the message shows the end of its logs."""


class Stopped(Exception):
    """A signal asked to stop before Swift was ready."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


def main(argv: list[str]) -> int:
    verbs = {"up": up, "down": down, "env": env, "serve": serve}
    try:
        if argv[:1] == ["run"] and argv[1:]:
            return run(argv[1:])
        if len(argv) == 1 and argv[0] in verbs:
            return verbs[argv[0]]()
    except StartError as error:
        print(f"scripts/swift: {error}", file=sys.stderr)
        return 1
    except Stopped as stopped:
        return 128 + stopped.signum
    print("usage: scripts/swift up | down | env | install | run CMD...", file=sys.stderr)
    return 2


# --- the verbs ---


def run(command: Sequence[str]) -> int:
    """Run CMD with its own Swift. Returns CMD's exit status."""
    if shutil.which(command[0]) is None and command[0] != "swift":
        print(f"scripts/swift: {command[0]}: command not found", file=sys.stderr)
        return 127
    with fresh_directory() as root, running(root) as cluster:
        # Without OS_* and ST_*: a client that is tried out here must not reach a real cloud.
        settings = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "ST_"))}
        settings |= cluster.credentials
        settings["PATH"] = f"{settings.get('PATH', os.defpath)}:{cluster.commands}"
        return watch(cluster, spawn(command, settings))


def up() -> int:
    """Start a Swift in the background if there is none. Print its environment."""
    STATE.mkdir(parents=True, exist_ok=True)
    while (lock := acquire_lock()) is None:
        if (STATE / "env").exists():
            print("scripts/swift: already up", file=sys.stderr)
            return env()
        time.sleep(0.1)  # another `up` will write it soon
    with lock, (STATE / "supervisor.log").open("w+") as log:
        lock.truncate(0)
        (STATE / "env").unlink(missing_ok=True)
        supervisor = subprocess.Popen(
            [sys.executable, __file__, "serve"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            pass_fds=[lock.fileno()],  # the supervisor keeps the lock
            start_new_session=True,
            preexec_fn=end_with_parent(),
        )
        print(supervisor.pid, file=lock, flush=True)
        if supervisor.stdout and supervisor.stdout.read() == "ready\n":
            return env()
        log.seek(0)
        print(log.read(), end="", file=sys.stderr)
        return 1


def serve() -> int:
    """Run the servers. `up` starts this in the background."""
    root = STATE / "cluster"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    try:
        with running(root) as cluster:
            (STATE / "env").write_text(
                "".join(f"export {name}={value}\n" for name, value in cluster.credentials.items())
            )
            set_parent_death_signal(0)  # from here on it outlives `up`; if `up` has died already, the next line fails
            os.write(sys.stdout.fileno(), b"ready\n")
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
            return watch(cluster, None)
    finally:
        (STATE / "env").unlink(missing_ok=True)
        shutil.rmtree(root, ignore_errors=True)


def env() -> int:
    """Print the environment of the running Swift, for a shell to evaluate."""
    if is_up():
        with contextlib.suppress(FileNotFoundError):
            print((STATE / "env").read_text(), end="")
            return 0
    print("scripts/swift: not up", file=sys.stderr)
    return 1


def down() -> int:
    """End the Swift that `up` started."""
    if not is_up():
        print("scripts/swift: not up", file=sys.stderr)
        return 0
    deadline = time.monotonic() + 2 * STOP_SECONDS
    asked = False
    while is_up():
        pid = int((STATE / "lock").read_text() or 0)  # empty: `up` has just begun
        with contextlib.suppress(ProcessLookupError):
            if pid and not asked:
                os.kill(pid, signal.SIGTERM)
                asked = True
            elif pid and time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)  # the kernel then ends its servers
        time.sleep(0.02)
    return 0


# --- the five servers ---


class Cluster:
    """The processes of one Swift, with its files below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.commands = root / "bin"  # for PATH: it has only the `swift` command of that environment
        self.servers: dict[str, subprocess.Popen[bytes]] = {}
        self.sockets = {kind: reserve_port() for kind in (*swift_config.STORAGE, "proxy")}
        self.ports: dict[str, int] = {kind: sock.getsockname()[1] for kind, sock in self.sockets.items()}
        auth = f"http://127.0.0.1:{self.ports['proxy']}/auth/v1.0"
        self.credentials = {"ST_AUTH": auth, "ST_USER": swift_config.USER, "ST_KEY": swift_config.KEY}

    def start(self) -> None:
        """Start every server, and return when a login works. Raises StartError, and Stopped after a signal."""
        check_extended_attributes(self.root)
        environment = Path(sys.prefix) / "bin"
        self.commands.mkdir()
        (self.commands / "swift").symlink_to(environment / "swift")
        self.start_memcached()
        swift_config.write_storage(self.root, self.ports)
        for kind in swift_config.STORAGE:
            self.start_server(kind, [str(environment / f"swift-{kind}-server"), str(self.root / f"{kind}.conf")])
        self.wait_until((self.root / "memcached.port").exists)
        _, _, memcached = (self.root / "memcached.port").read_text().split()[:3]
        swift_config.write_proxy(self.root, self.ports["proxy"], memcached=int(memcached))
        self.start_server("proxy", [str(environment / "swift-proxy-server"), str(self.root / "proxy.conf")])
        self.wait_until(lambda: all(map(is_listening, self.ports.values())))
        self.wait_until(self.has_login)

    def start_memcached(self) -> None:
        """Start memcached, which holds TempAuth's tokens. It takes a free port and writes it to a file."""
        program = shutil.which("memcached", path=f"{os.environ.get('PATH', '')}:/usr/bin:/usr/local/bin")
        if program is None:
            raise StartError("memcached is not installed; scripts/tools installs it")
        user = pwd.getpwuid(os.getuid()).pw_name
        self.start_server("memcached", [program, "-l", "127.0.0.1", "-p", "-1", "-U", "0", "-u", user, "-t", "1"])

    def start_server(self, name: str, command: Sequence[str]) -> None:
        paths = {
            "PYTHONPATH": str(Path(__file__).parent),  # where Swift finds swift_config.log_to_stderr
            "MEMCACHED_PORT_FILENAME": str(self.root / "memcached.port"),
        }
        with (self.root / f"{name}.log").open("ab") as log:
            self.servers[name] = spawn_server(command, os.environ | paths, log)

    def wait_until(self, is_true: Callable[[], bool]) -> None:
        """Poll until `is_true`. Raises Stopped after a signal, and StartError if a server ends or time is up."""
        deadline = time.monotonic() + START_SECONDS
        while not is_true():
            for name in self.dead():
                raise StartError(f"{name} ended with status {self.servers[name].poll()}\n{self.log_tail(name)}")
            if time.monotonic() > deadline:
                tails = "".join(f"\n--- {name} ---\n{self.log_tail(name)}" for name in self.servers)
                raise StartError(f"not ready after {START_SECONDS:.0f} s{tails}")
            info = signal.sigtimedwait(SIGNALS, 0.02)
            if info is not None and info.si_signo != signal.SIGCHLD:
                raise Stopped(info.si_signo)

    def has_login(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["proxy"], timeout=5)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            headers = {"X-Auth-User": swift_config.USER, "X-Auth-Key": swift_config.KEY}
            connection.request("GET", "/auth/v1.0", headers=headers)
            return connection.getresponse().status == 200
        return False

    def dead(self) -> list[str]:
        return [name for name, server in self.servers.items() if server.poll() is not None]

    def log_tail(self, name: str) -> str:
        lines = (self.root / f"{name}.log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-15:])

    def stop(self) -> None:
        """End every started server with its workers: each server is a process group."""
        for server in self.servers.values():
            signal_group(server, signal.SIGTERM)
        for server in self.servers.values():
            try:
                server.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                signal_group(server, signal.SIGKILL)
                server.wait()
        for sock in self.sockets.values():
            sock.close()


@contextlib.contextmanager
def running(root: Path) -> Iterator[Cluster]:
    """A Swift that answers. It ends when the block ends, also by an error."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # for good: from here on only `sigtimedwait` takes them
    cluster = Cluster(root)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def watch(cluster: Cluster, command: subprocess.Popen[bytes] | None) -> int:
    """Pass signals on to `command` until it ends. Without a command, wait for a signal."""
    reported: set[str] = set()
    patience: float | None = None
    while command is None or command.poll() is None:
        info = signal.sigtimedwait(SIGNALS, patience if patience is not None else 3600)
        if info is None:
            if patience is not None and command is not None:
                command.kill()  # it was asked to end, and had its time
        elif info.si_signo == signal.SIGCHLD:
            for name in set(cluster.dead()) - reported:
                reported.add(name)
                print(f"scripts/swift: {name} ended\n{cluster.log_tail(name)}", file=sys.stderr)
        elif command is None:
            return 0
        else:
            if info.si_code != SI_KERNEL:  # a terminal sends it to CMD too, and a second one would mean "leave now"
                command.send_signal(info.si_signo)
            if info.si_signo != signal.SIGINT:
                patience = STOP_SECONDS
    return command.returncode if command.returncode >= 0 else 128 - command.returncode


# --- processes, ports, the lock ---


def spawn(command: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start CMD with this process's terminal, standard input and output."""
    return subprocess.Popen(command, env=env, preexec_fn=end_with_parent())


def spawn_server(command: Sequence[str], env: Mapping[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a server in its own session. It writes only to its log."""
    return subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=end_with_parent(),
    )


def end_with_parent() -> Callable[[], None]:
    """A function for a child, between fork and exec: it unblocks signals and makes the child end with this process."""
    parent = os.getpid()

    def prepare() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        set_parent_death_signal(signal.SIGTERM)
        if os.getppid() != parent:  # the parent ended before the request to the kernel
            os._exit(1)

    return prepare


def set_parent_death_signal(signum: int) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signum)


def signal_group(server: subprocess.Popen[bytes], signum: int) -> None:
    if server.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signum)


def reserve_port() -> socket.socket:
    """Reserve a free port: bind it without listening.

    Swift binds with SO_REUSEPORT, so it may bind the port beside this process, and no other program gets it meanwhile.
    If the port were released instead, a second Swift that starts now could get it, and both would share it without an
    error.
    """
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", 0))
    return sock


def is_listening(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def check_extended_attributes(root: Path) -> None:
    """Swift keeps the metadata of an object in extended attributes of its file."""
    try:
        os.setxattr(root, "user.bulkput", b"1")
    except OSError as error:
        hint = "set SWIFT_DIR to a directory that has them"
        raise StartError(f"{root}: no extended attributes ({error.strerror}); {hint}") from error


@contextlib.contextmanager
def fresh_directory() -> Iterator[Path]:
    parent = STATE if os.environ.get("SWIFT_DIR") else None
    if parent:
        parent.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix="bulkput-swift-", dir=parent))
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def acquire_lock() -> TextIO | None:
    """Take the lock of `up`. None if another process holds it. The file contains the holder's pid."""
    lock = (STATE / "lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def is_up() -> bool:
    if not STATE.is_dir():
        return False
    lock = acquire_lock()
    if lock is not None:
        lock.close()
    return lock is None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
