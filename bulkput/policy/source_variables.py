"""The variables of the store that a run copies from, if it takes another login than the one it copies to.

| the environment has                             | the source gets                                                   |
|-------------------------------------------------|-------------------------------------------------------------------|
| no variable with the prefix                     | all as it is: one login for both                                  |
| BULKPUT_SOURCE_OS_CLOUD=old, for example        | OS_CLOUD=old, and no other variable of that kind of store         |

A kind of store takes all or nothing: a login that is half of one account and half of another belongs to nobody.
"""

from collections.abc import Mapping

from bulkput.errors import UsageError

PREFIX = "BULKPUT_SOURCE_"
_KINDS = (("ST_", "OS_"), ("AWS_",))
"""The beginnings of the names of each kind of store: Swift, S3."""


def is_source_variable(name: str) -> bool:
    """Whether the variable is for the source alone.

    >>> is_source_variable("BULKPUT_SOURCE_ST_AUTH"), is_source_variable("BULKPUT_SOURCE_COLOR")
    (True, False)
    """
    return name.startswith(tuple(PREFIX + start for kind in _KINDS for start in kind))


def source_variables(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment as the source gets it. The same object if it has nothing for the source alone. Raises UsageError
    for a variable with the prefix that is of no login: it would be left out of account."""
    if wrong := sorted(name for name in environ if name.startswith(PREFIX) and not is_source_variable(name)):
        raise UsageError(f"{wrong[0]} is no variable of a login: after {PREFIX} comes ST_..., OS_... or AWS_...")
    own = {name.removeprefix(PREFIX): value for name, value in environ.items() if is_source_variable(name)}
    if not own:
        return environ
    replaced = tuple(start for kind in _KINDS if any(name.startswith(kind) for name in own) for start in kind)
    return {name: value for name, value in environ.items() if not name.startswith(replaced)} | own
