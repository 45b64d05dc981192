"""What the table of transformers' classes answers, and whether it is up to date."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from freezelint.analysis.knowledge import transformers as knowledge

ROOT = Path(__file__).parents[2]
GPT2 = "transformers.GPT2LMHeadModel"


@pytest.mark.parametrize(
    "library",
    [GPT2, f"{GPT2}.from_pretrained", "transformers.models.gpt2.modeling_gpt2.GPT2LMHeadModel"],
)
def test_class_by_any_of_its_names(library: str) -> None:
    found = knowledge.facts(library)
    assert found is not None
    assert found["base"] == "transformer"
    assert found["heads"] == ["lm_head"]
    assert knowledge.tied_names(library) == {"lm_head.weight": "transformer.wte.weight"}


def test_helpers_that_freeze() -> None:
    found = knowledge.facts("transformers.Wav2Vec2ForCTC")
    assert found is not None
    assert "freeze_feature_encoder" in found["freezes"]


@pytest.mark.parametrize(
    "library",
    [
        # Not tied unless the checkpoint says so.
        "transformers.LlamaForCausalLM.from_pretrained",
        # Tied unless the checkpoint says otherwise, and many do.
        "transformers.T5ForConditionalGeneration.from_pretrained",
        "transformers.AutoModelForCausalLM.from_pretrained",
        "transformers.BertForSequenceClassification",
        "mypackage.GPT2LMHeadModel",
    ],
)
def test_names_that_may_not_be_tied(library: str) -> None:
    assert knowledge.tied_names(library) == {}


def test_only_classes_make_models() -> None:
    assert knowledge.is_class_with_head(GPT2)
    assert not knowledge.is_class_with_head(f"{GPT2}.from_pretrained")
    assert not knowledge.is_class_with_head("transformers.DataCollatorForLanguageModeling")
    assert not knowledge.is_class_with_head("transformers.GPT2Config")


def test_table_is_what_the_generator_writes() -> None:
    installed = pytest.importorskip("transformers").__version__
    table = ROOT / "freezelint" / "analysis" / "knowledge" / "transformers.json"
    release = json.loads(table.read_text(encoding="utf-8"))["release"]
    if installed != release:
        pytest.skip(f"the table is of transformers {release}, and {installed} is installed")
    tool = ROOT / "tools" / "generate_transformers.py"
    command = [sys.executable, str(tool), "--check", "GPT2", "Bert", "T5", "Wav2Vec2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
