"""What a server says, without the secrets that we told it.

What servers write ends up in messages, events and files. A server that repeats what it was sent (debug pages, some
proxies) must not make ours tell a token: an answer passes here before it becomes an error.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from bulkput.transport.base import Answer

_BASIC_OR_BEARER = frozenset(("authorization", "proxy-authorization"))
_SECRET_FIELDS = frozenset(("x-auth-token", "x-auth-key")) | _BASIC_OR_BEARER
_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos", "/": "sol", "+": "plus"}
"""Characters that HTML and XML may write by name."""
_SHORTEST_SECRET = 4
"""What is shorter is no secret, and taking it out would only make messages unreadable."""


def without_secrets(answer: Answer, sent: Mapping[str, str]) -> Answer:
    """The answer, with `***` wherever it repeats a secret among the fields that were sent.

    For answers that become errors: one that grants a token would lose it.
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
    """The same of a text."""
    return _hidden(text, _secrets(sent))


class _HiddenFields(Mapping[str, str]):
    """An answer's fields, by name in whatever letters, as far as they may be shown."""

    def __init__(self, fields: Mapping[str, str], secrets: re.Pattern[str] | None) -> None:
        self._fields = {name.lower(): _hidden(value, secrets) for name, value in fields.items()}

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


def _secrets(sent: Mapping[str, str]) -> re.Pattern[str] | None:
    """What must not be shown of a request's fields; None where there is no secret among them."""
    found: set[str] = set()
    for name, value in sent.items():
        if name.lower() in _SECRET_FIELDS:
            found.update(_credentials(value) if name.lower() in _BASIC_OR_BEARER else (value,))
    found |= {secret.encode().decode("latin-1") for secret in found}  # as some read what is UTF-8
    forms = ["".join(map(_any_form, secret)) for secret in found if len(secret) >= _SHORTEST_SECRET]
    return re.compile("|".join(sorted(forms, key=len, reverse=True)), re.IGNORECASE) if forms else None


def _credentials(value: str) -> Iterator[str]:
    """A credential alone, without its scheme; of Basic the password too (RFC 7617)."""
    scheme, _, credential = value.rpartition(" ")
    yield credential
    if scheme.lower() == "basic":
        try:
            yield base64.b64decode(credential).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return


def _any_form(character: str) -> str:
    """A pattern for a character as it is, percent-encoded, escaped, or as HTML, XML and JSON write it."""
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
