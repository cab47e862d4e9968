r"""Rewrites odd answer heads that have only one meaning into the form that a strict parser accepts.

When the answer to a PUT arrives, the object is stored already. So a head that curl accepts is accepted here too, if
only one reading of it is possible:

| the head has                                 | then                                          | RFC 9112 |
|----------------------------------------------|-----------------------------------------------|----------|
| `Content-Length` twice, or `5, 5`, the same  | that length counts                            | 6.3      |
| different ones                               | garbage: the end of the answer is unknown     | 6.3      |
| LF at the end of each line                   | read as CR LF                                 | 2.2      |
| LF at some ends, CR LF at others, a lone CR  | garbage: a value may hold a forged line end   | 11.1     |
| a field that continues on the next line      | joined to one line                            | 5.2      |

Every other fault stays in the head, and the parser refuses it.
"""

import re

_END = re.compile(rb"\n\r?\n")
_BEGIN = b"HTTP/1."


def end_of_head(data: bytes | bytearray) -> int | None:
    """The end of the head at the start of `data`; None if it has not arrived yet.

    Raises ValueError as soon as the first bytes cannot begin a head.
    """
    if not data.startswith(_BEGIN[: len(data)]):
        raise ValueError("it does not begin with HTTP/1")
    found = _END.search(data)
    return found.end() if found is not None else None


def ordinary(head: bytes) -> bytes:
    """The head in its ordinary form. Raises ValueError if it can be read in more than one way."""
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
