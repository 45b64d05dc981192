"""How many blocks published models have, by the names of their checkpoints.

Read off the configurations of the checkpoints (``num_hidden_layers``, ``depth`` and their like).
"""

from __future__ import annotations

import re
from typing import TypeAlias

from freezelint.analysis.knowledge.timm import FACTORIES

_SHALLOW = re.compile(
    r"tiny|mini|small|nano|micro|distil|albert|L-?[1-9](?!\d)|reformer|test|dummy"
)
"""Makes of which some, or all, have few blocks, or share one."""

_MENTIONED = re.compile(
    r"[\"'][\w./-]*(?:tiny|mini|small|nano|micro|distil|albert|L-?[1-9](?!\d))[\w./-]*[\"']"
)
"""A text that may be the name of such a checkpoint."""

_Rows: TypeAlias = "tuple[tuple[str, int], ...]"

_DEPTHS: _Rows = (
    (r"large|24l", 24),
    (r"(?:^|/)(?:bert|roberta|xlm-roberta|camembert|biobert|scibert|electra|deberta)\b.*base", 12),
    (r"(?:bert|roberta|electra|deberta|mpnet)[\w-]*base", 12),
    (r"(?:^|[/-])(?:vit|deit|beit|dinov2|data2vec|wav2vec2|hubert|wavlm|clip-vit)[\w-]*base", 12),
    (r"ast-finetuned", 12),
    (r"(?:^|/)(?:meta-)?(?:code)?(?:llama|mistral|mixtral|qwen|gemma|falcon|bloom|olmo)", 16),
    (r"(?:^|/)(?:phi-|gpt-j|gpt-neox|deepseek|stablelm)", 16),
    (r"(?:^|/)opt-|(?:^|/)(?:flan-|m)?t5-(?:v1_1-)?base", 12),
    (r"(?:^|/)gpt2(?:-medium|-large|-xl)?$", 12),
)
"""Texts in the names of checkpoints, and how many blocks such models have at least."""

_TIMM: _Rows = (
    (r"^(?:vit|deit3?|beit|beitv2|eva02|eva)_(?:tiny|small|base|medium)_(?!resnet)", 12),
    (r"^(?:vit|deit3?|beit|beitv2|eva02|eva)_(?:large|huge|giant)", 24),
)

_CLASSES: _Rows = (
    (r"^(?:Bert|Roberta|XLMRoberta|Camembert|Electra|Deberta|GPT2|OPT|ViT|Beit|DeiT|Dinov2)", 12),
    (r"^(?:Wav2Vec2|Hubert|WavLM|CLIPVision|Data2Vec)", 12),
    (r"^(?:Llama|Mistral|Qwen|Gemma|Falcon|Bloom|Phi)", 16),
)
"""Classes of transformers, and how many blocks all but small checkpoints for them have."""

BLOCKS = re.compile(r"(?:^|\.)(?:layers?|blocks?|h|resblocks)\.$")
"""What stands before the number of a block in the name of a parameter."""


def usual_depth(library: str, text: str) -> int | None:
    """How many blocks a model of a class has at least whose checkpoint is not known.

    None where that is not known, or where the file mentions small makes.

    Args:
        library: The dotted name of what made it.
        text: The file, which may name the checkpoints that it is meant for.
    """
    package, _, rest = library.partition(".")
    name, _, method = rest.rpartition(".")
    if package != "transformers" or method != "from_pretrained" or _MENTIONED.search(text):
        return None
    return next((blocks for pattern, blocks in _CLASSES if re.search(pattern, name)), None)


def depth(library: str, checkpoint: str) -> int | None:
    """How many blocks a model has at least; None where that is not known.

    Args:
        library: The dotted name of what made it, such as ``timm.create_model``.
        checkpoint: What it was asked for, such as ``bert-base-cased``.
    """
    if library in FACTORIES:
        rows, name = _TIMM, checkpoint
    elif library.startswith("transformers.") and library.endswith(".from_pretrained"):
        rows, name = _DEPTHS, checkpoint.lower()
        if _SHALLOW.search(name.rpartition("/")[2]):
            return None
    else:
        return None
    return next((blocks for pattern, blocks in rows if re.search(pattern, name)), None)
