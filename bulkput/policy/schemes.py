"""What to type in place of a scheme that people know from other tools, and that has no store here.

| scheme                                   | then                                                              |
|------------------------------------------|-------------------------------------------------------------------|
| gs, r2, b2, minio                        | their services speak S3: s3://, with the address of the service   |
| s3a, s3n                                 | names that Hadoop has for S3: s3://                               |
| ceph, rgw, radosgw                       | speaks Swift and S3                                               |
| az, azure, abfs, abfss, wasb, wasbs      | speaks neither: a store of another package                        |
| dav, davs, webdav, webdavs               | WebDAV is plain HTTP: http:// or https://                         |
| file                                     | the example of docs/stores.md                                     |
| ftp, ftps, sftp, scp, ssh, rsync         | no object store: rsync                                            |
"""

_BY_S3 = "{} speaks S3: write s3://BUCKET[/PREFIX], and set AWS_ENDPOINT_URL={}"
_ADVICE = {
    "gs": _BY_S3.format("Google Cloud Storage", "https://storage.googleapis.com"),
    "r2": _BY_S3.format("Cloudflare R2", "https://ACCOUNT.r2.cloudflarestorage.com"),
    "b2": _BY_S3.format("Backblaze B2", "https://s3.REGION.backblazeb2.com"),
    "minio": _BY_S3.format("MinIO", "https://HOST:9000"),
    "s3a": "S3 is written s3://BUCKET[/PREFIX]",
    "ceph": "Ceph's gateway speaks Swift and S3: write swift://CONTAINER[/PREFIX]",
    "az": "Azure Blob Storage speaks neither Swift nor S3, so another package has to bring its store: docs/stores.md",
    "dav": "WebDAV is plain HTTP: write https://HOST/PATH/",
    "file": "a store for directories on disk is the example of docs/stores.md; rsync copies files without one",
    "ftp": "that is no object store: rsync and rclone send files there",
}
_SAME = {
    "s3n": "s3a", "rgw": "ceph", "radosgw": "ceph", "azure": "az", "abfs": "az", "abfss": "az", "wasb": "az",
    "wasbs": "az", "davs": "dav", "webdav": "dav", "webdavs": "dav", "ftps": "ftp", "sftp": "ftp", "scp": "ftp",
    "ssh": "ftp", "rsync": "ftp",
}  # fmt: skip


def what_to_type(scheme: str) -> str | None:
    """One sentence for a scheme without a store; None if it is not known either."""
    return _ADVICE.get(_SAME.get(scheme, scheme))
