"""The flags about processes that share an upload, on this machine or on others."""

from collections.abc import Callable
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import click

from bulkput.errors import UsageError
from bulkput.record import frozen

if TYPE_CHECKING:
    from bulkput.scale.engine import Engine

_MOST = 512


class Processes(click.ParamType[int]):
    """A number of processes. auto: 0, one for each core."""

    name = "n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if value == "auto":
            return 0
        try:
            return int(click.IntRange(1, _MOST).convert(value, param, ctx))
        except click.BadParameter:
            self.fail(f"{value!r} is neither auto nor a number from 1 to {_MOST}", param, ctx)


@frozen
class Scale:
    """Which processes send the files; by default this one."""

    processes: int | None = None
    cluster: str | None = None

    def upload(self, destination: str) -> Callable[..., Any]:
        """The verb `upload`, by these processes, which begin to start now. Raises UsageError."""
        if self.processes in (None, 1) and self.cluster is None:
            from bulkput.engine.upload.upload import upload  # noqa: PLC0415 - asyncio, and all else

            return upload
        engine = self._engine(destination)
        from bulkput.scale.upload import upload_sharded  # noqa: PLC0415 - multiprocessing, pickle

        return partial(upload_sharded, engine=engine)

    def _engine(self, destination: str) -> "Engine":
        if self.cluster is not None:
            if self.processes is not None:
                raise UsageError(
                    "--processes and --cluster exclude each other: a cluster has processes of its own. Leave out one"
                )
            from bulkput.scale.cluster import Cluster  # noqa: PLC0415 - asyncio, and all else

            return Cluster(self.cluster)
        from bulkput.scale.processes import Processes as ProcessesHere  # noqa: PLC0415 - see above
        from bulkput.scale.processes import usable_cores  # noqa: PLC0415

        here = ProcessesHere(self.processes or usable_cores())
        here.begin(destination)  # before the imports of all else: they take as long as its own
        return here


def scale_options(verb: Callable[..., int]) -> Callable[..., int]:
    """Gives a verb --processes and --cluster, as the argument `scale`."""

    @click.option(
        "--processes",
        type=Processes(),
        metavar="N",
        help="Send by N processes of this machine; auto: one for each core. Rates hold for their sum. Default: 1.",
    )
    @click.option(
        "--cluster",
        metavar="SCHEDULER",
        help="Send by the workers of a Dask cluster, which see the same files: tcp://SCHEDULER:8786 or tls://...",
    )
    @wraps(verb)
    def with_scale(*, processes: int | None, cluster: str | None, **flags: Any) -> int:
        return verb(scale=Scale(processes, cluster), **flags)

    return with_scale
