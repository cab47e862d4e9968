"""A container of Swift and a bucket of S3, between which tests copy."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Mapping
from pathlib import Path

from tests.e2e.cli import Ran
from tests.e2e.cli import bulkput as run
from tests.servers.judge import SwiftJudge
from tests.servers.s3 import RealS3
from tests.servers.swift import RealSwift

MIB = 1024 * 1024


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


class Pair:
    """A container of Swift and a bucket of S3, and commands that have the credentials of both."""

    def __init__(self, swift: RealSwift, s3: RealS3) -> None:
        self.judge = SwiftJudge(swift.auth_url, swift.user, swift.key)
        self.container = f"s2s-{uuid.uuid4().hex[:8]}"
        self.judge.put(self.container, "")
        self.s3, self.bucket = s3, s3.make_bucket()
        self.client = s3.client()
        self.environ = {**swift.environment, **s3.environment}

    def __call__(self, *arguments: str | Path, environ: Mapping[str, str] | None = None) -> Ran:
        return run("upload", "--progress", "none", *arguments, environ={**self.environ, **(environ or {})})

    def to_s3(self, *arguments: str | Path, source: str = "x/", to: str = "y/") -> Ran:
        return self(*arguments, f"swift://{self.container}/{source}", f"s3://{self.bucket}/{to}")

    def to_swift(self, *arguments: str | Path, source: str = "x/", to: str = "y/") -> Ran:
        return self(*arguments, f"s3://{self.bucket}/{source}", f"swift://{self.container}/{to}")

    def put_static(self, name: str, *segments: bytes) -> None:
        beside = f"{self.container}_segments"
        self.judge.put(beside, "")
        rows = []
        for number, content in enumerate(segments):
            self.judge.put(beside, f"{name}/{number:04d}", content)
            rows.append({"path": f"/{beside}/{name}/{number:04d}"})
        body = json.dumps(rows).encode()
        self.judge.put(self.container, name, body, query="?multipart-manifest=put", fields={"Content-Type": "text/x-l"})

    def in_s3(self, key: str) -> bytes:
        return bytes(self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def put_s3_in_parts(self, key: str, *parts: bytes) -> str:
        begun = self.client.create_multipart_upload(Bucket=self.bucket, Key=key)["UploadId"]
        rows = []
        for number, content in enumerate(parts, 1):
            sent = self.client.upload_part(Bucket=self.bucket, Key=key, UploadId=begun, PartNumber=number, Body=content)
            rows.append({"PartNumber": number, "ETag": sent["ETag"]})
        self.client.complete_multipart_upload(
            Bucket=self.bucket, Key=key, UploadId=begun, MultipartUpload={"Parts": rows}
        )
        return str(self.client.head_object(Bucket=self.bucket, Key=key)["ETag"]).strip('"')
