"""The page as its server sends it, and the same page as one file.

The file has style, scripts and numbers in it and loads nothing. Its Content-Security-Policy names the hash of each
script and style, so nothing else can run, whatever a file is called. All texts of a run are data in JSON, and the
script shows them by `textContent` only.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from bulkput.record import frozen

STYLES = ("uplot/uPlot.min.css", "page.css")
SCRIPTS = ("uplot/uPlot.iife.min.js", "charts.js", "page.js")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, no inline script or style, no frame."""
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_ASSETS = "<!-- assets -->"
"""Where the template takes styles and scripts."""


@frozen
class Asset:
    """A file of the page, and its type for `Content-Type`."""

    content: bytes
    content_type: str


@cache
def assets() -> Mapping[str, Asset]:
    """What the server sends, by path. Reads files: call it before the event loop runs."""
    links = [f'<link rel="stylesheet" href="{name}">' for name in STYLES]
    links += ['<link rel="icon" href="icon.svg">', *(f'<script src="{name}" defer></script>' for name in SCRIPTS)]
    found = {f"/{name}": Asset(_read(name).encode(), _type(name)) for name in (*STYLES, *SCRIPTS, "icon.svg")}
    return {"/": Asset(_read("index.html").replace(_ASSETS, "\n".join(links)).encode(), _type("index.html")), **found}


def report(numbers: Mapping[str, Any]) -> str:
    """The whole page with these numbers as one file. `numbers` is `Numbers.as_json()`."""
    style = "\n".join(map(_read, STYLES))
    scripts = [_read(name) for name in SCRIPTS]
    policy = (
        f"default-src 'none'; style-src {_source(style)}; script-src {' '.join(map(_source, scripts))};"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )
    inlined = [
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        f"<style>{style}</style>",
        '<link rel="icon" href="data:,">',
    ]
    # `<` is all that could end the element early, or begin a comment in it (HTML, 13.2.5.4: script data state).
    data = json.dumps(numbers).replace("<", "\\u003c")
    body = [f'<script type="application/json" id="numbers">{data}</script>']
    body += [f"<script>{script}</script>" for script in scripts]
    return _read("index.html").replace(_ASSETS, "\n".join(inlined)).replace("</body>", "\n".join([*body, "</body>"]))


def _source(text: str) -> str:
    """The hash of an inline script or style, as a Content-Security-Policy names it."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _type(name: str) -> str:
    return _TYPES[name.rpartition(".")[2]]


@cache
def _read(name: str) -> str:
    return files("bulkput.watch").joinpath("static", name).read_text("utf-8")
