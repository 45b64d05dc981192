"""A new head is attached and then frozen together with everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from freezelint.analysis.events import (
    BackwardRan,
    Event,
    FlagWritten,
    MethodCalled,
    OptimizerBuilt,
    Stepped,
    SubmoduleReplaced,
)
from freezelint.analysis.knowledge.torch import (
    FLAG_WRITES,
    MODULE_CONTAINERS,
    OPTIMIZER_CONSTRUCTIONS,
)
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import is_total
from freezelint.analysis.training import (
    flag_changes_after,
    is_born_trainable,
    may_be_unknown,
    trained_before,
)
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.syntax import Place
    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Part

_NEW = (Origin.BUILT, Origin.OWN_CLASS)


class NewHeadFrozen(Rule):
    """Finds a freeze of everything that also freezes a head attached just before.

    What it does:
        Reports a freeze of a whole model that reaches a submodule which was newly
        made and attached before, when nothing unfreezes that submodule afterwards and
        the model is trained.

    Why is this bad:
        The new head starts from random weights and stays there. If something else
        still trains, a second model or a loss with weights of its own, nothing is
        said. Otherwise `backward()` raises a RuntimeError ("element 0 of tensors does
        not require grad"), or an optimizer over the filtered parameters raises
        `ValueError: optimizer got an empty parameter list`.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Embedder(nn.Module):
            def __init__(self):
                super().__init__()
                self.trunk = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
                self.embed = nn.Linear(32, 64)

            def forward(self, x):
                return nn.functional.normalize(self.embed(self.trunk(x)), dim=1)


        model = Embedder()
        model.embed = nn.Linear(32, 8)
        model.requires_grad_(False)  # expect: FZ602
        centres = nn.Linear(8, 5, bias=False)  # one learnable centre per class

        params = [p for p in (*model.parameters(), *centres.parameters()) if p.requires_grad]
        optimizer = torch.optim.AdamW(params, lr=1e-3)
        inputs, labels = torch.randn(64, 16), torch.randint(5, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(centres(model(inputs)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Embedder(nn.Module):
            def __init__(self):
                super().__init__()
                self.trunk = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
                self.embed = nn.Linear(32, 64)

            def forward(self, x):
                return nn.functional.normalize(self.embed(self.trunk(x)), dim=1)


        model = Embedder()
        model.requires_grad_(False)
        model.embed = nn.Linear(32, 8)
        centres = nn.Linear(8, 5, bias=False)  # one learnable centre per class

        params = [p for p in (*model.parameters(), *centres.parameters()) if p.requires_grad]
        optimizer = torch.optim.AdamW(params, lr=1e-3)
        inputs, labels = torch.randn(64, 16), torch.randint(5, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(centres(model(inputs)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Freezing first and attaching the head afterwards, a head that is unfrozen
        again, a head that has weights loaded or copied into it, and models that are
        only evaluated.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.requires_grad_
        https://github.com/facebookresearch/pytext/issues/76
        https://github.com/jina-ai/finetuner/issues/435
    """

    code = "FZ602"
    name = "new-head-frozen"
    level = Level.ERROR
    claims = (Claim("dead", "model.embed.*"),)
    triggers = (
        ("requires_grad",),
        ("optim", "Optim", "Adam", "SGD", "RMSprop", "Adagrad", "LBFGS", "Lion", "Muon"),
    )
    trigger_patterns = (FLAG_WRITES, OPTIMIZER_CONSTRUCTIONS)
    events = ("FlagWritten",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a freeze that takes in a module which was attached just before."""
        assert isinstance(event, FlagWritten)
        if event.value is not False or not event.certain or event.repeated:
            return
        for part in event.parts:
            if not is_total(part.predicate):
                continue
            head = _new_head(trace, event, part) or _head_of_class(trace, event, part)
            if head is not None and _stays_frozen(trace, event, part, head.key):
                attached = head.attached
                place = head.place
                if attached is not None:
                    place = trace.meeting_place(attached, event)
                yield Report(
                    event.place if attached is None else trace.meeting_place(event, attached),
                    f"this freezes `{head.label}` too, which was attached before: "
                    "the new module never trains",
                    "freeze first and attach the new module after it, or unfreeze it again",
                    () if place is None else ((place, "the new module is attached here"),),
                    about=About((head.label,)),
                )
                return


class _Head(NamedTuple):
    """A fresh module in what is frozen."""

    key: int
    label: str
    place: Place | None
    attached: SubmoduleReplaced | None = None
    """What put it there, unless that was a constructor in which nothing else happens."""


def _new_head(trace: Trace, freeze: FlagWritten, part: Part) -> _Head | None:
    """The latest fresh module below the part that was put there on purpose."""
    for change in trace.before(freeze, SubmoduleReplaced):
        if change.new is None or trace.objects.module(change.new).origin not in _NEW:
            continue
        if not trace.covers(part, change.new, freeze.index) or change.new == part.key:
            continue
        if not is_born_trainable(trace, change.new, freeze.index):
            continue
        if _is_loaded_after(trace, change, freeze):
            continue
        if _is_surgery(trace, change) or _is_beside_loaded(trace, change, freeze):
            if trained_before(trace, freeze, change) is not None:
                return None
            return _Head(change.new, change.label, change.place, change)
    return None


def _head_of_class(trace: Trace, freeze: FlagWritten, part: Part) -> _Head | None:
    """A head that a constructor put into a loaded model, or a plain layer next to one."""
    whole = trace.objects.module(part.key)
    if whole.is_subject or whole.born < 0 or _is_trained_or_loaded(trace, freeze):
        return None
    trace.look_inside(part.key)
    for module in trace.objects.below(part.key, freeze.index):
        is_layer = module.origin is Origin.OWN_CLASS or _is_plain_layer(trace, module.key)
        if not is_layer or not is_born_trainable(trace, module.key, freeze.index):
            continue
        for each in module.attachments:
            if (
                each.until is None
                and each.since <= freeze.index
                and _is_head_of(trace, module.key, each.parent, freeze.index)
            ):
                return _Head(module.key, trace.objects.label(module.key), module.place)
    return None


def _is_trained_or_loaded(trace: Trace, freeze: FlagWritten) -> bool:
    return any(
        each.index < freeze.index for kind in (BackwardRan, Stepped) for each in trace.all(kind)
    ) or any(call.name == "load_state_dict" for call in trace.before(freeze, MethodCalled))


def _is_head_of(trace: Trace, key: int, parent: int, at: int) -> bool:
    owner = trace.objects.module(parent)
    if _is_loaded(trace, parent):
        return True
    return (
        owner.owner_class is not None
        and _is_plain_layer(trace, key)
        and any(_is_loaded(trace, other) for other in trace.objects.held_by(parent, at))
    )


def _is_surgery(trace: Trace, change: SubmoduleReplaced) -> bool:
    """Whether a module was made before, and something is put into it now."""
    if change.old is not None:
        return True
    owner = trace.objects.module(change.parent)
    is_list_in_sight = owner.origin is Origin.BUILT and owner.library in MODULE_CONTAINERS
    is_built_so = owner.origin is Origin.OWN_CLASS or is_list_in_sight
    return not is_built_so or "__init__" not in change.scopes


def _is_loaded_after(trace: Trace, change: SubmoduleReplaced, freeze: FlagWritten) -> bool:
    """Whether values for what was attached may have been loaded before the freeze."""
    assert change.new is not None
    times = (
        trace.objects.module(each).loaded
        for each in trace.objects.holders(change.new, freeze.index)
    )
    return any(at is not None and change.index <= at < freeze.index for at in times)


def _is_beside_loaded(trace: Trace, change: SubmoduleReplaced, freeze: FlagWritten) -> bool:
    """Whether a class puts the fresh module next to one that is loaded from a library."""
    if change.new is None or not _is_plain_layer(trace, change.new):
        return False
    return any(
        other.parent == change.parent and other.new is not None and _is_loaded(trace, other.new)
        for other in trace.before(freeze, SubmoduleReplaced)
    )


def _is_plain_layer(trace: Trace, key: int) -> bool:
    library = trace.objects.module(key).library
    return library is not None and library.startswith("torch.nn.")


def _is_loaded(trace: Trace, key: int) -> bool:
    module = trace.objects.module(key)
    library = module.library
    return (
        module.origin is Origin.BUILT
        and library is not None
        and not library.startswith("torch.nn.")
    )


def _stays_frozen(trace: Trace, freeze: FlagWritten, part: Part, head: int) -> bool:
    """Whether an optimizer is built for the model and nothing switches a part on before."""
    built = next(
        (
            each
            for each in (
                *trace.after(freeze, OptimizerBuilt),
                *trace.before(freeze, OptimizerBuilt),
            )
            if any(
                trace.related(mine.key, head, each.index)
                and trace.objects.roots(mine.key, each.index)
                & trace.objects.roots(head, each.index)
                for mine in each.parts
            )
        ),
        None,
    )
    if built is None or may_be_unknown(trace, part, freeze, built):
        return False
    return not any(
        write.value is not False
        and any(trace.parts_overlap(mine, part, write.index) for mine in write.parts)
        for write in flag_changes_after(trace, freeze)
    ) and not any(
        later.new is not None and trace.covers(part, later.parent, later.index)
        for later in trace.after(freeze, SubmoduleReplaced)
    )
