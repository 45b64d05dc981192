"""Where the scopes of a file begin and end, and which names they mention.

CPython's own parser is ten times as fast as LibCST. It serves as an index only:
what the code means is the interpreter's business.
"""

from __future__ import annotations

import ast
import functools
import re
from bisect import bisect_left
from typing import TYPE_CHECKING

from freezelint.analysis.constants import Constants
from freezelint.analysis.definitions import (
    ClassDefinition,
    Definition,
    lines_of,
    parse,
    parse_piece,
)
from freezelint.analysis.outline import LONG, Segment, outline
from freezelint.analysis.project_names import NO_NAMES
from freezelint.analysis.search import attribute_named
from freezelint.analysis.syntax import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from freezelint.analysis.project_names import ProjectNames
    from freezelint.analysis.syntax import Place

_OTHER_FRAMEWORKS = frozenset({"jittor", "paddle", "mindspore", "oneflow", "megengine", "mxnet"})
_TORCH_FAMILY = frozenset({"torch", "torchvision", "timm", "transformers", "lightning", "peft"})

_KERAS_FAMILY = frozenset({"tensorflow", "keras", "tf_keras", "tensorflow_addons"})

_COMMON_METHODS = frozenset(
    {"train", "eval", "forward", "step", "to", "apply", "fit", "run", "__init__"}
)

_ABOUT_PARAMETERS = (
    r"parameters|named_parameters|requires_grad_?|train|eval|to|cuda|cpu|state_dict|apply"
    r"|in_features|out_features|(?:weight|bias)\.(?:requires_grad_?|data|shape|normal_|zero_)"
)
"""What may follow the name of a submodule that takes no part in any computation."""


class Index:
    """The top level of one file."""

    def __init__(
        self,
        text: str,
        *,
        whole: bool = False,
        names: ProjectNames = NO_NAMES,
        inputs: Sequence[int] = (),
    ) -> None:
        """Find the scopes of a text.

        A long text is only outlined, so what stands in a scope that nobody asks
        for is not parsed; with ``whole`` it is. ``inputs`` are the last lines of the parts
        that are run for themselves, such as cells.

        Raises:
            SyntaxError: as CPython does, when what is parsed does not.
        """
        self.text = text
        self.names = names
        self._inputs = inputs
        self._lines = text.split("\n")
        self._call_sites: dict[str, int] = {}
        self._computed_with: dict[str, bool] = {}
        self._loud: dict[Definition, bool] = {}
        self.functions: dict[str, Definition] = {}
        self.classes: dict[str, ClassDefinition] = {}
        self.imports: dict[str, str] = {}
        self.loose: list[tuple[int, int]] = []
        """First and last lines of runs of statements that define neither function nor class."""
        self._loose_nodes: list[ast.stmt] = []
        segments = None if whole or len(text) < LONG else outline(text)
        if segments is None:
            for statement in parse(text).body:
                self._add_statement(statement)
        else:
            for segment in segments:
                self._add_segment(segment)

    def _add_segment(self, segment: Segment) -> None:
        lines = self._lines[segment.first - 1 : segment.last]
        if segment.kind == "class":
            self.classes[segment.name] = ClassDefinition(segment.name, lines, segment.first)
        elif segment.kind == "def":
            self.functions[segment.name] = Definition(segment.name, lines, segment.first)
        else:
            for statement in parse_piece("\n".join(lines)).body:
                self._add_loose(statement, segment.first - 1)

    def _add_statement(self, statement: ast.stmt) -> None:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            first, last = lines_of(statement)
            lines = self._lines[first - 1 : last]
            if isinstance(statement, ast.ClassDef):
                self.classes[statement.name] = ClassDefinition(
                    statement.name, lines, first, statement
                )
            else:
                self.functions[statement.name] = Definition(statement.name, lines, first)
        else:
            self._add_loose(statement, 0)

    def _add_loose(self, statement: ast.stmt, shift: int) -> None:
        for bound, dotted_name in _imports_in(statement):
            self.imports.setdefault(bound, dotted_name)
        self._loose_nodes.append(statement)
        first, last = lines_of(statement)
        first, last = first + shift, last + shift
        if self.loose and first <= self.loose[-1][1]:
            self.loose[-1] = (self.loose[-1][0], max(last, self.loose[-1][1]))
        else:
            self.loose.append((first, last))

    @functools.cached_property
    def loose_statements(self) -> tuple[tuple[Chunk, str], ...]:
        """Top-level statements that define neither function nor class, with their text."""
        chunks = []
        for first, last in self.loose:
            lines = self._lines[first - 1 : last]
            chunks.append((Chunk(lines, first), "\n".join(lines)))
        return tuple(chunks)

    @functools.cached_property
    def constants(self) -> Constants:
        """Literals by the names that they have at the top level, where nothing changes them."""
        return Constants(self._loose_nodes, self.text)

    @property
    def loose_text(self) -> str:
        """The lines outside of functions and classes."""
        return "\n".join(text for _, text in self.loose_statements)

    def is_displayed(self, place: Place) -> bool:
        """Whether what an expression gives is shown, as that of the last one in a cell is."""
        # Positions cost something, and most files have no cells.
        return bool(self._inputs) and place.span[:2] in self._displayed

    @functools.cached_property
    def _displayed(self) -> frozenset[tuple[int, int]]:
        """Where the last statements of all inputs begin, as far as they are expressions."""
        last: dict[int, ast.stmt] = {}
        for statement in parse(self.text).body:
            last[bisect_left(self._inputs, statement.lineno)] = statement
        return frozenset(
            (each.lineno, self._characters(each.lineno, each.col_offset) + 1)
            for each in last.values()
            if isinstance(each, ast.Expr)
        )

    def _characters(self, line: int, offset: int) -> int:
        """A number of bytes at the beginning of a line, in characters."""
        return len(self._lines[line - 1].encode()[:offset].decode())

    def chunks_of_scope(self, chunk: Chunk) -> tuple[Chunk, ...]:
        """The chunks that share their names with one: the others at the top level, or none."""
        loose = tuple(each for each, _ in self.loose_statements)
        return loose if chunk in loose else (chunk,)

    def is_loud(self, definition: Definition | None) -> bool:
        """Whether something that rules look at can happen in a function or in what it mentions."""
        if definition is None:
            return True
        known = self._loud.get(definition)
        if known is None:
            # Taken for quiet while it is worked out, so that recursion ends.
            self._loud[definition] = False
            known = definition.is_loud or self.names.are_in(definition.text)
            known = known or any(map(self.is_loud, self._mentioned(definition)))
            self._loud[definition] = known
        return known

    @functools.cached_property
    def classes_with_loud_forward(self) -> frozenset[ClassDefinition]:
        """Those in whose forward pass something can happen that rules look at."""
        return frozenset(
            each
            for each in self.classes.values()
            if each.makes_recurrent_layers
            or each.cuts_graphs
            or ("forward" in each.methods and self.is_loud(each.methods["forward"]))
        )

    def is_irrelevant(self, definition: Definition | None) -> bool:
        """Whether nothing happens in a function, and it can hand out nothing of interest."""
        if definition is None or self.is_loud(definition):
            return False
        return not definition.may_build and not definition.runs_modules

    def _mentioned(self, definition: Definition) -> Iterator[Definition]:
        owner = definition.owner
        if owner is not None:
            for name in definition.names_of_own & owner.methods.keys():
                yield owner.methods[name]
            if "super" in definition.words:
                for base in filter(None, map(self.classes.get, owner.bases)):
                    if "__init__" in base.methods:
                        yield base.methods["__init__"]
        for name in definition.words & self.functions.keys():
            yield self.functions[name]
        for name in definition.words & (self.classes.keys() - self.functions.keys()):
            constructor = self.classes[name].methods.get("__init__")
            if constructor is not None:
                yield constructor
        for name in definition.words & self._methods_with_flags.keys():
            yield self._methods_with_flags[name]

    @functools.cached_property
    def _methods_with_flags(self) -> dict[str, Definition]:
        """The methods that name a flag, whatever they are called, as others may call them."""
        return {
            name: method
            for each in self.classes.values()
            if "requires_grad" in each.text
            for name, method in each.methods.items()
            if "requires_grad" in method.text and name not in _COMMON_METHODS
        }

    def call_sites(self, name: str) -> int:
        """How often a function or method of that name is called, judged by the text.

        Methods that modules and optimizers have too cannot be told apart by name;
        they count as called once.
        """
        if name in _COMMON_METHODS:
            return 1
        if name not in self._call_sites:
            calls = re.findall(rf"(?<!def )\b((?:\w+\.)*){re.escape(name)}\(", self.text)
            # ``torch.load(...)`` is no call of a ``load`` of the file.
            own = [each for each in calls if each.partition(".")[0] not in self.imports]
            self._call_sites[name] = len(own)
        return self._call_sites[name]

    def mentions(self, word: str) -> bool:
        """Whether a word stands anywhere in the file, as a name or in a string or comment."""
        return re.search(rf"\b{re.escape(word)}\b", self.text) is not None

    def computes_with(self, name: str) -> bool:
        """Whether an attribute of that name may be computed with, judged by the text.

        Assigning it, and asking for its parameters, is not reading it. Where a ``forward`` is
        exchanged or the name is a string, anything may be.
        """
        if name not in self._computed_with:
            word = re.escape(name)
            rest = re.sub(
                rf"\.{word}(?:\s*=(?!=)|\.(?:{_ABOUT_PARAMETERS})\b)"
                rf"|(?:startswith|setattr|add_module)\((?:[\w.]+,\s*)?[\"']{word}[\"']"
                rf"|[\"']{word}[\"']\s+(?:not\s+)?in\b",
                "",
                self.text,
            )
            if "getattr" not in rest:
                # The text stands in a table, of which nothing is asked for by it.
                named = rf"(?:\w[\"']?\s*[:=]\s*|\w\[|(?=[\"']{word}[\"']:\s*\w+\.state_dict))"
                rest = re.sub(rf"{named}[\"']{word}[\"']", "", rest)
            pattern = rf"\.{word}\b|[\"']{word}[\"']|\.forward\s*=[^=]"
            self._computed_with[name] = re.search(pattern, rest) is not None
        return self._computed_with[name]

    def reads_attribute(self, name: str) -> bool:
        """Whether the file reads an attribute of that name, of whatever object."""
        read = rf"\.{name}\b(?!\s*=(?!=))|(?:get|has)attr\([^()\n]*[\"']{name}[\"']"
        return re.search(read, self.text) is not None

    def reads_path(self, path: str) -> bool:
        """Whether a dotted path stands anywhere where it is not assigned to."""
        return re.search(rf"(?<![\w.]){re.escape(path)}\b(?!\s*=(?!=))", self.text) is not None

    def mentions_attribute(self, name: str) -> int:
        """How often the text names an attribute, after a dot or as a string."""
        return len(re.findall(attribute_named(name), self.text))

    @functools.cached_property
    def packages(self) -> frozenset[str]:
        """The packages that the file imports from."""
        return frozenset(name.partition(".")[0] for name in self.imports.values())

    def is_for_torch_only(self) -> bool:
        """Whether the file works with torch and with no framework besides."""
        others = _OTHER_FRAMEWORKS | _KERAS_FAMILY
        return bool(self.packages & _TORCH_FAMILY) and not self.packages & others


def is_foreign(index: Index) -> bool:
    """Whether a file is written for another framework with the same words, and not for torch."""
    packages = index.packages
    return bool(packages & _OTHER_FRAMEWORKS) and not packages & _TORCH_FAMILY


def _imports_in(statement: ast.stmt) -> Iterator[tuple[str, str]]:
    """Yield (bound name, dotted name) for imports, also those under ``if`` and ``try``."""
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            if alias.asname:
                yield alias.asname, alias.name
            else:
                root = alias.name.partition(".")[0]
                yield root, root
    elif isinstance(statement, ast.ImportFrom):
        package = "." * statement.level + (statement.module or "")
        for alias in statement.names:
            yield alias.asname or alias.name, f"{package}.{alias.name}"
    elif isinstance(statement, (ast.If, ast.Try, ast.With)):
        for inner in ast.iter_child_nodes(statement):
            if isinstance(inner, ast.stmt):
                yield from _imports_in(inner)
            elif isinstance(inner, ast.ExceptHandler):
                for each in inner.body:
                    yield from _imports_in(each)
