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
    for name in ("_fields", "_field_defaults", "__doc__", "__module__"):
        assert getattr(Ours, name) == getattr(Theirs, name)
    assert Ours.__qualname__ == "Ours"


def test_a_field_without_a_value_must_be_given() -> None:
    with pytest.raises(TypeError, match="line"):
        Ours()  # type: ignore[call-arg]


def test_a_record_goes_to_other_processes() -> None:
    span = findings.Span(1, 2, 3, 4)

    assert pickle.loads(pickle.dumps(span)) == span
    assert pickle.loads(pickle.dumps(Ours(5))) == Ours(5)
