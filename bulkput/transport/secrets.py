"""Removes from a server's answer the secrets that the request carried.

Servers' texts end up in messages, events and files. Some servers and proxies repeat what they were sent (debug pages),
so an answer passes through here before it becomes an error.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from bulkput.transport.base import Answer

_BASIC_OR_BEARER = frozenset(("authorization", "proxy-authorization"))
_OF_S3 = ("x-amz-security-token", "x-amz-server-side-encryption-customer-key")
_SECRET_FIELDS = frozenset(("x-auth-token", "x-auth-key", *_OF_S3)) | _BASIC_OR_BEARER
_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos", "/": "sol", "+": "plus"}
"""Characters that HTML and XML may write as named entities."""
_SHORTEST_SECRET = 4
"""Characters. A shorter value is not masked: it occurs in ordinary text too, and messages would become unreadable."""


def without_secrets(answer: Answer, sent: Mapping[str, str]) -> Answer:
    """The answer, with `***` in place of each secret of the request's header fields `sent`.

    Only for answers that become errors: the answer to a login would lose its token.
    """
    secrets = _secrets(sent)
    text = answer.body.decode("utf-8", "surrogateescape")
    return replace(
        answer,
        reason=_hidden(answer.reason, secrets),
        headers=_HiddenFields(answer.headers, secrets),
        body=_hidden(text, secrets).encode("utf-8", "surrogateescape"),
    )


def text_without_secrets(text: str, sent: Mapping[str, str]) -> str:
    """The text, with `***` in place of each secret of the header fields `sent`."""
    return _hidden(text, _secrets(sent))


class _HiddenFields(Mapping[str, str]):
    """An answer's fields with their secrets masked; names match in any case."""

    def __init__(self, fields: Mapping[str, str], secrets: re.Pattern[str] | None) -> None:
        self._fields = {name.lower(): _hidden(value, secrets) for name, value in fields.items()}

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


def _secrets(sent: Mapping[str, str]) -> re.Pattern[str] | None:
    """A pattern that matches the secrets among a request's fields, in any encoding; None if there are none."""
    found: set[str] = set()
    for name, value in sent.items():
        if name.lower() in _SECRET_FIELDS:
            found.update(_credentials(value) if name.lower() in _BASIC_OR_BEARER else (value,))
    found |= {secret.encode().decode("latin-1") for secret in found}  # some servers read UTF-8 as Latin-1
    forms = ["".join(map(_any_form, secret)) for secret in found if len(secret) >= _SHORTEST_SECRET]
    return re.compile("|".join(sorted(forms, key=len, reverse=True)), re.IGNORECASE) if forms else None


def _credentials(value: str) -> Iterator[str]:
    """The credential without its scheme; for Basic also the password in it (RFC 7617)."""
    scheme, _, credential = value.rpartition(" ")
    yield credential
    if scheme.lower() == "basic":
        try:
            yield base64.b64decode(credential).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return


def _any_form(character: str) -> str:
    """A pattern for a character in plain, percent-encoded, backslash-escaped, HTML, XML and JSON form."""
    if character.isascii() and character.isalnum():
        return character
    code = ord(character)
    forms = [
        rf"\\?{re.escape(character)}",
        "".join(f"%{byte:02x}" for byte in character.encode()),
        rf"&#(?:0*{code}|x0*{code:x});?",
        *(f"&{name};" for name in (_ENTITIES.get(character),) if name),
        "".join(rf"\\u{unit:04x}" for unit in _utf_16(character)),
    ]
    return f"(?:{'|'.join(forms)})"


def _utf_16(character: str) -> Iterator[int]:
    data = character.encode("utf-16-be", "surrogatepass")
    return (int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))


def _hidden(text: str, secrets: re.Pattern[str] | None) -> str:
    return text if secrets is None else secrets.sub("***", text)
