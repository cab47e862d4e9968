"""Temporary certificates: an authority that no client trusts by default, and certificates for local servers."""

from __future__ import annotations

import ipaddress
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_DAYS = 2


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files: the certificate of a server, its key, and the authority that a client has to trust."""

    file: Path
    key: Path
    authority: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority; `directory` has its files and those of its certificates."""

    directory: Path

    @property
    def file(self) -> Path:
        return self.directory / "authority.pem"

    def issue(self, *hosts: str, days: int = _DAYS) -> Certificate:
        """Issues a certificate for these names and addresses; with negative `days` it has already expired."""
        place = Path(tempfile.mkdtemp(dir=self.directory))
        made = Certificate(place / "certificate.pem", place / "key.pem", self.file)
        request, more = place / "request.pem", place / "extensions"
        more.write_text(f"subjectAltName={','.join(map(_alternative, hosts))}\n")
        _openssl("req", *_KEY, "-keyout", made.key, "-out", request, "-subj", f"/CN={hosts[0]}")
        signed = ("-CA", self.file, "-CAkey", self.directory / "authority.key", "-set_serial", "1")
        _openssl("x509", "-req", "-in", request, *signed, "-days", str(days), "-extfile", more, "-out", made.file)
        return made


def make_authority(directory: Path) -> Authority:
    """Creates an authority in an existing directory."""
    authority = Authority(directory)
    names = ("-keyout", directory / "authority.key", "-out", authority.file, "-subj", "/CN=to be thrown away")
    _openssl("req", "-x509", *_KEY, *names, "-days", str(_DAYS), "-addext", "keyUsage=critical,keyCertSign")
    return authority


def _alternative(host: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(host)}"
    except ValueError:
        return f"DNS:{host}"


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
