"""What is known of the model classes of transformers that have a head.

The table beside this file was read off the classes and their default configurations;
``tools/generate_transformers.py`` rewrites it. It is not loaded before somebody asks about a
class whose name looks like one of these.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

_HAS_HEAD = r"(?:LMHeadModel|DoubleHeadsModel|For[A-Z]\w+)$"

_LOADERS = (".from_pretrained", ".from_config", "._from_config")

_DROPPING = (
    r"transformers\.(?:(?:Distil)?(?:Bert|Roberta|Electra|Camembert)|XLMRoberta|Deberta(?:V2)?"
    r"|MPNet|GPT2|M?T5|M?Bart|Pegasus|Marian|Longformer|LayoutLM|BigBird|XLNet"
    r"|Wav2Vec2|Hubert|WavLM)(?:Model|LMHeadModel|MTModel|EncoderModel|For[A-Z])"
)

_DROPPING_CHECKPOINT = (
    r"(?:^|/)(?:(?:distil)?(?:bert|roberta|gpt2)|camembert|xlm-roberta|deberta|mpnet|electra"
    r"|flan-t5|m?t5|m?bart|wav2vec2|hubert|wavlm|longformer|xlnet|scibert|biobert|finbert)(?:[-_]|$)"
)
"""Checkpoints whose configuration has dropout: 0.1 in all that are published under such names."""

DROPPING_WORDS = (
    *("bert", "Bert", "oberta", "lectra", "MPNet", "mpnet", "GPT2", "gpt2", "T5", "t5-", "Bart"),
    *("bart", "egasus", "Marian", "ongformer", "LayoutLM", "BigBird", "XLNet", "xlnet", "av2"),
    *("avLM", "avlm"),
)
"""Without one of these, no such model is in a file."""

_KEEPING_STATISTICS = (
    r"transformers\.(?:ResNet|RegNet|MobileNetV[12]|MobileViT(?:V2)?|EfficientNet|Levit|Cvt"
    r"|SwiftFormer|Wav2Vec2Conformer)(?:Model|For[A-Z])"
)
"""Classes with BatchNorm, whatever the configuration says."""

_KEEPING_CHECKPOINT = (
    r"(?:^|/)(?:resnet|regnet|mobilenet_v[12]|mobilevit(?:v2)?|efficientnet|levit|cvt"
    r"|wav2vec2-conformer)[-_]"
)

STATISTICS_WORDS = (
    *("ResNet", "resnet", "RegNet", "regnet", "MobileN", "mobilen", "MobileV", "mobilev"),
    *("EfficientN", "efficientn", "Levit", "levit", "Cvt", "cvt", "SwiftF", "onformer"),
)
"""Without one of these, no model with BatchNorm is in a file."""

_FULL_OF_THEM = frozenset({"encoder", "base_model"})
"""Beside the base model itself, the submodules that hold what most of it consists of."""

_ALWAYS_TIED = (
    *("GPT2", "Bert", "Roberta", "XLMRoberta", "DistilBert", "Albert", "Electra", "Camembert"),
    *("OPT", "Bart", "MBart", "Pegasus", "Marian", "Bloom", "GPTNeoFor", "Gemma", "CodeGen"),
)
"""Families of which the published checkpoints do as their default configuration says.

T5 and its kin are left out: from version 1.1 on, their checkpoints have a head of their own.
"""


REAL_OUTPUTS = frozenset(
    {"last_hidden_state", "logits", "pooler_output", "image_embeds", "text_embeds"}
)
"""Attributes of what a model returns that are computed with all of it, and are real numbers."""

FREEZING_METHODS = frozenset(
    {
        "freeze_feature_encoder",
        "freeze_feature_extractor",
        "freeze_base_model",
        "freeze_encoder",
        "freeze_audio_encoder",
        "freeze_text_encoder",
        "freeze_embeddings_and_language_adapters",
        "_freeze_parameters",
    }
)
"""Methods by which models freeze a part of themselves, or all of it."""

_PIECES = {
    "freeze_feature_encoder": "feature_extractor",
    "freeze_feature_extractor": "feature_extractor",
    "freeze_encoder": "encoder",
}


class Facts(TypedDict, total=False):
    """One class; what is empty is left out."""

    base: str
    """The attribute that holds the base model."""
    heads: list[str]
    """The attributes that the class puts beside it."""
    tied: dict[str, str]
    """Names of parameters, by those of the parameters that they are."""
    freezes: list[str]
    """Methods that freeze a part."""


def facts(library: str) -> Facts | None:
    """What is known of a class by its dotted name, or of a loader of it.

    Args:
        library: Such as ``transformers.GPT2LMHeadModel`` or
            ``transformers.GPT2LMHeadModel.from_pretrained``.
    """
    if not library.startswith("transformers."):
        return None
    for loader in _LOADERS:
        library = library.removesuffix(loader)
    name = library.rpartition(".")[2]
    return _classes().get(name) if re.search(_HAS_HEAD, name) else None


def is_class_with_head(name: str) -> bool:
    """Whether a dotted name is that of a model class in the table."""
    return facts(name) is not None and not name.endswith(_LOADERS)


def drops(library: str, checkpoint: object) -> bool:
    """Whether a model certainly has dropout, unless it was told otherwise.

    Args:
        library: A loader of a class, by its dotted name.
        checkpoint: What is loaded, if that is known.

    Source: the default configurations of transformers 5, which these checkpoints keep.
    """
    if not library.endswith(".from_pretrained"):
        return False
    if re.match(_DROPPING, library):
        return True
    is_any = library.startswith("transformers.AutoModel") and isinstance(checkpoint, str)
    return is_any and re.search(_DROPPING_CHECKPOINT, str(checkpoint)) is not None


def is_most_of(library: str, steps: Sequence[str]) -> bool:
    """Whether some attributes lead from a model to its base model or to the encoder of it."""
    if not steps:
        return True
    known = facts(library)
    base = None if known is None else known.get("base")
    return all(step == base or step in _FULL_OF_THEM for step in steps)


def keeps_statistics(library: str, checkpoint: object) -> bool:
    """Whether a model certainly has BatchNorm: by its class, or by what is loaded."""
    if re.match(_KEEPING_STATISTICS, library):
        return True
    is_any = library.startswith("transformers.AutoModel") and isinstance(checkpoint, str)
    return is_any and re.search(_KEEPING_CHECKPOINT, str(checkpoint)) is not None


def frozen_by(library: str, method: str) -> tuple[str, ...] | None:
    """The way down to what a method of a class with a head freezes; None if it is not known.

    Args:
        library: The class or a loader of it, by its dotted name.
        method: One of :data:`FREEZING_METHODS`.
    """
    known = facts(library)
    if known is None or method not in known.get("freezes", ()) or "base" not in known:
        return None
    if method == "freeze_base_model":
        return (known["base"],)
    return (known["base"], _PIECES[method]) if method in _PIECES else None


def tied_names(library: str) -> dict[str, str]:
    """Names that share a parameter, in models as they come; nothing where they may not.

    Of a model that is loaded, the checkpoint decides; only of some families all do the same.
    """
    known = facts(library)
    if known is None:
        return {}
    name = library.split(".")[-2] if library.endswith(_LOADERS) else None
    if name is not None and not name.startswith(_ALWAYS_TIED):
        return {}
    return known.get("tied", {})


@cache
def _classes() -> dict[str, Facts]:
    text = Path(__file__).with_suffix(".json").read_text(encoding="utf-8")
    return cast("dict[str, Facts]", json.loads(text)["classes"])
