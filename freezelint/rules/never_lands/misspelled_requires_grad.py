"""`requires_grad` is misspelled, which only creates an attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.abouts import about_lost_flag
from freezelint.analysis.events import AttributeWritten, Called, Event, MethodCalled
from freezelint.analysis.values import Constant, ModuleValue, ParameterValue, TensorValue
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule
from freezelint.spelling import meant_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Value
    from freezelint.findings import Fix


class MisspelledRequiresGrad(Rule):
    """Finds a misspelled `requires_grad` or `requires_grad_()`.

    What it does:
        Reports near misses such as `require_grad`, `requires_grads`, `required_grad`,
        `requires_gradient`, `requires_gard` and `requires_Grad`, where they are assigned on a
        parameter, a tensor or a module, called on one, or passed to a function that
        makes one. On a tensor that takes no part in training the assignment is only
        dead, and the finding is an info.

    Why is this bad:
        Tensors and modules accept any attribute. The misspelled one is stored without
        a message and nothing reads it, so the parameters stay trainable. The
        misspelled call (`p.require_grad_(False)`) raises an AttributeError and the
        misspelled keyword argument a TypeError, but only once the line is reached.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class SmallVGG(nn.Module):
            def __init__(self):
                super().__init__()
                self.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(4))
                self.classifier = nn.Linear(8 * 3 * 3, 5)

            def forward(self, x):
                return self.classifier(self.features(x).flatten(1))


        model = SmallVGG()
        for param in model.features.parameters():
            param.require_grad = False  # expect: FZ102

        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        images, labels = torch.randn(32, 3, 16, 16), torch.randint(5, (32,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class SmallVGG(nn.Module):
            def __init__(self):
                super().__init__()
                self.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(4))
                self.classifier = nn.Linear(8 * 3 * 3, 5)

            def forward(self, x):
                return self.classifier(self.features(x).flatten(1))


        model = SmallVGG()
        for param in model.features.parameters():
            param.requires_grad = False

        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        images, labels = torch.randn(32, 3, 16, 16), torch.randint(5, (32,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Configuration objects, attributes of the user's own classes, attributes that
        the file reads elsewhere, and other frameworks' parameters.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.Tensor.requires_grad.html
        https://github.com/udacity/deep-learning-v2-pytorch/issues/12
        https://github.com/SvenBecker/vscode-pytorch/issues/8
        https://github.com/codertimo/BERT-pytorch/issues/104
        https://github.com/pytorch/benchmark/issues/1771
    """

    code = "FZ102"
    name = "misspelled-requires-grad"
    level = Level.ERROR
    claims = (Claim("moves", "model.features.*"),)
    triggers = (
        (
            "require_g",
            "required_g",
            "requires_grads",
            "requires_grade",
            "requires_gradi",
            "requires_grad_grad",
            "requires_gard",
            "requires_gred",
            "requires_grd",
            "requeires_g",
            "requiers_g",
            "requies_g",
            "requirs_g",
            "requre_g",
            "requres_g",
            "requries_g",
            "reqires_g",
            "reqiures_g",
            "request_grad",
            "requiresgrad",
            "reuires_g",
            "requires_Grad",
            "require_Grad",
        ),
    )
    trigger_patterns = (
        (
            r"re(?!quires_grad_?\b)(?<!\wre)(?<!def re)[a-z]{3,8}_[gG][a-z_]*(?:\s*=(?!=)|\(|[\"'])",
            r"\.requiresgrad_?(?:\s*=(?!=)|\()",
        ),
    )
    is_local = True
    fix = "safe"
    events = ("AttributeWritten", "MethodCalled", "Called")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a near miss that was assigned, called or passed as a keyword."""
        if isinstance(event, AttributeWritten):
            if not event.declared and not _is_a_field(event, trace):
                yield from self._report(event, trace, event.receiver, event.attribute, "stored")
        elif isinstance(event, MethodCalled):
            yield from self._report(event, trace, event.receiver, event.name, "called")
        elif isinstance(event, Called) and _is_public(event.name):
            for keyword in event.keywords:
                if (meant := meant_by(keyword)) is not None:
                    yield Report(
                        event.place,
                        f"`{event.name}` has no argument `{keyword}`: the call raises a TypeError",
                        f"write `{meant}=`",
                        fix=_fix_keyword(event, keyword, meant),
                    )

    def _report(
        self, event: Event, trace: Trace, receiver: Value, name: str, how: str
    ) -> Iterator[Report]:
        meant = meant_by(name)
        if meant is None or f"def {name}(" in trace.file.text:
            return
        if isinstance(receiver, ModuleValue):
            module = trace.objects.module(receiver.key)
            # What hangs below a module is a module or a parameter if that is called on it.
            is_torch = how == "called" and meant == "requires_grad_" and module.parent is not None
            if not module.is_module and not is_torch:
                return
            meant = "requires_grad_"
        elif not isinstance(receiver, (ParameterValue, TensorValue)):
            return
        effect = (
            "is stored as a new attribute that nothing reads"
            if how == "stored"
            else "does not exist: the call raises an AttributeError"
        )
        is_plain = isinstance(receiver, TensorValue) and not receiver.parts
        yield Report(
            event.place,
            f"`{name}` {effect}; the flag is called `requires_grad`",
            f"write `{meant}(...)`" if meant.endswith("_") else f"write `{meant}`",
            level=Level.INFO if is_plain else None,
            fix=_fix(event, meant),
            about=_about(event),
        )


def _is_a_field(event: AttributeWritten, trace: Trace) -> bool:
    """Whether a class of the file keeps an option under that name, or somebody reads it."""
    if not isinstance(event.receiver, ModuleValue):
        return False
    if event.receiver_name == "self" and not isinstance(event.value, Constant):
        return trace.objects.module(event.receiver.key).owner_class is not None
    is_made = f"self.{event.attribute} =" in trace.file.text
    return is_made and trace.file.reads_attribute(event.attribute)


def _is_public(name: str) -> bool:
    """Whether this is torch's public interface; some private functions do say `require_grad`."""
    return name.startswith("torch.") and not name.rpartition(".")[2].startswith("_")


def _fix_keyword(event: Called, keyword: str, meant: str) -> Fix | None:
    from freezelint.analysis import edits

    edit = edits.keyword_renamed(event.place, event.call, keyword, meant)
    return edits.fixed(f"write `{meant}`", edit, is_safe=True)


def _fix(event: Event, meant: str) -> Fix | None:
    from freezelint.analysis import edits

    title = f"write `{meant}`"
    if isinstance(event, AttributeWritten):
        if meant.endswith("_") and not event.attribute.endswith("_"):
            return edits.fixed(title, edits.as_method_call(event.place, meant), is_safe=True)
        if edits.assignment_to(event.place) is None:
            return None
        return edits.fixed(
            title, edits.attribute_renamed(event.place, event.place.node, meant), is_safe=True
        )
    function = getattr(event.place.node, "func", event.place.node)
    return edits.fixed(title, edits.attribute_renamed(event.place, function, meant), is_safe=True)


def _about(event: Event) -> About | None:
    """What the flag was meant for, where it was stored."""
    if not isinstance(event, AttributeWritten) or event.receiver_node is None:
        return None
    return about_lost_flag(event.place.chunk.code(event.receiver_node), event.value)
