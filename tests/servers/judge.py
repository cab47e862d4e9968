"""Reads a Swift account with the standard library's HTTP client, and an S3 with boto3: without any code of bulkput."""

import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from tests.servers.s3 import RealS3


@dataclass(frozen=True, slots=True)
class Seen:
    """An object as a GET gives it."""

    content: bytes
    headers: Mapping[str, str]


@dataclass(slots=True)
class SwiftJudge:
    """Reads one Swift account. Blocks: call it in a thread from async tests."""

    auth_url: str
    user: str
    key: str = field(repr=False)
    _storage: str = ""
    _token: str = ""

    def get(self, container: str, name: str) -> Seen | None:
        """Gives an object; None if it does not exist."""
        status, headers, content = self._request("GET", f"/{quote(container)}/{quote(name)}")
        if status == 404:
            return None
        assert status == 200, (status, name)
        return Seen(content, headers)

    def head(self, container: str, name: str) -> Mapping[str, str]:
        """Gives the fields of an object."""
        status, headers, _ = self._request("HEAD", f"/{quote(container)}/{quote(name)}")
        assert status in (200, 204), (status, name)
        return headers

    def content(self, container: str, name: str) -> bytes | None:
        """Gives an object's bytes; None if it does not exist."""
        seen = self.get(container, name)
        return seen.content if seen is not None else None

    def totals(self, container: str) -> tuple[int, int]:
        """Gives the number of objects and their bytes, as a HEAD of the container has them; some stores count late."""
        _, headers, _ = self._request("HEAD", f"/{quote(container)}")
        return int(headers.get("X-Container-Object-Count", "0")), int(headers.get("X-Container-Bytes-Used", "0"))

    def containers(self) -> list[str]:
        """Gives the names of the first containers."""
        status, _, content = self._request("GET", "?format=json")
        assert status == 200, status
        return [row["name"] for row in json.loads(content)]

    def names(self, container: str) -> list[str]:
        return [row["name"] for row in self.rows(container)]

    def rows(self, container: str) -> list[dict[str, Any]]:
        """Gives all rows of the listing, page by page."""
        rows: list[dict[str, Any]] = []
        while True:
            query = urlencode({"format": "json", "marker": rows[-1]["name"] if rows else ""})
            status, _, content = self._request("GET", f"/{quote(container)}?{query}")
            if status == 404:
                return []
            assert status == 200, status
            if not (page := json.loads(content)):
                return rows
            rows += page

    @property
    def storage_url(self) -> str:
        """The URL of the account from the answer to a login."""
        if not self._token:
            _, headers, _ = _ask("GET", self.auth_url, {"X-Auth-User": self.user, "X-Auth-Key": self.key})
            self._storage, self._token = headers["X-Storage-Url"], headers["X-Auth-Token"]
        return self._storage

    @property
    def token(self) -> str:
        """The token of the login."""
        return self._token if self.storage_url else ""

    def put(
        self,
        container: str,
        name: str,
        content: bytes = b"",
        *,
        query: str = "",
        fields: Mapping[str, str] | None = None,
    ) -> None:
        """Stores an object without bulkput; with an empty name, creates the container."""
        path = f"/{quote(container)}" + (f"/{quote(name)}" if name else "")
        status, _, text = self._request("PUT", path + query, content, fields)
        assert status in (201, 202), (status, name, text)

    def set_key(self, key: str, container: str = "") -> None:
        """Sets the key for temporary URLs, of the account or of a container; none if it is empty."""
        self.post(container, "", {f"X-{'Container' if container else 'Account'}-Meta-Temp-URL-Key": key})

    def post(self, container: str, name: str, fields: Mapping[str, str]) -> None:
        """Changes the fields of an object; of the container if the name is empty, of the account if both are."""
        path = "/".join(["", *(quote(each) for each in (container, name) if each)])
        status, _, text = self._request("POST", path if container else "", b"", fields)
        assert status in (202, 204), (status, name, text)

    def delete(self, container: str, name: str | None = None) -> None:
        """Deletes an object, or without a name the empty container."""
        path = f"/{quote(container)}" + (f"/{quote(name)}" if name is not None else "")
        status, _, _ = self._request("DELETE", path)
        assert status == 204, (status, path)

    def _request(
        self, method: str, path: str, body: bytes | None = None, fields: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        storage_url = self.storage_url
        return _ask(method, storage_url + path, {"X-Auth-Token": self._token, **(fields or {})}, body)


def _ask(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
) -> tuple[int, Mapping[str, str], bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request(method, url[len(f"{parts.scheme}://{parts.netloc}") :], body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


@dataclass(frozen=True, slots=True)
class S3Judge:
    """Reads one S3. Blocks: call it in a thread from async tests."""

    server: RealS3

    def get(self, bucket: str, key: str) -> Seen | None:
        """Gives an object and its header fields; None if it does not exist."""
        client = self.server.client()
        try:
            answer = client.get_object(Bucket=bucket, Key=key)
        except client.exceptions.NoSuchKey:
            return None
        with answer["Body"] as body:
            return Seen(body.read(), answer["ResponseMetadata"]["HTTPHeaders"])

    def content(self, bucket: str, key: str) -> bytes | None:
        """Gives an object's bytes; None if it does not exist."""
        seen = self.get(bucket, key)
        return seen.content if seen is not None else None

    def head(self, bucket: str, key: str) -> Mapping[str, str]:
        """Gives the header fields of an object, their names in small letters."""
        answer = self.server.client().head_object(Bucket=bucket, Key=key)
        fields: Mapping[str, str] = answer["ResponseMetadata"]["HTTPHeaders"]
        return fields

    def names(self, bucket: str) -> list[str]:
        """Gives the names of all objects, in the order of the listing."""
        return [row["Key"] for row in self.rows(bucket)]

    def rows(self, bucket: str) -> list[dict[str, Any]]:
        """Gives all rows of the listing, page by page."""
        pages = self.server.client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [row for page in pages for row in page.get("Contents", ())]

    def unfinished(self, bucket: str, prefix: str = "") -> list[str]:
        """Gives the names of uploads in parts that are neither completed nor aborted."""
        pages = self.server.client().get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
        return [row["Key"] for page in pages for row in page.get("Uploads", ())]

    def put(self, bucket: str, key: str, content: bytes = b"", **parameters: Any) -> None:
        """Stores an object without bulkput."""
        self.server.client().put_object(Bucket=bucket, Key=key, Body=content, **parameters)

    def buckets(self) -> Iterator[str]:
        """Gives the names of the user's buckets."""
        for row in self.server.client().list_buckets()["Buckets"]:
            yield row["Name"]
