"""An upload that is watched: the command in a process of its own, and Debian's chromium on its page."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

_PATIENCE_MS = 30_000
"""How long a page may take to show something, on a machine that does other things too."""
ANNOUNCED = re.compile(r"status page: (http://\S+/)")


@dataclass
class Upload:
    """A running command with a status page."""

    process: "subprocess.Popen[str]"
    url: str

    def ended(self) -> tuple[int, str]:
        """Waits for the end; gives the exit code and what it printed on stderr after the URL."""
        assert self.process.stderr is not None
        err = self.process.stderr.read()  # `communicate` would miss the lines that are buffered behind the first
        return self.process.wait(timeout=60), err


@contextmanager
def uploading(*arguments: str | Path, environ: Mapping[str, str]) -> Iterator[Upload]:
    """Runs `bulkput upload --status-page 0 ARGUMENTS`; it is killed at the end of the block if it still runs."""
    command = [sys.executable, "-m", "bulkput", "upload", "--status-page", "0", *map(str, arguments)]
    with subprocess.Popen(
        command, env=os.environ | dict(environ), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            told = ANNOUNCED.match(line := process.stderr.readline())
            assert told, line + process.stderr.read()
            yield Upload(process, told[1])
        finally:
            process.kill()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's, without a window. Playwright brings one of its own, which nothing here installs."""
    path = shutil.which("chromium")
    assert path, "this test needs a browser: apt install chromium (or deselect it: -m 'not browser')"
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as playwright, TemporaryDirectory() as home:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-quic"],
            env=os.environ | {"HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home},
        )
        yield browser
        browser.close()


@dataclass
class Seen:
    """A page, what its console said, and the hosts that it asked."""

    page: Page
    said: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)


@contextmanager
def looking(browser: Browser, url: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> Iterator[Seen]:
    """Opens `url` in a window of this size; a phone's if it is narrow."""
    context: BrowserContext = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        device_scale_factor=2 if width < 500 else 1,
        locale="en-GB",
    )
    context.set_default_timeout(_PATIENCE_MS)
    seen = Seen(context.new_page())
    seen.page.on("console", lambda message: seen.said.append(f"{message.type}: {message.text}"))
    seen.page.on("pageerror", lambda error: seen.said.append(f"error: {error}"))
    seen.page.on("dialog", lambda dialog: seen.said.append(f"dialog: {dialog.message}"))
    seen.page.on("request", lambda request: seen.hosts.add(urlsplit(request.url).netloc))
    try:
        seen.page.goto(url)
        yield seen
    finally:
        context.close()
