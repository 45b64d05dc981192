"""Which calls of other libraries hand out modules.

Sources: the public references of torchvision, timm, transformers, diffusers,
peft, segmentation-models-pytorch, open_clip and CLIP.
"""

from __future__ import annotations

import re

from freezelint.analysis.knowledge.transformers import is_class_with_head

FACTORIES = frozenset(
    {
        "timm.create_model",
        "timm.models.create_model",
        "torch.hub.load",
        "torchvision.models.get_model",
        "pretrainedmodels.utils.get_model",
        "sentence_transformers.SentenceTransformer",
        "segmentation_models_pytorch.create_model",
        "segmentation_models_pytorch.encoders.get_encoder",
    }
)

MODULE_FIRST_OF_TUPLE = frozenset(
    {"clip.load", "open_clip.create_model_and_transforms", "open_clip.create_model_from_pretrained"}
)

LOWERCASE_FACTORY_PACKAGES = (
    "torchvision.models.",
    "torchvision.models.segmentation.",
    "torchvision.models.detection.",
    "torchvision.models.video.",
    "torchvision.models.quantization.",
)
"""Packages whose lowercase functions build a model."""

NOT_FACTORIES = frozenset({"list_models", "get_weight", "get_model_weights", "get_model_builder"})

CLASS_PACKAGES = (
    "segmentation_models_pytorch.",
    "torchvision.models.",
    "efficientnet_pytorch.",
    "timm.layers.",
    "timm.models.layers.",
    "loralib.",
)
"""Packages whose capitalised names build a model."""

PRETRAINED_PACKAGES = ("transformers.", "diffusers.", "peft.", "efficientnet_pytorch.")
"""Packages whose classes load a model with ``from_pretrained`` (or ``from_config``)."""

NOT_MODULES = (
    "Tokenizer",
    "TokenizerFast",
    "Config",
    "Processor",
    "FeatureExtractor",
    "Scheduler",
    "Pipeline",
    "GenerationMixin",
)
"""Endings of class names in those packages that are no modules."""


_BUILT_FROM_CONFIGURATION = (
    r"transformers\.(?:\w+\.)*(?!DataCollator|AutoModel|\w*EncoderDecoder|\w*DualEncoder)[A-Z]\w*"
    r"(?:LMHeadModel|LMHead|Model"
    r"|For(?:CausalLM|MaskedLM|PreTraining|NextSentencePrediction|ConditionalGeneration|CTC"
    r"|(?:Sequence|Token|Image|Audio|Video)Classification|QuestionAnswering|MultipleChoice"
    r"|SemanticSegmentation|ObjectDetection|MaskedImageModeling))"
)
"""Classes of transformers that build a model with random weights, all of them trainable."""


def is_built_from_configuration(name: str) -> bool:
    """Whether calling this dotted name returns a model of transformers without weights."""
    if not name.startswith("transformers."):
        return False
    return re.fullmatch(_BUILT_FROM_CONFIGURATION, name) is not None or name.endswith(
        (".from_config", "._from_config")
    )


def builds_module(name: str) -> bool:
    """Whether calling this dotted name returns a module whose parameters are trainable."""
    if name in FACTORIES:
        return True
    if name.startswith("transformers.") and re.fullmatch(_BUILT_FROM_CONFIGURATION, name):
        return True
    package, _, last = name.rpartition(".")
    if is_class_with_head(name):
        return True
    if last in ("from_pretrained", "from_config", "from_name"):
        owner = package.rpartition(".")[2]
        return package.startswith(PRETRAINED_PACKAGES) and not owner.endswith(NOT_MODULES)
    if package + "." in LOWERCASE_FACTORY_PACKAGES and last.islower() and last not in NOT_FACTORIES:
        return True
    return name.startswith(CLASS_PACKAGES) and last[:1].isupper() and not last.endswith("Weights")
