"""Content types: by suffix, the same everywhere."""

import subprocess
import sys
from pathlib import Path

import pytest

from bulkput.policy.media import DEFAULT, content_type


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("index.html", "text/html"),
        ("INDEX.HTML", "text/html"),
        ("a.txt", "text/plain"),
        ("a.json", "application/json"),
        ("a.css", "text/css"),
        ("a.png", "image/png"),
        ("a.Jpg", "image/jpeg"),
        ("a.zip", "application/zip"),
        ("a.tar", "application/x-tar"),
        ("a.tar.gz", "application/gzip"),
        ("a.tgz", "application/gzip"),
        ("a.html.gz", "application/gzip"),
        ("a.tar.bz2", "application/x-bzip2"),
        ("a.tar.xz", "application/x-xz"),
        ("a.js.br", "application/x-brotli"),
        ("d.html/a.txt", "text/plain"),
        ("d.html/README", DEFAULT),
        ("d.html/", DEFAULT),
        (".html", DEFAULT),
        ("d/.json", DEFAULT),
        (".hidden.json", "application/json"),
        ("README", DEFAULT),
        ("a.", DEFAULT),
        ("a.unheard-of", DEFAULT),
        ("a.html?x", DEFAULT),
        ("a.x:y", DEFAULT),
        ("", DEFAULT),
        (".", DEFAULT),
        ("a\n.html", "text/html"),
    ],
)
def test_the_suffix_says_the_type(name: str, kind: str) -> None:
    """A compressed file is what it is; a dotfile has no suffix; a directory's suffix does not count."""
    assert content_type(name) == kind


def test_the_machine_s_own_tables_do_not_count(tmp_path: Path) -> None:
    """The same tree gets the same types everywhere, whatever /etc/mime.types says."""
    table = tmp_path / "mime.types"
    table.write_text("application/x-local html unheardof\n")
    program = (
        f"import mimetypes; mimetypes.knownfiles[:] = [{str(table)!r}]; mimetypes.init()\n"
        "from bulkput.policy.media import content_type\n"
        "print(mimetypes.guess_type('a.html')[0], content_type('a.html'), content_type('a.unheardof'))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["application/x-local", "text/html", DEFAULT]
