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
