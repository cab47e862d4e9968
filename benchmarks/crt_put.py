"""Amazon's library CRT (C, aws-c-s3) putting a tree or a file into S3. aws-cli 2 and boto3 use it as well.

python -m benchmarks.crt_put DIRECTORY ENDPOINT BUCKET         with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION
python -m benchmarks.crt_put FILE ENDPOINT BUCKET NAME

Those two always add a checksum after the body, which Ceph's gateway of the benchmark refuses; here there is none.
"""

import os
import sys
from urllib.parse import quote, urlsplit

from awscrt.auth import AwsCredentialsProvider
from awscrt.http import HttpHeaders, HttpRequest
from awscrt.io import ClientBootstrap, DefaultHostResolver, EventLoopGroup
from awscrt.s3 import S3Client, S3RequestTlsMode, S3RequestType


def put_all(source: str, endpoint: str, bucket: str, name: str = "") -> None:
    """The library itself decides how many requests are in flight, and the size of parts."""
    group = EventLoopGroup()
    is_tls = endpoint.startswith("https:")
    client = S3Client(
        bootstrap=ClientBootstrap(group, DefaultHostResolver(group)),
        region=os.environ["AWS_REGION"],
        credential_provider=AwsCredentialsProvider.new_static(
            os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
        ),
        tls_mode=S3RequestTlsMode.ENABLED if is_tls else S3RequestTlsMode.DISABLED,
    )
    paths = [os.path.join(folder, file) for folder, _, files in os.walk(source) for file in files]
    named = [(source, name)] if name else [(path, os.path.relpath(path, source)) for path in paths]
    host = urlsplit(endpoint).netloc
    running = [_put(client, path, host, f"/{bucket}/{quote(key)}") for path, key in named]
    for request in running:
        request.finished_future.result()


def _put(client: S3Client, path: str, host: str, target: str):
    fields = [("Host", host), ("Content-Length", str(os.path.getsize(path)))]
    request = HttpRequest("PUT", target, HttpHeaders(fields))
    return client.make_request(type=S3RequestType.PUT_OBJECT, request=request, send_filepath=path)


if __name__ == "__main__":
    put_all(*sys.argv[1:])
