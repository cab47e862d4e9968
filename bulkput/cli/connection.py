"""The options about requests to a store, which several verbs share."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

import click

from bulkput.cli.values import Bandwidth, Concurrency, Count, Rate, Seconds
from bulkput.options import RetryOptions, WireOptions

_PER_CONTAINER = "Write at most this many objects per second to each container, such as 50/s."


def rate_options(rate: str, bandwidth: str | None = None) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a verb --rate, --rate-per-container, --rate-shared, and --bandwidth if it sends bodies. Below
    `connection_options`: all go into its `wire`."""

    def decorate(verb: Callable[..., int]) -> Callable[..., int]:
        @click.option("--rate", type=Rate(), help=rate)
        @click.option("--rate-per-container", type=Rate(), help=_PER_CONTAINER)
        @click.option(
            "--rate-shared", metavar="SERVICE", help="Share a rate with other runs: the URL that bulkput rate prints."
        )
        @wraps(verb)
        def with_rates(
            *,
            wire: WireOptions,
            rate: float | None,
            rate_per_container: float | None,
            rate_shared: str | None,
            bandwidth: float | None = None,
            **others: Any,
        ) -> int:
            wire = replace(wire, objects_per_s=rate, container_objects_per_s=rate_per_container)
            return verb(wire=replace(wire, bytes_per_s=bandwidth, rate_shared=rate_shared), **others)

        if bandwidth is None:
            return with_rates
        return click.option("--bandwidth", type=Bandwidth(), help=bandwidth)(with_rates)

    return decorate


def server_options(verb: Callable[..., int]) -> Callable[..., int]:
    """Give a verb --cloud and --insecure, as its argument `wire`.

    OS_CACERT, OS_CERT and OS_KEY name the certificates of both sides, as for OpenStack's own clients; and --cloud is
    OS_CLOUD.
    """

    @click.option("--cloud", metavar="NAME", help="Swift: log in to this cloud of clouds.yaml. Default: OS_CLOUD.")
    @click.option("--insecure", is_flag=True, help="Do not check TLS certificates.")
    @wraps(verb)
    def with_server(*, cloud: str | None, insecure: bool, **others: Any) -> int:
        if cloud is not None:
            os.environ["OS_CLOUD"] = cloud
        cert_file = os.environ.get("OS_CERT") or None
        wire = WireOptions(
            verify_tls=not insecure,
            ca_file=os.environ.get("OS_CACERT") or None,
            cert_file=cert_file,
            key_file=(cert_file and os.environ.get("OS_KEY")) or None,
        )
        return verb(wire=wire, **others)

    return with_server


def connection_options(
    concurrency: str,
    *,
    retries: str = "Retries per request, after random pauses that grow.",
    timeout: str = "Time limit of a request.",
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a verb --concurrency, --retries, --first-retries, --timeout and the `server_options`, as its arguments
    `wire` and `retry`.

    The texts are the options' help.
    """

    def decorate(verb: Callable[..., int]) -> Callable[..., int]:
        timeout_s, retry = WireOptions().timeout_s, RetryOptions()

        @click.option("--concurrency", type=Concurrency(), default="auto", show_default=True, help=concurrency)
        @click.option("--retries", type=Count(0), default=retry.retries, show_default=True, help=retries)
        @click.option(
            "--first-retries",
            type=Count(0),
            default=retry.first_retries,
            show_default=True,
            help="Retries until a server has answered once; an object's own PUT has --retries.",
        )
        @click.option("--timeout", type=Seconds(0.1, 86_400), default=timeout_s, show_default=True, help=timeout)
        @server_options
        @wraps(verb)
        def with_connection(
            *,
            wire: WireOptions,
            concurrency: int | None,
            retries: int,
            first_retries: int,
            timeout: float,
            **others: Any,
        ) -> int:
            chosen = replace(wire, concurrency=concurrency, timeout_s=timeout)
            return verb(wire=chosen, retry=RetryOptions(retries=retries, first_retries=first_retries), **others)

        return with_connection

    return decorate
