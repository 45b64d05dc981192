"""Which parameters a test of their names picks out, where the names are known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.events import MethodCalled, NamesTested, NumbersTested, Wrapped
from freezelint.analysis.knowledge.shapes import NUMBER, REST
from freezelint.analysis.parameter_names import parameter_names, possible_names
from freezelint.analysis.predicates import PATTERNS, NameTest, NotAll, fits_pattern
from freezelint.analysis.syntax import assigned_names, dotted, inner_nodes
from freezelint.analysis.trace import implies
from freezelint.analysis.values import ModuleValue
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.events import Event, FlagWritten
    from freezelint.analysis.predicates import Predicate
    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Part

PREFIXES = {
    "DataParallel": "module.",
    "DistributedDataParallel": "module.",
    "compile": "_orig_mod.",
}
"""What a wrapper puts before every name, by the last part of the wrapper's own."""

PEFT_PREFIXES = ("base_model.", "prompt_encoder.", "word_embeddings.")
"""With what the names of a model of PEFT begin."""


class Selector(NamedTuple):
    """A test of names that decided about flags, and the names that it was put to."""

    test: NameTest
    names: tuple[str, ...] | None
    """The names of the parameters; None where they are not known."""
    prefixes: tuple[str, ...] = ("",)
    """What may stand before each name."""
    place: NamesTested | None = None
    possible: tuple[str, ...] | None = None
    """The names that the parameters may have, where more than these are not possible."""

    def beginning(self, text: str) -> str:
        """What a text, or a pattern, says before the number with which it ends."""
        if self.test.kind in PATTERNS:
            literal = _LITERAL.match(text)
            text = literal[1].replace("\\.", ".") if literal else ""
        return text.rstrip("0123456789")

    def may_match(self, text: str) -> bool:
        """Whether a text may meet a name; of a module above too, where they may count."""
        assert self.possible is not None
        candidates = dict.fromkeys(self.possible)
        if self.test.kind != "equals":
            candidates |= dict.fromkeys(_modules_above(self.possible))
        return any(
            may_meet(self.test.kind, text, prefix + name)
            for name in candidates
            for prefix in self.prefixes
        )


def selectors(trace: Trace, event: FlagWritten, part: Part) -> Iterator[Selector]:
    """The tests of names that led to a write of some flags."""
    is_listed = listing(trace, event, part.key) is not None
    possible = _possible_names(trace, event, part.key) if is_listed else None
    names = parameter_names(trace, part.key, event.index) if possible is not None else None
    prefixes = _prefixes(trace, event, part.key)
    for test in _name_tests(part.predicate):
        place = next(
            (
                each
                for each in trace.before(event, NamesTested)
                if each.test == test.kind and set(each.texts) <= set(test.texts)
            ),
            None,
        )
        yield Selector(test, names, prefixes, place, possible)


def counting_selector(
    trace: Trace, test: NumbersTested, event: FlagWritten, part: Part
) -> Selector:
    """A test for texts with a number in them, as if it were for the first of these."""
    text = f"{test.text}{test.start}{test.after}"
    possible = _possible_names(trace, event, part.key)
    numbered = (
        None if possible is None else tuple(_ANY_NUMBER.sub(NUMBER, each) for each in possible)
    )
    prefixes = _prefixes(trace, event, part.key)
    return Selector(NameTest(test.test, (text,)), None, prefixes, None, numbered)


def listing(trace: Trace, event: Event, key: int) -> MethodCalled | None:
    """The call that yielded the names that an event is about."""
    for call in trace.before(event, MethodCalled):
        if call.receiver == ModuleValue(key) and call.name.startswith("named_"):
            return call
    return None


def meets(kind: str, text: str, name: str) -> bool:
    """Whether a name passes a test with one text."""
    if kind == "contains":
        return text in name
    if kind == "startswith":
        return name.startswith(text)
    if kind == "endswith":
        return name.endswith(text)
    return fits_pattern(kind, text, name) if kind in PATTERNS else name == text


def may_meet(kind: str, text: str, name: str) -> bool:
    """Whether a name of which some is not known may pass a test with one text."""
    if name.endswith(REST):
        return _may_begin(kind, text, name.removesuffix(REST))
    if kind == "child":
        return f"{name}.".startswith(f"{text}.")
    if NUMBER not in name:
        return meets(kind, text, name)
    if kind in PATTERNS:
        return any(fits_pattern(kind, text, each) for each in _numbered(name))
    return meets(kind, _ANY_NUMBER.sub(NUMBER, text), _ANY_NUMBER.sub(NUMBER, name))


_ANY_NUMBER = re.compile(r"\d+")

_LITERAL = re.compile(r"\^?((?:[\w-]|\\\.)*)(?![*?{|\w-])")
"""How a regular expression begins, as far as it stands for itself."""


def _may_begin(kind: str, text: str, beginning: str) -> bool:
    """Whether a name of which the beginning is known may pass a test."""
    if kind == "match":
        return any(
            _may_begin("startswith", literal[1].replace("\\.", ".") if literal else "", beginning)
            for literal in map(_LITERAL.match, _alternatives(text))
        )
    if kind == "child":
        text += "."
    elif kind not in ("startswith", "equals"):
        return True
    text, beginning = (_ANY_NUMBER.sub(NUMBER, each) for each in (text, beginning))
    return text.startswith(beginning) or beginning.startswith(text)


def _alternatives(pattern: str) -> list[str]:
    """The patterns of which a regular expression fits any, as far as these are told apart."""
    group = _GROUP.match(pattern)
    if group is not None:
        return [f"{each}{group[2]}" for each in group[1].split("|")]
    return [""] if "(" in pattern and "|" in pattern else pattern.split("|")


_GROUP = re.compile(r"\^?\((?:\?:)?([^()]*)\)(?![*?{])([^|]*)\Z")
"""A regular expression that begins with a choice."""


def _numbered(name: str) -> Iterator[str]:
    """A name with numbers put in, where it is not known which there are."""
    first, _, rest = name.partition(NUMBER)
    for number in range(_MOST_BLOCKS):
        for other in range(4) if NUMBER in rest else (0,):
            yield f"{first}{number}{rest.replace(NUMBER, str(other))}"


_MOST_BLOCKS = 64

_LEFT_OPEN = ("NotImplementedError", "abstractmethod")
"""Words for what subclasses are to do, perhaps while the base class is constructed."""


def _possible_names(trace: Trace, event: Event, key: int) -> tuple[str, ...] | None:
    """The names that parameters may have; of a class, unless subclasses may have others."""
    module = trace.objects.module(key)
    if module.is_subject and module.owner_class is not None:
        # One mention is the class statement itself.
        is_used = trace.file.call_sites(module.owner_class.definition.name) > 1
        is_whole = "__init__" in event.scopes and not any(map(trace.file.mentions, _LEFT_OPEN))
        if not is_used and not is_whole:
            return None
    return possible_names(trace, key, event.index)


def _name_tests(predicate: Predicate) -> Iterator[NameTest]:
    """The tests of names in a predicate; texts of which any will do are one test."""
    yield from _joined(
        [atom for atom in predicate if isinstance(atom, NameTest) and atom.negated], negated=True
    )
    for atom in predicate:
        if isinstance(atom, NameTest) and not atom.negated:
            yield atom
        elif isinstance(atom, NotAll):
            tests = [each for each in atom.atoms if isinstance(each, NameTest)]
            if len(tests) == len(atom.atoms) and all(each.negated for each in tests):
                yield from _joined(tests, negated=False)


def _joined(tests: list[NameTest], *, negated: bool) -> Iterator[NameTest]:
    """One test for all, where they are of one kind."""
    if len({each.kind for each in tests}) == 1:
        texts = tuple(text for each in tests for text in each.texts)
        yield NameTest(tests[0].kind, texts, negated)


def _modules_above(names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        above = name.rpartition(".")[0]
        while above:
            yield above
            above = above.rpartition(".")[0]


def _prefixes(trace: Trace, event: Event, key: int) -> tuple[str, ...]:
    """What may stand before the names: nothing, where the model may not be wrapped."""
    if (trace.objects.module(key).library or "").startswith("peft."):
        return PEFT_PREFIXES
    call = listing(trace, event, key)
    prefixes = [""]
    for wrapped in trace.before(event, Wrapped):
        prefix = PREFIXES.get(wrapped.wrapper.rpartition(".")[2])
        if wrapped.key != key or prefix is None:
            continue
        if (
            call is not None
            and wrapped.index < call.index
            and (
                _is_called_on(trace, call, wrapped)
                or _is_passed_on(trace, call, wrapped)
                or _is_all_that_is_returned(trace, call, wrapped)
            )
        ):
            return (prefix,)
        prefixes.append(prefix)
    return tuple(prefixes)


_TAKES_OUT = re.compile(r"\.module\s*(?:[),;#]|$)", re.MULTILINE)
"""A wrapped model is taken out of its wrapper, for a variable or for a call."""


def _is_all_that_is_returned(trace: Trace, call: MethodCalled, wrapped: Wrapped) -> bool:
    """Whether a function made a model and returned the wrapper, so that nobody has the model."""
    statement = wrapped.place.statement
    returned = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
    node, function = wrapped.place.node, next(iter(wrapped.place.chunk.body), None)
    if not isinstance(returned, cst.Return) or not isinstance(function, cst.FunctionDef):
        return False
    if returned.value is not node or not isinstance(node, cst.Call) or not node.args:
        return False
    given = {each.name.value for each in function.params.params}
    model = node.args[0].value
    root = (dotted(model.func if isinstance(model, cst.Call) else model) or "").partition(".")[0]
    is_made = isinstance(model, cst.Call) or root in assigned_names(function.body)
    is_own = bool(root) and root not in given and is_made
    is_outside = wrapped.activations[-1:] != call.activations[-1:]
    is_whole = "module" not in call.label and _TAKES_OUT.search(trace.file.text) is None
    return is_own and is_outside and is_whole and implies(call.path, wrapped.path)


def _is_passed_on(trace: Trace, call: MethodCalled, wrapped: Wrapped) -> bool:
    """Whether a helper was handed the very variable that the wrapper was assigned to.

    And asks just that for the names, as it came.
    """
    function = next(iter(call.place.chunk.body), None)
    if call.activations[:-1] != wrapped.activations or not isinstance(function, cst.FunctionDef):
        return False
    handing = call.stack[-1]
    names = [each.name.value for each in function.params.params]
    if not isinstance(handing.node, cst.Call) or call.label not in names:
        return False
    if call.label in assigned_names(function.body) or not implies(call.path, wrapped.path):
        return False
    given = handing.node.args
    position = names.index(call.label)
    argument = next(
        (each for each in given if each.keyword and each.keyword.value == call.label),
        given[position] if position < len(given) and not given[position].keyword else None,
    )
    statement = wrapped.place.statement
    line = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
    if argument is None or any(each.star for each in given):
        return False
    if not isinstance(line, cst.Assign) or len(line.targets) != 1:
        return False
    target = dotted(line.targets[0].target)
    is_it = line.value is wrapped.place.node and target == dotted(argument.value)
    if not is_it or target is None or _TAKES_OUT.search(trace.file.text):
        return False
    # Assigned once more, it may be the model itself again.
    last = re.findall(rf"(?<![\w.]){re.escape(target)} *=(?!=) *(.*)", trace.file.text)[-1:]
    return last == [wrapped.place.chunk.code(line.value).partition("\n")[0]]


def _is_called_on(trace: Trace, call: MethodCalled, wrapped: Wrapped) -> bool:
    """Whether the names were asked of the very variable that the wrapper was assigned to."""
    attribute, value = _assigned(wrapped)
    if attribute == call.label and attribute.startswith("self."):
        # An attribute is the same in all methods, if nothing else is assigned to it later.
        values = re.findall(rf"{re.escape(attribute)} *=(?!=) *(.*)", trace.file.text)
        is_last = bool(values) and values[-1].startswith(value.strip()[:20])
        is_whole = " if " not in value and _TAKES_OUT.search(trace.file.text) is None
        return is_last and is_whole and implies(call.path, wrapped.path)
    return (
        attribute == call.label
        and not value.startswith("=")
        and ".module" not in value
        and "_orig_mod" not in value
        and "disable" not in value
        and wrapped.activations == call.activations
        and (implies(call.path, wrapped.path) or _is_wrapped_otherwise_too(trace, call, wrapped))
    )


def _assigned(wrapped: Wrapped) -> tuple[str, str]:
    """What is assigned where a model is wrapped, and to what."""
    target, _, value = wrapped.place.chunk.code(wrapped.place.statement).partition("=")
    return target.strip(), value


def _is_wrapped_otherwise_too(trace: Trace, call: MethodCalled, wrapped: Wrapped) -> bool:
    """Whether a condition decides only how the model is wrapped, as for one device or several."""
    turns = set(wrapped.path) - set(call.path)
    if len(turns) != 1 or any(
        isinstance(each, cst.Match) for each in inner_nodes(wrapped.place.chunk.module)
    ):
        return False
    ((point, arm),) = turns
    prefix = PREFIXES[wrapped.wrapper.rpartition(".")[2]]
    return any(
        set(other.path) - set(call.path) == {(point, 1 - arm)}
        and other.key == wrapped.key
        and other.activations == wrapped.activations
        and PREFIXES.get(other.wrapper.rpartition(".")[2]) == prefix
        and _assigned(other)[0] == call.label
        for other in trace.before(call, Wrapped)
    )
