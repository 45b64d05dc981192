"""How many blocks published models have."""

from __future__ import annotations

import pytest

from freezelint.analysis.knowledge.depths import depth


@pytest.mark.parametrize(
    ("library", "checkpoint", "blocks"),
    [
        ("transformers.BertModel.from_pretrained", "bert-base-cased", 12),
        ("transformers.AutoModel.from_pretrained", "FacebookAI/roberta-large", 24),
        ("transformers.AutoModel.from_pretrained", "microsoft/deberta-v3-base", 12),
        ("transformers.ViTModel.from_pretrained", "google/vit-base-patch16-224", 12),
        ("transformers.GPT2Model.from_pretrained", "gpt2", 12),
        ("timm.create_model", "vit_tiny_patch16_224", 12),
        ("timm.create_model", "vit_large_patch14_clip_224", 24),
        ("timm.create_model", "vit_small_resnet26d_224", None),
        ("timm.create_model", "convnext_base", None),
        ("transformers.AutoModel.from_pretrained", "prajjwal1/bert-tiny", None),
        ("transformers.AutoModel.from_pretrained", "distilbert-base-uncased", None),
        ("transformers.AutoModel.from_pretrained", "albert-base-v2", None),
        ("transformers.AutoModel.from_pretrained", "my-org/ranker", None),
    ],
)
def test_only_the_depth_of_published_checkpoints_is_known(
    library: str, checkpoint: str, blocks: int | None
) -> None:
    assert depth(library, checkpoint) == blocks
