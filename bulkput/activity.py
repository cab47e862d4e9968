"""What a suspended coroutine waits for, in words, at no cost while nobody asks.

`@doing("logging in")` only notes the words beside a function. Who wants to know walks down the chain of what is
awaited, as asyncio's own call graph does (Python 3.14, `asyncio.capture_call_graph`), and meets the functions that have
words. So nothing has to be written down by the run itself, for each object, that hardly anybody ever reads.
"""

import gc
from collections.abc import Callable, Iterator, Mapping
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType
from typing import Any, NamedTuple, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
Words = str | Callable[[Mapping[str, Any]], str]
"""The words, or what makes them of the function's local variables."""

_WORDS: dict[CodeType, Words] = {}


def doing(words: Words) -> Callable[[F], F]:
    """Decorates a coroutine function: whoever waits in it, or in what it awaits, is doing that."""

    def note(function: F) -> F:
        _WORDS[function.__code__] = words
        return function

    return note


class Place(NamedTuple):
    """A function that waits, and its local variables."""

    code: CodeType
    variables: Mapping[str, Any]


def places(awaited: object) -> Iterator[Place]:
    """Where a suspended coroutine stands, outermost first, down to the future that it waits for, or another task's."""
    while awaited is not None:
        match awaited:
            case (
                CoroutineType(cr_frame=FrameType() as frame, cr_await=inner)
                | AsyncGeneratorType(ag_frame=FrameType() as frame, ag_await=inner)
            ):
                yield Place(frame.f_code, frame.f_locals)
                awaited = inner
            case _:  # the step of an `async for` names its generator to the garbage collector only
                awaited = next((it for it in gc.get_referents(awaited) if isinstance(it, AsyncGeneratorType)), None)


def words_of(places: list[Place]) -> list[str]:
    """What is done there, outermost first; once where wrappers of one another do the same."""
    found = ((place, _WORDS.get(place.code)) for place in places)
    told = [words if isinstance(words, str) else words(place.variables) for place, words in found if words is not None]
    return [words for words, before in zip(told, [None, *told], strict=False) if words != before]
