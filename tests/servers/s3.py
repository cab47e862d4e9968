"""A real S3 for tests: that of the real Swift, that of Ceph's gateway, or moto."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from tests.servers.rgw import RealRgw
from tests.servers.swift import RealSwift

NO_FILES = {
    "AWS_CONFIG_FILE": "/nonexistent/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""The environment in which only variables give credentials: no file of the developer, no instance role."""


@dataclass(frozen=True, slots=True)
class RealS3:
    """An endpoint without a trailing slash, addressed by path, and the credentials of one user."""

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str = "us-east-1"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that every S3 client reads."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,  # boto3's and the AWS CLI's name for it
            **NO_FILES,
        }

    @property
    def address(self) -> tuple[str, int]:
        """Its host and port."""
        parts = urlsplit(self.endpoint)
        return parts.hostname or "", parts.port or 80

    def client(self) -> Any:
        """Gives a boto3 client, the same for the whole process. Threads may share it. Its calls block."""
        return _client(self)

    def make_bucket(self) -> str:
        """Makes a bucket that no other test uses; gives its name."""
        name = f"bulkput-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=name)
        return name


def of_rgw(server: RealRgw) -> RealS3:
    """The S3 of Ceph's gateway is at its root, with the same user and key."""
    return RealS3(_root(server.auth_url), server.user, server.key)


def of_swift(server: RealSwift) -> RealS3:
    """The real Swift's filter s3api is at its root, with the same user and key."""
    return RealS3(_root(server.auth_url), server.user, server.key)


def _root(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


@cache
def _client(server: RealS3) -> Any:
    import boto3  # noqa: PLC0415 - it takes a moment, and most tests need none of it
    from botocore.config import Config  # noqa: PLC0415

    return boto3.session.Session().client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name=server.region,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1},  # a test sees each answer
            max_pool_connections=64,
            request_checksum_calculation="when_required",  # s3api and old gateways refuse trailing checksums
            response_checksum_validation="when_required",
        ),
    )
