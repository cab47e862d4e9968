"""Checks the options of an upload with the rules of the run and the powers of the store."""

from bulkput.errors import UsageError
from bulkput.options import HeaderOptions, UploadOptions
from bulkput.policy.headers import check_compressible
from bulkput.stores.base import Store


def checked_headers(options: UploadOptions) -> HeaderOptions:
    """The headers that the store has to be able to keep. Raises UsageError for those that cannot be sent."""
    headers = options.headers
    if options.rules:
        from bulkput.policy.rules import check_rules, every_header  # noqa: PLC0415 - only a run with rules needs them

        check_rules(options)
        headers = every_header(options)
    check_compressible(options)
    return headers


def check_classes(options: UploadOptions, store: Store) -> None:
    """Raises UsageError."""
    from bulkput.policy.rules import check_storage_classes  # noqa: PLC0415 - see above

    check_storage_classes(options.rules, has_storage_classes=store.powers.storage_classes)


def check_comparable(options: UploadOptions) -> None:
    """Raises UsageError for a run that needs the MD5s of objects, where the store shows none."""
    if options.skip.mode == "identical":
        raise UsageError(
            "`skip.mode='identical'` compares MD5s, and this store shows none of its objects:"
            " `skip.mode='unchanged'` compares size and time"
        )
    if options.if_exists == "differs":
        raise UsageError(
            "`if_exists='differs'` compares MD5s, and this store shows none of its objects: `if_exists='fail'` or"
            " `if_exists='skip'` needs none"
        )
