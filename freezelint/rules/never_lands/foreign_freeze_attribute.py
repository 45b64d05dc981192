"""Another framework's word for the flag, which torch does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.abouts import about_lost_flag
from freezelint.analysis.events import AttributeWritten, Event, FlagWritten, HandedOver
from freezelint.analysis.knowledge.layers import MODULE_CONTAINERS
from freezelint.analysis.objects import Origin
from freezelint.analysis.values import Constant, ModuleValue, ParameterValue, Part
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule
from freezelint.spelling import FOREIGN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.objects import ModuleObject
    from freezelint.analysis.trace import Trace
    from freezelint.findings import Fix

_GUESSED = frozenset({"frozen", "freeze"})
"""Names that no framework has; a project may have given them a meaning in another file."""

_INSIDE = (Origin.CHILD, Origin.ELEMENT, Origin.DERIVED)

_OF_TORCH = MODULE_CONTAINERS | {"torch.nn.Module"}

_MESSAGE = (
    "`{}` is an attribute that torch does not know: it is stored, nothing "
    "reads it, and no flag changes"
)

_NO_MODULES = frozenset({"config", "cfg", "hparams", "args", "generation_config"})
"""What models keep under these names are options."""


class ForeignFreezeAttribute(Rule):
    """Finds `.trainable`, `.stop_gradient` and the like, set on parameters and modules of torch.

    What it does:
        Reports a bool assigned to `trainable`, `stop_gradient`, `frozen` or `freeze` of a
        parameter, or of a module that a library defines, and for the first two a value
        that is computed as well. For the last two, which are no other framework's names,
        the finding is a warning.

    Why is this bad:
        `trainable` belongs to Keras and Paddle, `stop_gradient` to Paddle. Tensors and
        modules of torch accept any attribute, so the line stores one that nothing
        reads, without a message, and the parameters stay trainable.

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
        for param in model.backbone.parameters():
            param.trainable = False  # expect: FZ109

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
        for param in model.backbone.parameters():
            param.requires_grad = False

        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Files that work with another framework as well, files that read such an
        attribute anywhere, objects of the project's own classes, and parameters whose
        real flag is written too: there the attribute is a note.

    References:
        https://docs.pytorch.org/docs/stable/notes/autograd.html#setting-requires-grad
        https://keras.io/guides/transfer_learning/
        https://www.paddlepaddle.org.cn/documentation/docs/en/api/paddle/Tensor_en.html
    """

    code = "FZ109"
    name = "foreign-freeze-attribute"
    level = Level.ERROR
    claims = (Claim("moves", "model.backbone.*"),)
    triggers = ((".trainable", ".stop_gradient", ".frozen", ".freeze"),)
    trigger_patterns = (
        (
            r"\.(?<!self\.)trainable\s*=(?!=)",
            r"\.(?<!self\.)stop_gradient\s*=(?!=)",
            r"\.frozen\s*=(?!=)\s*True",
            r"\.freeze\s*=(?!=)\s*True",
        ),
    )
    is_local = True
    fix = "safe"
    events = ("AttributeWritten",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report an attribute that freezes nothing, where nothing else gives it a meaning."""
        assert isinstance(event, AttributeWritten)
        if event.attribute not in FOREIGN:
            return
        value = _flag(event)
        if value is False and event.attribute in _GUESSED:
            return
        if value is None and (event.attribute in _GUESSED or isinstance(event.value, Constant)):
            return
        parts = _parts(trace, event)
        if not parts or not trace.file.is_for_torch_only():
            return
        if trace.file.reads_attribute(event.attribute) or _is_a_note(trace, parts):
            return
        if _goes_elsewhere(trace, event, parts):
            return
        method = isinstance(event.receiver, ModuleValue)
        if value is None:
            yield Report(
                event.place,
                _MESSAGE.format(event.attribute),
                f"set `{'requires_grad_(...)' if method else 'requires_grad'}` instead",
            )
            return
        trains = value if event.attribute == "trainable" else not value
        yield Report(
            event.place,
            _MESSAGE.format(event.attribute),
            f"write `requires_grad_({trains})`" if method else f"write `requires_grad = {trains}`",
            level=Level.WARNING if event.attribute in _GUESSED else None,
            fix=_fix(event, trains=trains, is_module=method),
            about=_about(event, trains),
        )


def _fix(event: AttributeWritten, *, trains: bool, is_module: bool) -> Fix | None:
    from freezelint.analysis import edits

    flag = str(trains)
    if is_module:
        edit = edits.as_method_call(event.place, "requires_grad_", flag)
    else:
        edit = edits.as_other_assignment(event.place, "requires_grad", flag)
    # What a name like `frozen` was meant for is a guess.
    return edits.fixed("set `requires_grad`", edit, is_safe=event.attribute not in _GUESSED)


def _parts(trace: Trace, event: AttributeWritten) -> tuple[Part, ...]:
    """The parameters that were meant, where the receiver is torch's or another library's."""
    if isinstance(event.receiver, ParameterValue):
        return event.receiver.parts
    if not isinstance(event.receiver, ModuleValue):
        return ()
    module = trace.objects.module(event.receiver.key)
    if not module.is_module and event.attribute in _GUESSED:
        return ()
    while _is_known_by_what_holds_it(module) and module.attribute not in _NO_MODULES:
        # What the submodules of a library's module are, the library knows.
        above = module.source if module.origin is Origin.DERIVED else module.parent
        if above is None or module.origin not in _INSIDE or module.owner_class is not None:
            return ()
        module = trace.objects.module(above)
        if module.library in MODULE_CONTAINERS and module.origin is Origin.BUILT:
            # What is in a list may be of the project's own classes.
            return ()
    if not module.is_module or module.library is None or module.owner_class is not None:
        return ()
    return trace.objects.parts_of(event.receiver.key)


def _is_known_by_what_holds_it(module: ModuleObject) -> bool:
    """Whether nothing but what a module is taken from tells which library made it."""
    return module.library is None or (
        module.library in _OF_TORCH and module.origin in (Origin.CHILD, Origin.DERIVED)
    )


def _flag(event: AttributeWritten) -> bool | None:
    """The bool that is stored; None where it is computed, or is none."""
    value = event.value.value if isinstance(event.value, Constant) else None
    return value if isinstance(value, bool) else None


def _is_a_note(trace: Trace, parts: tuple[Part, ...]) -> bool:
    """Whether the real flags of these parameters are written somewhere."""
    return any(
        trace.parts_overlap(mine, part, write.index)
        for write in trace.all(FlagWritten)
        for mine in write.parts
        for part in parts
    )


def _goes_elsewhere(trace: Trace, event: AttributeWritten, parts: tuple[Part, ...]) -> bool:
    """Whether code of the project, out of sight, gets the model and may read what was stored."""
    return any(
        trace.related(key, part.key, later.index)
        for later in trace.after(event, HandedOver)
        if not later.keeps_layers
        for key in later.keys
        for part in parts
    )


def _about(event: AttributeWritten, trains: bool) -> About | None:
    if event.receiver_node is None:
        return None
    return about_lost_flag(event.place.chunk.code(event.receiver_node), Constant(trains))
