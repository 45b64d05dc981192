"""An embedding made from pretrained vectors is frozen, and does not say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    Called,
    Event,
    FlagWritten,
    GroupAdded,
    HandedOver,
    OptimizerBuilt,
    SubmoduleReplaced,
)
from freezelint.analysis.knowledge.layers import PRETRAINED_LAYERS
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import is_total
from freezelint.analysis.values import Part
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.objects import ModuleObject
    from freezelint.analysis.syntax import Place
    from freezelint.analysis.trace import Trace
    from freezelint.findings import Fix

_LAYERS = frozenset(name.rpartition(".")[0] for name in PRETRAINED_LAYERS)


class EmbeddingFrozenByDefault(Rule):
    """Finds `nn.Embedding.from_pretrained` without `freeze`, which freezes.

    What it does:
        Reports `nn.Embedding.from_pretrained(...)` and `nn.EmbeddingBag.from_pretrained`
        without the argument `freeze`, where nothing writes the flag afterwards. That is
        an info. It is a warning where an optimizer is handed the parameters of just this
        embedding, without a test of the flag: then it is meant to train.

    Why is this bad:
        `freeze` is True by default, unlike in every other way to load weights. The
        vectors never change, without a message, and an optimizer steps over them.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)

        vectors = torch.randn(100, 16)
        embedding = nn.EmbeddingBag.from_pretrained(vectors)  # expect: FZ610
        head = nn.Linear(16, 3)

        optimizer = torch.optim.Adam(
            [{"params": embedding.parameters(), "lr": 1e-4}, {"params": head.parameters()}], lr=1e-3
        )
        tokens, labels = torch.randint(100, (64, 12)), torch.randint(3, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(head(embedding(tokens)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)

        vectors = torch.randn(100, 16)
        embedding = nn.EmbeddingBag.from_pretrained(vectors, freeze=False)
        head = nn.Linear(16, 3)

        optimizer = torch.optim.Adam(
            [{"params": embedding.parameters(), "lr": 1e-4}, {"params": head.parameters()}], lr=1e-3
        )
        tokens, labels = torch.randint(100, (64, 12)), torch.randint(3, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(head(embedding(tokens)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        `freeze` given, whatever its value, flags that are written, and a weight that is
        replaced afterwards. Only an info, and so silent by default: an embedding that
        an optimizer gets as part of a whole model, or through a test of the flag, or
        that code out of sight had in hands, since freezing it is often what is wanted.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Embedding.html#torch.nn.Embedding.from_pretrained
        https://github.com/RUCAIBox/RecBole/issues/2046
        https://github.com/649453932/Chinese-Text-Classification-Pytorch/issues/117
    """

    code = "FZ610"
    name = "embedding-frozen-by-default"
    level = Level.WARNING
    claims = (Claim("dead", "embedding.*"),)
    triggers = (("Embedding.from_pretrained(", "EmbeddingBag.from_pretrained("),)
    trigger_patterns = (
        (
            r"Embedding\.from_pretrained\((?![^()]*\bfreeze\s*=)",
            r"EmbeddingBag\.from_pretrained\((?![^()]*\bfreeze\s*=)",
        ),
    )
    fix = "unsafe"
    events = ("Called", "OptimizerBuilt", "GroupAdded")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report an embedding that is frozen and leaves it to the reader to know."""
        if isinstance(event, Called):
            if event.name in PRETRAINED_LAYERS:
                for module in trace.objects.modules():
                    if module.place is not None and module.place.node is event.call:
                        yield from _judge(trace, module)
        elif isinstance(event, (OptimizerBuilt, GroupAdded)):
            # In a constructor in which nothing else happens, the call went by unseen.
            for part in event.parts:
                if (owner := _owner(trace, part)) is not None:
                    yield from _judge(trace, owner)


def _judge(trace: Trace, module: ModuleObject) -> Iterator[Report]:
    if module.place is None or not _is_default(module):
        return
    piece = Part(module.key)
    if any(
        trace.parts_overlap(part, piece, write.index)
        for write in trace.all(FlagWritten)
        for part in write.parts
    ) or any(each.parent == module.key for each in trace.all(SubmoduleReplaced)):
        return
    label = trace.objects.label(module.key)
    said = f"`{label}` is frozen: `{module.place.code.partition('(')[0]}` freezes by default"
    taker = _taker(trace, module)
    if taker is None:
        yield Report(
            module.place,
            said,
            "say what is meant: `freeze=True` or `freeze=False`",
            level=Level.INFO,
        )
        return
    yield Report(
        module.place,
        f"{said}, and an optimizer is handed it to train",
        "pass `freeze=False`",
        ((taker.place, "the optimizer takes it here"),),
        fix=_fix(module.place),
        about=About((label,)),
    )


def _is_default(module: ModuleObject) -> bool:
    """Whether this is a pretrained embedding whose constructor was not told what to do."""
    from libcst import Call

    if module.library not in _LAYERS or module.flag_at_birth is not False or module.place is None:
        return False
    call = module.place.node
    if not isinstance(call, Call):
        return False
    plain = [each for each in call.args if each.keyword is None]
    named = {each.keyword.value for each in call.args if each.keyword is not None}
    return len(plain) < 2 and "freeze" not in named and not any(each.star for each in call.args)


def _owner(trace: Trace, part: Part) -> ModuleObject | None:
    """The module whose parameters are meant, if all of them are: itself, or by its weight."""
    module = trace.objects.module(part.key)
    if not is_total(part.predicate):
        return None
    if module.origin is Origin.PARAMETER and module.parent is not None:
        return trace.objects.module(module.parent)
    return module


def _taker(trace: Trace, module: ModuleObject) -> OptimizerBuilt | GroupAdded | None:
    """An optimizer that is handed the parameters of just this module."""
    takers: list[OptimizerBuilt | GroupAdded] = [
        *trace.all(OptimizerBuilt),
        *trace.all(GroupAdded),
    ]
    for each in takers:
        is_meant = any(_owner(trace, part) is module for part in each.parts)
        if is_meant and not _may_be_switched_on(trace, module, each):
            return each
    return None


def _may_be_switched_on(trace: Trace, module: ModuleObject, until: Event) -> bool:
    return any(
        trace.related(key, module.key, each.index)
        for each in trace.before(until, HandedOver)
        if each.index >= module.born
        for key in each.keys
    )


def _fix(made: Place) -> Fix | None:
    from freezelint.analysis import edits

    edit = edits.keyword_added(made, "freeze", "False")
    return edits.fixed("pass `freeze=False`", edit, is_safe=False)
