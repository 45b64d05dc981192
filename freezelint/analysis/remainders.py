"""Whether a module certainly has more parameters than some that were taken out of it, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.architectures import known_place
from freezelint.analysis.events import SubmoduleReplaced
from freezelint.analysis.knowledge import transformers
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import Atom, NameTest, NotAll, is_met_by
from freezelint.analysis.trainability import has_no_parameters, has_parameters
from freezelint.analysis.training import without_flag_tests
from freezelint.analysis.values import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from freezelint.analysis.trace import Trace

_WHOLE_MODELS = ("torchvision.models.", "timm.", "transformers.")

_MADE = (Origin.BUILT, Origin.OWN_CLASS, Origin.PARAMETER)

_SMALL = frozenset(
    {"pooler", "classifier", "pre_classifier", "score", "qa_outputs", "lm_head", "cls"}
)
"""What published models of transformers have besides their encoders, whatever the encoder."""

_NORMS = frozenset({"bias", "ln_f", "norm", "LayerNorm", "layer_norm", "layernorm"})

_DEEPEST = 4


def left_out(trace: Trace, key: int, taken: Sequence[Part], at: int) -> Part | None:
    """A part of a module that certainly has parameters, none of which are among those taken.

    Args:
        trace: The run that is asked about.
        key: The module.
        taken: The parts that may lie in it.
        at: The moment that counts.

    Returns:
        The module itself where what is left has no name of its own; None where it is not
        certain that anything is.
    """
    return _left_out(trace, key, taken, at, _DEEPEST)


def with_wholes(trace: Trace, taken: Sequence[Part], at: int) -> list[Part]:
    """Parts, and each module of a class in sight that has no other parameters than these.

    Args:
        trace: The run that is asked about.
        taken: The parts, as an optimizer takes them in groups.
        at: The moment that counts.

    Returns:
        The parts, and after them the modules that they make up together.
    """
    found = list(taken)
    for part in taken:
        for key in trace.objects.holders(part.key, at)[1:]:
            if Part(key) not in found and _is_made_up(trace, key, found, at):
                found.append(Part(key))
    return found


def _is_made_up(trace: Trace, key: int, taken: Sequence[Part], at: int) -> bool:
    module = trace.objects.module(key)
    if module.origin is not Origin.OWN_CLASS or module.is_subject:
        return False
    trace.look_inside(key)
    return module.is_complete and all(
        any(trace.part_covers(part, Part(held), at) for part in taken)
        or has_no_parameters(trace, held)
        for held in trace.objects.held_by(key, at)
    )


def _left_out(trace: Trace, key: int, taken: Sequence[Part], at: int, depth: int) -> Part | None:
    below = [part for part in taken if trace.parts_overlap(part, Part(key), at)]
    if not below:
        return Part(key) if has_parameters(trace, key, at) else None
    if depth == 0 or any(trace.part_covers(part, Part(key), at) for part in below):
        return None
    rest = _more_of_a_model(trace, key, below, at)
    if rest is not None:
        return rest
    for held in trace.objects.held_by(key, at):
        module = trace.objects.module(held)
        if module.origin in (Origin.BUILT, Origin.OWN_CLASS, Origin.COPY):
            rest = _left_out(trace, held, below, at, depth - 1)
            if rest is not None:
                return rest
    return None


def has_more(trace: Trace, key: int, taken: Sequence[Part], at: int) -> bool:
    """Whether a model of a library certainly has more than what was taken of it."""
    return _more_of_a_model(trace, key, taken, at) is not None or (
        (trace.objects.module(key).library or "").startswith(_WHOLE_MODELS)
        and all(_is_small(trace, key, part, _is_layer_or_norm) for part in taken)
    )


def _more_of_a_model(trace: Trace, key: int, taken: Sequence[Part], at: int) -> Part | None:
    """What a model of a library has besides what was taken; the model where that has no name."""
    module = trace.objects.module(key)
    library = module.library or ""
    if module.origin is not Origin.BUILT or not library.startswith(_WHOLE_MODELS):
        return None
    unpicked = _unpicked_child(trace, key, taken, at)
    if unpicked is not None:
        return Part(trace.objects.child(key, unpicked).key)
    ways = [trace.objects.route(key, part.key, at) for part in taken]
    if len(set(taken)) == 1 and not library.startswith("transformers."):
        return Part(key) if ways[0] not in (None, "") else None
    if not all(
        _is_added(trace, key, part, way) or _is_small(trace, key, part)
        for part, way in zip(taken, ways, strict=True)
    ):
        return None
    base = (transformers.facts(library) or {}).get("base")
    return Part(key if base is None else trace.objects.child(key, base).key)


def _unpicked_child(trace: Trace, key: int, taken: Sequence[Part], at: int) -> str | None:
    """A submodule of a known architecture of which none of the parts takes anything."""
    place = known_place(trace, key)
    names = None if place is None else place.parameter_names
    if names is None:
        return None
    replaced = [each.attribute for _, each in trace.objects.attachments_to(key) if each.since >= 0]
    ways = {part: trace.objects.route(key, part.key, at) for part in taken}
    for name in names:
        child = name.partition(".")[0]
        if child in replaced or child == name:
            continue
        below = [each for each in names if each.startswith(f"{child}.")]
        if all(_leaves(ways[part], part, below) for part in taken):
            return child
    return None


def _leaves(way: str | None, part: Part, names: Sequence[str]) -> bool:
    """Whether a part at the end of a way takes none of some parameters."""
    if way is None:
        return False
    if way:
        return not any(f"{name}.".startswith(f"{way}.") for name in names)
    predicate = without_flag_tests(part).predicate
    return all(is_met_by(predicate, name) is False for name in names)


def _is_added(trace: Trace, key: int, part: Part, way: str | None) -> bool:
    """Whether a part lies in what the code has put into a model, or in a head of it."""
    if way is None or way == "":
        return False
    first = way.partition(".")[0]
    if first in _heads_of(trace, key):
        return True
    return trace.objects.module(part.key).origin in _MADE


def _heads_of(trace: Trace, key: int) -> frozenset[str]:
    place = known_place(trace, key)
    if place is not None:
        return frozenset(place.heads)
    known = transformers.facts(trace.objects.module(key).library or "")
    if known is None or "base" not in known:
        return frozenset()
    return frozenset(known.get("heads", ())) - {known["base"]}


def _is_layer_or_norm(text: str) -> bool:
    """Whether a text picks one of several layers by its number, or what normalizes."""
    steps = text.strip(".").split(".")
    return (len(steps) > 1 and steps[-1].isdigit() and steps[-1] != "0") or steps[-1] in _NORMS


def _is_small(
    trace: Trace, key: int, part: Part, is_small: Callable[[str], bool] = lambda _: False
) -> bool:
    """Whether only names of a head, or of what the code has put there, are picked."""
    if part.key != key:
        return False
    added = {
        change.attribute
        for change in trace.all(SubmoduleReplaced)
        if change.new is not None and trace.objects.module(change.new).origin in _MADE
    }
    added |= {
        each.attribute
        for module in trace.objects.modules()
        if module.origin in _MADE
        for each in module.attachments
        if each.since >= 0
    }
    known = added | _heads_of(trace, key)
    if (trace.objects.module(key).library or "").startswith("transformers."):
        known |= _SMALL
    return any(
        texts and all(_is_of(text, known) or is_small(text) for text in texts)
        for texts in map(_texts_of, part.predicate)
    )


def _texts_of(atom: Atom) -> tuple[str, ...]:
    """The texts of which one must be in a name for it to be picked."""
    if isinstance(atom, NameTest):
        return () if atom.negated else atom.texts
    if isinstance(atom, NotAll) and all(
        isinstance(each, NameTest) and each.negated for each in atom.atoms
    ):
        return tuple(
            text for each in atom.atoms if isinstance(each, NameTest) for text in each.texts
        )
    return ()


def _is_of(text: str, known: set[str] | frozenset[str]) -> bool:
    steps = text.strip(".").split(".")
    return any(step in known for step in steps) or any(
        len(steps[0]) > 3 and name.startswith(steps[0]) for name in known
    )
