"""The contenders that speak S3: the command of each for a tree, and for one file.

Amazon's command line transfers by its own Python code ("classic"), or by the library CRT, in C. scripts/aws installs
its version 1, which has the first. CRT needs version 2, which is not on PyPI: the variable AWS2 names it, else it is
the `aws` on the path.
"""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from benchmarks.command import Command
from benchmarks.servers import Address

HERE = Path(__file__).resolve().parent
VENV = Path(sys.executable).parent
IN_FLIGHT = "64"
RCLONE_TRANSFERS = "32"
AWS = Path(os.environ.get("AWS_VENV", HERE.parent / ".tools" / "aws-venv")) / "bin" / "aws"
CRT_SINCE = (2, 15)
"""Earlier versions connect by CRT to port 80, whatever the endpoint says (seen with 2.9)."""
NO_S3 = "speaks S3 only, the server does not"
S3_ELSEWHERE = "speaks S3 only: see the server with S3"


def bulkput(address: Address, source: Path, *more: str, name: str = "", in_flight: str = IN_FLIGHT) -> Command:
    """On nginx, whose ETags are no MD5s, with a checksum that nginx is set up to return."""
    checked = () if address.proves_bytes else ("--checksum", "md5")
    to = f"s3://{address.container}/{name}" if name else f"s3://{address.container}"
    program = (str(VENV / "bulkput"), "upload", str(source), to, "-q", "--concurrency", in_flight)
    return Command((*program, *checked, *more), address.s3_environ)


def s5cmd(address: Address, source: Path, name: str = "") -> Command | str:
    if not address.s3:
        return NO_S3
    program = (str(VENV / "s5cmd"), "--endpoint-url", address.s3, "--numworkers", IN_FLIGHT)
    what = str(source) if name else f"{source}/"
    return Command((*program, "cp", what, f"s3://{address.container}/{name}"), address.s3_environ)


def rclone(address: Address, source: Path, name: str = "") -> Command:
    program = ("rclone", "copyto" if name else "copy", "--transfers", RCLONE_TRANSFERS, "--no-check-dest")
    to = f":s3:{address.container}" + (f"/{name}" if name else "")
    keys = address.s3_keys
    environ = {
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_S3_PROVIDER": "Other",
        "RCLONE_S3_ENDPOINT": address.s3,
        "RCLONE_S3_ACCESS_KEY_ID": keys["AWS_ACCESS_KEY_ID"],
        "RCLONE_S3_SECRET_ACCESS_KEY": keys["AWS_SECRET_ACCESS_KEY"],
        "RCLONE_S3_REGION": keys["AWS_REGION"],
        "RCLONE_S3_NO_CHECK_BUCKET": "true",
    }
    # It ends at once if the machine has AWS_CA_BUNDLE: "unsupported transport".
    return Command((*program, str(source), to), {**environ, **address.trust, "AWS_CA_BUNDLE": ""})


def aws(address: Address, source: Path, name: str = "") -> Command | str:
    return _aws(str(AWS), "classic", address, source, name)


def aws_crt(address: Address, source: Path, name: str = "") -> Command | str:
    return _aws(str(aws_2()), "crt", address, source, name)


def _aws(program: str, way: str, address: Address, source: Path, name: str) -> Command | str:
    """`aws s3 cp`, with 64 requests in flight if that can be set: see aws-classic.ini and aws-crt.ini."""
    if not address.is_s3_alone:
        return S3_ELSEWHERE if address.s3 else NO_S3
    recursive = () if name else ("--recursive",)
    command = (program, "--endpoint-url", address.s3, "s3", "cp", *recursive, "--only-show-errors")
    environ = {**address.s3_environ, "AWS_CONFIG_FILE": str(HERE / f"aws-{way}.ini")}
    return Command((*command, str(source), f"s3://{address.container}/{name}"), environ)


def crt(address: Address, source: Path, name: str = "") -> Command | str:
    if not address.is_s3_alone:
        return S3_ELSEWHERE if address.s3 else NO_S3
    program = (sys.executable, "-m", "benchmarks.crt_put", str(source), address.s3, address.container)
    return Command((*program, *((name,) if name else ())), address.s3_environ)


def obstore(address: Address, source: Path) -> Command | str:
    program = (sys.executable, "-m", "benchmarks.obstore_put", str(source))
    if address.http:
        return Command((*program, address.http), address.trust)
    if address.s3:
        return Command((*program, address.s3, address.container), address.s3_environ)
    return "speaks plain HTTP and S3, the server neither"


@cache
def aws_2() -> str | None:
    """The path of a version 2 of Amazon's command line whose CRT takes an endpoint with a port; None without one."""
    program = shutil.which(os.environ.get("AWS2", "aws"))
    if program is None:
        return None
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"aws-cli/(\d+)\.(\d+)", said)
    return program if found and (int(found[1]), int(found[2])) >= CRT_SINCE else None
