"""Where the interpreter starts: the top level of the file, each function, each class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.events import FlagWritten, ModulesHidden, Stepped, UpdatedWithoutGradient
from freezelint.analysis.interpreter.arguments import Arguments
from freezelint.analysis.interpreter.budget import BudgetSpent
from freezelint.analysis.interpreter.classes import (
    find_method,
    is_all_in_sight,
    is_lightning_class,
    is_module_class,
    is_optimizer_class,
    library_bases,
    lineage,
)
from freezelint.analysis.interpreter.flow import Flow
from freezelint.analysis.interpreter.following import follow
from freezelint.analysis.interpreter.frames import is_module_use, merged, uses_below, uses_in
from freezelint.analysis.interpreter.lightning import passed_to, run_hooks
from freezelint.analysis.interpreter.machine import Interpreter
from freezelint.analysis.interpreter.statements import run_block
from freezelint.analysis.interpreter.submodules import forget_lengths
from freezelint.analysis.knowledge.frameworks import LIGHTNING
from freezelint.analysis.objects import Origin
from freezelint.analysis.search import AnyOf
from freezelint.analysis.syntax import Place
from freezelint.analysis.values import (
    UNKNOWN,
    ClassValue,
    Constant,
    FunctionValue,
    InstanceValue,
    ModuleValue,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from freezelint.analysis.definitions import ClassDefinition, Definition
    from freezelint.analysis.index import Index
    from freezelint.analysis.relevance import Relevance
    from freezelint.analysis.syntax import Chunk
    from freezelint.analysis.trace import Trace

_GROWS = AnyOf(
    *(".append(", ".insert(", ".extend(", ".add_module(", ".register_module("),
    ("del ", r"\bdel "),
)

_NOTHING_KNOWN = Arguments((), {}, (), {}, complete=False)


class Root:
    """A scope that is run on its own, with nothing known of what surrounds it."""

    def __init__(self, name: str, index: Index, package: str) -> None:
        """Name the scope for error messages."""
        self.name = name
        self.interpreter = Interpreter(index, package)

        self.entered: set[Definition] = set()
        """Functions that were run, once the scope was run to its end."""

    def run(self) -> Trace | None:
        """Run the scope; None when it is too large to be followed to its end."""
        try:
            self._run()
        except BudgetSpent:
            return None
        self.entered = self.interpreter.entered
        return self.interpreter.trace

    def _run(self) -> None:
        raise NotImplementedError

    def _call(self, function: FunctionValue | None, arguments: Arguments = _NOTHING_KNOWN) -> Value:
        """Call a function, if there is one, with arguments of which nothing else is known."""
        code = None if function is None else function.chunk.body[0]
        if function is not None and isinstance(code, cst.FunctionDef):
            return follow(self.interpreter, function, arguments, code)
        return UNKNOWN


class TopLevel(Root):
    """The statements of the file outside functions and classes."""

    def __init__(self, index: Index, package: str) -> None:
        """Take the file's index."""
        super().__init__("the top level", index, package)
        self._index = index

    def _run(self) -> None:
        run = self.interpreter
        chunks = [chunk for chunk, _ in self._index.loose_statements]
        run.activations = (0,)
        run.module_frame.uses = uses_in(each for chunk in chunks for each in chunk.body)
        for chunk in chunks:
            run.module_frame.chunk = chunk
            if run_block(run, chunk.body) is not Flow.NEXT:
                break


class FunctionRoot(Root):
    """A function, called with arguments of which nothing is known."""

    def __init__(self, definition: Definition, index: Index, package: str) -> None:
        """Take the function's definition."""
        super().__init__(f"function {definition.name}", index, package)
        self._definition = definition

    def _run(self) -> None:
        self._call(self.interpreter.function_value(self._definition))


class ClassRoot(Root):
    """A class: ``__init__``, then each method on its own, all with one ``self``."""

    def __init__(
        self,
        definition: ClassDefinition,
        methods: Sequence[Definition],
        index: Index,
        package: str,
    ) -> None:
        """Take the class and those of its methods in which something can happen."""
        super().__init__(f"class {definition.name}", index, package)
        self._owner = ClassValue(definition)
        self._methods = methods

    def _run(self) -> None:
        run = self.interpreter
        owner = self._owner
        self._collect_uses()
        receiver = self._receiver()
        if is_optimizer_class(run, owner):
            self._read_step()

        def call(*names: str) -> Value:
            result: Value = UNKNOWN
            for name in names:
                result = self._call(find_method(run, owner, name, receiver))
            return result

        def call_hook(name: str) -> Value:
            method = find_method(run, owner, name, receiver)
            return self._call(method, passed_to(name, method))

        call("__init__")
        first = ["__init__"]
        if is_lightning_class(run, owner):
            run_hooks(run, call_hook, receiver)
            first += LIGHTNING.hooks
        self._forget_what_methods_change(receiver)
        point, path, start = run.points.new(), run.path, run.bindings
        for number, method in enumerate(self._entry_points_first()):
            # What another method calls was run in its place; alone it may make no sense.
            if method.name in first or method in run.entered:
                continue
            run.path = (*path, (point, number))
            run.bindings = dict(start)
            moment = run.trace.now
            self._try(lambda name=method.name: call(name))  # type: ignore[misc]
            if self._is_a_turn(moment):
                run.repeated = True
                self._try(lambda name=method.name: call(name))  # type: ignore[misc]
                run.repeated = False
        run.path = path
        self._announce_hidden(receiver)

    def _is_a_turn(self, since: int) -> bool:
        """Whether a method froze something between steps of two optimizers: it is called again."""
        done = self.interpreter.trace.events[since:]
        stepped = {each.keys for each in done if isinstance(each, Stepped) and not each.loops}
        return len(stepped) > 1 and any(
            isinstance(each, FlagWritten) and each.value is False for each in done
        )

    def _read_step(self) -> None:
        """Announce what the ``step`` of an optimizer does where gradients are missing."""
        from freezelint.analysis.interpreter.updates import updates_without_gradient

        definition = self._owner.definition
        step = definition.methods.get("step")
        code = None if step is None else step.chunk.body[0]
        if step is None or not isinstance(code, cst.FunctionDef):
            return

        def find(name: str, *, is_method: bool) -> tuple[cst.FunctionDef, Chunk] | None:
            known = definition.methods if is_method else self.interpreter.index.functions
            method = known.get(name)
            if method is None:
                return None
            found = method.chunk.body[0]
            return (found, method.chunk) if isinstance(found, cst.FunctionDef) else None

        # One that knows no gradients, as in a search at random, does not miss any.
        # What lets another optimizer do its step knows of them.
        knows_gradients = any(word in definition.text for word in (".grad", ".step("))
        for update in updates_without_gradient(code, step.chunk, find):
            if update.how == "moves" and not knows_gradients:
                continue
            self.interpreter.announce(
                UpdatedWithoutGradient(
                    place=Place(update.chunk, update.node, update.statement),
                    optimizer=definition.name,
                    parameter=update.parameter,
                    how=update.how,
                )
            )

    def _announce_hidden(self, receiver: Value) -> None:
        """Announce modules that the constructor keeps in plain collections."""
        run, owner = self.interpreter, self._owner
        constructor = owner.definition.methods.get("__init__")
        if constructor is None or not isinstance(receiver, ModuleValue):
            return
        is_plain = set(library_bases(run, owner)) == {"torch.nn.Module"}
        hidden = run.objects.module(receiver.key).hidden.values()
        if is_plain and any(each.keys for each in hidden):
            (statement,) = constructor.chunk.body
            place = Place(constructor.chunk, statement, statement)
            run.announce(ModulesHidden(place=place, owner=receiver.key))

    def _entry_points_first(self) -> list[Definition]:
        """The methods, those that no other method mentions before the rest."""

        def is_mentioned(method: Definition) -> bool:
            return any(method.name in each.words for each in self._methods if each is not method)

        return sorted(self._methods, key=is_mentioned)

    def _try(self, call: Callable[[], Value]) -> None:
        """Run one method; of one that is too large to be followed nothing is known."""
        run = self.interpreter
        run.budget.grant_a_method()
        moment = run.trace.now
        settled = run.settings
        try:
            call()
        except BudgetSpent:
            run.trace.rewind(moment)
            run.settings = settled

    def _forget_what_methods_change(self, receiver: Value) -> None:
        """A method may be called at any time, so counters and options may have other values."""
        run = self.interpreter
        if not isinstance(receiver, (ModuleValue, InstanceValue)):
            return
        for each in lineage(run, self._owner):
            for name in each.definition.attributes_changed:
                if isinstance(run.bindings.get((receiver.key, name)), Constant):
                    run.bindings[receiver.key, name] = UNKNOWN
            if any(_grows(method) for method in each.definition.methods.values()):
                forget_lengths(run)

    def _receiver(self) -> Value:
        run, owner = self.interpreter, self._owner
        uses = run.class_uses.get(owner.definition.name, {}).get("self", set())
        if is_module_class(run, owner) or is_module_use(uses - {"()"}):
            module = run.objects.new_module(Origin.OWN_CLASS, "self")
            module.owner_class = owner
            module.is_subject = True
            module.is_complete = is_all_in_sight(run, owner)
            if not is_module_class(run, owner):
                module.flag_at_birth = None
            run.mark_birth(module)
            return ModuleValue(module.key)
        return InstanceValue(run.objects.new_key(), owner)

    def _collect_uses(self) -> None:
        run, owner = self.interpreter, self._owner
        chunks = [method.chunk for method in self._methods]
        for each in lineage(run, owner):
            constructor = each.definition.methods.get("__init__")
            if constructor is not None:
                chunks.append(constructor.chunk)
        uses = merged(uses_below(chunk, node) for chunk in chunks for node in chunk.body)
        forward = owner.definition.methods.get("forward")
        if forward is not None:
            for name in forward.attributes_called:
                uses.setdefault(f"self.{name}", set()).add("()")
        for each in lineage(run, owner):
            run.class_uses[each.definition.name] = uses


def _grows(method: Definition) -> bool:
    """Whether a method may put something into a container, or take something out."""
    return method.name != "__init__" and _GROWS.occurs_in(method.text)


def _callers_first(index: Index) -> list[Definition]:
    """The functions of a file, those that no other one mentions before the rest."""
    functions = list(index.functions.values())

    def is_mentioned(function: Definition) -> bool:
        return any(function.name in each.words for each in functions if each is not function)

    return sorted(functions, key=is_mentioned)


def roots_of(index: Index, relevance: Relevance, package: str) -> Iterator[Root]:
    """Every scope of a file in which a rule may fire."""
    entered: set[Definition] = set()
    if relevance.of_loose_statements():
        script = TopLevel(index, package)
        yield script
        # What the script calls was run with real arguments; without them it would tell less.
        entered |= script.entered
    for function in _callers_first(index):
        if function not in entered and relevance.of_function(function.name):
            root = FunctionRoot(function, index, package)
            yield root
            entered |= root.entered
    for each in index.classes.values():
        methods = relevance.methods(each)
        if methods is not None:
            yield ClassRoot(each, methods, index, package)
