"""A submodule is frozen or unfrozen and then replaced, which drops the flags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    Event,
    FlagWritten,
    GroupAdded,
    OptimizerBuilt,
    SubmoduleReplaced,
)
from freezelint.analysis.knowledge.patterns import FLAG_WRITES, OPTIMIZER_CONSTRUCTIONS
from freezelint.analysis.lost_freeze import is_loaded_anew
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import NameTest
from freezelint.analysis.search import LinePattern
from freezelint.analysis.trace import compatible
from freezelint.analysis.trainability import has_no_parameters, has_parameters
from freezelint.analysis.training import trained_before
from freezelint.analysis.values import Part
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.findings import Fix

_NEW = (Origin.BUILT, Origin.OWN_CLASS)

_STEMS = frozenset({"embeddings", "patch_embed", "patch_embeddings", "patch_embedding"})
"""Submodules of known models that hold little more than the layer which reads the input."""

_READING_THE_INPUT = frozenset({"word_embeddings", "proj", "projection", "patch_embedding"})

_FIRST_LAYERS = frozenset(
    f"torch.nn.{name}" for name in ("Embedding", "Conv1d", "Conv2d", "Conv3d")
)


class HeadReplacedAfterUnfreeze(Rule):
    """Finds a submodule that is frozen or unfrozen and then replaced by a new one.

    What it does:
        Reports an assignment that puts a new module where one stood whose flags had
        been written on purpose, by a write to that submodule itself. The flags go
        away with the old module.

    Why is this bad:
        A new module is trainable, whatever was set on the one before it. A frozen
        part that is replaced trains after all. An unfrozen part that is replaced
        trains anyway, so the unfreezing did nothing, and it misleads the next reader
        about what makes the new part trainable. `nn.Embedding.from_pretrained` is the
        other way round: its result is frozen unless `freeze=False` is passed.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Classifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.backbone = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.backbone(x))


        model = Classifier()
        model.head.requires_grad_(False)
        prototypes = nn.functional.normalize(torch.randn(6, 32), dim=1)
        model.head = nn.Linear(32, 6, bias=False)  # expect: FZ601
        with torch.no_grad():
            model.head.weight.copy_(prototypes)

        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Classifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.backbone = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.backbone(x))


        model = Classifier()
        prototypes = nn.functional.normalize(torch.randn(6, 32), dim=1)
        model.head = nn.Linear(32, 6, bias=False)
        with torch.no_grad():
            model.head.weight.copy_(prototypes)

        model.head.requires_grad_(False)
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Flags written on the whole model or on a larger part before the replacement:
        freezing everything and then attaching a new head is the standard recipe. Only
        where nothing but the embeddings or the stem was frozen, their main layer counts.
        Submodules replaced before their flags are written, flags written again on the
        new module, replacements that keep the old module inside, and a new module in
        the place of a frozen one where nothing else may train, or that an optimizer
        gets by itself.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.requires_grad_
        https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
    """

    code = "FZ601"
    name = "head-replaced-after-unfreeze"
    level = Level.WARNING
    claims = (Claim("moves", "model.head.*"),)
    triggers = (("requires_grad",),)
    trigger_patterns = (
        FLAG_WRITES,
        (
            *OPTIMIZER_CONSTRUCTIONS,
            r"\[-?\d+\]\s*=\s*(?:(?:torch\.)?nn\.)?[A-Z]\w*\(",
            r"\[\w+\]\s*=\s*(?:torch\.)?nn\.[A-Z]",
            r"\.(?<!self\.)\w+\s*=\s*(?:(?:torch\.)?nn\.)?[A-Z]\w*\(",
            r"_modules\[[\"'][^\"'\n]+[\"']\]\s*=",
            # One of several values, for one of several targets.
            r"= nn\.[A-Z]\w*\([^\n()]*\), *\w",
            r", nn\.[A-Z]\w*\([^\n()]*\)[ \t]*(?:#.*)?\n",
            # Not in the class that defines it.
            (
                r"reset_classifier\((?<!def reset_classifier\()"
                r"(?<!self\.reset_classifier\()(?<!\)\.reset_classifier\()"
            ),
            LinePattern(
                "add_module(",
                r"(?![ \t]*self\.add_module)(?:[ \t]*(?P<name>[\w.]+)\.|[^\n]*)add_module\(",
                # What was empty has no head to replace.
                unless=r"{name} = (?:torch\.)?nn\.(?:Sequential|Module)\(\)",
            ),
            r"setattr\(",
        ),
    )
    fix = "unsafe"
    events = ("SubmoduleReplaced",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a replacement that throws a write to the old module's flags away."""
        assert isinstance(event, SubmoduleReplaced)
        if event.old is None or event.new is None:
            return
        if trace.objects.module(event.new).origin not in _NEW:
            return
        if is_loaded_anew(trace, event.old, event.new):
            # A model that is built once more to resume: FZ204.
            return
        if not has_parameters(trace, event.new, event.index) or _lives_on(trace, event.old):
            return
        write = _lost_write(trace, event, event.old, event.new)
        if (
            write is not None
            and trained_before(trace, event, write) is None
            and not _is_said_again(trace, event, event.new, write)
            and not _is_to_train(trace, event, event.old, event.new, write)
        ):
            done = "unfrozen" if write.value else "frozen"
            fresh = "trainable" if trace.objects.module(event.new).flag_at_birth else "frozen"
            anyway = " anyway" if done == "unfrozen" and fresh == "trainable" else ""
            yield Report(
                trace.meeting_place(event, write),
                f"`{event.label}` was {done} and is replaced here: the new module is "
                f"{fresh}{anyway}, and what was written to the old one is lost",
                f"replace `{event.label}` first, then set its flags",
                ((trace.meeting_place(write, event), f"the old module is {done} here"),),
                fix=_fix(event, write, trace),
                about=None
                if anyway
                else About((event.label,), shows=("moves",) if fresh == "trainable" else ("dead",)),
            )


def _lost_write(trace: Trace, event: SubmoduleReplaced, old: int, new: int) -> FlagWritten | None:
    """The latest write that was meant for the old module and says nothing of the new one."""
    born = trace.objects.module(new).flag_at_birth
    kept: FlagWritten | None = None
    for write in trace.before(event, FlagWritten):
        if write.value is None or not write.certain or trace.may_exclude(write, event):
            continue
        if not _is_about(trace, write, old) and not _is_of_its_stem(trace, write, event):
            continue
        if kept is not None and compatible(kept.path, write.path):
            return None
        if write.value or born:
            return write if born is not None else None
        kept = write
    return None


def _is_said_again(trace: Trace, event: SubmoduleReplaced, new: int, lost: FlagWritten) -> bool:
    """Whether the new module gets, or may get, the flag of the old one later."""
    return any(
        write.value is not (not lost.value)
        and any(trace.parts_overlap(part, Part(new), write.index) for part in write.parts)
        for write in trace.after(event, FlagWritten)
    )


def _is_to_train(
    trace: Trace, event: SubmoduleReplaced, old: int, new: int, lost: FlagWritten
) -> bool:
    """Whether a new module is what is to train: an optimizer gets just that, or nothing else may."""
    if lost.value:
        return False
    takers: list[OptimizerBuilt | GroupAdded] = [
        *trace.all(OptimizerBuilt),
        *trace.all(GroupAdded),
    ]
    if any(part.key == new for taker in takers for part in taker.parts):
        return True
    rest = [
        key
        for key in trace.objects.held_by(event.parent, event.index)
        if key not in (old, new) and not has_no_parameters(trace, key)
    ]
    return bool(rest) and all(
        trace.flag(Part(key), event.index, event.path).value is False for key in rest
    )


def _lives_on(trace: Trace, old: int) -> bool:
    """Whether the old module hangs somewhere else now, for example inside the new one."""
    return any(each.until is None for each in trace.objects.module(old).attachments)


def _is_about(trace: Trace, write: FlagWritten, old: int) -> bool:
    """Whether a write was meant for this module, not for all that surrounds it."""
    for part in write.parts:
        sources = trace.objects.sources(part.key, write.index)
        if any(trace.objects.route(old, each, write.index) is not None for each in sources):
            continue
        route = trace.objects.route(part.key, old, write.index)
        tests = [atom for atom in part.predicate if isinstance(atom, NameTest)]
        if not route or len(tests) != len(part.predicate) or not tests:
            return False
        if not all(test.decide(route) is True and not test.negated for test in tests):
            return False
    return True


def _is_of_its_stem(trace: Trace, write: FlagWritten, event: SubmoduleReplaced) -> bool:
    """Whether only the stem of a model was frozen, and what is replaced is the layer of the stem.

    Where more is frozen, a new first layer may be what is to be trained.
    """
    assert event.new is not None
    stem = trace.objects.module(event.parent)
    if write.value or Part(stem.key) not in write.parts or stem.origin is not Origin.CHILD:
        return False
    if stem.attribute not in _STEMS or event.attribute not in _READING_THE_INPUT:
        return False
    return trace.objects.module(event.new).library in _FIRST_LAYERS and all(
        other.place == write.place
        for other in trace.before(event, FlagWritten)
        if other.value is False
    )


def _fix(event: SubmoduleReplaced, write: FlagWritten, trace: Trace) -> Fix | None:
    """Set the flags below the replacement, if nothing in between makes use of the model."""
    from freezelint.analysis import rearrangement

    return rearrangement.moved_below(
        "set the flags below the replacement",
        trace.file.text,
        [trace.meeting_place(write, event)],
        [trace.meeting_place(event, write)],
        replaced=event.label,
    )
