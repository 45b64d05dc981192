"""What the table of torchvision's models answers, and whether it is up to date."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from freezelint.analysis.knowledge import torchvision as knowledge
from freezelint.analysis.knowledge.layers import LayerKind

ROOT = Path(__file__).parents[2]
MODELS = "torchvision.models"
FASTER_RCNN = f"{MODELS}.detection.faster_rcnn"


@pytest.mark.parametrize(
    ("library", "name", "kind"),
    [
        (f"{MODELS}.resnet18", "fc", "torch.nn.Linear"),
        (f"{MODELS}.resnet.resnet18", "fc", "torch.nn.Linear"),
        (f"{MODELS}.vgg16", "classifier", "torch.nn.Sequential"),
        (f"{MODELS}.vgg16", "features", "torch.nn.Sequential"),
        (f"{MODELS}.vit_b_16", "class_token", "parameter"),
        (f"{MODELS}.inception_v3", "AuxLogits", f"{MODELS}.inception.InceptionAux"),
        (f"{MODELS}.video.r3d_18", "stem", f"{MODELS}.video.resnet.BasicStem"),
        (f"{MODELS}.video.r2plus1d_18", "stem", f"{MODELS}.video.resnet.R2Plus1dStem"),
        (
            f"{MODELS}.segmentation.deeplabv3_resnet50",
            "classifier",
            f"{MODELS}.segmentation.deeplabv3.DeepLabHead",
        ),
        (
            f"{MODELS}.detection.fasterrcnn_resnet50_fpn",
            "roi_heads",
            f"{MODELS}.detection.roi_heads.RoIHeads",
        ),
        (
            f"{MODELS}.detection.roi_heads.RoIHeads",
            "box_predictor",
            f"{FASTER_RCNN}.FastRCNNPredictor",
        ),
        (f"{FASTER_RCNN}.FastRCNNPredictor", "cls_score", "torch.nn.Linear"),
    ],
)
def test_attribute_of_a_model(library: str, name: str, kind: str) -> None:
    assert knowledge.child_kind(library, name) == kind


@pytest.mark.parametrize("library", [f"{MODELS}.resnet.ResNet", f"{MODELS}.ResNet"])
def test_class_by_either_of_its_names(library: str) -> None:
    assert knowledge.child_kind(library, "layer1") == "torch.nn.Sequential"


def test_builders_of_one_name_stay_apart() -> None:
    plain = knowledge.child_kind(f"{MODELS}.inception_v3", "Conv2d_1a_3x3")
    quantizable = knowledge.child_kind(f"{MODELS}.quantization.inception_v3", "Conv2d_1a_3x3")
    assert plain == f"{MODELS}.inception.BasicConv2d"
    assert quantizable == f"{MODELS}.quantization.inception.QuantizableBasicConv2d"


@pytest.mark.parametrize(
    ("library", "name"),
    [
        (f"{MODELS}.resnet18", "classifier"),
        (f"{MODELS}.no_such_model", "fc"),
        (f"{MODELS}.detection.resnet18", "fc"),
        ("timm.models.resnet.ResNet", "fc"),
        ("resnet18", "fc"),
    ],
)
def test_unknown(library: str, name: str) -> None:
    assert knowledge.child_kind(library, name) is None


@pytest.mark.parametrize(
    ("library", "name"),
    [
        # None in the blocks that keep the shape.
        (f"{MODELS}.resnet.Bottleneck", "downsample"),
        # Batch norm in a classifier, frozen batch norm in a pretrained detector.
        (f"{MODELS}.resnet.Bottleneck", "bn1"),
        # There without weights, gone with them.
        (f"{MODELS}.googlenet", "aux1"),
        # The caller's own.
        (f"{MODELS}.detection.FasterRCNN", "backbone"),
    ],
)
def test_what_depends_on_how_the_module_was_built_is_unknown(library: str, name: str) -> None:
    assert knowledge.child_kind(library, name) is None


@pytest.mark.parametrize(
    ("builder", "heads"),
    [
        ("resnet50", ("fc",)),
        ("vgg16", ("classifier.6",)),
        ("vit_b_16", ("heads.head",)),
        ("inception_v3", ("fc", "AuxLogits.fc")),
        ("detection.fasterrcnn_resnet50_fpn", ("roi_heads.box_predictor",)),
        ("optical_flow.raft_small", ()),
    ],
)
def test_heads(builder: str, heads: tuple[str, ...]) -> None:
    assert knowledge.heads_of(f"{MODELS}.{builder}") == heads


@pytest.mark.parametrize(
    ("builder", "arguments"),
    [
        ("resnet18", {"weights": None}),
        ("vit_b_16", {"weights": None}),
        ("video.mvit_v2_s", {"weights": None}),
        ("detection.ssdlite320_mobilenet_v3_large", {"weights": None, "weights_backbone": None}),
    ],
)
def test_parameter_names_are_those_of_the_model(builder: str, arguments: dict[str, None]) -> None:
    torch = pytest.importorskip("torch")
    made = pytest.importorskip("torchvision").models
    for step in builder.split("."):
        made = getattr(made, step)
    with torch.device("meta"):
        model = made(**arguments)
    names = [name for name, _ in model.named_parameters()]
    assert knowledge.parameter_names(f"{MODELS}.{builder}") == tuple(names)


def test_names_that_only_some_weights_bring_are_among_the_parameters() -> None:
    names = knowledge.parameter_names(f"{MODELS}.segmentation.fcn_resnet50")
    assert names is not None
    assert "aux_classifier.4.weight" in names


@pytest.mark.parametrize(
    ("builder", "path", "kind", "answer"),
    [
        ("resnet18", "", LayerKind.BATCH_NORM, True),
        ("resnet18", "layer1.0.conv1", LayerKind.BATCH_NORM, False),
        ("resnet18", "layer9", LayerKind.BATCH_NORM, None),
        ("efficientnet_b0", "features.4", LayerKind.DROPOUT, True),
        ("segmentation.fcn_resnet50", "", LayerKind.DROPOUT, True),
        ("segmentation.fcn_resnet50", "aux_classifier", LayerKind.RECURRENT, False),
        ("detection.fasterrcnn_resnet50_fpn", "backbone.body", LayerKind.BATCH_NORM, None),
    ],
)
def test_what_a_submodule_holds(
    builder: str, path: str, kind: LayerKind, answer: bool | None
) -> None:
    assert knowledge.holds(f"{MODELS}.{builder}", path, kind) is answer


def test_parameters_of_a_module_itself() -> None:
    assert knowledge.own_parameters(f"{MODELS}.vit_b_16") == ("class_token",)
    assert knowledge.own_parameters(f"{MODELS}.vit_b_16", "encoder") == ("pos_embedding",)
    assert knowledge.own_parameters(f"{MODELS}.resnet18") == ()


def test_attributes_that_may_hold_submodules() -> None:
    names = knowledge.submodule_names(f"{MODELS}.googlenet")
    assert names is not None
    assert {"fc", "aux1"} <= names
    assert "classifier" not in names


@pytest.mark.parametrize("library", ["timm.create_model", f"{MODELS}.resnet.ResNet", "resnet18"])
def test_no_tree_of_anything_else(library: str) -> None:
    assert knowledge.parameter_names(library) is None
    assert knowledge.heads_of(library) is None
    assert knowledge.submodule_names(library) is None
    assert knowledge.own_parameters(library) is None
    assert knowledge.holds(library, "", LayerKind.BATCH_NORM) is None


def test_tables_are_what_the_generator_writes() -> None:
    installed = pytest.importorskip("torchvision").__version__.partition("+")[0]
    table = ROOT / "freezelint" / "analysis" / "knowledge" / "torchvision.json"
    release = json.loads(table.read_text(encoding="utf-8"))["release"]
    if installed != release:
        pytest.skip(f"the table is of torchvision {release}, and {installed} is installed")
    command = [sys.executable, str(ROOT / "tools" / "generate_torchvision.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
