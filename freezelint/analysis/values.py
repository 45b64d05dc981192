"""Abstract values: what a name may hold, as far as freezing is concerned.

Values are immutable. Things with an identity (modules, lone parameters,
optimizers) are referred to by key; what is known of them lives in the
:class:`~freezelint.analysis.objects.Objects` table.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from freezelint.analysis.definitions import ClassDefinition, Definition
    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.predicates import Predicate
    from freezelint.analysis.syntax import Chunk


class Unknown(NamedTuple):
    """Nothing is known, and so nothing is claimed."""


UNKNOWN = Unknown()


class Constant(NamedTuple):
    """A literal: bool, number, string, None."""

    value: Any

    # 1 == True in Python, but a flag set to 1 is another thing than one set to True.
    def __eq__(self, other: object) -> bool:
        """Equal when type and value are."""
        return (
            isinstance(other, Constant)
            and type(other.value) is type(self.value)
            and other.value == self.value
        )

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash((type(self.value), self.value))


class ChoiceValue(NamedTuple):
    """One of several literals, depending on a condition."""

    choices: tuple[Constant, ...]


class TypedValue(NamedTuple):
    """Something of which nothing is known but its type."""

    type: str
    """``int``, ``float`` or ``str``."""
    default: Constant | None = None
    """What an option is when nobody sets it."""


class Part(NamedTuple):
    """Some parameters of one module (or one lone parameter)."""

    key: int
    predicate: Predicate = ()


class ModuleValue(NamedTuple):
    """A module, or something that may be one as long as nothing proves it."""

    key: int


class ModuleGroup(NamedTuple):
    """What ``children()``, ``modules()`` or a slice of a container yields."""

    key: int
    predicate: Predicate
    named: bool = False


class SubmoduleTable(NamedTuple):
    """``module._modules``: the dict of what hangs directly below a module."""

    key: int


class ParameterValue(NamedTuple):
    """One parameter, or the loop variable that stands for each of several."""

    parts: tuple[Part, ...]
    is_element: bool = False


class ParameterName(NamedTuple):
    """The loop variable that holds a parameter's or a child's name, or what stands first in it."""

    loop: int
    """0 for the name of a parameter, 1 for that of a child, :data:`FIRST_STEP` for a beginning."""


FIRST_STEP = 2
"""What ``name.split(".")[0]`` gives: the child that a parameter is in."""


class Form(enum.Enum):
    """How a sequence of parameters can be used."""

    ITERATOR = "iterator"
    """Can be consumed once."""
    COLLECTION = "collection"
    TABLE = "table"
    """A dict: parameters under keys, which are their names where the sequence is named."""


class ParameterSequence(NamedTuple):
    """Several parameters: which, through which predicate, in which form."""

    parts: tuple[Part, ...]
    form: Form
    named: bool = False
    complete: bool = True
    """False when it may hold parameters that the analyzer has not seen."""
    iterator: int | None = None
    """Identity of a one-shot iterator."""


class TensorKind(enum.Enum):
    """How a tensor that is no parameter came about."""

    PLAIN = "plain"
    TEMPORARY = "temporary"
    """A view or copy of a parameter: ``.data``, ``.detach()``, ``.clone()``."""
    CONVERTED = "converted"
    """``nn.Parameter(...).to(...)`` and its like."""
    OUTPUT = "output"
    """Computed by a module."""
    GRADIENT = "gradient"
    """``p.grad``, or what a hook on a parameter is passed; ``how`` says what was done to it."""
    PIECE = "piece"
    """An element or a slice of a parameter."""


class TensorValue(NamedTuple):
    """A tensor that is no parameter."""

    kind: TensorKind = TensorKind.PLAIN
    how: str = ""
    """The attribute or method that made it: ``data``, ``detach``, ``to``."""
    modules: tuple[int, ...] = ()
    """Modules whose output this is."""
    parts: tuple[Part, ...] = ()
    """The parameters it was taken from."""
    is_fresh: bool = False
    """Made from numbers, not computed from anything: a leaf."""
    made: int | None = None
    """Index of the event of the call that made it."""
    cut_from: tuple[int, ...] | None = None
    """Modules from whose output it was computed without a graph; None if there may be one."""
    upstream: tuple[int, ...] = ()
    """Other modules from whose output it was computed, perhaps with a graph that leads there."""
    severed: tuple[int, ...] = ()
    """Modules whose output went into it without a graph, whatever else may have one."""
    is_inference: bool = False
    """Made under ``inference_mode``, or a view of what was."""
    is_traced: bool = False
    """No graph leads anywhere but to the modules named here."""
    idle: tuple[int, ...] = ()
    """Modules from whose output a term was computed, without a graph, that was added to it."""


class OptimizerValue(NamedTuple):
    """An optimizer; after a branch, one of several."""

    keys: tuple[int, ...]


class StateDictValue(NamedTuple):
    """The result of ``module.state_dict()``."""

    key: int
    keeps_variables: bool


class SequenceValue(NamedTuple):
    """A list, tuple or set of other values."""

    items: tuple[Value, ...]
    complete: bool = True
    certain: tuple[Value, ...] = ()
    """Of an incomplete one, what is in it anyway, as what a loop has appended."""

    @property
    def sure(self) -> tuple[Value, ...]:
        """The items that are in it whatever else is."""
        return self.items if self.complete else self.certain


ANY_KEY = ...
"""Stands for the keys of a dict comprehension, whose values are all alike."""


class MappingValue(NamedTuple):
    """A dict with constant keys, or with :data:`ANY_KEY`."""

    items: tuple[tuple[Any, Value], ...]
    complete: bool = True

    def get(self, key: object) -> Value | None:
        """The value under a key; None when it is not known to be there."""
        for each, value in self.items:
            if each == key:
                return value
        return None


class ElementsValue(NamedTuple):
    """Something to loop over whose every element looks like this one."""

    element: Value
    iterator: int | None = None
    """Identity of a one-shot iterator over parameters, as ``zip`` makes it."""
    number: int | None = None
    """How many there are, if that is known."""


class FlagValue(NamedTuple):
    """``x.requires_grad``, read."""

    receiver: Value


class ComparisonValue(NamedTuple):
    """The result of one comparison."""

    left: Value
    operator: str
    right: Value


class RangeValue(NamedTuple):
    """``range(...)`` with known bounds."""

    values: tuple[int, ...]


class OpenRange(NamedTuple):
    """``range(...)`` that begins with a known number, and ends nobody knows where."""

    start: int


class Counted(NamedTuple):
    """A number that an :class:`OpenRange` counts, or a text that it is in."""

    start: int
    before: str = ""
    """The text before the number."""
    after: str = ""


class FunctionValue(NamedTuple):
    """A function of the checked file, with what it is bound to."""

    definition: Definition | None
    chunk: Chunk
    node: Any
    frame: int
    receiver: Value | None = None
    owner: ClassValue | None = None

    def __eq__(self, other: object) -> bool:
        """Same code bound to the same receiver; nodes compare by identity."""
        return (
            isinstance(other, FunctionValue)
            and other.definition is self.definition
            and other.node is self.node
            and other.frame == self.frame
            and other.receiver == self.receiver
        )

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash((id(self.definition), id(self.node), self.frame))


class PartialValue(NamedTuple):
    """``functools.partial(function, ...)``: something to call, and what it is passed first."""

    function: Value
    arguments: Arguments

    def __hash__(self) -> int:
        """Agree with equality; arguments cannot be hashed."""
        return hash(self.function)


class EitherValue(NamedTuple):
    """One of several functions and classes: an entry of a table, nobody knows which."""

    choices: tuple[Value, ...]


class ClassValue(NamedTuple):
    """A class of the checked file."""

    definition: ClassDefinition

    def __eq__(self, other: object) -> bool:
        """The same class statement."""
        return isinstance(other, ClassValue) and other.definition is self.definition

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash(id(self.definition))


class InstanceValue(NamedTuple):
    """An object of a class of the file that is no module."""

    key: int
    owner: ClassValue


class NamespaceValue(NamedTuple):
    """What a command line was parsed to."""

    key: int


class LibraryValue(NamedTuple):
    """Something imported, by its dotted name: ``torch.optim.Adam``."""

    name: str


class LibraryInstance(NamedTuple):
    """An object of an imported class that is neither module nor optimizer."""

    name: str
    key: int
    arguments: tuple[Value, ...] = ()


class SuperValue(NamedTuple):
    """``super()`` in a method."""

    receiver: Value
    owner: ClassValue


class BoundMethod(NamedTuple):
    """An attribute of a value that is known to be a method of it."""

    receiver: Value
    name: str


class ClassNameValue(NamedTuple):
    """What the class of a module is called, or where a text is found in that name."""

    module: int
    text: str | None = None


class BuiltinValue(NamedTuple):
    """A function that every Python program has."""

    name: str


Value = (
    Unknown
    | Constant
    | ChoiceValue
    | TypedValue
    | ModuleValue
    | ModuleGroup
    | SubmoduleTable
    | ParameterValue
    | ParameterName
    | ParameterSequence
    | TensorValue
    | OptimizerValue
    | StateDictValue
    | SequenceValue
    | MappingValue
    | ElementsValue
    | FlagValue
    | ComparisonValue
    | RangeValue
    | OpenRange
    | Counted
    | FunctionValue
    | PartialValue
    | EitherValue
    | ClassValue
    | ClassNameValue
    | InstanceValue
    | NamespaceValue
    | LibraryValue
    | LibraryInstance
    | SuperValue
    | BoundMethod
    | BuiltinValue
)


def same(first: Value, second: Value) -> bool:
    """Equality that never takes one kind of value for another."""
    return first is second or (type(first) is type(second) and first == second)
