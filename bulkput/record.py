"""Records: slotted classes whose fields are their annotations. They behave as dataclasses, and cost less to define.

`dataclass` compiles up to eight methods per class while a module is imported: 0.9 ms for six fields, where a record
takes 0.1 ms (timeit, CPython 3.11). A record shares its methods with all records, and compiles an `__init__` of its own
only if more than a few instances are made. `dataclasses.replace`, `fields` and `asdict`, `match`, `copy` and `pickle`
take records too.

| decorator | an instance is kept from being changed by | for                                                    |
|-----------|-------------------------------------------|--------------------------------------------------------|
| `record`  | the type checker                          | what is made for each file: a fifth of the time each   |
| `frozen`  | the type checker and `__setattr__`        | everything else                                        |

A class whose fields change is a `dataclass(slots=True)`. So is one that needs what records lack: fields that are left
out of `__init__` or of comparisons, ClassVar, subclasses that are no records.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, replace
from functools import partial
from operator import attrgetter
from typing import Any, TypeVar, cast, dataclass_transform, overload

T = TypeVar("T")

_FEW = 8
"""Instances that are made before `__init__` is compiled. A run makes its options up to six times."""


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """An upload makes nine records for each file. One with six fields takes 0.2 us, a frozen dataclass 1.2 us (timeit,
    CPython 3.11)."""
    return _record(cls, kw_only=False, is_frozen=False)


@overload
def frozen(cls: type[T], /) -> type[T]: ...
@overload
def frozen(*, kw_only: bool) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T] | None = None, /, *, kw_only: bool = False) -> type[T] | Callable[[type[T]], type[T]]:
    """With or without arguments, as `dataclass`. `kw_only` holds for inherited fields too."""
    if cls is not None:
        return _record(cls, kw_only=kw_only, is_frozen=True)
    return lambda cls: _record(cls, kw_only=kw_only, is_frozen=True)


def is_record(value: object) -> bool:
    return hasattr(type(value), "__record__")


def annotations_of(made: Any) -> dict[str, Any]:
    """The fields of a record with their annotations, inherited ones first."""
    found: dict[str, Any] = {}
    for base in reversed(made.__mro__):
        found |= base.__annotations__ if "__record__" in vars(base) else {}
    return found


def _record(cls: type[T], *, kw_only: bool, is_frozen: bool) -> type[T]:
    """The class made again, because slots can only be given to a new class."""
    own = cls.__annotations__
    inherited: dict[str, Field[Any]] = getattr(cls, "__record__", {})
    known = inherited | {name: _field(cls.__dict__.get(name, MISSING)) for name in own}
    _check(known, kw_only=kw_only)

    first = iter(range(_FEW))

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        if next(first, None) is None or not _set_fields(made, self, kw_only=kw_only, args=args, kwargs=kwargs):
            made.__init__ = _compiled_init(made, kw_only=kw_only, is_frozen=is_frozen)
            made.__init__(self, *args, **kwargs)

    shared = {"__eq__": _equal, "__hash__": _hash, "__repr__": _repr}
    members = {name: value for name, value in cls.__dict__.items() if name not in (*own, "__dict__", "__weakref__")}
    metaclass: Any = type(cls)
    made = metaclass(
        cls.__name__,
        cls.__bases__,
        {
            **shared,
            **members,
            **({"__setattr__": _refuse, "__delattr__": _refuse} if is_frozen else {}),
            "__init__": init,
            "__getstate__": _values,
            "__setstate__": _set_values,
            "__slots__": tuple(name for name in own if name not in inherited),
            "__match_args__": () if kw_only else tuple(known),
            "__record__": known,
            "__replace__": replace,
            "__dataclass_fields__": _WhenAsked(partial(_dataclass_fields, kw_only=kw_only)),
            "__signature__": _WhenAsked(partial(_signature, kw_only=kw_only, is_frozen=is_frozen)),
            "_all": staticmethod(attrgetter(*known) if len(known) > 1 else _values),
        },
    )
    made.__qualname__ = cls.__qualname__
    return cast(type[T], made)


def _check(fields: "dict[str, Field[Any]]", *, kw_only: bool) -> None:
    """Raises what `dataclass` raises for such fields, and TypeError for those that only a dataclass can have."""
    has_default = False
    for name, spec in fields.items():
        if not (spec.init and spec.compare) or spec.hash is not None:
            raise TypeError(f"{name}: a record takes all its fields when it is made, and compares all of them")
        if spec.default.__class__.__hash__ is None:
            raise ValueError(
                f"mutable default {type(spec.default)} for field {name} is not allowed: use default_factory"
            )
        is_given = spec.default is not MISSING or spec.default_factory is not MISSING
        if has_default and not is_given and not kw_only:
            raise TypeError(f"non-default argument {name!r} follows default argument")
        has_default = has_default or is_given


def _field(default: Any) -> "Field[Any]":
    return default if isinstance(default, Field) else cast("Field[Any]", field(default=default))


def _set_fields(made: Any, self: Any, *, kw_only: bool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Do what a compiled `__init__` does, by looking at each field. False if the arguments do not fit: the compiled one
    says what is wrong with them."""
    fields: dict[str, Field[Any]] = made.__record__
    given = dict(zip(() if kw_only else fields, args, strict=False)) | kwargs
    if len(given) < len(args) + len(kwargs) or not given.keys() <= fields.keys():
        return False
    values = {name: given[name] if name in given else _default(spec) for name, spec in fields.items()}
    if any(value is MISSING for value in values.values()):
        return False
    for name, value in values.items():
        object.__setattr__(self, name, value)
    if hasattr(made, "__post_init__"):
        self.__post_init__()
    return True


def _default(spec: "Field[Any]") -> Any:
    return spec.default if spec.default_factory is MISSING else spec.default_factory()


def _compiled_init(made: Any, *, kw_only: bool, is_frozen: bool) -> Callable[..., None]:
    """Sets the slots: of a frozen record by their descriptors, which `__setattr__` does not see."""
    names: dict[str, Any] = {"MISSING": MISSING}
    parameters, lines = ["self", *(["*"] if kw_only else [])], []
    for name, spec in made.__record__.items():
        value = name
        if spec.default_factory is not MISSING:
            names[f"make_{name}"] = spec.default_factory
            value = f"make_{name}() if {name} is MISSING else {name}"
            parameters.append(f"{name}=MISSING")
        elif spec.default is not MISSING:
            names[f"default_{name}"] = spec.default
            parameters.append(f"{name}=default_{name}")
        else:
            parameters.append(name)
        names[f"set_{name}"] = getattr(made, name).__set__
        lines.append(f"set_{name}(self, {value})" if is_frozen else f"self.{name} = {value}")
    if hasattr(made, "__post_init__"):
        lines.append("self.__post_init__()")
    exec(f"def __init__({', '.join(parameters)}):\n " + "\n ".join(lines or ["pass"]), names)  # noqa: S102 - as dataclass
    init = cast(Callable[..., None], names["__init__"])
    init.__qualname__, init.__module__ = f"{made.__qualname__}.__init__", made.__module__
    init.__annotations__ = annotations_of(made)
    return init


class _WhenAsked:
    """A class attribute that is computed when it is first read: by `dataclasses`, `inspect`, `help()`."""

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        self._compute = compute
        self._computed: dict[type, Any] = {}

    def __get__(self, instance: object, owner: type) -> Any:
        if owner not in self._computed:
            self._computed[owner] = self._compute(owner)
        return self._computed[owner]


def _dataclass_fields(made: Any, *, kw_only: bool) -> Any:
    """The fields as `dataclasses` describes them, taken from a dataclass with the same annotations and defaults."""
    members = {"__annotations__": annotations_of(made), "__module__": made.__module__}
    members["__doc__"] = "Without one, a dataclass gets one that is made of its signature: 2 ms for the first class."
    twin: Any = type(made.__name__, (), {**made.__record__, **members})
    return dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(twin).__dataclass_fields__


def _signature(made: Any, *, kw_only: bool, is_frozen: bool) -> Any:
    import inspect  # noqa: PLC0415 - heavy, and only readers of a signature have it anyway

    signature = inspect.signature(_compiled_init(made, kw_only=kw_only, is_frozen=is_frozen))
    return signature.replace(parameters=tuple(signature.parameters.values())[1:])


# The methods that all records share.


def _equal(self: Any, other: Any) -> Any:
    return self._all(self) == other._all(other) if other.__class__ is self.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash(self._all(self))


def _repr(self: Any) -> str:
    shown = (f"{name}={getattr(self, name)!r}" for name, spec in self.__record__.items() if spec.repr)
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _values(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, name) for name in self.__record__)


def _set_values(self: Any, values: tuple[Any, ...]) -> None:
    for name, value in zip(self.__record__, values, strict=True):
        object.__setattr__(self, name, value)


def _refuse(self: Any, name: str, *_value: Any) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")
