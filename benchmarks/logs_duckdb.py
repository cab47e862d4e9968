"""Does DuckDB group access logs faster than `bulkput.logs` with numpy? No, and neither does Polars (2026-11).

    scripts/bench logs --lines 1000000 --keep /tmp/log
    .venv/bin/pip install duckdb nanoarrow
    .venv/bin/python -m benchmarks.logs_duckdb /tmp/log --rounds 3

Both sides get the same blocks of lines, as logs are also objects in a store. DuckDB gets them as an Arrow column of
lines: `string_split` of a whole block took 0.5 us more per line, and pipes for `read_csv` do not exist on Windows.
DuckDB splits lines at quotes and spaces. Python reads each distinct request once. Then DuckDB groups by object and
collects the distinct values of five fields. Both sides must find the same counts and bytes.

The comparison favours DuckDB: its side has no containers, no odd lines, no values that are not UTF-8, no backslashes.

Logs of 1 000 000 lines on two cores that others used too, the best of one or two rounds; DuckDB 2.0.1 with
`--memory-limit 512MB`, numpy 2.4.6:

| log                                           | side   | one core: CPU | two cores: wall | peak memory |
|-----------------------------------------------|--------|--------------:|----------------:|------------:|
| all drawn evenly (`scripts/bench logs`)       | numpy  |         1.8 s |           1.8 s |     140 MiB |
|                                               | DuckDB |         3.1 s |           3.8 s |     310 MiB |
| some objects and visitors often, most seldom  | numpy  |         2.7 s |           2.8 s |     185 MiB |
|                                               | DuckDB |         3.5 s |           4.8 s |     310 MiB |
| a new object, address, agent in each line     | numpy  |          21 s |            24 s |   1 800 MiB |
|                                               | DuckDB |          12 s |            19 s |     820 MiB |

Only the last log, an extreme, is for DuckDB. For the first one, DuckDB splits lines in 0.9 s, joins them with their
requests in 0.5 s, and finds and merges distinct pairs in 1.1 s; numpy parses in 0.5 s and groups in 1.0 s. Other ways
took as long or longer: one query with `list(distinct ...)` 2.6 s of CPU and 720 MiB even when DuckDB read the file
itself, `regexp_extract` 2.8 s for parsing alone, codes for the values 2.8 s. Polars 2.1 (`str.splitn`, `unique`) took
2.8 s of CPU and 780 MiB, without reading requests.

Installed, numpy has 73 MiB, DuckDB 69 MiB and Polars 181 MiB, and this side needs numpy too, to find the line ends.
Imports take 0.1 s, 0.2 s and 0.2 s.
"""

import argparse
import gc
import hashlib
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks import process
from bulkput.logs.combined import method_and_path
from bulkput.logs.groups import DISTINCT, Groups
from bulkput.logs.parse import Parser
from bulkput.logs.paths import split_path
from bulkput.logs.read import file_blocks

_BATCH = 16 * 1024 * 1024
"""Bytes of lines per query. 8 MiB take a quarter longer; 32 MiB take as long and 100 MiB more memory."""
_MERGED = 8
"""Batches after which pairs of object and value are merged."""
_FIELDS = ("agent", "status", "referrer", "ip", "hour")
_PARSE = """
create or replace temp table batch as
with quoted as (select string_split(line, '"') q from lines),
     split as (select q, string_split(q[1], ' ') head, string_split(q[3], ' ') numbers from quoted)
select len(q) >= 7 and len(head) = 6 and head[2] = '-' and head[3] = '-' and q[5] = ' ' and len(numbers) = 4
         and length(numbers[2]) = 3 and (numbers[3] = '-' or try_cast(numbers[3] as bigint) >= 0) is_regular,
       head[1] ip, head[4][2:15] as hour, q[2] request, numbers[2] status, q[4] referrer, q[6] agent,
       coalesce(try_cast(numbers[3] as bigint), 0) size
from split
"""
# `where is_regular` stands in the queries below: here, DuckDB would split each line again for every condition.


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.logs_duckdb", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("log", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory-limit", default="512MB", help="DuckDB's; it spills to disk above")
    parser.add_argument("--side", choices=sorted(_SIDES), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side is not None:
        gc.disable()  # as `bulkput logs` does
        print(_fingerprint(_SIDES[given.side](given)), file=sys.stderr)
        return 0
    processors = sorted(os.sched_getaffinity(0))
    for cpus in (processors[:1], processors[:2]):
        for _ in range(given.rounds):
            ran = {side: _run(side, given, cpus) for side in sorted(_SIDES)}
            if len({one.said for one in ran.values()}) > 1:
                raise SystemExit(f"the results differ: {ran}")
    return 0


def _run(side: str, given: argparse.Namespace, cpus: list[int]) -> process.Ran:
    command = [sys.executable, "-m", "benchmarks.logs_duckdb", str(given.log), "--side", side]
    command += ["--memory-limit", given.memory_limit]
    ran = process.run(command, {}, cpus=",".join(map(str, cpus)))
    if ran.exit_code != 0:
        raise SystemExit(f"{side}: exit code {ran.exit_code}: {ran.said}")
    print(
        f"{side:7} {len(cpus)} cpu: {ran.wall_s:.2f} s, {ran.cpu_s:.2f} s CPU, peak {ran.peak_kib / 1024:.0f} MiB",
        flush=True,
    )
    return ran


Sums = list[tuple[str, int, int, int]]
"""Object, lines, bytes, and how many distinct addresses."""


def _fingerprint(sums: Sums) -> str:
    return f"{len(sums)} groups, {hashlib.sha256(repr(sorted(sums)).encode()).hexdigest()}"


def _numpy(given: argparse.Namespace) -> Sums:
    parser, groups = Parser(), Groups(by=("object",))
    for block in file_blocks(given.log):
        for lines in parser(block):
            groups.add(lines)
    return [(group.key[0], group.count, group.bytes, len(group.seen["ip"] or ())) for group in groups.all()]


def _duckdb(given: argparse.Namespace) -> Sums:
    groups = _DuckGroups(given.memory_limit)
    blocks: list[bytes] = []
    for block in file_blocks(given.log):
        blocks.append(block)
        if sum(map(len, blocks)) >= _BATCH:
            groups.add(b"".join(blocks))
            blocks.clear()
    groups.add(b"".join(blocks))
    return groups.all()


class _DuckGroups:
    """Tables of sums and of distinct pairs of object and value. Values stay texts: codes for them were no faster."""

    def __init__(self, memory_limit: str) -> None:
        import duckdb  # noqa: PLC0415 - installed by hand

        threads = len(os.sched_getaffinity(0))
        config = {"threads": threads, "memory_limit": memory_limit, "preserve_insertion_order": False}
        self._duckdb: Any = duckdb.connect(config=config)
        self._objects: dict[str, int] = {}
        self._batches = 0
        self._duckdb.execute("create temp table requests (request varchar, object integer)")
        self._duckdb.execute("create temp table sums (object integer, lines bigint, bytes hugeint)")
        for field in _FIELDS:
            self._duckdb.execute(f"create temp table seen_{field} (object integer, value varchar)")

    def add(self, text: bytes) -> None:
        import nanoarrow  # noqa: PLC0415 - installed by hand
        import numpy as np  # noqa: PLC0415 - an extra

        ends = np.flatnonzero(np.frombuffer(text, np.uint8) == 0x0A) + 1
        offsets = np.concatenate(([0], ends)).astype(np.int32)
        column = nanoarrow.c_array_from_buffers(nanoarrow.string(), len(ends), [None, offsets, text])
        table = nanoarrow.struct({"line": nanoarrow.string()})
        lines = nanoarrow.c_array_from_buffers(table, len(ends), [None], children=[column])
        self._duckdb.register("lines", nanoarrow.ArrayStream(lines))
        self._duckdb.execute(_PARSE)
        self._read_new_requests()
        fields = ", ".join(_FIELDS)
        rows = f"select object, size, {fields} from batch join requests using (request) where is_regular"
        self._duckdb.execute(f"create or replace temp table keyed as {rows}")
        self._duckdb.execute("insert into sums select object, count(*), sum(size) from keyed group by object")
        for field in _FIELDS:
            self._duckdb.execute(f"insert into seen_{field} select distinct object, {field} from keyed")
        self._batches += 1
        if self._batches % _MERGED == 0:
            self._merge()

    def _read_new_requests(self) -> None:
        query = "select distinct request from batch anti join requests using (request) where is_regular"
        requests = [request for (request,) in self._duckdb.execute(query).fetchall()]
        objects = []
        for request in requests:
            _, path = method_and_path(request)
            objects.append(self._objects.setdefault(split_path(path).object, len(self._objects)))
        self._duckdb.execute(
            "insert into requests select unnest($1::varchar[]), unnest($2::int[])", [requests, objects]
        )

    def _merge(self) -> None:
        for field in _FIELDS:
            self._duckdb.execute(f"create or replace temp table seen_{field} as select distinct * from seen_{field}")

    def all(self) -> Sums:
        self._merge()
        names = list(self._objects)
        query = f"""
        select object, any_value(lines), any_value(bytes), if(count(*) <= {DISTINCT}, count(*), 0)
        from (select object, sum(lines) lines, sum(bytes) bytes from sums group by object) join seen_ip using (object)
        group by object"""
        rows = self._duckdb.execute(query).fetchall()
        return [(names[number], int(lines), int(size), seen) for number, lines, size, seen in rows]


_SIDES = {"numpy": _numpy, "duckdb": _duckdb}

if __name__ == "__main__":
    sys.exit(main())
