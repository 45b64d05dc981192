"""What a watched run of a program showed: for people, and for programs."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from freezelint import __version__
from freezelint.findings import Level
from freezelint.reports import checked_run
from freezelint.reports.display import safe
from freezelint.reports.summary import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import RenderableType

    from freezelint.runtime.program_watch import Observed, ProgramWatch
    from freezelint.runtime.violations import Violation
    from freezelint.verdicts import CheckedRun

_COLORS = {Level.ERROR: "red", Level.WARNING: "yellow", Level.INFO: "blue"}


def render(watched: ProgramWatch) -> Iterator[RenderableType]:
    """Yield what a terminal shows: a freeze map and the violations for each model, a sum."""
    for observed in watched.observed:
        yield from _render_model(observed)
    yield _text(summary(watched), "bold")


def summary(watched: ProgramWatch) -> str:
    """Say in one line what was watched and what was seen."""
    if not watched.observed:
        if watched.without_model:
            kinds = ", ".join(sorted(watched.without_model))
            return f"freezelint: {safe(kinds)} stepped tensors that belong to no module."
        return "freezelint: no optimizer took a step; there was nothing to watch."
    levels = Counter(each.kind.level for each in violations_in(watched))
    steps = sum(each.steps for each in watched.observed)
    where = f"{counted(len(watched.observed), 'training')}, {counted(steps, 'step')}"
    counts = [counted(levels[level], level.value) for level in Level if levels[level]]
    if not counts:
        return f"freezelint: what is frozen stayed, what trains moved ({where})."
    return f"freezelint: {' and '.join(counts)} ({where})."


def violations_in(watched: ProgramWatch) -> list[Violation]:
    """All that was seen, model by model."""
    return [violation for each in watched.observed for violation in each.violations]


def document(
    watched: ProgramWatch, program: str, exit_code: int, checked: CheckedRun | None
) -> str:
    """Return the report as one JSON document; keys are only ever added."""
    return json.dumps(
        {
            **({} if checked is None else checked_run.as_data(checked)),
            "version": __version__,
            "program": program,
            "exit_code": exit_code,
            "models": [_as_data(each) for each in watched.observed],
            "optimizers_without_model": sorted(watched.without_model),
            "summary": {
                "by_level": {
                    level.value: sum(each.kind.level is level for each in violations_in(watched))
                    for level in Level
                }
            },
        },
        indent=2,
    )


def _as_data(observed: Observed) -> dict[str, Any]:
    return {
        "names": list(observed.models),
        "optimizers": list(observed.optimizers),
        "steps": observed.steps,
        "violations": [
            {
                "kind": each.kind.value,
                "level": each.kind.level.value,
                "tensor": each.tensor,
                "step": each.step,
                "message": each.message,
                "cause": each.cause,
                "optimizer": each.optimizer,
                "group": each.group,
                "writer": None if each.writer is None else each.writer._asdict(),
                "ranks": list(each.ranks),
            }
            for each in observed.violations
        ],
        "freeze_map": observed.freeze_map.to_dict(),
    }


def _render_model(observed: Observed) -> Iterator[RenderableType]:
    from rich.text import Text

    by = f" by {', '.join(observed.optimizers)}" if observed.optimizers else ""
    names = ", ".join(observed.models)
    yield _text(f"freezelint: {names}, {counted(observed.steps, 'step')}{by}", "bold")
    yield observed.freeze_map.__rich__()
    for level, group in _grouped(observed.violations):
        first, *others = group
        line = Text(f"{level.value}", style=f"bold {_COLORS[level]}")
        line.append(" " + "\n".join(map(safe, str(first).splitlines())), "default not bold")
        if others:
            names = ", ".join(each.tensor or "" for each in others[:_NAMED])
            more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
            line.append(f"\n  the same of {safe(names)}{more}", "default not bold")
        yield line


_NAMED = 3
"""Tensors that are listed of those to which the same happened."""


def _grouped(violations: Iterable[Violation]) -> list[tuple[Level, list[Violation]]]:
    """Put together what is of one kind and one cause, errors first."""
    groups: dict[tuple[Any, ...], list[Violation]] = {}
    for each in violations:
        groups.setdefault((each.kind, each.cause, each.optimizer, each.group), []).append(each)
    order = list(Level)
    found = [(group[0].kind.level, group) for group in groups.values()]
    return sorted(found, key=lambda each: order.index(each[0]))


def _text(text: str, style: str) -> RenderableType:
    from rich.text import Text

    return Text(safe(text), style=style)
