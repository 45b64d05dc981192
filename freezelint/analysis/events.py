"""What the interpreter announces, in the order in which the code would do it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from freezelint.analysis.tensors import sources_of, tensors_in
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import libcst as cst

    from freezelint.analysis.syntax import Place
    from freezelint.analysis.values import ParameterSequence, Part, Value

Path = tuple[tuple[int, int], ...]
"""The branches taken to get here: (branching point, arm)."""

MODE_OVERRIDES = {"train": "train()", "eval": "eval()"}
"""Scopes of methods by which a module sets its own mode, not to be taken for training loops."""

EQUALS_ZERO = -1
"""The arm that is taken where something equals the literal 0."""


if TYPE_CHECKING:
    from typing_extensions import dataclass_transform

    _record_type = dataclass_transform(kw_only_default=True)
else:

    def _record_type(kind: type) -> type:
        return kind


@_record_type
class _Record:
    """Fields by keyword, checked by the type checker; a dataclass takes long to define."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


class Event(_Record):
    """Something that happened at one moment of one path through the code."""

    place: Place
    index: int = -1
    path: Path = ()
    loops: tuple[int, ...] = ()
    stack: tuple[Place, ...] = ()
    """Places of the calls that led here, outermost first."""
    activations: tuple[int, ...] = ()
    """Identities of the function activations that led here, the root's first."""
    grad_enabled: bool | None = True
    scopes: tuple[str, ...] = ()
    """Names of the functions that were running, outermost first."""
    is_handling: bool = False
    """In an ``except`` block: something was not what it seemed to be."""
    is_attempt: bool = False
    """An error here is expected: by a test, or by a ``try`` around this very line."""
    repeated: bool = False
    """Seen in a later iteration of a loop whose body was seen before."""

    @property
    def scope(self) -> str:
        """Name of the function that was running; empty at the top level."""
        return self.scopes[-1] if self.scopes else ""

    @property
    def kind(self) -> str:
        """The name rules subscribe by."""
        return type(self).__name__


class AttributeWritten(Event):
    """``receiver.attribute = value``, in any spelling of an assignment."""

    receiver: Value
    attribute: str
    value: Value
    owner_declares: Callable[[], bool] = bool
    """Finds out what :attr:`declared` says; few who hear of a write ask."""
    receiver_node: cst.CSTNode | None = None
    receiver_name: str | None = None
    """The receiver as a dotted name, where it is written as one."""
    value_node: cst.CSTNode | None = None

    @property
    def declared(self) -> bool:
        """Whether the receiver's class has a field of that name, or reads it."""
        return self.owner_declares()


class FlagWritten(Event):
    """``requires_grad`` of these parameters was really set."""

    parts: tuple[Part, ...]
    value: bool | None
    label: str
    certain: bool = True
    """False when the receiver may not be what it seems."""


class ModeSet(Event):
    """``train()`` or ``eval()`` was called on a module or on some of its submodules."""

    part: Part
    training: bool | None
    label: str
    overridden: tuple[int, ...] = ()
    """Submodules whose class has a ``train`` of its own, which was run for them."""
    may_be_any: bool = False
    """Called on elements of something unknown, so that nobody can tell which modules these are."""


class ParameterGroup(NamedTuple):
    """Some of an optimizer's parameters, with the options that are theirs."""

    parts: tuple[Part, ...]
    complete: bool
    options: Mapping[str, Value]
    options_known: bool
    """False when the group may say more than that."""


class OptimizerBuilt(Event):
    """An optimizer took hold of parameters."""

    key: int
    parts: tuple[Part, ...]
    complete: bool
    label: str
    name: str
    argument: cst.CSTNode | None = None
    library: str = ""
    """Its dotted name; empty for a class of the file."""
    groups: tuple[ParameterGroup, ...] = ()
    options: Mapping[str, Value] = MappingProxyType({})
    """What it is built with, by the names of the arguments."""
    options_known: bool = False
    """False when it may be built with more than that."""


class GroupAdded(Event):
    """``optimizer.add_param_group(...)``, or anything that may have extended the optimizer."""

    keys: tuple[int, ...]
    parts: tuple[Part, ...]
    complete: bool
    group: ParameterGroup | None = None


class RateWritten(Event):
    """The learning rate of a group of an optimizer, or of each, was set by hand."""

    optimizer: int


class Stepped(Event):
    """``optimizer.step()``; no keys when it is not known which optimizer."""

    keys: tuple[int, ...]


class GradientsCleared(Event):
    """``zero_grad()`` of an optimizer or of a module, or ``p.grad = None``."""

    optimizers: tuple[int, ...] = ()
    parts: tuple[Part, ...] = ()
    to_none: bool | None = True


class GradientsMasked(Event):
    """Gradients are set to zero, or some of their elements are."""

    parts: tuple[Part, ...]
    label: str
    by_hook: bool
    """In every backward pass from here on, not just once."""
    is_partial: bool
    """Some rows or elements, so that the flag could not do it."""


class GradientsFilled(Event):
    """Something was written into gradients, or added to them, by hand."""

    parts: tuple[Part, ...]


class ParametersWritten(Event):
    """Values of parameters were set by hand."""

    parts: tuple[Part, ...]
    may_be_zero: bool = True
    """Whether some of them may be zero from here on, as a mask makes them."""


class UpdatedWithoutGradient(Event):
    """The ``step`` of an optimizer of the file writes parameters that have no gradient."""

    optimizer: str
    parameter: str
    how: str
    """``scales``, ``moves``, or ``takes zeros for a missing gradient of``."""


class ModulesHidden(Event):
    """A class, run for itself, keeps modules where ``parameters()`` does not find them.

    It was run to its end, and derives from ``torch.nn.Module`` and from nothing that is out of sight.
    """

    owner: int


class ParametersPaired(Event):
    """``zip`` of several sequences, at least two of parameters."""

    sequences: tuple[ParameterSequence, ...]
    is_strict: bool


class BackwardRan(Event):
    """``loss.backward()`` in any of its forms."""

    loss: Value
    label: str | None


class ForwardRan(Event):
    """A module was called."""

    key: int
    arguments: tuple[Value, ...] = ()
    is_followed: bool = False
    """The code of its own ``forward`` was run, so what happened inside is in the trace too."""

    @property
    def inputs(self) -> tuple[int, ...]:
        """Modules from whose output it was called with something, as far as that can be told."""
        return tuple(each for value in tensors_in(self.arguments) for each in sources_of(value))


class Borrowed(Event):
    """Modules went to code of the file into which it is not worth looking."""

    keys: tuple[int, ...]


class OutputDetached(Event):
    """The output of modules was cut from the graph."""

    keys: tuple[int, ...]


class DataRead(Event):
    """``parameter.data`` was read, of one parameter."""

    key: int


class SubmoduleReplaced(Event):
    """``parent.attribute`` holds another module (or parameter) from here on."""

    parent: int
    attribute: str
    old: int | None
    new: int | None
    label: str


class ParametersReplaced(Event):
    """The parameters of a module became other objects, all at once."""

    key: int
    label: str
    how: str


class NameRebound(Event):
    """A name that held one module holds another from here on."""

    name: str
    old: int
    new: int
    is_held: bool = False
    """Another name, attribute or list holds the old module still."""


class Aliased(Event):
    """A name was given to a module that another name holds, and goes on holding."""

    name: str
    other: str
    key: int


class Wrapped(Event):
    """A module went into DataParallel, DDP or ``torch.compile``."""

    key: int
    wrapper: str
    keywords: Mapping[str, Value]
    is_complete: bool
    """False when ``*args`` or ``**kwargs`` pass something unknown, too."""


class HandedOver(Event):
    """Modules, parameters or optimizers went to code that cannot be followed."""

    keys: tuple[int, ...]
    optimizers: tuple[int, ...] = ()
    keeps_layers: bool = False
    """A framework trains it: whatever that does besides, it exchanges no layers."""
    is_over: bool = False
    """It was passed in from there: that code may have changed it, but does not run it now."""


class IteratorConsumed(Event):
    """A one-shot iterator over parameters was run to its end."""

    iterator: int
    parts: tuple[Part, ...] = ()
    """The parameters that it ran over, where they are known."""

    @property
    def label(self) -> str:
        """The iterator as the user wrote it."""
        return self.place.code


class ExpressionDiscarded(Event):
    """A statement that is nothing but an expression."""

    value: Value
    expression: cst.CSTNode
    is_last: bool = False


class ConditionTested(Event):
    """A value decided a branch, a filter or a comprehension."""

    value: Value
    expression: cst.CSTNode


class NamesTested(Event):
    """A condition picked elements by their names; the texts are as in the test it became."""

    test: str
    """``contains``, ``startswith``, ``endswith``, ``equals`` or ``child``."""
    texts: tuple[str, ...]


class NumbersTested(Event):
    """A condition picked elements by a text in their names, and a number that counts from 0 or 1."""

    test: str
    """``contains``, ``startswith``, ``endswith`` or ``equals``."""
    start: int
    text: str
    """What stands before the number."""
    after: str
    """What stands behind it."""


class ElementCounted(Event):
    """An element of a container was taken by a variable that is 1 now, or may be."""

    container: int
    variable: cst.Name


class KindsTested(Event):
    """``isinstance`` picked some of the modules a loop goes over, by dotted names of classes."""

    kinds: tuple[str, ...]


class ContextEntered(Event):
    """``with value:``, or a function that is decorated with it."""

    value: Value
    expression: cst.CSTNode
    is_decorator: bool = False


class Called(Event):
    """A library function or constructor was called."""

    name: str
    arguments: tuple[Value, ...]
    keywords: Mapping[str, Value]
    is_complete: bool = True
    """False when ``*args`` or ``**kwargs`` pass something unknown, too."""
    call: cst.CSTNode | None = None


class MethodCalled(Event):
    """A method was called on a module, parameter or tensor."""

    receiver: Value
    name: str
    arguments: tuple[Value, ...]
    keywords: dict[str, Value]

    @property
    def label(self) -> str:
        """The receiver as the user wrote it; few calls are ever spoken of."""
        function: Any = getattr(self.place.node, "func", None)
        return self.place.chunk.code(function.value) if hasattr(function, "attr") else ""


class OptionTypedAsBool(Event):
    """``parser.add_argument("--option", type=bool)``."""

    option: str
    is_argparse: bool
    """Whether the parser certainly is one of ``argparse``."""
