"""The flag is set on a temporary tensor instead of the parameter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.abouts import about_lost_flag
from freezelint.analysis.events import AttributeWritten, Event, MethodCalled
from freezelint.analysis.search import LinePattern
from freezelint.analysis.values import Constant, TensorKind, TensorValue
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from libcst import CSTNode

    from freezelint.analysis.index import Index
    from freezelint.analysis.syntax import Place
    from freezelint.analysis.trace import Trace
    from freezelint.findings import Fix


class FlagOnTemporary(Rule):
    """Finds the flag set on `.data`, `.detach()` or a copy of a parameter.

    What it does:
        Reports `requires_grad` written, by assignment or by `requires_grad_()`, on a
        tensor that was just derived from a parameter and is not kept: `p.data`,
        `p.detach()`, `p.clone()`, or a conversion such as `p.half()`.

    Why is this bad:
        `.data` and `.detach()` make a new tensor each time. The flag is set on that
        tensor, the tensor is dropped at the end of the statement, and the parameter
        trains on, without a message.

        A clone or a conversion of a trainable parameter is no leaf, so writing its
        flag raises a RuntimeError ("you can only change requires_grad flags of leaf
        variables"). A conversion that changes nothing, such as `.cpu()` of a
        parameter on the CPU, returns the parameter itself: the line works there and
        raises on a GPU.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class TextClassifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.embedding = nn.EmbeddingBag(100, 16)
                self.head = nn.Linear(16, 3)

            def forward(self, tokens):
                return self.head(self.embedding(tokens))


        model = TextClassifier()
        model.embedding.weight.data.requires_grad = False  # expect: FZ106

        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        tokens, labels = torch.randint(100, (64, 12)), torch.randint(3, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(tokens), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class TextClassifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.embedding = nn.EmbeddingBag(100, 16)
                self.head = nn.Linear(16, 3)

            def forward(self, tokens):
                return self.head(self.embedding(tokens))


        model = TextClassifier()
        model.embedding.weight.requires_grad = False

        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        tokens, labels = torch.randint(100, (64, 12)), torch.randint(3, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(tokens), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        A `data` attribute of the user's own classes, a copy that is bound to a name
        and used, and receivers that cannot be shown to be parameters.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.Tensor.detach.html
        https://docs.pytorch.org/docs/stable/generated/torch.Tensor.requires_grad.html
        https://docs.pytorch.org/docs/stable/generated/torch.Tensor.is_leaf.html
    """

    code = "FZ106"
    name = "flag-on-temporary"
    level = Level.ERROR
    claims = (Claim("moves", "model.embedding.*"),)
    triggers = (("requires_grad",),)
    trigger_patterns = (
        (
            r"\.data\.requires_grad",
            r"\.data\[[^\]\n]*\]\.requires_grad",
            *(
                rf"{temporary}{rest}"
                for temporary in (r"\.data", r"\.detach\(\)")
                for rest in (
                    r"[ \t]*\n(?:[^\n]*\n){0,2}?[ \t]*\w+\.requires_grad(?:\s*=\s*False|_\()",
                    r" for [^\n]*\n(?:[^\n]*:\n)?[ \t]*\w+\.requires_grad",
                )
            ),
            r"setattr\([\w.]*\.(?:data|detach\(\)), *[\"']requires_grad",
            r"freez\w*\([\w.]*\.(?:data|detach\(\))[,)]",
            # What the method returns is dropped: neither assigned nor passed on.
            LinePattern(
                ").requires_grad",
                r"(?![ \t]*return\b)(?:[^\n=()]|[=!]=|\((?:[^()\n]|\([^()\n]*\))*\))*"
                r"\.(?:detach|clone|cpu|cuda|to|half|float|double|bfloat16|type)"
                r"\([^()\n]*\)\.requires_grad",
            ),
            # It goes into a list or a dict, or is filled on the way.
            LinePattern(
                ").requires_grad",
                r"[ \t]*\w+(?: = [\[{]|\[[^\]\n]*\] = )[^\n]*\.detach\(\)\.requires_grad_\("
                r"|[^\n]*\.data\.\w+_\([^\n]*\)\.requires_grad",
            ),
        ),
    )
    is_local = True
    fix = "safe"
    events = ("AttributeWritten", "MethodCalled")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a flag that is set on a tensor nobody keeps."""
        assert isinstance(event, (AttributeWritten, MethodCalled))
        tensor = event.receiver
        if not isinstance(tensor, TensorValue) or not tensor.parts:
            return
        if isinstance(event, AttributeWritten):
            node = event.receiver_node if event.attribute == "requires_grad" else None
        else:
            sets_flag = event.name == "requires_grad_" and _goes_nowhere(event, trace.file)
            node = getattr(getattr(event.place.node, "func", None), "value", None)
            node = node if sets_flag else None
        place = None if node is None else _lost_at(event, node, trace.file)
        if place is not None:
            yield from _report(event, place, tensor)


def _lost_at(event: AttributeWritten | MethodCalled, node: CSTNode, file: Index) -> Place | None:
    """Where it is wrong that a tensor gets a flag which goes with it; None where it is kept."""
    if not _is_kept(node) or _is_used_for_nothing_else(event, node, file.text):
        return event.place
    from freezelint.analysis.dropped_tensors import is_unnamed, passed_at

    if is_unnamed(event, node, file):
        return event.place
    passed = passed_at(event, node, file)
    return None if passed is None or _is_kept(passed[1]) else passed[0]


def _is_kept(node: object) -> bool:
    """Whether an expression is a name (or attribute) that holds the tensor, not the making of it."""
    from libcst import Attribute, Name

    if isinstance(node, Attribute):
        return node.attr.value != "data"
    return isinstance(node, Name)


def _is_used_for_nothing_else(
    event: AttributeWritten | MethodCalled, node: CSTNode, text: str
) -> bool:
    """Whether a name is bound to the tensor only to fill it, to look at it and to freeze it."""
    if isinstance(event, AttributeWritten):
        flag = event.value
    else:
        flag = event.keywords.get("requires_grad", (*event.arguments, Constant(True))[0])
    name = event.place.chunk.code(node)
    if not name.isidentifier() or flag != Constant(False):
        return False
    return _is_only(_HARMLESS, name, event.place.chunk.text if event.scope else text)


def _is_only(forms: tuple[str, ...], name: str, text: str) -> bool:
    """Whether every mention of a name in a text has one of some forms."""
    text = re.sub(_PROSE, _put_in, text, flags=re.DOTALL)
    form = "|".join(rf"(?:{each.format(name=name)})" for each in forms)
    mentions = re.findall(rf"\b{name}\b", text)
    return len(mentions) == len(re.findall(rf"(?<![\w.])(?:{form})", text, re.MULTILINE))


def _put_in(prose: re.Match[str]) -> str:
    """What a text does with names: nothing, but for what is put in."""
    return "".join(re.findall(r"\{[^{}]*\}", prose[0])) if prose["formatted"] else '""'


_PROSE = (
    r"#[^\n]*|(?P<formatted>\b[rR]?[fF][rR]?)?"
    r"(?P<quote>\"{3}|'{3}|[\"'])(?:\\.|(?!(?P=quote)).)*(?P=quote)"
)
"""Comments and texts, which mention a name but do nothing with it."""


def _goes_nowhere(event: MethodCalled, file: Index) -> bool:
    """Whether what a call returns is dropped, or kept in a collection that is only counted."""
    from freezelint.analysis.dropped_tensors import is_discarded

    if is_discarded(event.place):
        return True
    # A global name may be used in all of the file.
    text = event.place.chunk.text if event.scope else file.text
    line = getattr(event.place.statement, "body", ())
    kept = re.match(
        _KEPT, event.place.chunk.code(line[0]) if isinstance(line, (list, tuple)) else ""
    )
    return kept is not None and any(
        _is_only(forms, name, text)
        for name, forms in ((kept["list"], _COUNTED), (kept["dict"], _NAMED))
        if name
    )


_CALL = r"(?:[\w.]|\(\))+\.requires_grad_\((?:False)?\)"

_KEPT = (
    rf"(?:(?P<list>[A-Za-z_]\w*) = \[{_CALL} for .*\]"
    rf"|(?P<dict>[A-Za-z_]\w*)(?:\[[^\]]*\] = {_CALL}| = \{{[\w.]+: {_CALL} for [^{{}}]*\}}))$"
)
"""Tensors go into a list or a dict, with their flags set on the way."""

_COUNTED = (
    r"{name} = \[",
    r"len\({name}\)",
    r"if (?:not )?{name}(?=:| else\b)",
    r"sum\((?P<each>\w+)\.(?:numel\(\)|requires_grad) for (?P=each) in {name}\)",
    r"print\({name}\)",
)
"""What is asked of a list of tensors without putting these to use."""

_NAMED = (
    r"{name}(?:: [^=\n]+)? = (?:\{{|dict\(\))",
    r"{name}\[[^\]\n]*\] = ",
    r"len\({name}\)",
    r"if (?:not )?{name}(?=:| else\b)",
    r"(?:sorted|list|join|print)\({name}(?:\.keys\(\))?\)",
    r"sum\((?P<each>\w+)\.numel\(\) for (?P=each) in {name}\.values\(\)\)",
)
"""The same of a dict, of which the keys are names."""

_HARMLESS = (
    r"{name} = [^=\n]*\.(?:data|detach\(\))[ \t]*(?:#.*)?$",
    r"{name}\.requires_grad\b",
    r"^[ \t]*{name}\.requires_grad_\(",
    r"{name}\.(?:shape|dtype|device|ndim)\b",
    r"{name}\.(?:size|dim|numel)\(",
    r"^[ \t]*{name}(?:\[[^\]\n]*\])?\.(?!requires_grad_)\w+_\(",
    r"^[ \t]*{name}\[[^\]\n]*\] = ",
    r"(?:\w+\.)*init\.\w+_\({name}\b",
)
"""What is done with a tensor that shares its memory with a parameter, and hands it to nobody."""


def _report(event: Event, place: Place, tensor: TensorValue) -> Iterator[Report]:
    fix = _fix(event, tensor.how) if place is event.place else None
    if tensor.kind is TensorKind.TEMPORARY and tensor.how in ("data", "detach"):
        yield Report(
            place,
            f"`{tensor.how}` makes a new tensor: the flag is set on that one and lost with it",
            f"leave out `{tensor.how}` and set the flag of the parameter itself",
            fix=fix,
            about=_about(event),
        )
    elif tensor.kind in (TensorKind.TEMPORARY, TensorKind.CONVERTED) and (
        tensor.how not in ("state_dict", "requires_grad")
    ):
        yield Report(
            place,
            f"`{tensor.how}` returns another tensor (or raises here, since that is no leaf): "
            "the parameter keeps its flag",
            f"leave out `{tensor.how}` and set the flag of the parameter itself",
            fix=fix,
        )


def _fix(event: Event, how: str) -> Fix | None:
    """Leave out what makes the temporary, where it stands in the same expression."""
    from freezelint.analysis import edits

    if isinstance(event, AttributeWritten):
        made = event.receiver_node
    else:
        made = getattr(getattr(event.place.node, "func", None), "value", None)
    return edits.fixed(f"leave out `{how}`", edits.unwrapped(event.place, made, how), is_safe=True)


def _about(event: Event) -> About | None:
    """The parameter, or a tensor that shares its memory."""
    if not isinstance(event, AttributeWritten) or event.receiver_node is None:
        return None
    code = event.place.chunk.code(event.receiver_node).removesuffix(".detach()")
    return about_lost_flag(code, event.value)
