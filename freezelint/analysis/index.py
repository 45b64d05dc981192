"""Where the scopes of a file begin and end, and which names they mention.

CPython's own parser is ten times as fast as LibCST. It serves as an index only:
what the code means is the interpreter's business.
"""

from __future__ import annotations

import ast
import functools
import re
import warnings
from typing import TYPE_CHECKING

from freezelint.analysis.outline import Segment, outline
from freezelint.analysis.syntax import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WORD = re.compile(r"[A-Za-z_]\w*")

_ASSIGNED = re.compile(r"\bself\.(\w+)\s*(?:[-+*/|&]?=(?!=)|,[^=\n(]*=(?!=)|:[^=\n]+=(?!=))")

_LOUD = re.compile(
    r"require\w*_?g|\.eval\b|\.train\b|_grad\b|inference_mode|optim|\.detach|freeze|backward|\.step\(|setattr"
)

_BUILDS = re.compile(
    r"\bnn\.|parameters|from_pretrained|create_model|models?\b|deepcopy|add_module|lambda"
    r"|return [\w.]+\(|return \w+$|return self|=\s*[A-Z]\w*\(|return [A-Z]\w*\(",
    re.MULTILINE,
)

_OTHER_FRAMEWORKS = frozenset({"jittor", "paddle", "mindspore", "oneflow", "megengine", "mxnet"})
_TORCH_FAMILY = frozenset({"torch", "torchvision", "timm", "transformers", "lightning", "peft"})

_COMMON_METHODS = frozenset({"train", "eval", "forward", "step", "to", "apply", "fit", "run"})

LONG = 40_000
"""Characters from which on a file is not parsed as a whole."""


class OutlineFailed(Exception):
    """What looked like a scope by its lines is none: the file must be parsed as a whole."""


class Definition:
    """A function or method: its lines now, its tree when it is asked for."""

    def __init__(
        self,
        name: str,
        lines: Sequence[str],
        first_line: int,
        decorators: Sequence[str] = (),
        owner: ClassDefinition | None = None,
    ) -> None:
        """Take the lines with their decorators, and the class if it is a method."""
        self.name = name
        self.owner = owner
        self.decorators = decorators
        self.length = len(lines)
        self.chunk = Chunk(lines, first_line, is_method=owner is not None)
        self._lines = lines

    @functools.cached_property
    def words(self) -> frozenset[str]:
        """Every identifier in the text, comments and strings included."""
        return frozenset(_WORD.findall("\n".join(self._lines)))

    @functools.cached_property
    def is_loud(self) -> bool:
        """Whether the text names anything that changes flags, modes or optimizers."""
        return _LOUD.search(self.text) is not None

    @functools.cached_property
    def may_build(self) -> bool:
        """Whether the function may return or attach modules, parameters or optimizers."""
        text = self.text
        return _BUILDS.search(text) is not None or (
            self.owner is not None and _ASSIGNED.search(text) is not None
        )

    @property
    def text(self) -> str:
        """The lines as they stand in the file."""
        return "\n".join(self._lines)


class ClassDefinition:
    """A class at the top level of the file: its lines now, what is in it when it is asked for."""

    def __init__(self, name: str, lines: Sequence[str], first_line: int) -> None:
        """Take the lines of the class with its decorators."""
        self.name = name
        self._lines = lines
        self._first_line = first_line

    @property
    def text(self) -> str:
        """The lines as they stand in the file."""
        return "\n".join(self._lines)

    @functools.cached_property
    def words(self) -> frozenset[str]:
        """Every identifier in the text, comments and strings included."""
        return frozenset(_WORD.findall(self.text))

    @functools.cached_property
    def _node(self) -> ast.ClassDef:
        try:
            body = _parse(self.text).body
        except SyntaxError as error:
            raise OutlineFailed from error
        if not body or not isinstance(body[0], ast.ClassDef):
            raise OutlineFailed
        return body[0]

    @functools.cached_property
    def bases(self) -> tuple[str, ...]:
        """The base classes as dotted names."""
        return tuple(_dotted(base) or "" for base in self._node.bases)

    @functools.cached_property
    def methods(self) -> dict[str, Definition]:
        """The methods by name."""
        methods = {}
        for statement in self._node.body:
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
                first, last = _lines_of(statement)
                methods[statement.name] = Definition(
                    statement.name,
                    self._lines[first - 1 : last],
                    first + self._first_line - 1,
                    tuple(_dotted(each) or "" for each in statement.decorator_list),
                    self,
                )
        return methods

    @functools.cached_property
    def fields(self) -> frozenset[str]:
        """Names that the body of the class assigns."""
        names = set()
        for statement in self._node.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                names.add(statement.target.id)
            elif isinstance(statement, ast.Assign):
                names.update(each.id for each in statement.targets if isinstance(each, ast.Name))
        return frozenset(names)

    @functools.cached_property
    def attributes_changed(self) -> frozenset[str]:
        """Names of attributes of ``self`` that methods other than ``__init__`` seem to assign."""
        return frozenset(
            name
            for method in self.methods.values()
            if method.name != "__init__"
            for name in _ASSIGNED.findall(method.text)
        )

    @functools.cached_property
    def attributes_read(self) -> frozenset[str]:
        """Names of attributes that the class reads from ``self``."""
        return frozenset(
            node.attr
            for node in ast.walk(self._node)
            if isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Load)
            and isinstance(node.value, ast.Name)
            and node.value.id == "self"
        )


class Index:
    """The top level of one file."""

    def __init__(self, text: str, *, whole: bool = False) -> None:
        """Find the scopes of a text.

        A long text is only outlined, so what stands in a scope that nobody asks
        for is not parsed; with ``whole`` it is.

        Raises:
            SyntaxError: as CPython does, when what is parsed does not.
        """
        self._text = text
        self._lines = text.split("\n")
        self._call_sites: dict[str, int] = {}
        self._loud: dict[Definition, bool] = {}
        self.functions: dict[str, Definition] = {}
        self.classes: dict[str, ClassDefinition] = {}
        self.imports: dict[str, str] = {}
        self._loose: list[tuple[int, int]] = []
        segments = None if whole or len(text) < LONG else outline(text)
        if segments is None:
            for statement in _parse(text).body:
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
            try:
                body = _parse("\n".join(lines)).body
            except SyntaxError as error:
                raise OutlineFailed from error
            for statement in body:
                self._add_loose(statement, segment.first - 1)

    def _add_statement(self, statement: ast.stmt) -> None:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            first, last = _lines_of(statement)
            lines = self._lines[first - 1 : last]
            if isinstance(statement, ast.ClassDef):
                self.classes[statement.name] = ClassDefinition(statement.name, lines, first)
            else:
                self.functions[statement.name] = Definition(statement.name, lines, first)
        else:
            self._add_loose(statement, 0)

    def _add_loose(self, statement: ast.stmt, shift: int) -> None:
        for bound, dotted_name in _imports_in(statement):
            self.imports.setdefault(bound, dotted_name)
        first, last = _lines_of(statement)
        first, last = first + shift, last + shift
        if self._loose and first <= self._loose[-1][1]:
            self._loose[-1] = (self._loose[-1][0], max(last, self._loose[-1][1]))
        else:
            self._loose.append((first, last))

    @functools.cached_property
    def loose_statements(self) -> tuple[tuple[Chunk, str], ...]:
        """Top-level statements that define neither function nor class, with their text."""
        chunks = []
        for first, last in self._loose:
            lines = self._lines[first - 1 : last]
            chunks.append((Chunk(lines, first), "\n".join(lines)))
        return tuple(chunks)

    def is_loud(self, definition: Definition | None) -> bool:
        """Whether something that rules look at can happen in a function or in what it mentions."""
        if definition is None:
            return True
        known = self._loud.get(definition)
        if known is None:
            # Taken for quiet while it is worked out, so that recursion ends.
            self._loud[definition] = False
            known = definition.is_loud or any(
                self.is_loud(each)
                for name in definition.words
                for each in self._mentioned(name, definition.owner)
            )
            self._loud[definition] = known
        return known

    def is_irrelevant(self, definition: Definition | None) -> bool:
        """Whether nothing happens in a function, and it can hand out nothing of interest."""
        if definition is None or self.is_loud(definition):
            return False
        return not definition.may_build

    def _mentioned(self, name: str, owner: ClassDefinition | None) -> Iterator[Definition]:
        if owner is not None and name in owner.methods:
            yield owner.methods[name]
        if name in self.functions:
            yield self.functions[name]
        elif name in self.classes:
            constructor = self.classes[name].methods.get("__init__")
            if constructor is not None:
                yield constructor

    def call_sites(self, name: str) -> int:
        """How often a function or method of that name is called, judged by the text.

        Methods that modules and optimizers have too cannot be told apart by name;
        they count as called once.
        """
        if name in _COMMON_METHODS:
            return 1
        if name not in self._call_sites:
            calls = re.findall(rf"(?<!def )\b{re.escape(name)}\(", self._text)
            self._call_sites[name] = len(calls)
        return self._call_sites[name]


def is_foreign(index: Index) -> bool:
    """Whether a file is written for another framework with the same words, and not for torch."""
    packages = {name.partition(".")[0] for name in index.imports.values()}
    return bool(packages & _OTHER_FRAMEWORKS) and not packages & _TORCH_FAMILY


def _parse(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _lines_of(statement: ast.stmt) -> tuple[int, int]:
    """First line, decorators included, and last."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(each.lineno for each in decorators)])
    assert statement.end_lineno is not None
    return first, statement.end_lineno


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = _dotted(node.value)
        return None if base is None else f"{base}.{node.attr}"
    if isinstance(node, ast.Call):
        return _dotted(node.func)
    return None


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
