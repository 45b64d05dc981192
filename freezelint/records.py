"""Records: tuples with named fields, as ``typing.NamedTuple`` writes them.

At run time ``typing.NamedTuple`` compiles the annotation of every field, only to
find that it is one. A check of one file defines a hundred records and spends
longer on that than on reading the file; so the annotations are left to the type
checker, and ``collections.namedtuple`` does the rest, as it does there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["NamedTuple"]

if TYPE_CHECKING:
    from typing import NamedTuple
else:
    import collections

    _OF_THE_CLASS_STATEMENT = frozenset({"__module__", "__qualname__", "__annotations__"})

    class _Definition(type):
        def __new__(mcs, name, bases, namespace):
            if not bases:
                return super().__new__(mcs, name, bases, namespace)
            fields = namespace.get("__annotations__", {})
            record = collections.namedtuple(
                name,
                fields,
                defaults=[namespace[each] for each in fields if each in namespace],
                module=namespace["__module__"],
            )
            record.__qualname__ = namespace["__qualname__"]
            for key, value in namespace.items():
                if key not in fields and key not in _OF_THE_CLASS_STATEMENT:
                    setattr(record, key, value)
            return record

    class NamedTuple(metaclass=_Definition):
        """The base of records: annotated fields, with defaults where they have a value."""
