"""Flags that an option decides: ``p.requires_grad = not args.freeze``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.interpreter.turns import arms_of, without_negation
from freezelint.analysis.syntax import dotted
from freezelint.analysis.trace import compatible
from freezelint.analysis.values import (
    ClassValue,
    InstanceValue,
    MappingValue,
    ModuleValue,
    NamespaceValue,
    Unknown,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.events import Path
    from freezelint.analysis.interpreter.frames import Frame
    from freezelint.analysis.interpreter.machine import Interpreter

_HOLDERS = (ClassValue, InstanceValue, MappingValue, ModuleValue, NamespaceValue)
"""What keeps options."""


def arms_of_option(run: Interpreter, source: cst.BaseExpression) -> Iterator[tuple[bool, Path]]:
    """The values that an option may have here, and what each adds to the path.

    Args:
        run: The interpreter.
        source: What the flag is set to.

    Yields:
        Nothing where the value is no option, which is the same for a whole run.
    """
    _, plain = without_negation(source)
    path = dotted(plain)
    if path is None or not _is_option(run, path):
        return
    for flag, arm in zip((True, False), arms_of(run, source), strict=True):
        if compatible(run.path, arm):
            yield flag, arm


def _is_option(run: Interpreter, path: str) -> bool:
    frame, path = _as_passed(run.frame, path, run)
    root = path.partition(".")[0].partition("[")[0]
    holder: Frame | None = frame
    while holder is not None and (holder.key, root) not in run.bindings:
        holder = holder.parent
    if holder is None:
        # A switch of the file, of a class, or of an object that the file makes.
        return not _is_gone_over(frame, root)
    value = run.bindings[holder.key, root]
    is_first = run.points.is_untouched(holder.key, root)
    if root != path:
        if _is_gone_over(frame, root):
            return False
        return isinstance(value, _HOLDERS) or (isinstance(value, Unknown) and is_first)
    return is_first and _has_default(holder, root)


def _as_passed(frame: Frame, path: str, run: Interpreter) -> tuple[Frame, str]:
    """What the outermost caller in sight calls it."""
    root, _, rest = path.partition(".")
    while root in frame.passed and run.points.is_untouched(frame.key, root):
        frame, passed = frame.passed[root]
        path = f"{passed}.{rest}" if rest else passed
        root, _, rest = path.partition(".")
    return frame, path


def _is_gone_over(frame: Frame, name: str) -> bool:
    """Whether a loop binds a name: then it holds another object in each round."""
    text = "" if frame.chunk is None else frame.chunk.text
    return re.search(rf"\bfor\b[^\n]*\b{re.escape(name)}\b[^\n]*\bin\b", text) is not None


def _has_default(frame: Frame, name: str) -> bool:
    """Whether a parameter is an option of its function, or one of a constructor."""
    code = None if frame.chunk is None or not frame.chunk.body else frame.chunk.body[0]
    if not isinstance(code, cst.FunctionDef):
        return False
    parameters = (*code.params.params, *code.params.kwonly_params)
    found = next((each for each in parameters if each.name.value == name), None)
    return found is not None and (found.default is not None or code.name.value == "__init__")
