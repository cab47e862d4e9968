"""Start, watch and end a store that is several servers: what `scripts/swift` and `scripts/rgw` have in common.

The process that runs this is the only owner of the servers, and ends them by their pids. Four facts make sure that none
is left behind:

- Signals are blocked and taken one by one with `sigtimedwait`: none can arrive in the middle of a clean-up.
- Every child asks the kernel for a signal when its parent dies (PR_SET_PDEATHSIG): SIGKILL here ends them too.
- Each server leads a session of its own: Ctrl-C reaches CMD, not the store that CMD is still talking to.
- Whoever is `up` holds a lock as long as it lives: there is no stale pid file, and no stranger's pid to hit.
"""
# ruff: noqa: S603, T201, PLW1509 - a program that starts programs and prints, and that has no threads

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, ClassVar, TextIO
from urllib.parse import urlsplit

REPO = Path(__file__).resolve().parent.parent
SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
START_SECONDS = 60.0
STOP_SECONDS = 10.0
PR_SET_PDEATHSIG = 1
SI_KERNEL = 0x80


class StartError(Exception):
    """The store did not come up; the message shows the end of its logs."""


class Stopped(Exception):
    """A signal asked to stop before the store was ready."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class Cluster:
    """The servers of one store below `root`, as processes. A subclass says which, in `start`."""

    name: ClassVar[str]
    """Of the script: messages, directories and variables (SWIFT_DIR) have it."""
    hidden: ClassVar[tuple[str, ...]]
    """Beginnings of variables that CMD and the servers do not inherit: a client that is tried out here must not find
    its way to somebody's real cloud."""
    ends_by: ClassVar[signal.Signals] = signal.SIGTERM
    """What ends its processes, also when this one dies."""
    brings: ClassVar[tuple[str, ...]] = ()
    """Commands that CMD finds in `commands`."""
    option: ClassVar[str] = ""
    """What chooses this kind of store, if the script has several: a word after the verb."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.commands = root / "bin"
        self.servers: dict[str, subprocess.Popen[bytes]] = {}
        self.tools: list[subprocess.Popen[bytes]] = []
        self.sockets: list[socket.socket] = []
        self.credentials: dict[str, str] = {}
        self.notes: list[str] = []
        """What `up` and `env` say below the variables, as comments."""

    def start(self) -> None:
        """Start every server; return when a login works. Raises StartError, or Stopped on a signal."""
        raise NotImplementedError

    @property
    def mark(self) -> dict[str, str]:
        """A variable in the environment of every process: it says to which store the process belongs."""
        return {f"{self.name.upper()}_ROOT": f"{self.root}/"}

    def visible(self) -> dict[str, str]:
        """The environment without `hidden`."""
        return {name: value for name, value in os.environ.items() if not name.startswith(self.hidden)}

    def reserve_port(self) -> int:
        """A free port that stays ours: bound, not listening.

        With both options the server may bind it beside us, whichever of them it sets (Linux: SO_REUSEADDR on both
        sockets while none listens); nobody else gets it in the meantime. Released instead, it could go to a second
        store that starts just now, and the two would share it without an error.
        """
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", 0))
        self.sockets.append(sock)
        port: int = sock.getsockname()[1]
        return port

    def start_server(self, name: str, command: Sequence[str], environ: Mapping[str, str] | None = None) -> None:
        with (self.root / f"{name}.log").open("ab") as log:
            self.servers[name] = self.spawn(command, log, environ or {})

    def run_tool(self, name: str, command: Sequence[str], *, tries: int = 1) -> None:
        """Run a program to its end. Raises StartError with its output if all `tries` fail."""
        status = 0
        for _ in range(tries):
            if (status := self.status_of(name, command)) == 0:
                return
        raise StartError(f"{name} ended with status {status}\n{self.log_tail(name)}")

    def status_of(self, name: str, command: Sequence[str]) -> int:
        with (self.root / f"{name}.log").open("ab") as log:
            tool = self.spawn(command, log, {})
        self.tools.append(tool)
        self.wait_until(lambda: tool.poll() is not None)
        return tool.returncode

    def spawn(self, command: Sequence[str], log: IO[bytes], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start a server: it has a session of its own, and writes to its log only."""
        return subprocess.Popen(
            command,
            env={**self.visible(), **self.mark, **environ},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=end_with_parent(self.ends_by),
        )

    def wait_until(self, is_true: Callable[[], bool]) -> None:
        """Poll, with an eye on signals and on servers that end."""
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
        """Whether v1 auth accepts the credentials."""
        auth = urlsplit(self.credentials["ST_AUTH"])
        connection = http.client.HTTPConnection(auth.hostname or "", auth.port, timeout=5)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            headers = {"X-Auth-User": self.credentials["ST_USER"], "X-Auth-Key": self.credentials["ST_KEY"]}
            connection.request("GET", auth.path, headers=headers)
            return connection.getresponse().status in (200, 204)
        return False

    def dead(self) -> list[str]:
        return [name for name, server in self.servers.items() if server.poll() is not None]

    def log_tail(self, name: str) -> str:
        lines = (self.root / f"{name}.log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-15:])

    def stop(self) -> None:
        """End every process that was started, its workers included: each is a process group of its own."""
        started = [*self.servers.values(), *self.tools]
        for server in started:
            signal_group(server, self.ends_by)
        for server in started:
            try:
                server.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                signal_group(server, signal.SIGKILL)
                server.wait()
        for sock in self.sockets:
            sock.close()


def is_listening(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


# --- the verbs ---


class Script:
    """`up`, `down`, `env`, `run CMD...` of one kind of store; `program` is the file that `up` runs with `serve`."""

    def __init__(self, cluster: type[Cluster], program: str) -> None:
        self.cluster = cluster
        self.program = program
        self.name = cluster.name
        self.directory = os.environ.get(f"{self.name.upper()}_DIR")
        self.state = Path(self.directory or REPO / ".run" / f"{self.name}{cluster.option[1:]}").absolute()

    def main(self, argv: Sequence[str]) -> int:
        verbs = {"up": self.up, "down": self.down, "env": self.env, "serve": self.serve}
        try:
            if argv[:1] == ["run"] and argv[1:]:
                return self.run(argv[1:])
            if len(argv) == 1 and argv[0] in verbs:
                return verbs[argv[0]]()
        except StartError as error:
            self.say(str(error))
            return 1
        except Stopped as stopped:
            return 128 + stopped.signum
        usage = "up | down | env | install | run CMD..."
        print(f"usage: scripts/{self.name} {usage} (--help says more)", file=sys.stderr)
        return 2

    def say(self, text: str) -> None:
        print(f"scripts/{self.name}: {text}", file=sys.stderr)

    def run(self, command: Sequence[str]) -> int:
        """Run CMD with a store of its own. The answer is CMD's exit status."""
        if shutil.which(command[0]) is None and command[0] not in self.cluster.brings:
            self.say(f"{command[0]}: command not found")
            return 127
        with self.fresh_directory() as root, running(self.cluster(root)) as cluster:
            settings = {**cluster.visible(), **cluster.credentials, **cluster.mark}
            settings["PATH"] = f"{settings.get('PATH', os.defpath)}:{cluster.commands}"
            return self.watch(cluster, spawn(command, settings))

    def up(self) -> int:
        """Start a store in the background, unless there is one; print its environment."""
        self.state.mkdir(parents=True, exist_ok=True)
        while (lock := self.acquire_lock()) is None:
            if (self.state / "env").exists():
                self.say("already up")
                return self.env()
            time.sleep(0.1)  # another `up` is about to write it
        with lock, (self.state / "supervisor.log").open("w+") as log:
            lock.truncate(0)
            (self.state / "env").unlink(missing_ok=True)
            supervisor = subprocess.Popen(
                [sys.executable, self.program, "serve", *self.cluster.option.split()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                pass_fds=[lock.fileno()],  # the lock lives on in the supervisor
                start_new_session=True,
                preexec_fn=end_with_parent(),
            )
            print(supervisor.pid, file=lock, flush=True)
            if supervisor.stdout and supervisor.stdout.read() == "ready\n":
                return self.env()
            log.seek(0)
            print(log.read(), end="", file=sys.stderr)
            return 1

    def serve(self) -> int:
        """The supervisor that `up` leaves in the background."""
        root = self.state / "cluster"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        try:
            with running(self.cluster(root)) as cluster:
                lines = [f"export {name}={value}" for name, value in cluster.credentials.items()]
                lines += [f"# {note}" for note in cluster.notes]
                (self.state / "env").write_text("".join(f"{line}\n" for line in lines))
                set_parent_death_signal(0)  # from here on it outlives `up`; had that died already, the next line fails
                os.write(sys.stdout.fileno(), b"ready\n")
                os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
                return self.watch(cluster, None)
        finally:
            (self.state / "env").unlink(missing_ok=True)
            shutil.rmtree(root, ignore_errors=True)

    def env(self) -> int:
        """Print the environment of the store that is up, for a shell to evaluate."""
        if self.is_up():
            with contextlib.suppress(FileNotFoundError):
                print((self.state / "env").read_text(), end="")
                return 0
        self.say("not up")
        return 1

    def down(self) -> int:
        """End the store that `up` started."""
        if not self.is_up():
            self.say("not up")
            return 0
        deadline = time.monotonic() + 2 * STOP_SECONDS
        asked = False
        while self.is_up():
            pid = int((self.state / "lock").read_text() or 0)  # nothing yet: `up` has just begun
            with contextlib.suppress(ProcessLookupError):
                if pid and not asked:
                    os.kill(pid, signal.SIGTERM)
                    asked = True
                elif pid and time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)  # its servers follow: the kernel tells them
            time.sleep(0.02)
        return 0

    def watch(self, cluster: Cluster, command: subprocess.Popen[bytes] | None) -> int:
        """Pass signals on to `command` until it ends; without a command, until a signal says so."""
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
                    self.say(f"{name} ended\n{cluster.log_tail(name)}")
            elif command is None:
                return 0
            else:
                if info.si_code != SI_KERNEL:  # else a terminal sent it, and to CMD too: twice would mean "leave now"
                    command.send_signal(info.si_signo)
                if info.si_signo != signal.SIGINT:
                    patience = STOP_SECONDS
        return command.returncode if command.returncode >= 0 else 128 - command.returncode

    @contextlib.contextmanager
    def fresh_directory(self) -> Iterator[Path]:
        parent = self.state if self.directory else None
        if parent:
            parent.mkdir(parents=True, exist_ok=True)
        root = Path(tempfile.mkdtemp(prefix=f"bulkput-{self.name}-", dir=parent))
        try:
            yield root
        finally:
            shutil.rmtree(root, ignore_errors=True)

    def acquire_lock(self) -> TextIO | None:
        """The lock that whoever is up holds, or None when somebody holds it. Its file has the holder's pid."""
        lock = (self.state / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return None
        return lock

    def is_up(self) -> bool:
        if not self.state.is_dir():
            return False
        lock = self.acquire_lock()
        if lock is not None:
            lock.close()
        return lock is None


@contextlib.contextmanager
def running(cluster: Cluster) -> Iterator[Cluster]:
    """A store that answers. It ends with the block, however the block ends."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # for good: from here on `sigtimedwait` is how they arrive
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


# --- processes ---


def spawn(command: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start CMD: it shares our terminal, and our standard input and output."""
    return subprocess.Popen(command, env=env, preexec_fn=end_with_parent())


def end_with_parent(signum: int = signal.SIGTERM) -> Callable[[], None]:
    """What a child runs between fork and exec: take signals again, and get `signum` when this process ends."""
    parent = os.getpid()

    def prepare() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        set_parent_death_signal(signum)
        if os.getppid() != parent:  # it ended before the kernel knew whom to tell
            os._exit(1)

    return prepare


def set_parent_death_signal(signum: int) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signum)


def signal_group(server: subprocess.Popen[bytes], signum: int) -> None:
    if server.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signum)
