"""Records beside the dataclasses whose place they take: whatever a dataclass does with its fields, a record does."""

import copy
import dataclasses
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.record import frozen, record


@record
class Pair:
    first: int
    second: str = "b"


@frozen
class Login:
    user: str
    key: str = field(repr=False)
    roles: list[str] = field(default_factory=list)


@frozen(kw_only=True)
class Base:
    size: int = 1
    name: str = "x"

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("a size is 0 or more")


@frozen(kw_only=True)
class Derived(Base):
    depth: int
    name: str = "y"


@frozen
class Empty:
    pass


@dataclass(frozen=True, slots=True)
class LoginTwin:
    user: str
    key: str = field(repr=False)
    roles: list[str] = field(default_factory=list)


LoginTwin.__qualname__ = "Login"

logins = st.tuples(st.text(max_size=3), st.text(max_size=3), st.lists(st.text(max_size=1), max_size=2))


@given(logins, logins)
def test_equality_and_repr_are_those_of_a_dataclass(one: Any, other: Any) -> None:
    assert (Login(*one) == Login(*other)) is (LoginTwin(*one) == LoginTwin(*other))
    assert repr(Login(*one)) == repr(LoginTwin(*one))


@given(st.integers(), st.text(), st.integers(), st.text())
def test_equal_records_have_equal_hashes(first: int, second: str, third: int, fourth: str) -> None:
    one, other = Pair(first, second), Pair(third, fourth)
    assert hash(one) == hash(Pair(first, second))
    assert len({one, other}) == (1 if (first, second) == (third, fourth) else 2)


@given(st.integers(0), st.text(), st.integers())
def test_copies_pickles_and_replaced_records_are_equal(size: int, name: str, depth: int) -> None:
    made = Derived(size=size, name=name, depth=depth)
    assert copy.copy(made) == copy.deepcopy(made) == pickle.loads(pickle.dumps(made)) == replace(made) == made
    assert replace(made, depth=depth + 1) != made


@pytest.mark.parametrize(
    ("given_", "twin"),
    [((), ()), (("a",), ("a",)), (("a", "b", [], "d"), ("a", "b", [], "d"))],
    ids=["none", "one", "too many"],
)
def test_wrong_arguments_raise_what_a_dataclass_raises(given_: tuple[Any, ...], twin: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError) as expected:
        LoginTwin(*twin)
    with pytest.raises(TypeError) as raised:
        Login(*given_)
    assert str(raised.value).removeprefix("Login.") == str(expected.value).removeprefix("LoginTwin.")


@given(st.lists(st.sampled_from(("", "user", "key", "roles", "other"))), st.integers(0, 4))
def test_the_first_instances_take_the_arguments_that_later_ones_take(names: list[str], positional: int) -> None:
    """The first are made without an `__init__` of their class's own. What they refuse, a dataclass refuses likewise."""

    class Fresh:
        user: str
        key: str = field(repr=False)
        roles: list[str] = field(default_factory=list)

    made, twin = frozen(Fresh), dataclass(frozen=True)(Fresh)
    args, kwargs = ("a",) * positional, dict.fromkeys(filter(None, names), "b")
    expected = _outcome(twin, args, kwargs)
    assert [_outcome(made, args, kwargs) for _ in range(10)] == [expected] * 10


@given(st.dictionaries(st.sampled_from(("size", "name", "depth", "other")), st.integers(-1, 1)))
def test_the_first_instances_of_an_inherited_record_are_made_and_checked_like_later_ones(kwargs: Any) -> None:
    """Keywords only, a default of the base class, and a check in its `__post_init__`."""

    class Fresh(Base):
        depth: int
        name: str = "y"

    made = frozen(kw_only=True)(Fresh)
    outcomes = [_outcome(made, (), kwargs) for _ in range(10)]
    assert outcomes == [outcomes[-1]] * 10
    assert isinstance(outcomes[0], dict) is ("depth" in kwargs and "other" not in kwargs and kwargs.get("size", 1) >= 0)


@pytest.mark.parametrize(
    ("annotations", "members", "kind"),
    [
        ({"x": int, "y": int}, {"x": 1}, TypeError),
        ({"x": list}, {"x": []}, ValueError),
    ],
    ids=["order of defaults", "mutable default"],
)
def test_what_a_dataclass_refuses_is_refused_when_the_record_is_defined(
    annotations: Any, members: Any, kind: type[Exception]
) -> None:
    for decorate in (frozen, record, dataclass):
        with pytest.raises(kind):
            decorate(type("Refused", (), {**members, "__annotations__": annotations}))  # type: ignore[operator]


@pytest.mark.parametrize("lacking", [{"init": False}, {"compare": False}, {"hash": False}], ids=str)
def test_a_field_that_only_a_dataclass_can_have_is_refused(lacking: Any) -> None:
    with pytest.raises(TypeError, match="a record takes all its fields"):
        frozen(type("Refused", (), {"x": field(default=1, **lacking), "__annotations__": {"x": int}}))


def test_one_field_that_is_not_equal_to_itself_leaves_a_record_equal_to_itself() -> None:
    """As in a dataclass, which compares tuples, and tuples look at identity first."""
    nan = float("nan")
    one = frozen(type("One", (), {"__annotations__": {"x": float}}))
    assert one(nan) == one(nan)


def _outcome(cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    try:
        return dataclasses.asdict(cls(*args, **kwargs))
    except (TypeError, ValueError) as error:
        return str(error)


def test_fields_are_described_to_dataclasses_once() -> None:
    assert dataclasses.fields(Derived)[0] is dataclasses.fields(Derived)[0]
    assert [each.name for each in dataclasses.fields(Derived)] == ["size", "name", "depth"]
    assert [each.name for each in dataclasses.fields(Base)] == ["size", "name"]


def test_each_instance_gets_a_default_of_its_own_from_the_factory() -> None:
    one, other = Login("u", "k"), Login("u", "k")
    one.roles.append("admin")
    assert other.roles == []


def test_a_frozen_record_refuses_changes() -> None:
    made = Derived(depth=1)
    with pytest.raises(FrozenInstanceError, match="depth"):
        made.depth = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match="name"):
        del made.name
    assert made == Derived(depth=1)


def test_fields_are_inherited_and_their_defaults_replaced() -> None:
    made = Derived(depth=3)
    assert (made.size, made.name, made.depth) == (1, "y", 3)
    with pytest.raises(ValueError, match="a size is 0 or more"):
        Derived(depth=3, size=-1)
    with pytest.raises(TypeError, match="positional"):
        Derived(3)  # type: ignore[misc]


def test_a_record_has_no_room_for_other_attributes() -> None:
    with pytest.raises(AttributeError):
        Pair(1).third = 3  # type: ignore[attr-defined]
    assert not hasattr(Pair(1), "__dict__")


def test_match_takes_the_fields_in_their_order() -> None:
    match Pair(1, "c"):
        case Pair(first, "c"):
            assert first == 1
        case _:
            pytest.fail("a record does not match by position")
    assert Derived.__match_args__ == ()


def test_dataclasses_reads_records() -> None:
    assert dataclasses.is_dataclass(Login)
    assert [each.name for each in dataclasses.fields(Derived)] == ["size", "name", "depth"]
    assert dataclasses.asdict(Login("u", "k")) == {"user": "u", "key": "k", "roles": []}
    assert Empty() == Empty() and hash(Empty()) == hash(Empty()) and repr(Empty()) == "Empty()"


def test_inspect_shows_the_parameters() -> None:
    assert str(inspect.signature(Pair)) == "(first: int, second: str = 'b')"
    assert list(inspect.signature(Derived).parameters) == ["size", "name", "depth"]
