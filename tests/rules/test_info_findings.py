"""What is legal and fragile is an info: it is found, and shown to those who ask for it."""

from __future__ import annotations

import textwrap

import pytest

from freezelint.analysis.analyze import analyze
from freezelint.findings import Level
from freezelint.rules import all_rules
from freezelint.sources.python import decode


def infos(snippet: str) -> list[tuple[str, int]]:
    text = textwrap.dedent(snippet).lstrip("\n")
    found, problems = analyze(decode("example.py", text.encode()), all_rules())
    assert not problems
    return [(each.code, each.span.line) for each in found if each.level is Level.INFO]


@pytest.mark.parametrize(
    ("arguments", "is_found"),
    [("vectors", True), ("vectors, padding_idx=0", True), ("vectors, freeze=True", False)],
)
def test_an_embedding_that_does_not_say_that_it_is_frozen(arguments: str, is_found: bool) -> None:
    found = infos(
        f"""
        from torch import nn, optim


        class Classifier(nn.Module):
            def __init__(self, vectors):
                super().__init__()
                self.words = nn.Embedding.from_pretrained({arguments})
                self.out = nn.Linear(50, 2)
        """
    )
    assert found == ([("FZ610", 7)] if is_found else [])


@pytest.mark.parametrize(
    ("test", "line"),
    [
        ("isinstance(layer, nn.BatchNorm2d)", 6),
        ("isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d))", None),
        ("isinstance(layer, nn.modules.batchnorm._BatchNorm)", None),
    ],
)
def test_norms_of_a_loaded_model_that_a_freeze_of_norms_does_not_know(
    test: str, line: int | None
) -> None:
    found = infos(
        f"""
        import torch
        from torch import nn

        def freeze_norms(model):
            for layer in model.modules():
                if {test}:
                    layer.eval()
                    layer.requires_grad_(False)

        image = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten())
        model = nn.Sequential(image, nn.Linear(288, 16), nn.BatchNorm1d(16))
        model.load_state_dict(torch.load("pretrained.pt"))
        model.train()
        freeze_norms(model)
        """
    )
    assert found == ([] if line is None else [("FZ405", line)])


@pytest.mark.parametrize(
    ("kind", "layers", "is_found"),
    [
        ("nn.BatchNorm2d", "", True),
        ("nn.modules.batchnorm._BatchNorm", "", False),
        ("nn.BatchNorm2d", "self.norm = nn.BatchNorm2d(8)", False),
    ],
)
def test_norms_of_whatever_a_class_is_mixed_into(kind: str, layers: str, is_found: bool) -> None:
    found = infos(
        f"""
        from torch import nn

        class FixedStages:
            def __init__(self):
                super().__init__()
                {layers or "pass"}

            def train(self, mode=True):
                super().train(mode)
                for name in self.fixed:
                    for layer in self.get_submodule(name).modules():
                        if isinstance(layer, {kind}):
                            layer.eval()
                return self

            def fix(self, names):
                self.fixed = tuple(names)
                for name in names:
                    self.get_submodule(name).requires_grad_(False)


        class Backbone(FixedStages, nn.Module):
            pass
        """
    )
    assert found == ([("FZ405", 12)] if is_found else [])


@pytest.mark.parametrize(
    ("frozen", "other", "is_found"),
    [
        ("transformer.wte", "transformer.wpe", True),
        ("transformer.wte", "lm_head", False),
        ("transformer.h", "transformer.wpe", False),
    ],
)
def test_a_tied_embedding_that_is_frozen_alone(frozen: str, other: str, is_found: bool) -> None:
    found = infos(
        f"""
        import torch
        from transformers import GPT2LMHeadModel

        model = GPT2LMHeadModel.from_pretrained("gpt2")
        model.{frozen}.requires_grad_(False)
        model.{other}.requires_grad_(False)
        trained = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=1e-5)
        """
    )
    assert [each for each in found if each[0] == "FZ607"] == ([("FZ607", 5)] if is_found else [])
