"""DELETE of a static large object with its segments.

The answer is that of a bulk delete (swift/common/middleware/slo.py, get_segments_to_delete_iter; bulk.py).
"""

from collections.abc import Iterator
from urllib.parse import quote

from aiohttp import web

from .call import Call
from .options import SloConstraints
from .reports import choose_form, render, status_line
from .rules import Refused
from .slo import ObjectSegment
from .store import ContainerStore

_ABSENT = "404 Not Found"


def delete_with_segments(call: Call, store: ContainerStore, limits: SloConstraints) -> web.Response:
    """`DELETE ?multipart-manifest=delete`: the segments, those of large segments included, then the manifest."""
    status, text, form = 200, "", _form(call)
    counts = {"Number Deleted": 0, "Number Not Found": 0}
    errors: list[tuple[str, str]] = []
    if form is None:
        status = 406
    else:
        try:
            for name, problem in _delete_each(store, f"/{call.target.container}/{call.target.name}", limits):
                if problem is None or problem == _ABSENT:
                    counts["Number Not Found" if problem else "Number Deleted"] += 1
                else:
                    errors.append((quote(name), problem))
                    status = 400
        except Refused as refused:
            status, text = refused.status, refused.text
    fields: dict[str, str | int] = {"Response Status": status_line(status), "Response Body": text, **counts}
    return call.answer(200, ("Content-Type", form or "text/html; charset=UTF-8"), body=render(form, fields, errors))


def _form(call: Call) -> str | None:
    try:
        return choose_form(call.headers.get("Accept", ""))
    except ValueError:
        return None


def _delete_each(store: ContainerStore, path: str, limits: SloConstraints) -> Iterator[tuple[str, str | None]]:
    """Delete the objects one by one; give the path of each, and what is wrong with it. Raises Refused."""
    waiting = [(path, True)]
    while waiting:
        if len(waiting) > limits.max_manifest_segments * 10:  # as in Swift
            raise Refused(400, "Too many buffered slo segments to delete.")
        name, is_slo = waiting.pop(0)
        stored = store.find(name)
        if stored is None:
            yield name, _ABSENT
        elif not is_slo:
            store.delete(name)
            yield name, None
        elif stored.slo is None:
            yield name, "Not an SLO manifest"
        else:
            parts = [part for part in stored.slo.segments if isinstance(part, ObjectSegment)]
            waiting += [*((part.name, part.is_slo) for part in parts), (name, False)]
