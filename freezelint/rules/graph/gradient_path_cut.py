"""A module that is meant to train sits behind a cut in the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.cuts import (
    cuts_around,
    cuts_of,
    entrances,
    given_to,
    is_ever_frozen,
    is_named,
    is_never_reached,
    is_only_copied,
    is_untrained,
    leavings,
    place_of_switch,
    unfreeze_inside,
)
from freezelint.analysis.events import (
    AttributeWritten,
    BackwardRan,
    Called,
    DataRead,
    Event,
    FlagWritten,
    ForwardRan,
    MethodCalled,
    OptimizerBuilt,
    OutputDetached,
    Stepped,
)
from freezelint.analysis.followers import follows_another
from freezelint.analysis.knowledge.patterns import OPTIMIZER_CONSTRUCTIONS
from freezelint.analysis.objects import Origin
from freezelint.analysis.search import LinePattern
from freezelint.analysis.tensors import cut_sources, graph_sources, sources_of, tensors_in
from freezelint.analysis.trainability import has_no_parameters, has_parameters
from freezelint.analysis.training import happens_whenever, steps_after, without_flag_tests
from freezelint.analysis.values import ModuleValue, Part, TensorValue
from freezelint.findings import About, Level
from freezelint.records import NamedTuple
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace


class GradientPathCut(Rule):
    """Finds what is meant to train behind `no_grad` or `detach()`.

    What it does:
        Reports a module that an optimizer trains while nothing but a cut copy of its
        output reaches the loss: it runs under `no_grad`, its output enters a frozen
        network under `no_grad`, or it is detached. Only modules count that are clearly
        meant to train: the optimizer was given their very parameters, they were
        unfrozen, or they stand before a network that is frozen by flag. A loss that has
        no graph at all is reported too.

    Why is this bad:
        A frozen network still has to pass gradients on when something trainable comes
        before it, such as a prompt, an adapter or a generator. `requires_grad_(False)`
        does that; `no_grad` and `detach()` end the graph. What comes before gets no
        gradient and never changes, without a message as long as anything else trains;
        otherwise `backward()` raises "element 0 of tensors does not require grad".

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)

        adapter = nn.Linear(16, 16)
        backbone = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
        backbone.requires_grad_(False)
        head = nn.Linear(32, 4)
        optimizer = torch.optim.SGD([*adapter.parameters(), *head.parameters()], lr=0.1)
        inputs, labels = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            adapted = adapter(inputs)
            with torch.no_grad():
                features = backbone(adapted)  # expect: FZ501
            loss = nn.functional.cross_entropy(head(features), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)

        adapter = nn.Linear(16, 16)
        backbone = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
        backbone.requires_grad_(False)
        head = nn.Linear(32, 4)
        optimizer = torch.optim.SGD([*adapter.parameters(), *head.parameters()], lr=0.1)
        inputs, labels = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            features = backbone(adapter(inputs))
            loss = nn.functional.cross_entropy(head(features), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        A part that is frozen by `no_grad` alone and comes along in `model.parameters()`,
        stop-gradients by design, where the same module also runs with a graph (VQ, BYOL,
        SimSiam, actor-critic, GANs), targets and teachers that no optimizer was given,
        probes and cached features, evaluation, and modules that code out of sight uses.

    References:
        https://docs.pytorch.org/docs/stable/notes/autograd.html#locally-disabling-gradient-computation
        https://docs.pytorch.org/docs/stable/generated/torch.Tensor.detach.html
        https://github.com/pyg-team/pytorch_geometric/issues/9996
        https://github.com/bboylyg/NAD/issues/8
        https://github.com/raoyongming/DenseCLIP/issues/5
    """

    code = "FZ501"
    name = "gradient-path-cut"
    level = Level.ERROR
    claims = (Claim("cut", "adapter.*"), Claim("dead", "adapter.*"))
    triggers = (
        ("no_grad", "inference_mode", "detach()", "set_grad_enabled", ".data"),
        ("backward(", "training_step"),
        ("parameters(", "Parameter("),
    )
    trigger_patterns = (
        (
            *(r"no_grad\(", r"inference_mode\(", r"detach\(\)", r"set_grad_enabled\("),
            *(r"@torch\.no_grad\n", r"\)\.data\b"),
            LinePattern(".data", r"[^#\n]*\bself\.[\w.]+\.data\s*[,)*@+-]"),
        ),
        (r"backward\((?<!def backward\()", r"training_step\("),
        OPTIMIZER_CONSTRUCTIONS,
    )
    events = ("BackwardRan",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report what a loss was computed from without a graph, and its optimizer trains."""
        assert isinstance(event, BackwardRan)
        if event.repeated or event.is_attempt or not isinstance(event.loss, TensorValue):
            return
        keys = tuple(dict.fromkeys(cut_sources(event.loss)))
        if _is_made_leaf(event, trace):
            return
        for built in trace.all(OptimizerBuilt):
            step = next(steps_after(trace, event, built.key), None)
            if step is None or not built.complete or _is_for_another(trace, event, step):
                continue
            training = _Training(trace, event, built, step)
            if event.loss.cut_from is not None:
                yield from training.without_graph(keys)
            elif _has_known_graph(event.loss, trace) or _is_all(trace, built, keys):
                others = (*training.parameters_in(keys), *training.kept_elsewhere(keys))
                for key in (*keys, *others):
                    yield from training.behind_cut(key)
                yield from training.idle_term()


def _has_known_graph(loss: TensorValue, trace: Trace) -> bool:
    """Whether it is known what else trains; the module may be part of what is not known."""
    return any(not has_no_parameters(trace, key) for key in graph_sources(loss))


def _is_all(trace: Trace, built: OptimizerBuilt, keys: tuple[int, ...]) -> bool:
    """Whether an optimizer holds nothing but modules behind a cut, which the code made itself.

    What came from elsewhere may have its share in anything else that did.
    """
    modules = {key: trace.objects.module(key) for key in keys}
    made = {
        Part(key)
        for key, each in modules.items()
        if each.origin in (Origin.BUILT, Origin.OWN_CLASS) and each.place is not None
    }
    return bool(built.parts) and made.issuperset(built.parts)


def _is_made_leaf(event: BackwardRan, trace: Trace) -> bool:
    """Whether the flag of the loss itself is set, which another rule reports."""
    return any(
        write.attribute == "requires_grad" and write.receiver_name == event.label
        for write in trace.before(event, AttributeWritten)
    )


def _is_for_another(trace: Trace, event: BackwardRan, step: Stepped) -> bool:
    """Whether others step first, and this optimizer after another loss of its own."""
    first = next(trace.after(event, Stepped), None)
    return (
        first is not None
        and first.index < step.index
        and any(True for _ in trace.between(first, step, BackwardRan))
    )


class _Training(NamedTuple):
    """A backward pass, and the step of an optimizer that follows it."""

    trace: Trace
    backward: BackwardRan
    built: OptimizerBuilt
    step: Stepped

    def without_graph(self, keys: tuple[int, ...]) -> Iterator[Report]:
        """Report a loss that has no graph at all, so that `backward()` raises."""
        trace, backward, built = self.trace, self.backward, self.built
        for key in keys:
            if not any(trace.overlaps(part, key, built.index) for part in built.parts):
                continue
            cut = next((each for each in cuts_of(trace, key) if each.index < backward.index), None)
            if cut is not None and self._is_for_another_phase(cut):
                return
            place = backward.place if cut is None else place_of_switch(trace, cut)
            label = trace.objects.label(key)
            evidence = [] if cut is None else [(backward.place, "differentiated here")]
            yield Report(
                place,
                f"the loss has no graph: it was computed from `{label}` under "
                "`no_grad`, or detached, so `backward()` raises a RuntimeError",
                "run what trains with gradients on",
                (*evidence, (built.place, f"`{self.optimizer}` is to train it")),
            )
            return

    def _is_for_another_phase(self, cut: Event) -> bool:
        """Whether the same line differentiates a loss with a graph, and a condition may choose."""
        backward = self.backward
        return not happens_whenever(backward, cut) and any(
            other.place.node is backward.place.node
            and isinstance(other.loss, TensorValue)
            and other.loss.cut_from is None
            for other in self.trace.all(BackwardRan)
        )

    def parameters_in(self, keys: tuple[int, ...]) -> tuple[int, ...]:
        """The parameters that the optimizer was given, and that modules own whose output is cut."""
        trace = self.trace
        return tuple(
            part.key
            for part in self.built.parts
            if trace.objects.module(part.key).origin is Origin.PARAMETER
            and part.key not in keys
            and any(trace.objects.route(key, part.key, self.built.index) for key in keys)
        )

    def kept_elsewhere(self, keys: tuple[int, ...]) -> tuple[int, ...]:
        """Modules with a group of their own that only run without gradients, as to fill a table."""
        trace = self.trace
        found = []
        for part in dict.fromkeys(self.built.parts):
            if part.key in keys or part.predicate or not self.has_group(part.key):
                continue
            runs = [each for each in trace.all(ForwardRan) if each.key == part.key]
            if runs and all(each.grad_enabled is False for each in runs):
                found.append(part.key)
        return tuple(found)

    def behind_cut(self, key: int) -> Iterator[Report]:
        """Report a module that is meant to train, and that no gradient can reach."""
        trace, backward = self.trace, self.backward
        if not is_never_reached(trace, key, backward.index):
            return
        unfreeze = unfreeze_inside(trace, key, backward)
        if unfreeze is None and is_ever_frozen(trace, key):
            return
        cuts = [each for each in cuts_around(trace, key) if each.index < backward.index]
        last = next(trace.before(backward, BackwardRan), None)
        since = [each for each in cuts if last is not None and each.index > last.index]
        cut = next(iter(since or cuts), None)
        if cut is None or not self.is_meant(key, cut, unfreeze):
            return
        label = trace.objects.label(key)
        evidence = [(self.built.place, f"`{self.optimizer}` is to train it")]
        if unfreeze is not None:
            evidence.insert(0, (unfreeze.place, f"`{unfreeze.label}` is unfrozen here"))
        own = _runs(cut) == key
        is_parameter = trace.objects.module(key).origin is Origin.PARAMETER
        what = _what(cut, label, trace, own=own, is_parameter=is_parameter)
        yield Report(
            place_of_switch(trace, cut),
            f"{what}: no gradient reaches `{label}`, and `{self.optimizer}` never changes it",
            f"run `{label}` with gradients on, or leave it out of the optimizer"
            if own
            else "freeze what follows by `requires_grad_(False)`, which lets gradients pass",
            tuple(evidence),
            about=About((label,)),
        )

    def idle_term(self) -> Iterator[Report]:
        """Report a term of the loss that a frozen network computed of what trains, without a graph.

        What trains by the other terms should do so by this one, too: as a number, it does nothing.
        """
        trace, loss = self.trace, self.backward.loss
        assert isinstance(loss, TensorValue)
        for key in dict.fromkeys(loss.idle):
            if key not in graph_sources(loss) or not any(
                trace.overlaps(part, key, self.built.index) for part in self.built.parts
            ):
                continue
            for run in trace.before(self.backward, ForwardRan):
                if (
                    run.grad_enabled is False
                    and run.key in loss.idle
                    and key in run.inputs
                    and _is_frozen(trace, run)
                ):
                    label, frozen = map(trace.objects.label, (key, run.key))
                    yield Report(
                        place_of_switch(trace, run),
                        f"the output of `{label}` enters `{frozen}` under `no_grad`: the term of "
                        f"the loss that comes from there has no graph, and never changes `{label}`",
                        "freeze what follows by `requires_grad_(False)`, which lets gradients pass",
                        ((self.backward.place, "differentiated here"),),
                        about=About((label,)),
                    )
                    return

    def is_meant(self, key: int, cut: Event, unfreeze: FlagWritten | None) -> bool:
        """Whether the optimizer holds a module, and the code is clear on that it shall train."""
        trace, built = self.trace, self.built
        parts = tuple(map(without_flag_tests, built.parts))
        pieces = unfreeze.parts if unfreeze is not None else (Part(key),)
        if not any(
            trace.part_covers(part, piece, built.index) for part in parts for piece in pieces
        ):
            return False
        if unfreeze is not None or self.precedes_frozen(key) or self.follows_frozen(key, cut):
            return True
        if isinstance(cut, DataRead) and is_only_copied(trace, key):
            return True
        if not is_named(trace, parts, key, built.index):
            return False
        # What runs under `no_grad`, or is detached, may well be frozen by just that; but not
        # if an optimizer was built for nothing else, or has a group of its own for it.
        if _runs(cut) != key and not isinstance(cut, OutputDetached):
            return True
        if len(parts) == 1 or self.has_group(key):
            return True
        return isinstance(cut, OutputDetached) and is_untrained(trace, key)

    def has_group(self, key: int) -> bool:
        """Whether a group of the optimizer with options holds a module and nothing else."""
        return any(
            group.options and tuple(map(without_flag_tests, group.parts)) == (Part(key),)
            for group in self.built.groups
        )

    def precedes_frozen(self, key: int) -> bool:
        """Whether the output of a trainable module goes through a network frozen by its flag."""
        trace = self.trace
        is_parameter = trace.objects.module(key).origin is Origin.PARAMETER
        taking = tuple(entrances(trace, key))
        if is_parameter:
            taking += tuple(each for each in leavings(trace, key) if not isinstance(each, Called))
        return (is_parameter or has_parameters(trace, key, self.backward.index)) and any(
            trace.flag(Part(frozen), entrance.index, entrance.path).value is False
            for entrance in taking
            if (frozen := _runs(entrance)) is not None
        )

    def follows_frozen(self, key: int, cut: Event) -> bool:
        """Whether a new layer runs on what a network gave that the code froze by its flag.

        Whoever freezes by flags, and leaves out what no weights were loaded into, wants it trained;
        but what gives targets for the loss may be as random as it is. So it is with a parameter
        that is computed with what a network gave.
        """
        trace = self.trace
        if not is_untrained(trace, key) or follows_another(trace, key):
            return False
        if trace.objects.module(key).origin is Origin.PARAMETER:
            given = tuple(each for each in leavings(trace, key) if each.index >= cut.index)
        elif isinstance(cut, ForwardRan) and cut.key == key:
            given = (cut,) if has_parameters(trace, key, self.backward.index) else ()
        else:
            return False
        return any(
            trace.flag(Part(frozen), each.index, each.path).value is False
            for each in given
            for frozen in _sources(each)
        ) and any(
            key in forward.inputs
            and forward.grad_enabled is True
            and not has_no_parameters(trace, forward.key)
            for forward in trace.between(cut, self.backward, ForwardRan)
        )

    @property
    def optimizer(self) -> str:
        """What the code calls the optimizer."""
        return self.trace.objects.optimizer(self.built.key).label or self.built.name


def _is_frozen(trace: Trace, run: ForwardRan) -> bool:
    """Whether what runs is frozen by its flags; what stands for each of several, if all are."""
    module = trace.objects.module(run.key)
    key = module.parent if module.origin is Origin.ELEMENT else None
    key = run.key if key is None else key
    return trace.flag(Part(key), run.index, run.path).value is False


def _sources(call: Called | ForwardRan | MethodCalled) -> tuple[int, ...]:
    """The modules from whose output a call was given something."""
    return tuple(key for each in tensors_in(given_to(call)) for key in sources_of(each))


def _runs(entrance: Event) -> int | None:
    if isinstance(entrance, ForwardRan):
        return entrance.key
    if isinstance(entrance, MethodCalled) and isinstance(entrance.receiver, ModuleValue):
        return entrance.receiver.key
    return None


def _what(cut: Event, label: str, trace: Trace, *, own: bool, is_parameter: bool) -> str:
    if own:
        return f"`{label}` runs under `no_grad`"
    subject = f"`{label}`" if is_parameter else f"the output of `{label}`"
    if isinstance(cut, (OutputDetached, DataRead)):
        return f"{subject} is detached"
    other = _runs(cut)
    where = "a computation" if other is None else f"`{trace.objects.label(other)}`"
    return f"{subject} enters {where} under `no_grad`"
