"""Records are what ``typing.NamedTuple`` makes of the same lines."""

from __future__ import annotations

import pickle
import typing

import pytest

from freezelint import findings
from freezelint.records import NamedTuple


class Ours(NamedTuple):
    """A place."""

    line: int
    column: int = 1

    @property
    def is_first(self) -> bool:
        return self.line == 1


class Theirs(typing.NamedTuple):
    """A place."""

    line: int
    column: int = 1

    @property
    def is_first(self) -> bool:
        return self.line == 1


def test_a_record_is_made_as_the_typing_module_makes_it() -> None:
    ours, theirs = Ours(3), Theirs(3)

    assert ours == theirs == (3, 1)
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert (ours.is_first, ours._replace(line=1).is_first) == (False, True)
    assert Ours._make((3, 4)) == Theirs._make((3, 4)) == Ours(column=4, line=3)
    assert ours._asdict() == theirs._asdict()
    for name in ("_fields", "_field_defaults", "__match_args__", "__doc__", "__module__"):
        assert getattr(Ours, name) == getattr(Theirs, name)
    assert Ours.__qualname__ == "Ours"


def test_a_field_without_a_value_must_be_given() -> None:
    with pytest.raises(TypeError, match="line"):
        Ours()  # type: ignore[call-arg]


def test_records_with_as_many_fields_keep_their_own_names_and_values() -> None:
    class Interval(NamedTuple):
        first: int
        last: int = 9

    assert (Interval(2).last, Interval(first=2, last=3)) == (9, (2, 3))
    with pytest.raises(TypeError, match="line"):
        Interval(line=2)  # type: ignore[call-arg]


def test_only_fields_can_be_replaced() -> None:
    with pytest.raises(ValueError, match="row"):
        Ours(1)._replace(row=2)  # type: ignore[call-arg]


def test_a_field_that_must_be_given_comes_first() -> None:
    with pytest.raises(TypeError, match="Interval"):

        class Interval(NamedTuple):
            first: int = 0
            last: int  # type: ignore[misc]


def test_a_record_goes_to_other_processes() -> None:
    span = findings.Span(1, 2, 3, 4)

    assert pickle.loads(pickle.dumps(span)) == span
    assert pickle.loads(pickle.dumps(Ours(5))) == Ours(5)
