"""Gradients are set to zero to keep weights as they are, and the optimizer moves them anyway."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.abouts import about_whole
from freezelint.analysis.events import (
    AttributeWritten,
    BackwardRan,
    ConditionTested,
    Event,
    GradientsCleared,
    GradientsFilled,
    GradientsMasked,
    HandedOver,
    MethodCalled,
    OptimizerBuilt,
    ParametersWritten,
    Stepped,
)
from freezelint.analysis.gradients import group_of, moves_on_zeros
from freezelint.analysis.knowledge.patterns import OPTIMIZER_CONSTRUCTIONS, OPTIMIZER_WORDS
from freezelint.analysis.predicates import SOME
from freezelint.analysis.trace import compatible
from freezelint.analysis.training import (
    is_handed_on,
    may_be_unknown,
    region_inside,
    steps_after,
)
from freezelint.analysis.values import (
    UNKNOWN,
    ComparisonValue,
    Constant,
    Counted,
    ParameterName,
    ParameterValue,
    TensorKind,
    TensorValue,
)
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Part, Value

_MASKING = frozenset({"mul_", "masked_fill_", "zero_", "fill_"})
"""Methods after which weights may be zero, where they stay zero."""

_GRADIENT_TESTED = r"\bis_?(?:finite|nan|inf)\b|\.grad\b(?! is\b)"

_FLAGS = frozenset({"requires_grad_", "detach_"})


class ZeroedGradientFreeze(Rule):
    """Finds gradients set to zero under an optimizer that moves weights without them.

    What it does:
        Reports a hook that zeroes or masks the gradient of a parameter, and code between
        `backward` and `step` that does (`p.grad.zero_()`, `p.grad[rows] = 0`,
        `p.grad *= mask`), where the optimizer of the parameter has weight decay, or goes
        on with momentum from earlier steps.

    Why is this bad:
        A gradient of zero is not a missing one. Weight decay does not need it: AdamW has
        a decay of 0.01 and Muon one of 0.1 unless they are told otherwise, and ASGD
        shrinks weights too. So all the rows of an embedding that should stay, the old
        classes of a classifier, or a whole layer shrink step by step. With momentum (Adam
        has it always) weights that were trained before go on in the old direction.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Tagger(nn.Module):
            def __init__(self):
                super().__init__()
                self.embedding = nn.Embedding(20, 16)
                self.head = nn.Linear(16, 4)

            def forward(self, tokens):
                return self.head(self.embedding(tokens).mean(1))


        model = Tagger()
        model.embedding.weight.register_hook(lambda grad: grad * 0)  # expect: FZ306
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        tokens, targets = torch.randint(20, (32, 8)), torch.randint(4, (32,))
        for step in range(5):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(tokens), targets)
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Tagger(nn.Module):
            def __init__(self):
                super().__init__()
                self.embedding = nn.Embedding(20, 16)
                self.head = nn.Linear(16, 4)

            def forward(self, tokens):
                return self.head(self.embedding(tokens).mean(1))


        model = Tagger()
        model.embedding.weight.register_hook(lambda grad: grad * 0)
        optimizer = torch.optim.AdamW(
            [
                {"params": model.embedding.parameters(), "weight_decay": 0.0},
                {"params": model.head.parameters()},
            ],
            lr=1e-2,
        )
        tokens, targets = torch.randint(20, (32, 8)), torch.randint(4, (32,))
        for step in range(5):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(tokens), targets)
            loss.backward()
            optimizer.step()

    When it is silent:
        No weight decay, and gradients that were zero from the first step on, or an
        optimizer without momentum. Values that are written back after the step, masks that
        are applied to the weights too (zeros do not decay), scaling by other factors than
        0, masks of which it is not known that they hold zeros, zeroing under a condition
        (a step that is skipped), and optimizers whose options are not known.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.Tensor.register_hook.html
        https://github.com/huggingface/diffusers/issues/855
        https://github.com/pytorch/pytorch/issues/38581
    """

    code = "FZ306"
    name = "zeroed-gradient-freeze"
    level = Level.ERROR
    claims = (Claim("moves", "model.embedding.*"),)
    triggers = (
        ("register_hook", ".grad"),
        OPTIMIZER_WORDS,
    )
    trigger_patterns = (
        OPTIMIZER_CONSTRUCTIONS,
        (r"register_hook\(", r"\.grad\b"),
    )
    events = ("GradientsMasked",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report gradients of zero that do not keep a parameter where it is."""
        assert isinstance(event, GradientsMasked)
        if event.repeated:
            return
        for built in trace.all(OptimizerBuilt):
            if not compatible(built.path, event.path):
                continue
            for part in event.parts:
                if any(region_inside(trace, mine, part, built.index) for mine in built.parts):
                    report = self._judge(event, built, part, trace)
                    if report is not None:
                        yield report
                        return

    def _judge(
        self, masked: GradientsMasked, built: OptimizerBuilt, part: Part, trace: Trace
    ) -> Report | None:
        step = next(steps_after(trace, masked, built.key), None)
        if masked.by_hook:
            if step is None and not is_handed_on(trace, masked, built.key):
                return None
        elif (
            step is None
            or not _is_between(masked, step, trace)
            or _is_filled(masked, step, part, trace)
        ):
            return None
        if not masked.is_partial and not _is_selective(built, part, trace):
            return None
        if _is_written_back(trace, part, step) or "step_post_hook(" in trace.file.text:
            return None
        group = group_of(trace, built, part, built.index)
        trained = any(built.key in each.keys for each in trace.before(masked, Stepped))
        moved_by = None if group is None else moves_on_zeros(built, group, trained=trained)
        if moved_by is None:
            return None
        optimizer = trace.objects.optimizer(built.key).label or built.name
        some = "some elements of the gradient" if masked.is_partial else "the gradient"
        receiver = masked.place.code.partition(".register_hook(")[0]
        return Report(
            trace.passing_place(masked, built, receiver),
            f"{some} of `{masked.label}` become zero, but {moved_by} of `{optimizer}` moves "
            "the weights without it",
            "write the values back after each step, "
            "or give the parameter a group without weight decay from the first step on"
            if masked.is_partial
            else "freeze the parameter with `requires_grad_(False)`, or set `p.grad = None`",
            ((trace.meeting_place(built, masked), f"`{built.name}` holds it"),),
            about=None if masked.is_partial else about_whole(part, masked.label, receiver),
        )


def _is_between(masked: GradientsMasked, step: Stepped, trace: Trace) -> bool:
    """Whether this happens after each backward pass and before the step that follows."""
    extra = set(masked.path) - set(step.path)
    if extra and not (len(extra) == 1 and _is_by_schedule(masked, trace)):
        return False
    if any(True for _ in trace.between(masked, step, BackwardRan)):
        return False
    backward = next(trace.before(masked, BackwardRan), None)
    if backward is not None and _is_by_gradient(masked, backward, trace):
        return False
    return backward is not None and not any(
        set(each.keys) & set(step.keys) for each in trace.between(backward, masked, Stepped)
    )


def _is_by_gradient(masked: GradientsMasked, backward: BackwardRan, trace: Trace) -> bool:
    """Whether what the gradients are decides which become zero, as where they are not finite."""
    return any(SOME in part.predicate for part in masked.parts) and any(
        re.search(_GRADIENT_TESTED, test.place.code)
        for test in trace.between(backward, masked, ConditionTested)
    )


def _is_filled(masked: GradientsMasked, step: Stepped, part: Part, trace: Trace) -> bool:
    """Whether other gradients take the place of the zeros, or may, before the step."""
    written = [each.parts for each in trace.between(masked, step, GradientsFilled)]
    cleared = trace.between(masked, step, GradientsCleared)
    written += [each.parts for each in cleared if each.to_none is None]
    if any(trace.parts_overlap(mine, part, step.index) for parts in written for mine in parts):
        return True
    return may_be_unknown(trace, part, masked, step)


def _is_by_schedule(masked: GradientsMasked, trace: Trace) -> bool:
    """Whether nothing but the number of a round decides, as in the first epochs."""
    backward = next(trace.before(masked, BackwardRan), None)
    if backward is None:
        return False
    tested = [
        test
        for test in trace.between(backward, masked, ConditionTested)
        if not (isinstance(test.value, ComparisonValue) and _is_of_an_element(test.value))
    ]
    return bool(tested) and all(
        isinstance(each.value, ComparisonValue)
        and (isinstance(each.value.left, Counted) or _is_of_a_counter(each, masked))
        for each in tested
    )


def _is_of_a_counter(test: ConditionTested, masked: GradientsMasked) -> bool:
    """Whether a name is compared that goes up by one in each round, not just here: ``it += 1``."""
    value, chunk = test.value, masked.place.chunk
    if not isinstance(value, ComparisonValue) or chunk is None:
        return False
    if value.left != UNKNOWN and not isinstance(value.left, Constant):
        return False
    name = re.match(r"[A-Za-z_][\w.]*(?=\s*[<>])", test.place.code)
    tested = name and re.search(rf"^( *)if {re.escape(name[0])}\s*[<>]", chunk.text, re.M)
    if not name or not tested:
        return False
    counted = re.findall(rf"^( *){re.escape(name[0])} \+= 1\b", chunk.text, re.M)
    return bool(counted) and all(len(each) <= len(tested[1]) for each in counted)


def _is_of_an_element(test: ComparisonValue) -> bool:
    """Whether a comparison picks parameters: by their names, or those with a gradient."""
    return test.right == Constant(None) or any(isinstance(each, ParameterName) for each in test)


def _is_selective(built: OptimizerBuilt, part: Part, trace: Trace) -> bool:
    """Whether the optimizer holds more than what is zeroed: else a step is skipped."""
    return not all(trace.part_covers(part, mine, built.index) for mine in built.parts)


def _is_written_back(trace: Trace, part: Part, step: Stepped | None) -> bool:
    """Whether values of a part are set by hand after the step, or masked at any time."""
    for event in trace.events:
        is_later = step is not None and event.index > step.index
        if isinstance(event, HandedOver):
            if is_later and any(trace.related(key, part.key, event.index) for key in event.keys):
                return True
        else:
            written = _written(event, is_later=is_later)
            if any(trace.parts_overlap(mine, part, event.index) for mine in written):
                return True
    return False


def _written(event: Event, *, is_later: bool) -> tuple[Part, ...]:
    """The parameters that an event sets values of: after a step all count, before it zeros."""
    if isinstance(event, ParametersWritten):
        return event.parts if is_later or event.may_be_zero else ()
    if isinstance(event, AttributeWritten) and event.attribute == "data":
        return _parts_of(event.receiver)
    if isinstance(event, MethodCalled) and event.name.endswith("_"):
        counts = event.name in _MASKING if not is_later else event.name not in _FLAGS
        return _parts_of(event.receiver) if counts else ()
    return ()


def _parts_of(value: Value) -> tuple[Part, ...]:
    if isinstance(value, ParameterValue):
        return value.parts
    if isinstance(value, TensorValue) and value.kind is TensorKind.TEMPORARY:
        return value.parts
    return ()
