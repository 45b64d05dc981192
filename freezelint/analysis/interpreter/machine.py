"""The interpreter's state: bindings, path, frames; and how states are joined."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from freezelint.analysis.interpreter.branching import BranchingPoints
from freezelint.analysis.interpreter.frames import (
    Bindings,
    Frame,
    Uses,
    is_module_use,
    is_optimizer_use,
    uses_below,
)
from freezelint.analysis.objects import ModuleObject, Objects, Origin
from freezelint.analysis.syntax import Place, dotted
from freezelint.analysis.trace import Trace
from freezelint.analysis.values import (
    UNKNOWN,
    BuiltinValue,
    ClassValue,
    Constant,
    FunctionValue,
    LibraryValue,
    ModuleValue,
    OptimizerValue,
    ParameterSequence,
    Part,
    SequenceValue,
    TensorValue,
    Unknown,
    Value,
    same,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import libcst as cst

    from freezelint.analysis import events
    from freezelint.analysis.definitions import ClassDefinition, Definition
    from freezelint.analysis.index import Index
    from freezelint.analysis.predicates import Predicate
    from freezelint.analysis.syntax import Chunk

STATEMENT_BUDGET = 8_000
"""Statements that one root may execute; training scripts need up to five hundred."""

CLASS_BUDGET = 4_000
"""Statements that all methods of a class may execute together."""

METHOD_BUDGET = 1_500
"""Statements that one method of a class may execute, with all that it calls."""

CALL_DEPTH = 8

_BUILTINS = frozenset(
    [
        "all",
        "any",
        "dict",
        "enumerate",
        "filter",
        "float",
        "getattr",
        "hasattr",
        "int",
        "isinstance",
        "iter",
        "len",
        "list",
        "map",
        "max",
        "min",
        "next",
        "print",
        "range",
        "reversed",
        "set",
        "setattr",
        "sorted",
        "str",
        "sum",
        "super",
        "tuple",
        "type",
        "zip",
        "id",
        "repr",
        "bool",
        "frozenset",
        "abs",
        "round",
        "open",
        "vars",
        "format",
        "issubclass",
        "callable",
    ]
)


class Flow(enum.IntEnum):
    """How a block was left; where arms differ, the smallest counts."""

    NEXT = 0
    CONTINUE = 1
    BREAK = 2
    RETURN = 3


class BudgetSpent(Exception):
    """A scope takes too long to follow; nothing is said about it."""


class Interpreter:
    """Runs scopes of one file and records what they would do."""

    def __init__(self, index: Index, package: str = "") -> None:
        """Take the file's index and the dotted name of the package it is in, if any."""
        self.index = index
        self.package = package
        self.objects = Objects()
        self.trace = Trace(self.objects, index.call_sites)
        self.bindings: Bindings = {}
        self.path: events.Path = ()
        self.loops: tuple[int, ...] = ()
        self.grad_enabled: bool | None = True
        self.stack: tuple[Place, ...] = ()
        self.activations: tuple[int, ...] = ()
        self.active: list[object] = []
        self.entered: set[Definition] = set()
        """Functions and methods that were run at least once."""
        self.backdated: int | None = None
        """While a constructor is caught up on: the moment at which it ran in truth."""
        self.scopes: tuple[str, ...] = ()
        self.selection: cst.CSTNode | None = None
        self.repeated = False
        self.is_handling = False
        self.loop_exits: list[list[Bindings]] = []
        self.element_names: list[set[str]] = []
        self.frames: dict[int, Frame] = {}
        self.class_uses: dict[str, Uses] = {}
        self.module_frame = self._new_frame(None, None, {})
        self.frame = self.module_frame
        self.statement: cst.CSTNode | None = None
        self._spent = 0
        self._limit = STATEMENT_BUDGET
        self.points = BranchingPoints()

    @property
    def settings(self) -> tuple[object, ...]:
        """Everything about where the run is; set it to go back there."""
        return (
            self.frame,
            self.statement,
            self.path,
            self.loops,
            self.grad_enabled,
            self.stack,
            self.activations,
            self.scopes,
            list(self.active),
            self.repeated,
            list(self.loop_exits),
            list(self.element_names),
            self.backdated,
            self.selection,
        )

    @settings.setter
    def settings(self, saved: Any) -> None:
        (
            self.frame,
            self.statement,
            self.path,
            self.loops,
            self.grad_enabled,
            self.stack,
            self.activations,
            self.scopes,
            self.active,
            self.repeated,
            self.loop_exits,
            self.element_names,
            self.backdated,
            self.selection,
        ) = saved

    # -- frames and names -------------------------------------------------

    def _new_frame(self, chunk: Chunk | None, parent: Frame | None, uses: Uses) -> Frame:
        frame = Frame(self.objects.new_key(), chunk, parent, uses)
        self.frames[frame.key] = frame
        return frame

    def new_frame(self, chunk: Chunk, parent: Frame, node: cst.CSTNode) -> Frame:
        """A frame for an activation of the code below ``node``."""
        return self._new_frame(chunk, parent, uses_below(chunk, node))

    def spend(self) -> None:
        """Count a statement against the budget."""
        self._spent += 1
        if self._spent > self._limit:
            raise BudgetSpent

    def grant(self, statements: int) -> None:
        """Allow so many more statements, within what a class may execute in all."""
        self._limit = min(self._spent + statements, CLASS_BUDGET)

    def look_up(self, name: str) -> Value:
        """What a name holds here."""
        frame: Frame | None = self.frame
        while frame is not None:
            value = self.bindings.get((frame.key, name))
            if value is not None:
                if isinstance(value, Unknown):
                    return self.judge_by_use(frame, name)
                return value
            frame = frame.parent
        index = self.index
        if name in index.functions:
            return self.function_value(index.functions[name])
        if name in index.classes:
            return ClassValue(index.classes[name])
        if name in index.imports:
            return LibraryValue(self.absolute(index.imports[name]))
        if name in _BUILTINS:
            return BuiltinValue(name)
        return self.judge_by_use(self.frame, name)

    def frame_of(self, name: str) -> Frame | None:
        """The frame, of those around, that binds a name."""
        frame: Frame | None = self.frame
        while frame is not None and (frame.key, name) not in self.bindings:
            frame = frame.parent
        return frame

    def absolute(self, name: str) -> str:
        """Resolve a relative import against the package of the checked file."""
        if not name.startswith("."):
            return name
        stripped = name.lstrip(".")
        up = len(name) - len(stripped) - 1
        parts = self.package.split(".") if self.package else []
        if not parts or up >= len(parts):
            return name
        return ".".join([*parts[: len(parts) - up], stripped])

    def uses_of(self, name: str, frame: Frame | None = None) -> set[str]:
        """The methods that the code around calls on a dotted name."""
        methods = self.frame.uses_of(name)
        if frame is not None and frame is not self.frame:
            methods = methods | frame.uses_of(name)
        owner = self.frame.owner
        if owner is not None and name.startswith("self."):
            methods = methods | self.class_uses.get(owner.definition.name, {}).get(name, set())
        return methods

    def judge_by_use(self, frame: Frame, name: str) -> Value:
        """Let the calls made on a dotted name tell what it holds; remember the verdict."""
        made = self.by_use(self.uses_of(name, frame), name)
        if made is not UNKNOWN:
            self.bindings[frame.key, name] = made
        return made

    def by_use(self, methods: set[str], label: str) -> Value:
        """What answers to all of these calls."""
        if is_module_use(methods):
            return ModuleValue(self.given_module(label).key)
        if is_optimizer_use(methods):
            optimizer = self.objects.new_optimizer("")
            optimizer.label = label
            return OptimizerValue((optimizer.key,))
        return UNKNOWN

    def given_module(self, label: str | None) -> ModuleObject:
        """A module that somebody else made: its flags are not known."""
        module = self.objects.new_module(Origin.GIVEN, label)
        module.proof = True
        module.flag_at_birth = None
        self.mark_birth(module)
        return module

    def mark_birth(self, module: ModuleObject) -> None:
        """Note when and on which path a module came to be."""
        module.born = self.trace.now
        module.born_path = self.path

    def bind(self, name: str, value: Value) -> None:
        """Assign a name in the current frame."""
        self.bindings[self.frame.key, name] = value
        self.touch(name)

    def touch(self, name: str) -> None:
        """Note that a name, or something behind it, has changed: conditions on it may too."""
        self.points.touch(self.frame.key, name)

    def function_value(self, definition: Definition) -> FunctionValue:
        """A top-level function."""
        return FunctionValue(definition, definition.chunk, None, self.module_frame.key)

    def class_named(self, name: str) -> ClassDefinition | None:
        """A class of the file by name."""
        return self.index.classes.get(name)

    @property
    def now(self) -> int:
        """The moment of the latest event."""
        return self.trace.now - 1 if self.backdated is None else self.backdated

    # -- places and events ------------------------------------------------

    def place(self, node: cst.CSTNode) -> Place:
        """The place of a node of the code that is being run."""
        assert self.frame.chunk is not None
        return Place(self.frame.chunk, node, self.statement or node)

    def announce(self, event: events.Event) -> None:
        """Record an event as happening now, here; what is caught up on is no event any more."""
        if self.backdated is not None:
            return
        event.path = self.path
        event.loops = self.loops
        event.stack = self.stack
        event.activations = self.activations
        event.grad_enabled = self.grad_enabled
        event.repeated = self.repeated
        event.is_handling = self.is_handling
        event.scopes = self.scopes
        self.trace.record(event)

    def label(self, node: cst.CSTNode) -> str:
        """An expression as the user wrote it."""
        return dotted(node) or self.place(node).code

    # -- branches -----------------------------------------------------------

    def join(self, states: Sequence[Bindings]) -> Bindings:
        """One state that holds what all of these agree on."""
        if len(states) == 1:
            return states[0]
        joined = dict(states[0])
        for other in states[1:]:
            for key, value in other.items():
                mine = joined.get(key)
                if mine is None:
                    joined[key] = value
                elif mine is not value:
                    joined[key] = self.join_values(mine, value)
        return joined

    def join_values(self, first: Value, second: Value) -> Value:
        """One value for a name that holds either of two."""
        if same(first, second):
            return first
        nothing = Constant(None)
        if same(first, nothing):
            return second
        if same(second, nothing):
            return first
        for one, other in ((first, second), (second, first)):
            # Judged by its uses on one arm, it is no other thing on the other.
            if (
                isinstance(one, Unknown)
                and isinstance(other, ModuleValue)
                and self.objects.module(other.key).origin is Origin.GIVEN
            ):
                return other
        if isinstance(first, ModuleValue) and isinstance(second, ModuleValue):
            return self._join_modules(first, second)
        if isinstance(first, TensorValue) and isinstance(second, TensorValue):
            plain = first._replace(cut_from=None)
            return plain if plain == second._replace(cut_from=None) else UNKNOWN
        if isinstance(first, OptimizerValue) and isinstance(second, OptimizerValue):
            return OptimizerValue(tuple(dict.fromkeys(first.keys + second.keys)))
        if isinstance(first, ParameterSequence) and isinstance(second, ParameterSequence):
            if set(first.parts) == set(second.parts) and first.form is second.form:
                return first._replace(iterator=None)
            return first._replace(
                parts=tuple(dict.fromkeys(first.parts + second.parts)),
                complete=False,
                iterator=None,
            )
        if isinstance(first, SequenceValue) and isinstance(second, SequenceValue):
            return self._join_sequences(first, second)
        return UNKNOWN

    def _join_sequences(self, first: SequenceValue, second: SequenceValue) -> Value:
        short, long = sorted((first, second), key=lambda each: len(each.items))
        if len(short.items) == len(long.items):
            items = zip(first.items, second.items, strict=True)
            return SequenceValue(tuple(self.join_values(one, other) for one, other in items))
        more = long.items[len(short.items) :]
        if not all(map(same, short.items, long.items)):
            return UNKNOWN
        # In a loop over parameters a condition narrows which of them are appended.
        are_narrowed = bool(self.element_names) and all(hasattr(each, "parts") for each in more)
        return long._replace(complete=short.complete and long.complete and are_narrowed)

    def _join_modules(self, first: ModuleValue, second: ModuleValue) -> ModuleValue:
        one, other = self.objects.module(first.key), self.objects.module(second.key)
        if not (one.is_module and other.is_module):
            return first if one.is_module else second
        joined = self.objects.new_module(Origin.JOINED, one.label or other.label)
        joined.alternatives = (*one.alternatives, *other.alternatives, one.key, other.key)
        joined.flag_at_birth = None
        if one.owner_class is not None and one.owner_class == other.owner_class:
            joined.owner_class = one.owner_class
        self.mark_birth(joined)
        return ModuleValue(joined.key)

    # -- modules ------------------------------------------------------------

    def parts_of(self, key: int, predicate: Predicate = ()) -> tuple[Part, ...]:
        """The parameters of a module, by the modules that own them."""
        return self.objects.parts_of(key, predicate)

    def finish(self, key: int) -> None:
        """Catch up on the constructor of a module now that somebody looks inside."""
        module = self.objects.module(key)
        constructor, module.unfinished = module.unfinished, None
        if constructor is None:
            return
        outer = self.backdated
        self.backdated = module.born
        saved = (self.statement, self.path, self.loop_exits, self.element_names)
        try:
            constructor()
        finally:
            self.backdated = outer
            self.statement, self.path, self.loop_exits, self.element_names = saved

    def child(self, parent: int, attribute: str) -> Value:
        """What a module holds under an attribute, with changes on this path."""
        changed = self.bindings.get((parent, attribute))
        if changed is not None:
            return changed
        return ModuleValue(self.objects.child(parent, attribute).key)

    def proven(self, value: Value) -> ModuleObject | None:
        """The module behind a value if it is certain that it is one."""
        if isinstance(value, ModuleValue):
            module = self.objects.module(value.key)
            if module.is_module:
                return module
        return None

    def prove(self, value: Value) -> None:
        """Remember that a value turned out to be a module."""
        if isinstance(value, ModuleValue):
            self.objects.module(value.key).proof = True
