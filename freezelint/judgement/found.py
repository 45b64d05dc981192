"""The tensors that a finding is about, found in the running program by the names it gives them."""

from __future__ import annotations

import ast
import fnmatch
import functools
import inspect
import sys
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from freezelint.judgement.tensors import Named, tensors_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

    from freezelint.findings import About

_MOST = 20_000
"""Things that one finding is about; a loop variable may be as many."""


class Found:
    """What a finding is about, from the moments on at which the program names it."""

    def __init__(self, about: About) -> None:
        """Nothing was found yet."""
        self._about = about
        self._things: dict[str, Any] = {}
        self._seen: set[int] = set()
        self._named: dict[str, Named] = {}
        self._modules: dict[str, nn.Module] = {}

    @property
    def label(self) -> str:
        """The first of its names."""
        return self._about.paths[0]

    def look(self, frame: FrameType) -> None:
        """Look among the variables of a frame, and of its module."""
        variables = frame.f_locals
        for path in self._about.paths:
            thing = resolved(path, variables, frame.f_globals)
            if thing is None or id(thing) in self._seen or len(self._things) > _MOST:
                continue
            # Of a tensor, the flag counts that it has there; of a model, those it trains with.
            is_tensor = isinstance(thing, Tensor)
            if is_tensor and self._about.among == "frozen" and thing.requires_grad:
                continue
            self._seen.add(id(thing))
            self._things[_free(path, self._things)] = thing
        if sys.version_info < (3, 13) and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
            # A copy that the frame keeps; what the program deletes would live on in it.
            variables.clear()

    def settle(self) -> bool:
        """Keep the tensors, and no more of what they were found in; False if there are none."""
        for name, thing in self._things.items():
            for each in tensors_in(name, thing):
                if self._is_meant(each):
                    self._named.setdefault(each.name, each)
            self._modules.update(_modules_in(name, thing))
        if self._about.among == "batch-norm":
            self._keep_batch_norms()
        self._things, self._seen = {}, set()
        return bool(self._named)

    def let_go(self) -> None:
        """Hold the modules no longer."""
        self._modules = {}

    def tensors(self) -> Mapping[str, Named]:
        """The tensors; they stay the same, whatever is put in their place."""
        return self._named

    def modules(self) -> Mapping[str, nn.Module]:
        """The modules that were named, not those in them."""
        return self._modules

    def _is_meant(self, each: Named) -> bool:
        if self._about.among == "frozen" and each.tensor.requires_grad:
            return False
        if not _is_ordinary(each.tensor):
            return False
        return any(fnmatch.fnmatchcase(each.name, glob) for glob in self._about.names)

    def _keep_batch_norms(self) -> None:
        wanted = {
            id(parameter)
            for model in self._modules.values()
            for module in model.modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm)  # noqa: SLF001
            for parameter in module.parameters(recurse=False)
        }
        self._named = {
            name: each for name, each in self._named.items() if id(each.tensor) in wanted
        }


def resolved(path: str, variables: Mapping[str, Any], outside: Mapping[str, Any]) -> Any:
    """What a path names among variables, or among those outside of the function; None if there is no such thing.

    Nothing of the program runs: no property, no ``__getattr__``, no ``__getitem__``.
    """
    steps = _steps(path)
    if not steps:
        return None
    first, *others = steps
    thing = variables.get(first, outside.get(first))
    for step in others:
        thing = _part(thing, step)
    return thing


@functools.cache
def _steps(path: str) -> tuple[str, ...]:
    """The names and keys of ``a.b[0]``; empty for every other expression.

    The name of a tensor as modules have it, ``layers.0.weight``, is a path too.
    """
    spelled = ".".join(
        f"_{part}" if part.isdigit() else part for part in path.replace("[", ".[").split(".")
    ).replace(".[", "[")
    try:
        node = ast.parse(spelled, mode="eval").body
    except (SyntaxError, ValueError):
        return ()
    steps: list[str] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            digits = node.attr[1:]
            steps.append(digits if node.attr.startswith("_") and digits.isdigit() else node.attr)
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            steps.append(str(node.slice.value))
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.UnaryOp):
            steps.append(ast.unparse(node.slice))
        else:
            return ()
        node = node.value
    return (node.id, *reversed(steps))


def _part(thing: Any, step: str) -> Any:
    if isinstance(thing, nn.Module):
        return _part_of_module(thing, step)
    if isinstance(thing, Tensor):
        return thing.data if step == "data" else None
    if type(thing) in (list, tuple):
        return _at(list(thing), step)
    if type(thing) is dict:
        return thing.get(step, thing.get(int(step)) if step.isdigit() else None)
    return getattr(thing, "__dict__", {}).get(step)


def _part_of_module(module: nn.Module, step: str) -> Any:
    kept = vars(module)
    for holder in ("_modules", "_parameters", "_buffers"):
        inner = kept.get(holder, {})
        if step in inner:
            return inner[step]
    if step in kept:
        return kept[step]
    return _at(list(kept.get("_modules", {}).values()), step)


def _at(things: list[Any], step: str) -> Any:
    digits = step.removeprefix("-")
    if not digits.isdigit():
        return None
    position = int(step)
    return things[position] if -len(things) <= position < len(things) else None


def _is_ordinary(tensor: Tensor) -> bool:
    """Whether it is a plain array of numbers, and there."""
    is_array = tensor.layout is torch.strided and not tensor.is_quantized and not tensor.is_nested
    return is_array and tensor.device.type != "meta"


def _free(path: str, taken: Mapping[str, Any]) -> str:
    number, name = 1, path
    while name in taken:
        number += 1
        name = f"{path}#{number}"
    return name


def _modules_in(name: str, thing: Any) -> dict[str, nn.Module]:
    if isinstance(thing, nn.Module):
        return {name: thing}
    if type(thing) in (list, tuple):
        return {
            path: module
            for position, each in enumerate(thing)
            for path, module in _modules_in(f"{name}.{position}", each).items()
        }
    return {}
