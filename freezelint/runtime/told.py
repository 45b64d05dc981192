"""Violations as processes tell each other of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezelint.runtime.violations import Kind, Violation, Writer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


def merged(violations: Iterable[Violation]) -> list[Violation]:
    """What several processes saw, each once, with all that saw it."""
    found: dict[tuple[Any, ...], Violation] = {}
    for each in violations:
        key = (each.kind, each.tensor, each.optimizer, each.group)
        known = found.setdefault(key, each)
        found[key] = known._replace(ranks=tuple(sorted({*known.ranks, *each.ranks})))
    return list(found.values())


def moved_nowhere(notes: Sequence[Mapping[str, Any]]) -> Iterator[Violation]:
    """What is shared out and moved in no process that has some of it."""
    for name in [each for each in notes[0] if all(each in note for note in notes)]:
        yield from (violation_of(note[name]) for note in notes if note[name] is not None)


def plain(violations: Iterable[Violation], rank: int) -> list[dict[str, Any]]:
    """Violations as plain data, with who saw them: this process, if nothing else is said."""
    return [
        {**each._asdict(), "kind": each.kind.value, "ranks": each.ranks or (rank,)}
        for each in violations
    ]


def violation_of(data: Mapping[str, Any]) -> Violation:
    """What :func:`plain` made plain."""
    writer = None if data["writer"] is None else Writer(*data["writer"])
    restored = {**data, "kind": Kind(data["kind"]), "ranks": tuple(data["ranks"]), "writer": writer}
    return Violation(**restored)
