"""Whether a module holds running statistics, dropout or recurrent layers."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, ClassVar

import pytest

from freezelint.analysis.analyze import analyze
from freezelint.analysis.contents import holds
from freezelint.analysis.events import FlagWritten
from freezelint.analysis.knowledge.layers import LayerKind
from freezelint.findings import Level
from freezelint.rules.rule import Report, Rule
from freezelint.sources.python import decode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.events import Event
    from freezelint.analysis.trace import Trace

BATCH_NORM, DROPOUT, RECURRENT = LayerKind.BATCH_NORM, LayerKind.DROPOUT, LayerKind.RECURRENT


class Asking(Rule):
    """Asks what is in whatever is frozen, at that moment."""

    code = "FZ999"
    name = "asking"
    level = Level.INFO
    triggers = (("requires_grad_",),)
    events = ("FlagWritten",)
    kind: ClassVar[LayerKind]
    trusting: ClassVar[bool] = False

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report the answer."""
        assert isinstance(event, FlagWritten)
        key = event.parts[0].key
        answer = holds(trace, key, event.index, self.kind, trusting=self.trusting)
        yield Report(event.place, str(answer), "")


def ask(code: str, kind: LayerKind, *, trusting: bool = False) -> bool | None:
    """What is in the module that the code calls ``requires_grad_`` of."""
    rule = Asking()
    rule.kind, rule.trusting = kind, trusting  # type: ignore[misc]
    head = "import copy\nimport timm, torch, torchvision\nfrom torch import nn\n"
    source = decode("example.py", (head + textwrap.dedent(code)).encode())
    found, problems = analyze(source, [rule])
    assert not problems, problems
    (finding,) = found
    return {"True": True, "False": False, "None": None}[finding.message]


@pytest.mark.parametrize(
    ("code", "batch_norm", "dropout"),
    [
        ("m = torchvision.models.resnet18(weights=None)", True, False),
        ("m = torchvision.models.resnet18(pretrained=True, num_classes=9)", True, False),
        ("m = torchvision.models.resnet18().layer4[1].conv1", False, False),
        ("m = torchvision.models.resnet18().layer4[1]", True, False),
        ("m = torchvision.models.vgg16()", False, True),
        ("m = torchvision.models.vgg16().features", False, False),
        ("m = torchvision.models.vgg16_bn().features", True, False),
        ("m = torchvision.models.vit_b_16()", False, False),
        ("m = torchvision.models.video.r3d_18().stem", True, False),
        ("m = torchvision.models.efficientnet_b0().classifier", False, True),
        ("m = torchvision.models.mobilenet_v2().classifier[-1]", False, False),
        # Frozen ones with weights, trainable ones without.
        ("m = torchvision.models.detection.fasterrcnn_resnet50_fpn()", None, False),
        ("m = torchvision.models.detection.fasterrcnn_resnet50_fpn().rpn", False, False),
        # Another model than the library's own.
        ("m = torchvision.models.resnet18(norm_layer=norm)", None, None),
        ("m = torchvision.models.resnet18(**options)", None, None),
        ("m = torchvision.models.vgg16(dropout=0.0)", None, None),
    ],
)
def test_models_of_torchvision(code: str, batch_norm: bool | None, dropout: bool | None) -> None:
    code += "\nm.requires_grad_(False)\n"
    assert ask(code, BATCH_NORM) is batch_norm
    assert ask(code, DROPOUT) is dropout


@pytest.mark.parametrize(
    ("code", "batch_norm"),
    [
        ("m = timm.create_model('resnet50.a1_in1k', pretrained=True, num_classes=5)", True),
        ("m = timm.create_model('resnet50', pretrained=True).layer3", True),
        ("m = timm.create_model('resnet50', pretrained=True).layer3[0]", None),
        ("m = timm.create_model('vit_base_patch16_224').blocks[3]", False),
        ("m = timm.create_model('vit_base_patch16_224'); m.reset_classifier(3)", False),
        ("m = timm.create_model('vit_base_patch16_224'); print(m.num_features)", False),
        ("m = timm.create_model('resnet50', norm_layer=norm)", None),
        ("m = timm.create_model(name)", None),
    ],
)
def test_models_of_timm(code: str, batch_norm: bool | None) -> None:
    assert ask(f"{code}\nm.requires_grad_(False)\n", BATCH_NORM) is batch_norm


@pytest.mark.parametrize(
    ("code", "batch_norm"),
    [
        ("m.fc = nn.Linear(512, 2)", True),
        ("m.fc = nn.Sequential(nn.BatchNorm1d(512), nn.Linear(512, 2))", True),
        ("print(m.fc.in_features)", True),
        ("m = m.fc", False),
        ("m.fc = nn.Sequential(nn.BatchNorm1d(512), nn.Linear(512, 2)); m = m.fc", True),
        ("m.layer4 = nn.Identity(); m = m.layer4", False),
        ("m = m.layer4[0]; m.bn1 = nn.Identity(); m.bn2 = nn.Identity()", True),
        ("m = m.layer3[1]; m.bn1 = nn.Identity(); m.bn2 = nn.Identity()", False),
        ("m = m.layer3[1]; m.bn1 = nn.Identity(); m.bn2 = made()", None),
        ("m = m.layer3[1]; m.bn1 = nn.Identity(); del m.bn2", False),
        ("m = copy.deepcopy(m)", True),
        (
            "m.layer3[1].bn1 = m.layer3[1].bn2 = nn.Identity(); m = copy.deepcopy(m).layer3[1]",
            False,
        ),
        ("m = copy.deepcopy(m).layer3[1].conv1", False),
        ("m = copy.deepcopy(m).layer3[1]; m.bn1 = nn.Identity()", None),
        ("m = nn.Sequential(*m.children())", True),
        ("m = nn.Sequential(*list(m.children())[-1:])", None),
        ("m = nn.DataParallel(m).cuda().layer1", True),
        ("if small:\n    m = torchvision.models.resnet34()\nm = m.layer2", True),
        ("if small:\n    m = torchvision.models.vgg11()", None),
    ],
)
def test_what_the_code_changes_in_a_model(code: str, batch_norm: bool | None) -> None:
    code = f"m = torchvision.models.resnet18()\n{code}\nm.requires_grad_(False)\n"
    assert ask(code, BATCH_NORM) is batch_norm


@pytest.mark.parametrize(
    ("code", "kind", "answer"),
    [
        ("nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))", BATCH_NORM, True),
        ("nn.Sequential(nn.Conv2d(3, 8, 3), nn.Sequential(nn.ReLU()))", BATCH_NORM, False),
        ("nn.Sequential(nn.Conv2d(3, 8, 3), norm(8))", BATCH_NORM, None),
        ("nn.Sequential(*layers)", BATCH_NORM, None),
        ("nn.ModuleList([nn.Linear(2, 2), nn.SyncBatchNorm(2)])", BATCH_NORM, True),
        ("nn.BatchNorm2d(8, track_running_stats=False)", BATCH_NORM, False),
        ("nn.InstanceNorm2d(8)", BATCH_NORM, False),
        ("nn.InstanceNorm2d(8, track_running_stats=True)", BATCH_NORM, True),
        ("nn.LayerNorm(8)", BATCH_NORM, False),
        ("nn.Dropout()", DROPOUT, True),
        ("nn.Dropout(0.0)", DROPOUT, False),
        ("nn.Dropout(p=rate)", DROPOUT, None),
        ("nn.LSTM(8, 8)", DROPOUT, False),
        ("nn.LSTM(8, 8, num_layers=2, dropout=0.1)", DROPOUT, True),
        ("nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2), 2)", DROPOUT, True),
        ("nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, dropout=0), 2)", DROPOUT, False),
        ("nn.Sequential(nn.Linear(2, 2), nn.GRU(8, 8))", RECURRENT, True),
        ("nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(8))", RECURRENT, False),
        ("nn.Sequential(nn.Linear(2, 2), made())", RECURRENT, None),
    ],
)
def test_layers_built_in_sight(code: str, kind: LayerKind, answer: bool | None) -> None:
    assert ask(f"m = {code}\nm.requires_grad_(False)\n", kind) is answer


NET = """
class Net(nn.Module):
    def __init__(self, norm=None):
        super().__init__()
        self.width = 8
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
        self.neck = nn.Linear(8, 8)
        self.head = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.1))
        self.extra = norm

    def forward(self, x):
        return self.head(self.stem(x))

"""


@pytest.mark.parametrize(
    ("code", "batch_norm", "dropout", "recurrent"),
    [
        ("Net()", True, True, False),
        ("Net().stem", True, False, False),
        ("Net().head", False, True, False),
        ("Net(made())", True, True, None),
    ],
)
def test_classes_in_sight(
    code: str, batch_norm: bool | None, dropout: bool | None, recurrent: bool | None
) -> None:
    code = f"{NET}\nm = {code}\nm.requires_grad_(False)\n"
    assert ask(code, BATCH_NORM) is batch_norm
    assert ask(code, DROPOUT) is dropout
    assert ask(code, RECURRENT) is recurrent


def test_a_class_may_hold_more_than_its_own_code_attaches() -> None:
    code = f"from elsewhere import Base\n{NET.replace('nn.Module', 'Base, nn.Module')}"
    code += "\nm = Net()\nm.requires_grad_(False)\n"
    assert ask(code, BATCH_NORM) is True
    assert ask(code, RECURRENT) is None


def test_nothing_is_known_of_what_was_handed_over_unless_one_trusts() -> None:
    code = "m = torchvision.models.resnet18()\nchange(m)\nm.layer1.requires_grad_(False)\n"
    assert ask(code, BATCH_NORM) is None
    assert ask(code, BATCH_NORM, trusting=True) is True


def test_an_argument_may_be_anything() -> None:
    code = "def freeze(m: nn.Module):\n    m.requires_grad_(False)\n"
    assert ask(code, BATCH_NORM) is None
