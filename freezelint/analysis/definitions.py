"""Functions and classes of a file: their lines now, what is in them when it is asked for."""

from __future__ import annotations

import ast
import functools
import re
import textwrap
import warnings
from typing import TYPE_CHECKING

from freezelint.analysis.constants import Constants
from freezelint.analysis.outline import class_outline
from freezelint.analysis.search import AnyOf
from freezelint.analysis.syntax import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from freezelint.analysis.outline import Segment

_WORD = re.compile(r"[A-Za-z_]\w*")

_PARAMETERS = re.compile(
    r"^\s*(?:async )?def \w+\((.*?)\)\s*(?:->[^\n]*)?:\s*(?:#.*)?$", re.MULTILINE | re.DOTALL
)

_PROSE = re.compile(
    r"\"\"\"[\s\S]*?\"\"\"|\'\'\'[\s\S]*?\'\'\'|#[^\n]*"
    r"|(\"(?:[^\"\\\n]|\\[\s\S])*\"|'(?:[^'\\\n]|\\[\s\S])*')"
)
"""Comments and long strings; short strings match too, so that what is in them begins neither."""


_OF_ITS_OWN = (
    ("self.", r"self\.(?<!\wself\.)(\w+)"),
    ("cls.", r"cls\.(?<!\wcls\.)(\w+)"),
    ("super(", r"super\([^()]*\)\s*\.(\w+)"),
    ("__class__.", r"__class__\.(\w+)"),
    ("attr(", r"attr\(\w+, ?[\"'](\w+)"),
)
"""Words, and how the names stand behind them; a literal first, as it is looked for fast."""

_ASSIGNED = r"self\.(?<!\wself\.)(\w+)\s*(?:[-+*/|&]?=(?!=)|,[^=\n(]*=(?!=)|:[^=\n]+=(?!=))"

_ATTACHES = rf"{_ASSIGNED}|\.__init__\(\s*(?:\*(?!\*|args\b)|[A-Z]\w*\()"
"""An attribute, or what a container is called with that a class derives from."""

_LOUD = AnyOf(
    *("_grad", "inference_mode", ".detach", "freeze", "backward", ".step(", "setattr"),
    *("param_group", "optim,", "Adam", "SGD", "weight_norm", "spectral_norm", "merge_and_unload"),
    *("kbit_training", "mark_only_lora", "track_running_stats", "load_state_dict(self."),
    *("disable_adapter", "set_adapter", "load_adapter", "add_adapter", "_modules[", "kl_div("),
    ".register_hook(",
    ("require", r"require\w*_?[gG]"),
    (".eval", r"\.eval\b"),
    (".train", r"\.train\b"),
    ("optim", r"optim\w*(?:\.(?:[A-Z]|__dict__)|[\])])"),
    ("ptimizer", r"ptimizer(?<=[oO]ptimizer)s?\w* ?[=(]"),
    ("eft", r"eft(?<=[pP]eft)_?[mM]odel"),
    (".momentum", r"\.momentum ?="),
    (").data", r"\)\.data\b"),
    (".grad", r"\.grad(?:\.data)?(?:\[[^\n]*\])?(?:\.[a-z_]+_\(| ?\*?= ?[^=])"),
    ("ckpt(", r"ckpt\((?<!\wckpt\()"),
    *((f".{head} = ", rf"\.\w+\.{head} = ") for head in ("fc", "head", "heads", "classifier")),
    ("checkpoint", r"checkpoint(?<!\wcheckpoint)(?:_sequential)?\("),
    ("zip(self.", r"zip\(self\.[\w.]+parameters\("),
)

_HEADER = re.compile(r"^class\s+\w+\s*\(([^)]*)\)", re.MULTILINE)

_FIELD = re.compile(r"^[ \t]{1,4}\w+\s*(?::[^=\n(]+)?=(?!=)", re.MULTILINE)
"""An assignment in the body of a class."""

_RECURRENT = AnyOf("nn.LSTM(", "nn.GRU(", "nn.RNN(")

_CUTS = AnyOf(
    *("inference_mode", ".detach(", "set_grad_enabled"),
    ("no_grad", r"\bno_grad\b"),
    (".data", r"\.data\s*[,)*@+-]"),
)

_CALLED = r"self\.(?<!\wself\.)(\w+)\("

_BUILDS = re.compile(
    r"\bnn\.|parameters|modules\(|children\(|\byield\b|from_pretrained|create_model|models?\b"
    r"|deepcopy|add_module|lambda|return [\w.]+\(|return .*[\])]\(|return [\[{]"
    r"|return \(?\s*[\w.]+ *(?:,|$|#|if\b)|return self|=\s*[A-Z]\w*\(|return [A-Z]\w*\(",
    re.MULTILINE,
)


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
        self.lines = (first_line, first_line + len(lines) - 1)
        """The first and the last, decorators included, from 1."""
        self.chunk = Chunk(lines, first_line, is_method=owner is not None)
        self._lines = lines

    @functools.cached_property
    def words(self) -> frozenset[str]:
        """Every identifier in the code, and in strings of one line."""
        return _words_in(self.text)

    @functools.cached_property
    def names_of_own(self) -> frozenset[str]:
        """Names of attributes and methods of ``self``, its class or its bases."""
        text = self.text
        return frozenset(
            name
            for word, pattern in _OF_ITS_OWN
            if word in text
            for name in re.findall(pattern, text)
        )

    @functools.cached_property
    def names_of_parameters(self) -> frozenset[str]:
        """Every identifier between the parentheses of its header."""
        header = _PARAMETERS.search(self.text)
        return frozenset() if header is None else _words_in(header[1])

    @functools.cached_property
    def words_of_body(self) -> frozenset[str]:
        """Every identifier in the code below its header, whose annotations do nothing."""
        header = _PARAMETERS.search(self.text)
        return self.words if header is None else _words_in(self.text[header.end() :])

    @functools.cached_property
    def is_loud(self) -> bool:
        """Whether the text names anything that changes flags, modes or optimizers."""
        return _LOUD.occurs_in(self.text)

    @functools.cached_property
    def may_build(self) -> bool:
        """Whether the function may return or attach modules, parameters or optimizers."""
        text = self.text
        return _BUILDS.search(text) is not None or (
            self.owner is not None and re.search(_ATTACHES, text) is not None
        )

    @functools.cached_property
    def runs_modules(self) -> bool:
        """Whether a method calls what the constructor stored: a module's forward pass."""
        owner = self.owner
        return owner is not None and any(
            name in owner.attributes_made and name not in owner.methods
            for name in self.attributes_called
        )

    @functools.cached_property
    def attributes_called(self) -> frozenset[str]:
        """Names of attributes of ``self`` that are called."""
        return frozenset(re.findall(_CALLED, self.text))

    @functools.cached_property
    def text(self) -> str:
        """The lines as they stand in the file."""
        return "\n".join(self._lines)


class ClassDefinition:
    """A class at the top level of the file.

    Where the file was not parsed, the body is outlined if its lines allow that.
    """

    def __init__(
        self, name: str, lines: Sequence[str], first_line: int, node: ast.ClassDef | None = None
    ) -> None:
        """Take the lines of the class with its decorators, and its node if the file was parsed."""
        self.name = name
        self.lines = (first_line, first_line + len(lines) - 1)
        """The first and the last, decorators included, from 1."""
        self._lines = lines
        self._first_line = first_line
        self._parsed = node

    @functools.cached_property
    def text(self) -> str:
        """The lines as they stand in the file."""
        return "\n".join(self._lines)

    @functools.cached_property
    def words(self) -> frozenset[str]:
        """Every identifier in the code, and in strings of one line."""
        return _words_in(self.text)

    @functools.cached_property
    def makes_recurrent_layers(self) -> bool:
        """Whether the class builds layers whose mode decides if one can go backward through them."""
        return _RECURRENT.occurs_in(self.text)

    @functools.cached_property
    def cuts_graphs(self) -> bool:
        """Whether the class runs something without gradients, or detaches it."""
        return _CUTS.occurs_in(self.text)

    @functools.cached_property
    def names_in_header(self) -> tuple[str, ...]:
        """Every word between the brackets behind the name of the class."""
        header = _HEADER.search(self.text)
        return () if header is None else tuple(re.findall(r"\w+", header[1]))

    @functools.cached_property
    def bases(self) -> tuple[str, ...]:
        """The base classes as dotted names."""
        if self._outline:
            header = "\n".join(self._lines[: self._outline[0].first - 1])
            node = _class_in(f"{header}\n pass\n")
        else:
            node = self._node
        return tuple(dotted_name(base) or "" for base in node.bases)

    @functools.cached_property
    def methods(self) -> dict[str, Definition]:
        """The methods by name."""
        return {method.name: method for method in self._find_methods()}

    @functools.cached_property
    def _fields(self) -> frozenset[str]:
        """Names that the body of the class assigns."""
        names = set()
        for statement in self._statements:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                names.add(statement.target.id)
            elif isinstance(statement, ast.Assign):
                names.update(each.id for each in statement.targets if isinstance(each, ast.Name))
        return frozenset(names)

    @functools.cached_property
    def annotated(self) -> tuple[str, ...]:
        """Names that the body of the class annotates, in order: the fields of a dataclass."""
        return tuple(
            each.target.id
            for each in self._statements
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
        )

    @functools.cached_property
    def switched_on(self) -> frozenset[str]:
        """Fields of a dataclass that are True unless somebody says otherwise."""
        return frozenset(
            each.target.id
            for each in self._statements
            if isinstance(each, ast.AnnAssign)
            and isinstance(each.target, ast.Name)
            and isinstance(each.value, ast.Constant)
            and each.value.value is True
        )

    @functools.cached_property
    def constants(self) -> Constants | None:
        """Literals that the body of the class gives a name; None where it gives none."""
        text = self.text
        return None if _FIELD.search(text) is None else Constants(self._statements, text)

    @functools.cached_property
    def attributes_made(self) -> frozenset[str]:
        """Names of attributes of ``self`` that ``__init__`` seems to assign."""
        constructor = self.methods.get("__init__")
        return frozenset(() if constructor is None else re.findall(_ASSIGNED, constructor.text))

    @functools.cached_property
    def attributes_changed(self) -> frozenset[str]:
        """Names of attributes of ``self`` that methods other than ``__init__`` seem to assign."""
        return frozenset(
            name
            for method in self.methods.values()
            if method.name != "__init__"
            for name in re.findall(_ASSIGNED, method.text)
        )

    def defines(self, name: str) -> bool:
        """Whether the class has a field or method of that name, or reads it from ``self``."""
        if name in self.methods:
            return True
        if name not in self.words:
            return False
        return name in self._fields or name in self._attributes_read

    @functools.cached_property
    def _statements(self) -> Sequence[ast.stmt]:
        """What stands in the body of the class itself, at least all that is no method."""
        if not self._outline:
            return self._node.body
        lines = ["class _:"]
        for segment in self._outline:
            if segment.kind == "loose":
                lines += self._lines[segment.first - 1 : segment.last]
        return () if len(lines) == 1 else _class_in("\n".join(lines)).body

    @functools.cached_property
    def _node(self) -> ast.ClassDef:
        return self._parsed or _class_in(self.text)

    @functools.cached_property
    def _outline(self) -> list[Segment] | None:
        return None if self._parsed else class_outline(self.text)

    def _find_methods(self) -> Iterator[Definition]:
        if self._outline is None:
            shift = self._first_line - 1 if self._parsed else 0
            for statement in self._node.body:
                if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    first, last = (line - shift for line in lines_of(statement))
                    yield self._method(statement.name, first, last, statement.decorator_list)
            return
        for segment in self._outline:
            if segment.kind == "def":
                decorators = self._decorators_above(segment)
                yield self._method(segment.name, segment.first, segment.last, decorators)

    def _method(
        self, name: str, first: int, last: int, decorators: Sequence[ast.expr]
    ) -> Definition:
        return Definition(
            name,
            self._lines[first - 1 : last],
            first + self._first_line - 1,
            tuple(dotted_name(each) or "" for each in decorators),
            self,
        )

    def _decorators_above(self, segment: Segment) -> Sequence[ast.expr]:
        if segment.first == segment.start:
            return ()
        lines = self._lines[segment.first - 1 : segment.start - 1]
        text = textwrap.dedent("\n".join(lines))
        (function,) = parse_piece(f"{text}\ndef _(): pass\n").body
        assert isinstance(function, ast.FunctionDef)
        return function.decorator_list

    @functools.cached_property
    def _attributes_read(self) -> frozenset[str]:
        return frozenset(
            node.attr
            for node in ast.walk(self._node)
            if isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Load)
            and isinstance(node.value, ast.Name)
            and node.value.id == "self"
        )


def _words_in(text: str) -> frozenset[str]:
    """The identifiers in a text, short strings included, as ``getattr`` takes names from them."""
    return frozenset(_WORD.findall(_PROSE.sub(lambda found: found[1] or " ", text)))


def _class_in(text: str) -> ast.ClassDef:
    body = parse_piece(text).body
    if not body or not isinstance(body[0], ast.ClassDef):
        raise OutlineFailed
    return body[0]


def parse(text: str) -> ast.Module:
    """Parse a file; raises ``SyntaxError`` as CPython does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def parse_piece(text: str) -> ast.Module:
    """Parse what the look of the lines says is complete.

    Raises:
        OutlineFailed: when it is not.
    """
    try:
        return parse(text)
    except SyntaxError as error:
        raise OutlineFailed from error


def lines_of(statement: ast.stmt) -> tuple[int, int]:
    """First line of a statement, decorators included, and last."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(each.lineno for each in decorators)])
    assert statement.end_lineno is not None
    return first, statement.end_lineno


def dotted_name(node: ast.expr) -> str | None:
    """``a.b.c`` for names and attributes, and for calls of them."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = dotted_name(node.value)
        return None if base is None else f"{base}.{node.attr}"
    if isinstance(node, ast.Call):
        return dotted_name(node.func)
    return None
