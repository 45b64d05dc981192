"""A loss with parameters of its own is differentiated, and no optimizer holds them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    AttributeWritten,
    BackwardRan,
    Event,
    ForwardRan,
    MethodCalled,
    ModeSet,
    OptimizerBuilt,
    ParametersWritten,
    Stepped,
)
from freezelint.analysis.gradients import holders_of
from freezelint.analysis.knowledge.layers import DICTIONARIES, INDEXED
from freezelint.analysis.knowledge.patterns import OPTIMIZER_CONSTRUCTIONS, OPTIMIZER_WORDS
from freezelint.analysis.loss_weights import weighs_losses
from freezelint.analysis.objects import Origin
from freezelint.analysis.tensors import graph_sources, tensors_in
from freezelint.analysis.trainability import draws_parameters, has_parameters
from freezelint.analysis.training import shares_activation
from freezelint.analysis.values import ModuleValue, Part, TensorValue
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace


_SEVERAL = ("has parameters that get", "them")

_INPUT = r"(?<![.\w])[A-Za-z_]\w*(?:\[[^\]]*\])?"

_HARMLESS = frozenset({"requires_grad_", "uniform_", "normal_", "detach_"})

_OF_LIGHTNING = {"configure_optimizers", "training_step"}
_REGISTERS = ("ParameterList", "ParameterDict", "register_parameter")


class TrainableNotOptimized(Rule):
    """Finds a loss module with parameters of its own that no optimizer holds.

    What it does:
        Reports a module of the file that makes parameters at random, compares two or more
        inputs and is differentiated as the loss (a margin head, a center loss), while the
        optimizer that steps after it holds another model only. So is one that learns how
        much each of several losses counts, a layer or a class of its own that works on what
        the optimized model computes, such as a projection for distillation or a head that
        `configure_optimizers` leaves out, and a parameter made for itself.

    Why is this bad:
        `model.parameters()` does not reach what lives in the loss. Its parameters get
        gradients that nobody applies and nobody clears, and stay at their random start:
        the model is trained against class centers that mean nothing.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class CenterLoss(nn.Module):
            def __init__(self, classes, width):
                super().__init__()
                self.centers = nn.Parameter(torch.randn(classes, width))

            def forward(self, features, targets):
                return (features - self.centers[targets]).pow(2).sum(1).mean()


        model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))
        criterion = CenterLoss(4, 8)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)  # expect: FZ312
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for step in range(5):
            optimizer.zero_grad()
            loss = criterion(model(inputs), targets)
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class CenterLoss(nn.Module):
            def __init__(self, classes, width):
                super().__init__()
                self.centers = nn.Parameter(torch.randn(classes, width))

            def forward(self, features, targets):
                return (features - self.centers[targets]).pow(2).sum(1).mean()


        model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))
        criterion = CenterLoss(4, 8)
        optimizer = torch.optim.SGD([*model.parameters(), *criterion.parameters()], lr=0.01)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for step in range(5):
            optimizer.zero_grad()
            loss = criterion(model(inputs), targets)
            loss.backward()
            optimizer.step()

    When it is silent:
        Parameters that start at a chosen value (a temperature makes sense untrained), and
        unless module, optimizer and training loop are in view in one scope. Networks
        that are fixed on purpose: frozen, in `eval()`, loaded from a checkpoint, of a library
        (perceptual losses), or with one input only (random targets, opponents of a GAN).
        Modules that any optimizer holds, that went to code out of sight, or that wrap the
        model, and optimizers over inputs (attacks, style transfer).

    References:
        https://docs.pytorch.org/docs/stable/optim.html
        https://github.com/ifzhang/FairMOT/issues/125
        https://github.com/huangzongmou/yolov8_Distillation/issues/5
    """

    code = "FZ312"
    name = "trainable-not-optimized"
    level = Level.WARNING
    claims = (Claim("dead", "criterion.*"),)
    triggers = (
        ("backward", "training_step"),
        OPTIMIZER_WORDS,
        ("Parameter(", "nn."),
    )
    trigger_patterns = (
        OPTIMIZER_CONSTRUCTIONS,
        (r"Module\)", r"Sequential\):", r"= nn\.(?:Linear|Conv\dd|Embedding|Sequential)\("),
    )
    events = ("BackwardRan",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a loss whose own parameters nobody applies the gradients of."""
        assert isinstance(event, BackwardRan)
        if event.repeated or not isinstance(event.loss, TensorValue):
            return
        sources = [_whole(each, event.index, trace) for each in graph_sources(event.loss)]
        # What a module returned may be known by its layers only.
        sources += [root for each in sources for root in trace.objects.roots(each, event.index)]
        for key in dict.fromkeys(sources):
            is_loss = key in event.loss.modules and _is_a_loss_that_trains(key, event, trace)
            if is_loss or _is_between(key, event, trace) or _is_lone(key, event, trace):
                if _is_written(key, trace, since=event.index) or "_foreach_" in trace.file.text:
                    # By hand, as an optimizer would.
                    continue
                built = _optimizer_after(event, key, trace)
                if built is not None and holders_of(trace, key) == []:
                    label = trace.objects.label(key)
                    optimizer = trace.objects.optimizer(built.key).label or built.name
                    is_one = trace.objects.module(key).origin is Origin.PARAMETER
                    what, them = ("is a parameter that gets", "it") if is_one else _SEVERAL
                    added = label if is_one else f"*{label}.parameters()"
                    yield Report(
                        built.place,
                        f"`{label}` {what} gradients here, "
                        f"and neither `{optimizer}` nor any other optimizer holds {them}",
                        f"add {them}: `[*{built.label}, {added}]`",
                        ((trace.meeting_place(event, built), f"`{label}` is differentiated here"),),
                        about=About((label,)),
                    )
                    return


def _is_a_loss_that_trains(key: int, backward: BackwardRan, trace: Trace) -> bool:
    module = trace.objects.module(key)
    if module.origin is not Origin.OWN_CLASS or module.is_subject or module.owner_class is None:
        return False
    definition = module.owner_class.definition
    weighs = weighs_losses(definition)
    if not weighs and not draws_parameters(definition):
        return False
    if trace.flag(Part(key), backward.index, backward.path).value is not True:
        return False
    runs = _runs_with_graph(trace, key)
    at_least = 1 if weighs else 2
    if not runs or not all(each.grad_enabled and len(each.arguments) >= at_least for each in runs):
        return False
    return not _is_fixed(key, backward, trace)


def _whole(key: int, index: int, trace: Trace) -> int:
    """The module itself, or the one that it is an element or an entry of."""
    container = trace.objects.container_of(key)
    for root in trace.objects.roots(container, index):
        if trace.objects.module(root).library in DICTIONARIES:
            return root
    return container


def _runs_with_graph(trace: Trace, key: int) -> list[ForwardRan]:
    """The calls of a module, but for those of an evaluation; of an element, of all of these."""
    return [
        each
        for each in trace.all(ForwardRan)
        if _whole(each.key, each.index, trace) == key and each.grad_enabled is not False
    ]


def _is_lone(key: int, backward: BackwardRan, trace: Trace) -> bool:
    """Whether this is a parameter made for itself, that no code in sight updates by hand."""
    parameter = trace.objects.module(key)
    if parameter.origin is not Origin.PARAMETER or parameter.attachments or parameter.parent:
        return False
    if parameter.label is None or parameter.flag_at_birth is not True:
        return False
    if trace.flag(Part(key), backward.index, backward.path).value is not True:
        return False
    written = (part for each in trace.all(ParametersWritten) for part in each.parts)
    if any(part.key == key for part in written):
        return False
    text = trace.file.text
    by_hand = (f"{parameter.label}.grad", f"{parameter.label}.data")
    return not any(each in text for each in (*by_hand, *_REGISTERS))


def _is_between(key: int, backward: BackwardRan, trace: Trace) -> bool:
    """Whether a layer of random weights, of its own, works on what an optimizer trains."""
    module = trace.objects.module(key)
    roots = trace.objects.roots(key, backward.index)
    if module.is_subject or (roots != {key} and not _is_built_with(roots, trace)):
        return False
    library = module.library or ""
    is_layer = library.startswith("torch.nn.") and has_parameters(trace, key, backward.index)
    is_own = module.owner_class is not None and draws_parameters(module.owner_class.definition)
    if not is_layer and not (module.origin is Origin.OWN_CLASS and is_own):
        return False
    if trace.flag(Part(key), backward.index, backward.path).value is not True:
        return False
    runs = _runs_with_graph(trace, key)
    if not all(each.grad_enabled is True for each in runs) or _is_fixed(key, backward, trace):
        return False
    if library in INDEXED:
        # What goes in are numbers; whether somebody set its values by hand is what counts.
        return bool(runs) and not _is_written(key, trace)
    is_fed = bool(runs) and all(
        any(
            holders_of(trace, source)
            for value in tensors_in(each.arguments)
            for source in graph_sources(value)
            if trace.objects.module(source).is_module
        )
        for each in runs
    )
    return is_fed or (is_own and roots == {key} and _is_tower(key, runs, trace))


def _is_tower(key: int, runs: list[ForwardRan], trace: Trace) -> bool:
    """Whether a network is compared with what trains, as the encoder of texts with that of images.

    A random target or an opponent is given the same input, or works on what the other made.
    """
    owner = trace.objects.module(key).owner_class
    trained = [
        run
        for run in trace.all(ForwardRan)
        if not trace.related(run.key, key, run.index) and holders_of(trace, run.key)
    ]
    owners = {trace.objects.module(run.key).owner_class for run in trained}
    if not trained or None in owners or owner in owners or _is_written(key, trace):
        return False
    feeds = any(key in graph_sources(each) for run in trained for each in tensors_in(run.arguments))
    given = {text for run in runs for text in _inputs_of(run)}
    return not feeds and given.isdisjoint(text for run in trained for text in _inputs_of(run))


def _inputs_of(run: ForwardRan) -> set[str]:
    """Names, with a key that follows, that are mentioned where a module is called."""
    arguments = getattr(run.place.node, "args", ())
    code = ", ".join(run.place.chunk.code(each.value) for each in arguments)
    return set(re.findall(_INPUT, code)) - {"device", "self"}


def _is_written(key: int, trace: Trace, since: int = 0) -> bool:
    """Whether values of a module are set by hand, to others than random ones."""
    for each in trace.events[since:]:
        parts: tuple[Part, ...] = ()
        if isinstance(each, ParametersWritten):
            parts = each.parts
        elif isinstance(each, (MethodCalled, AttributeWritten)):
            name = each.name if isinstance(each, MethodCalled) else each.attribute
            if name == "data" or (name.endswith("_") and name not in _HARMLESS):
                parts = getattr(each.receiver, "parts", ())
        if any(trace.parts_overlap(part, Part(key), each.index) for part in parts):
            return True
    return False


def _is_built_with(roots: frozenset[int], trace: Trace) -> bool:
    """Whether the model that a layer is in is one that Lightning trains, with all its optimizers."""
    return all(
        owner is not None and owner.definition.methods.keys() >= _OF_LIGHTNING
        for owner in (trace.objects.module(each).owner_class for each in roots)
    )


def _are_made_together(built: OptimizerBuilt, key: int, trace: Trace) -> bool:
    """Whether one constructor makes a module and the optimizer, and no method asks for more."""
    born, label = trace.objects.module(key).born, trace.objects.label(key)
    name = re.escape(label.rpartition(".")[2])
    return (
        built.scopes[:1] == ("__init__",)
        and re.search(rf"\b{name}\.(?:\w+\.)*(?:named_)?parameters\(", trace.file.text) is None
        and 0 <= born < built.index
        and shares_activation(built, trace.events[born])
    )


def _is_fixed(key: int, backward: BackwardRan, trace: Trace) -> bool:
    """Whether something says that a module is to stay as it is."""
    return any(
        mode.training is False
        and mode.index < backward.index
        and trace.related(mode.part.key, key, mode.index)
        for mode in trace.all(ModeSet)
    ) or any(
        called.name == "load_state_dict"
        and isinstance(called.receiver, ModuleValue)
        and trace.related(called.receiver.key, key, called.index)
        for called in trace.all(MethodCalled)
    )


def _optimizer_after(backward: BackwardRan, key: int, trace: Trace) -> OptimizerBuilt | None:
    """The optimizer, of another model that ran before the backward pass, that steps after it."""
    step = next((each for each in trace.after(backward, Stepped) if each.keys), None)
    if step is None or len(step.keys) != 1:
        return None
    built = next((each for each in trace.all(OptimizerBuilt) if each.key == step.keys[0]), None)
    if built is None or not (
        shares_activation(built, backward)
        or backward.place is built.place
        or _are_made_together(built, key, trace)
    ):
        return None
    ran = [each.key for each in trace.before(backward, ForwardRan)]
    is_of_a_model = any(
        trace.objects.module(part.key).is_module
        and any(trace.related(key, part.key, backward.index) for key in ran)
        for part in built.parts
    )
    return built if is_of_a_model else None
