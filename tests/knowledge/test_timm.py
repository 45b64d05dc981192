"""What the table of timm's models answers, and whether it is up to date."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from freezelint.analysis.knowledge import timm as knowledge
from freezelint.analysis.knowledge.layers import LayerKind

ROOT = Path(__file__).parents[2]
SAMPLE = ("resnet50", "vit_base_patch16_224", "efficientnet_b0", "convnext_tiny", "densenet121")


@pytest.mark.parametrize(
    ("name", "head", "batch_norm"),
    [
        ("resnet50", "fc", True),
        ("resnet50.a1_in1k", "fc", True),
        ("efficientnet_b0", "classifier", True),
        ("convnext_tiny", "head.fc", False),
        ("vit_base_patch16_224", "head", False),
        ("resnet50_gn", "fc", False),
    ],
)
def test_architecture(name: str, head: str, *, batch_norm: bool) -> None:
    found = knowledge.architecture(name)
    assert found is not None
    assert found.heads == (head,)
    assert found.holds("", LayerKind.BATCH_NORM) is batch_norm


def test_of_what_lies_deeper_only_absence_is_known() -> None:
    found = knowledge.architecture("resnet50")
    assert found is not None
    assert found.holds("layer4", LayerKind.BATCH_NORM) is True
    assert found.holds("layer4.0.conv1", LayerKind.BATCH_NORM) is None
    assert found.holds("fc.weight", LayerKind.BATCH_NORM) is False


def test_own_parameters() -> None:
    found = knowledge.architecture("vit_base_patch16_224")
    assert found is not None
    assert found.own_parameters == ("cls_token", "pos_embed")


def test_unknown() -> None:
    assert knowledge.architecture("my_own_net") is None


def test_table_is_what_the_generator_writes() -> None:
    installed = pytest.importorskip("timm").__version__
    table = ROOT / "freezelint" / "analysis" / "knowledge" / "timm.json"
    release = json.loads(table.read_text(encoding="utf-8"))["release"]
    if installed != release:
        pytest.skip(f"the table is of timm {release}, and {installed} is installed")
    command = [sys.executable, str(ROOT / "tools" / "generate_timm.py"), "--check", *SAMPLE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
