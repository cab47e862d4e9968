"""What looks at several containers say of all of them together."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bulkput.stores.powers import ContainerFacts, Space


def as_one(facts: Sequence[ContainerFacts]) -> ContainerFacts:
    """What holds for all containers: a mirror that may remove in none of them may not remove."""
    times = [one.now_ns for one in facts if one.now_ns is not None]
    first = facts[0]
    return replace(
        first,
        keeps_versions=any(one.keeps_versions for one in facts),
        archives=any(one.archives for one in facts),
        leaves_marks=any(one.leaves_marks for one in facts),
        now_ns=min(times, default=None),
        readers=first.readers if all(one.readers == first.readers for one in facts) else "",
        writers=first.writers if all(one.writers == first.writers for one in facts) else "",
        space=Space(
            objects=_sum(one.space.objects for one in facts),
            bytes=_sum(one.space.bytes for one in facts),
            most_objects=_sum(one.space.most_objects for one in facts),
            most_bytes=_sum(one.space.most_bytes for one in facts),
        ),
    )


def _sum(numbers: Iterable[int | None]) -> int | None:
    """None if any is not known, or has no bound."""
    known = list(numbers)
    return sum(one for one in known if one is not None) if None not in known else None
