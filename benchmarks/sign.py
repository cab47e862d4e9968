"""What one signature of a request to S3 costs: ours, botocore's, in turns.

    scripts/bench sign [--rounds 9] [--count 2000]

Both sign the same PUTs of empty bodies, and have to agree on the signatures. CPU time of one thread.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks.turns import spread
from bulkput.stores.s3.sign import Keys, Signer

_KEYS = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
_HOST, _REGION = "127.0.0.1:8000", "us-east-1"
_FIELDS = {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg==",
    "x-amz-meta-mtime": "1600000000.123456789",
}
_PAYLOAD = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench sign", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--count", type=int, default=2000)
    given = parser.parse_args()
    if min(given.rounds, given.count) < 1:
        parser.error("--rounds and --count are 1 or more")
    paths = [f"/bucket/path/to/object-{number}" for number in range(given.count)]
    ours, theirs = _ours(), _botocores()
    if not _agree(ours, theirs, paths[:50]):
        raise SystemExit("the signatures differ")
    took: dict[str, list[float]] = {"bulkput": [], "botocore": []}
    for number in range(given.rounds):
        for name, sign in sorted({"bulkput": ours, "botocore": theirs}.items(), reverse=bool(number % 2)):
            took[name].append(_us(sign, paths))
    for name, each in took.items():
        print(f"{name:9} {spread(each, unit=1, digits=1)} us per signature")
    shares = [mine / other for mine, other in zip(took["bulkput"], took["botocore"], strict=True)]
    print(f"bulkput takes {spread(shares, unit=1, digits=3)} of botocore's time, in the same round")
    return 0 if median(shares) < 1 else 1


def _us(sign: Callable[[list[str]], object], paths: list[str]) -> float:
    began_s = time.thread_time()
    sign(paths)
    return (time.thread_time() - began_s) / len(paths) * 1e6


def _ours() -> Callable[[list[str]], list[str]]:
    signer = Signer(_KEYS, _REGION)

    def sign(paths: list[str]) -> list[str]:
        now_s = time.time()
        return [signer.signed(("PUT", _HOST, path, ""), _FIELDS, _PAYLOAD, now_s)["Authorization"] for path in paths]

    return sign


def _botocores() -> Callable[[list[str]], list[str]]:
    from botocore.auth import S3SigV4Auth  # noqa: PLC0415 - an extra
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415
    from botocore.credentials import Credentials  # noqa: PLC0415

    auth = S3SigV4Auth(Credentials(_KEYS.access_key, _KEYS.secret), "s3", _REGION)

    def sign(paths: list[str]) -> list[str]:
        return [signed(AWSRequest("PUT", f"http://{_HOST}{path}", headers=_FIELDS)) for path in paths]

    def signed(request: Any) -> str:
        auth.add_auth(request)  # of an empty body, whose SHA-256 is _PAYLOAD
        return str(request.headers["Authorization"])

    return sign


def _agree(ours: Callable[[list[str]], list[str]], theirs: Callable[[list[str]], list[str]], paths: list[str]) -> bool:
    """Whether both give the same signatures; a second try if a new second has begun in between."""
    return any(ours(paths) == theirs(paths) for _ in range(3))


if __name__ == "__main__":
    raise SystemExit(main())
