"""The state of a run: bindings, path, frames, and what was announced so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezelint.analysis.interpreter.budget import Budget, BudgetSpent
from freezelint.analysis.interpreter.frames import Bindings, Frame, Uses, uses_below
from freezelint.analysis.interpreter.turns import BranchingPoints
from freezelint.analysis.objects import ModuleObject, Objects, Origin
from freezelint.analysis.syntax import Place
from freezelint.analysis.trace import Trace
from freezelint.analysis.values import FunctionValue, ModuleValue, Part, Value

if TYPE_CHECKING:
    import libcst as cst

    from freezelint.analysis import events
    from freezelint.analysis.definitions import ClassDefinition, Definition
    from freezelint.analysis.index import Index
    from freezelint.analysis.interpreter.flow import Flow
    from freezelint.analysis.predicates import Predicate
    from freezelint.analysis.syntax import Chunk


class Interpreter:
    """Runs scopes of one file and records what they would do."""

    def __init__(self, index: Index, package: str = "") -> None:
        """Take the file's index and the dotted name of the package it is in, if any."""
        self.index = index
        self.package = package
        self.objects = Objects()
        self.trace = Trace(self.objects, index, self.look_inside)
        self.bindings: Bindings = {}
        self.path: events.Path = ()
        self.loops: tuple[int, ...] = ()
        self.grad_enabled: bool | None = True
        self.is_inference = False
        self.stack: tuple[Place, ...] = ()
        self.activations: tuple[int, ...] = ()
        self.active: list[object] = []
        self.entered: set[Definition] = set()
        """Functions and methods that were run at least once."""
        self.guesses: set[int] = set()
        """Modules that may be a part of any other: nobody knows where they come from."""
        self.unpicked: frozenset[int] = frozenset()
        """Modules that stand for several, of which a condition picked nobody knows which."""
        self.backdated: int | None = None
        """While a constructor is caught up on: the moment at which it ran in truth."""
        self.scopes: tuple[str, ...] = ()
        self.selection: cst.CSTNode | None = None
        self.repeated = False
        self.is_handling = False
        self.attempt: int | None = None
        """The frame in which errors are expected; 0 for all."""
        self.loop_exits: list[list[tuple[Flow, Bindings]]] = []
        self.element_names: list[set[str]] = []
        self.frames: dict[int, Frame] = {}
        self.class_uses: dict[str, Uses] = {}
        self.module_frame = self._new_frame(None, None, {})
        self.frame = self.module_frame
        self.statement: cst.CSTNode | None = None
        self.budget = Budget()
        self.points = BranchingPoints(self.trace.subjects)

    @property
    def settings(self) -> tuple[object, ...]:
        """Everything about where the run is; set it to go back there."""
        return (
            self.frame,
            self.statement,
            self.path,
            self.loops,
            self.grad_enabled,
            self.is_inference,
            self.attempt,
            self.stack,
            self.activations,
            self.scopes,
            list(self.active),
            self.repeated,
            list(self.loop_exits),
            list(self.element_names),
            self.backdated,
            self.selection,
            self.unpicked,
        )

    @settings.setter
    def settings(self, saved: Any) -> None:
        (
            self.frame,
            self.statement,
            self.path,
            self.loops,
            self.grad_enabled,
            self.is_inference,
            self.attempt,
            self.stack,
            self.activations,
            self.scopes,
            self.active,
            self.repeated,
            self.loop_exits,
            self.element_names,
            self.backdated,
            self.selection,
            self.unpicked,
        ) = saved

    @property
    def place_of_run(self) -> tuple[object, ...]:
        """Which code is run, for whom; all else about the run goes on when it is left for other."""
        return (
            self.frame,
            self.statement,
            self.stack,
            self.activations,
            self.scopes,
            self.loop_exits,
            self.element_names,
        )

    @place_of_run.setter
    def place_of_run(self, saved: Any) -> None:
        (
            self.frame,
            self.statement,
            self.stack,
            self.activations,
            self.scopes,
            self.loop_exits,
            self.element_names,
        ) = saved

    # -- frames and names -------------------------------------------------

    def _new_frame(self, chunk: Chunk | None, parent: Frame | None, uses: Uses) -> Frame:
        frame = Frame(self.objects.new_key(), chunk, parent, uses)
        self.frames[frame.key] = frame
        return frame

    def new_frame(self, chunk: Chunk, parent: Frame, node: cst.CSTNode) -> Frame:
        """A frame for an activation of the code below ``node``."""
        return self._new_frame(chunk, parent, uses_below(chunk, node))

    def given_module(self, label: str | None) -> ModuleObject:
        """A module that somebody else made: its flags are not known."""
        module = self.objects.new_module(Origin.GIVEN, label)
        module.proof = True
        module.flag_at_birth = None
        self.mark_birth(module)
        return module

    def mark_birth(self, module: ModuleObject) -> None:
        """Note when, on which path and with or without gradients a module came to be."""
        module.born = self.trace.now if self.backdated is None else self.backdated
        module.born_path = self.path
        module.born_with_grad = self.grad_enabled
        module.born_in_inference = self.is_inference

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
        event.is_attempt = self.attempt is not None and self.attempt in (0, self.frame.key)
        event.scopes = self.scopes
        self.trace.record(event)

    def label(self, node: cst.CSTNode) -> str:
        """An expression as the user wrote it."""
        return self.place(node).code

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
        saved = (
            self.statement,
            self.path,
            self.loop_exits,
            self.element_names,
            self.grad_enabled,
        )
        self.grad_enabled = module.born_with_grad
        try:
            constructor()
        finally:
            self.backdated = outer
            (
                self.statement,
                self.path,
                self.loop_exits,
                self.element_names,
                self.grad_enabled,
            ) = saved

    def look_inside(self, key: int) -> None:
        """Catch up on a constructor, after the run; nothing is known of one that takes too long."""
        settled = self.settings
        try:
            self.finish(key)
        except BudgetSpent:
            self.settings = settled
            self.objects.module(key).is_complete = False

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
