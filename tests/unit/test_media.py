"""Content types: by suffix, the same everywhere."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bulkput.policy import media_table
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
def test_the_suffix_decides_the_content_type(name: str, kind: str) -> None:
    """A compressed file has its own type; dotfiles and suffixes of directories do not count."""
    assert content_type(name) == kind


@pytest.mark.parametrize(
    ("suffixes", "kind"),
    [
        ("html htm", "text/html"),
        ("txt log conf ini", "text/plain"),
        ("css", "text/css"),
        ("csv", "text/csv"),
        ("js mjs", "text/javascript"),  # RFC 9239
        ("md markdown", "text/markdown"),  # RFC 7763
        ("ics", "text/calendar"),
        ("vtt", "text/vtt"),
        ("py", "text/x-python"),
        ("json map", "application/json"),
        ("jsonl", "application/jsonl"),
        ("jsonld", "application/ld+json"),
        ("geojson", "application/geo+json"),
        ("webmanifest", "application/manifest+json"),
        ("yaml yml", "application/yaml"),  # RFC 9512
        ("toml", "application/toml"),
        ("xml xsd", "application/xml"),
        ("wasm", "application/wasm"),
        ("pdf", "application/pdf"),
        ("rtf", "application/rtf"),
        ("sql", "application/sql"),
        ("jar", "application/java-archive"),
        ("parquet", "application/vnd.apache.parquet"),
        ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("epub", "application/epub+zip"),
        ("zip", "application/zip"),
        ("7z", "application/x-7z-compressed"),
        ("gz tgz svgz", "application/gzip"),
        ("zst", "application/zstd"),
        ("Z", "application/x-compress"),
        ("lz4", "application/x-lz4"),
        ("iso exe", DEFAULT),
        ("webp", "image/webp"),
        ("avif", "image/avif"),
        ("heic", "image/heic"),
        ("jxl", "image/jxl"),
        ("svg", "image/svg+xml"),
        ("tif tiff", "image/tiff"),
        ("ico", "image/vnd.microsoft.icon"),
        ("bmp", "image/bmp"),
        ("ttf", "font/ttf"),
        ("otf", "font/otf"),
        ("woff", "font/woff"),
        ("woff2", "font/woff2"),
        ("mp3", "audio/mpeg"),
        ("wav", "audio/wav"),
        ("m4a", "audio/mp4"),
        ("opus ogg", "audio/ogg"),
        ("flac", "audio/x-flac"),
        ("mp4", "video/mp4"),
        ("webm", "video/webm"),
        ("mov", "video/quicktime"),
        ("mpd", "application/dash+xml"),
        ("m3u8", "application/vnd.apple.mpegurl"),
        ("ts", "video/mp2t"),
        ("glb", "model/gltf-binary"),
        ("tsx rst Dockerfile", DEFAULT),
    ],
)
def test_common_suffixes_have_their_expected_content_types(suffixes: str, kind: str) -> None:
    """No type has a charset."""
    assert {content_type(f"a.{suffix}") for suffix in suffixes.split()} == {kind}


def test_the_content_type_table_is_generated_from_mime_db(tmp_path: Path) -> None:
    """scripts/media_types.py chooses between types that claim one suffix, and names its source."""
    db = {
        "application/mp4": {"source": "iana", "extensions": ["mp4", "m4p"]},
        "video/mp4": {"source": "iana", "charset": "UTF-8", "extensions": ["mp4"]},
        "application/javascript": {"source": "apache", "extensions": ["js"]},
        "text/javascript": {"source": "iana", "extensions": ["js"]},
        "image/x-icon": {"source": "apache", "extensions": ["ico"]},
        "image/vnd.microsoft.icon": {"source": "iana", "extensions": ["ico"]},
        "audio/wave": {"extensions": ["wav"]},
        "audio/wav": {"extensions": ["wav"]},
        "text/none": {"source": "iana"},
    }
    for name, text in (("db.json", json.dumps(db)), ("package.json", '{"version": "0.1"}'), ("LICENSE", "Free.\n")):
        (tmp_path / name).write_text(text)
    script = Path(__file__).parents[2] / "scripts" / "media_types.py"
    module = subprocess.run([sys.executable, script, tmp_path], capture_output=True, text=True, check=True).stdout
    made: dict[str, str] = {}
    exec(module, made)
    assert "mime-db 0.1" in made["__doc__"] and "Free." in made["__doc__"]
    assert made["TABLE"].split() == [
        *("application/", "mp4:m4p", "audio/", "wav:wav", "image/", "vnd.microsoft.icon:ico"),
        *("text/", "javascript:js", "video/", "mp4:mp4"),
    ]


def test_the_content_type_table_names_its_source_and_is_valid() -> None:
    """It has the digest and the licence of a released mime-db; each suffix is listed once."""
    assert "mime-db 1." in (media_table.__doc__ or "") and "SHA-256" in media_table.__doc__
    assert "Permission is hereby granted" in media_table.__doc__
    suffixes = [suffix for word in media_table.TABLE.split() if ":" in word for suffix in word.split(":")[1].split(",")]
    assert len(suffixes) == len(set(suffixes)) > 1200
    kinds = {content_type(f"a.{suffix}") for suffix in suffixes}
    assert all(re.fullmatch(r"[a-z-]+/[a-z0-9][a-z0-9.+-]*", kind) for kind in kinds)


def test_mimetypes_is_not_imported() -> None:
    """Its table differs between Python versions and depends on /etc/mime.types."""
    program = "import sys; from bulkput.policy import media, plan; sys.exit('mimetypes' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_content_types_do_not_depend_on_the_machine(tmp_path: Path) -> None:
    """/etc/mime.types has no effect."""
    table = tmp_path / "mime.types"
    table.write_text("application/x-local html unheardof\n")
    program = (
        f"import mimetypes; mimetypes.knownfiles[:] = [{str(table)!r}]; mimetypes.init()\n"
        "from bulkput.policy.media import content_type\n"
        "print(mimetypes.guess_type('a.html')[0], content_type('a.html'), content_type('a.unheardof'))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["application/x-local", "text/html", DEFAULT]
