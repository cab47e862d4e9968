r"""Heads of answers that are odd, but mean one thing only: put into the form that a strict parser takes.

By the time an object's answer is read, the object is stored. So what curl takes is taken here too, where no other
reading of it is possible:

| the head has                                 | then                                          | RFC 9112 |
|----------------------------------------------|-----------------------------------------------|----------|
| `Content-Length` twice, or `5, 5`, the same  | it is that                                    | 6.3      |
| different ones                               | garbage: where the answer ends is anyone's guess | 6.3   |
| LF at the end of each line                   | as CR LF                                      | 2.2      |
| LF at some ends, CR LF at others, a lone CR  | garbage: a value may have been made to end its line | 11.1 |
| a field that goes on in the next line        | it is one line                                | 5.2      |

All else that is wrong stays as it is, for the parser to refuse.
"""

import re

_END = re.compile(rb"\n\r?\n")
_BEGIN = b"HTTP/1."


def end_of_head(data: bytes | bytearray) -> int | None:
    """Where the head ends that `data` begins with; None where it does not end yet. Raises ValueError for what is no
    head, at its first bytes."""
    if not data.startswith(_BEGIN[: len(data)]):
        raise ValueError("it does not begin with HTTP/1")
    found = _END.search(data)
    return found.end() if found is not None else None


def ordinary(head: bytes) -> bytes:
    """The head in its ordinary form. Raises ValueError for one that may mean more than one thing."""
    lines = head.split(b"\n")[:-1]
    if len({line.endswith(b"\r") for line in lines}) > 1:
        raise ValueError("some of its lines end in CR LF and some in LF")
    lines = [line.removesuffix(b"\r") for line in lines[:-1]]
    if any(b"\r" in line for line in lines):
        raise ValueError("a line has a CR in it")
    return b"\r\n".join(_with_one_length(_unfolded(lines))) + b"\r\n\r\n"


def _unfolded(lines: list[bytes]) -> list[bytes]:
    whole = lines[:1]
    for line in lines[1:]:
        if not line.startswith((b" ", b"\t")):
            whole.append(line)
        elif len(whole) > 1:
            whole[-1] += b" " + line.strip(b" \t")
        else:
            raise ValueError("its first field has no name")
    return whole


def _with_one_length(lines: list[bytes]) -> list[bytes]:
    lengths = [line for line in lines if _is_length(line)]
    values = {value.strip(b" \t") for line in lengths for value in line.partition(b":")[2].split(b",")}
    if len(values) > 1:
        raise ValueError("it has more than one Content-Length")
    one = [b"Content-Length: " + value for value in values]
    return [line for line in lines if not _is_length(line)] + one


def _is_length(line: bytes) -> bool:
    return line.partition(b":")[0].lower() == b"content-length"
