"""Interactive shells on a pseudo terminal: a test types keys, and asks what the command line has become."""

import os
import pty
import selectors
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Literal

ALL = "\x18a"
"""The key that puts all completions into the line."""
_TELL = "\x18t"
"""The key that tells the line, and empties it."""
_LIMIT_S = 20
PROGRAMS = Path(sys.executable).parent
"""Where the console script is that the shells run."""

# TOLD is the descriptor of a pipe to the test.
_BASH = """
    PS1='> '
    bind 'set enable-bracketed-paste off'
    tell() { printf '%s\\0' "$READLINE_LINE" >&TOLD; READLINE_LINE=; READLINE_POINT=0; }
    bind -x '"\\C-xt": tell'
    bind '"\\C-xa": insert-completions'
    source <(bulkput completion bash)
"""
_ZSH = """
    PS1='> '
    unset zle_bracketed_paste
    autoload -Uz compinit && compinit -u -D
    tell() { printf '%s\\0' "$BUFFER" >&TOLD; BUFFER=; }
    zle -N tell && bindkey '^Xt' tell
    insert-all() { _main_complete; compstate[insert]=all; }
    zle -C insert-all complete-word insert-all && bindkey '^Xa' insert-all
    source <(bulkput completion zsh)
"""
_PROGRAM = {"bash": ["bash", "--noprofile", "--rcfile", "{home}/.rc", "-i"], "zsh": ["zsh", "-i"]}
_RC = {"bash": (".rc", _BASH), "zsh": (".zshrc", _ZSH)}


class Shell:
    """A shell that runs; `typed` is all that one does with it."""

    def __init__(self, terminal: int, told: int) -> None:
        self._terminal = terminal
        self._told = told
        self._screen = b""

    def typed(self, keys: str) -> str:
        """Type the keys at an empty prompt, and give the line that results."""
        os.write(self._terminal, (keys + _TELL).encode())
        line = b""
        with selectors.DefaultSelector() as ready:
            ready.register(self._terminal, selectors.EVENT_READ)
            ready.register(self._told, selectors.EVENT_READ)
            while not line.endswith(b"\0"):
                events = ready.select(_LIMIT_S)
                assert events, f"{keys!r}: no answer; the screen: {self._screen.decode(errors='replace')}"
                for key, _ in events:
                    if key.fd == self._told:
                        line += os.read(self._told, 65536)
                    else:
                        self._screen += os.read(self._terminal, 65536)
        return line[:-1].decode()


def environ_of(home: Path) -> dict[str, str]:
    """The variables of a shell whose user has only what is in `home`."""
    return {
        "HOME": str(home),
        "ZDOTDIR": str(home),
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "TERM": "xterm",
        "LC_ALL": "C.UTF-8",
    }


@contextmanager
def shell(name: Literal["bash", "zsh"], home: Path, cwd: Path) -> Iterator[Shell]:
    """Run an interactive shell in `cwd` that has read our completion script."""
    file, text = _RC[name]
    ours, theirs = pty.openpty()
    told, tell = os.pipe()
    (home / file).write_text(dedent(text).replace("TOLD", str(tell)))
    process = subprocess.Popen(
        [word.format(home=home) for word in _PROGRAM[name]],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=cwd,
        env=environ_of(home),
        pass_fds=[tell],
        start_new_session=True,
    )
    os.close(theirs)
    os.close(tell)
    try:
        yield Shell(ours, told)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(told)
