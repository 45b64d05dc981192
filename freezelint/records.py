"""Records: tuples with named fields, as ``typing.NamedTuple`` writes them.

At run time ``typing.NamedTuple`` compiles the annotation of every field, only to
find that it is one, and ``collections.namedtuple`` compiles a constructor for every
record. A check of one file defines a hundred records and spends longer on that than
on reading the file. So the annotations are left to the type checker here, and records
with as many fields share the code of their constructors, each under its own names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["NamedTuple"]

if TYPE_CHECKING:
    from typing import NamedTuple
else:
    import functools
    from operator import itemgetter
    from types import FunctionType

    try:
        # What ``collections.namedtuple`` takes, too: three times as fast as a property.
        from _collections import _tuplegetter as _getter
    except ImportError:

        def _getter(number, doc):
            return property(itemgetter(number), doc=doc)

    _tuple = tuple.__new__

    class _Record(tuple):
        """What all records have in common; names as of ``collections.namedtuple``."""

        __slots__ = ()
        _fields = ()
        _field_defaults = {}  # noqa: RUF012

        @classmethod
        def _make(cls, values):
            return cls(*values)

        def _replace(self, **changes):
            changed = _tuple(type(self), map(changes.pop, self._fields, self))
            if changes:
                raise ValueError(f"Got unexpected field names: {list(changes)!r}")
            return changed

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self):
            named = zip(self._fields, self, strict=True)
            return (
                f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in named)})"
            )

        def __getnewargs__(self):
            return tuple(self)

    @functools.cache
    def _constructor(count):
        """The code that makes a tuple of so many arguments."""
        names = [f"field_{number}" for number in range(count)]
        written = f"lambda cls, {', '.join(names)}: make(cls, ({''.join(f'{n}, ' for n in names)}))"
        return eval(written, {"make": _tuple})  # noqa: S307

    def _constructor_of(fields, defaults):
        shared = _constructor(len(fields))
        code = shared.__code__.replace(co_name="__new__", co_varnames=("cls", *fields))
        return FunctionType(code, shared.__globals__, "__new__", tuple(defaults.values()))

    class _Definition(type):
        def __new__(mcs, name, bases, namespace):
            if not bases:
                return super().__new__(mcs, name, bases, namespace)
            fields = tuple(namespace.pop("__annotations__", ()))
            defaults = {each: namespace[each] for each in fields if each in namespace}
            if tuple(defaults) != fields[len(fields) - len(defaults) :]:
                raise TypeError(f"{name}: a field without a default follows one with a default")
            namespace |= {each: _getter(number, each) for number, each in enumerate(fields)}
            namespace["__slots__"] = ()
            namespace["__match_args__"] = namespace["_fields"] = fields
            namespace["_field_defaults"] = defaults
            namespace["__new__"] = _constructor_of(fields, defaults)
            return type(name, (_Record,), namespace)

    class NamedTuple(metaclass=_Definition):
        """The base of records: annotated fields, with defaults where they have a value."""
