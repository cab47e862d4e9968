"""Write bulkput/policy/media_table.py from mime-db's db.json.

    npm pack mime-db@1.54.0 && tar -xzf mime-db-1.54.0.tgz
    .venv/bin/python scripts/media_types.py package > bulkput/policy/media_table.py

Where several types claim a suffix, the one with the highest score gets it, as npm's mime-types scores them
(mimeScore.js): a registered name before `vnd.`, that before `x.`, `x-` and `prs.`; then IANA's before others; then
video, font or audio, application, the rest; then the shorter name.
"""

import hashlib
import json
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_FACETS = {"prs.": 100, "x-": 200, "x.": 300, "vnd.": 400}
_SOURCES = {"nginx": 10, "apache": 20, None: 30, "iana": 40}
_MAIN = {"application": 1, "font": 2, "audio": 2, "video": 3}
_HEAD = '''\
"""Suffixes of media types, made by scripts/media_types.py from mime-db {version}: do not edit, `media.py` corrects it.

https://github.com/jshttp/mime-db, db.json, SHA-256 {digest}.
It collects the registry of IANA and the tables of Apache and nginx. Its licence (MIT):

{licence}
"""

TABLE = """
'''


def score(kind: str, source: str | None) -> float:
    """How much is to be said for a type; the highest gets the suffix."""
    main, _, sub = kind.partition("/")
    facet = next((points for start, points in _FACETS.items() if sub.startswith(start)), 900)
    return facet + _SOURCES[source] + _MAIN.get(main, 0) + (1 - len(kind) / 100)


def by_suffix(db: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The type of each suffix."""
    best: dict[str, tuple[float, str]] = {}
    for kind, about in db.items():
        points = score(kind, about.get("source"))
        for suffix in about.get("extensions", ()):
            best[suffix] = max(best.get(suffix, (0.0, "")), (points, kind))
    return {suffix: kind for suffix, (_, kind) in best.items()}


def table(types: Mapping[str, str]) -> str:
    """`application/` on a line of its own, below it `json:json,map pdf:pdf ...`: each subtype with its suffixes."""
    suffixes: dict[str, dict[str, list[str]]] = {}
    for suffix, kind in sorted(types.items()):
        main, _, sub = kind.partition("/")
        suffixes.setdefault(main, {}).setdefault(sub, []).append(suffix)
    lines = []
    for main, subs in sorted(suffixes.items()):
        text = " ".join(f"{sub}:{','.join(names)}" for sub, names in sorted(subs.items()))
        lines += [f"{main}/", *textwrap.wrap(text, 120, break_long_words=False, break_on_hyphens=False)]
    return "\n".join(lines)


def main() -> None:
    """The module, on stdout."""
    package = Path(sys.argv[1])
    raw = (package / "db.json").read_bytes()
    head = _HEAD.format(
        version=json.loads((package / "package.json").read_text())["version"],
        digest=hashlib.sha256(raw).hexdigest(),
        licence=(package / "LICENSE").read_text().strip(),
    )
    sys.stdout.write(f'{head}{table(by_suffix(json.loads(raw)))}\n"""\n')


if __name__ == "__main__":
    main()
