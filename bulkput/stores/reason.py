"""Extracts the reason of a refusal from a server's answer, as one short line for people.

| body                   | what is taken                                                             |
|------------------------|---------------------------------------------------------------------------|
| JSON                   | `message`, `detail`, `title`, `error`, `errors[...]`, ...: the first text |
| XML (WebDAV, S3)       | `<Message>`, `<responsedescription>`, ...; else the condition's name      |
| a page for browsers    | its title, else a heading or a paragraph: the first that says more        |
| plain text             | its first line                                                            |

"Says more" means: more than the status and the reason phrase, which every error message has already.
"""

import re
from collections.abc import Iterator

_MOST = 200
"""Most characters of a reason. An error message needs no more; a stack trace belongs into the server's own log."""
_SEARCHED = 4 * 1024
"""Characters of a page or a text that are searched. Text after them is no summary, and the search stays quick."""
_DEEPEST = 4
_KEYS = ("message", "detail", "error_description", "description", "reason", "title", "error", "errors", "fault", "code")
"""Keys of JSON. The most informative come first."""
_TAGS = ("message", "responsedescription", "detail", "description", "reason", "title", "code")
_UNSEEN = r"(?is)<(script|style)\b.*?</\1\s*>|<!--.*?-->"
_TAG = r"</?[A-Za-z!?][^<>]*>"
_BLOCK = r"(?i)</?(?:title|h[1-6]|p|div|br|hr|td|tr|li|pre|center|body|head|html)\b[^<>]*>"
_LABEL = r"(?i)<b>(?:message|description)</b>"
_CONDITION = r"(?is)<(?:[\w.-]+:)?error\b[^<>]*>\s*<(?:[\w.-]+:)?([\w.-]+)"
"""RFC 4918, 16: a precondition is an element in `<D:error>`, which may have no text."""
_SIGNATURE = r"(?i)[\w.-]+/[\d.]+\b.*|type (?:status|exception) report|https?://\S*"
"""Blocks of a page that give no reason: the server's name and version, Tomcat's kind of report, an address."""


def why(status: int, reason: str, body: bytes) -> str:
    """The reason phrase, and the text that the body adds to it. Empty if there is neither."""
    phrase, more = _clean(reason), said(status, reason, body)
    if not phrase or not more or _bare(more).startswith(_bare(phrase)):
        return more or phrase
    return f"{phrase}: {more}"


def said(status: int, reason: str, body: bytes) -> str:
    """The body's reason on one line, without markup. Empty if it says no more than status and reason phrase."""
    usual = _bare(_phrase(status))
    known = {"error", _bare(reason), usual} - {""}
    for text in _candidates(
        body.decode("utf-8", "replace").strip("\ufeff \r\n\t"), is_told=_bare(reason) not in ("", usual)
    ):
        line = _clean(text)
        line = re.sub(rf"^(?:HTTP Status |Error |HTTP/1\.[01] )?{status}\b[\s:.,|–—-]*", "", line, flags=re.IGNORECASE)
        if line and _bare(line) not in known and not re.fullmatch(_SIGNATURE, line):
            return line if len(line) <= _MOST else line[: _MOST - 3] + "..."
    return ""


def _candidates(text: str, *, is_told: bool) -> Iterator[str]:
    """Texts that may be the reason, the best first. `is_told`: the reason phrase is not the usual one, so it tells the
    reason, and an HTML page adds nothing (Nexus)."""
    if text.startswith(("{", "[")):
        import json  # noqa: PLC0415 - 2 ms, when a server refuses

        try:
            yield from _of_json(json.loads(text), _DEEPEST)
        except (ValueError, RecursionError):
            pass
        else:
            return
    elif text.startswith("<"):
        text = text[:_SEARCHED]
        if re.match(r"(?i)<!doctype html|<html", text) is None:
            yield from _of_xml(text)
        elif not is_told:
            yield from _of_page(text)
        return
    yield from text[:_SEARCHED].splitlines()[:1]


def _of_json(value: object, depth: int) -> Iterator[str]:
    """All texts of a JSON value; those of the best keys come first."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and depth:
        for item in value[:3]:
            yield from _of_json(item, depth - 1)
    elif isinstance(value, dict) and depth:
        by_key = {str(key).lower(): item for key, item in value.items()}
        for key in _KEYS:
            yield from _of_json(by_key.get(key), depth - 1)


def _of_xml(text: str) -> Iterator[str]:
    for tag in _TAGS:
        for found in re.finditer(rf"(?is)<(?:[\w.-]+:)?{tag}\b[^<>]*>([^<]*)<", text):
            yield _unescaped(found[1])
    if (condition := re.search(_CONDITION, text)) is not None:
        yield condition[1]
    yield from _of_page(text)


def _of_page(text: str) -> Iterator[str]:
    for block in re.split(_BLOCK, re.sub(_UNSEEN, " ", text)):
        yield _unescaped(re.sub(_TAG, " ", re.sub(_LABEL, " ", block)))


def _clean(text: str) -> str:
    """The text on one line, without markup and without control characters of terminals."""
    text = re.sub(_TAG, " ", text)
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _unescaped(text: str) -> str:
    import html  # noqa: PLC0415 - 2 ms, which only runs with refusals need

    return html.unescape(text)


def _phrase(status: int) -> str:
    from http import HTTPStatus  # noqa: PLC0415 - 1 ms, as above

    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _bare(text: str) -> str:
    """Only the letters and digits, in one case, for comparisons."""
    return "".join(filter(str.isalnum, text.casefold()))
