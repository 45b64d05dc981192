"""What layers do besides computing: keep statistics, drop at random, carry a state.

Sources: the reference at https://docs.pytorch.org/docs/stable/nn.html, the signatures of
``torch.nn`` and ``torchvision.ops``.
"""

from __future__ import annotations

import enum


class LayerKind(enum.Enum):
    """What rules ask of a module: whether a layer of this kind is among its submodules."""

    BATCH_NORM = "b"
    """Keeps running statistics, which every forward in training mode changes."""
    DROPOUT = "d"
    """Drops something at random in training mode: Dropout, stochastic depth."""
    RECURRENT = "r"
    """``LSTM``, ``GRU``, ``RNN`` and their cells."""


BATCH_NORMS = frozenset(
    {
        *("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"),
        *("LazyBatchNorm1d", "LazyBatchNorm2d", "LazyBatchNorm3d"),
    }
)
"""Layers of ``torch.nn`` that keep running statistics unless told otherwise."""

INSTANCE_NORMS = frozenset(
    {
        *("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"),
        *("LazyInstanceNorm1d", "LazyInstanceNorm2d", "LazyInstanceNorm3d"),
    }
)
"""Layers of ``torch.nn`` that keep running statistics if told to."""

TRACKING_ARGUMENT = (4, "track_running_stats")
"""Where the layers above are told whether to keep statistics: position and name."""

DROPOUT_ARGUMENTS: dict[str, tuple[int, str, float]] = {
    **dict.fromkeys(
        (
            *("Dropout", "Dropout1d", "Dropout2d", "Dropout3d"),
            *("AlphaDropout", "FeatureAlphaDropout"),
        ),
        (0, "p", 0.5),
    ),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), (5, "dropout", 0.0)),
    "MultiheadAttention": (2, "dropout", 0.0),
    "TransformerEncoderLayer": (3, "dropout", 0.1),
    "TransformerDecoderLayer": (3, "dropout", 0.1),
    "Transformer": (5, "dropout", 0.1),
}
"""Layers of ``torch.nn`` that may drop: position, name and default of the probability."""

RECURRENT_LAYERS = frozenset({"LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"})

COPYING_CONTAINERS = frozenset({"TransformerEncoder", "TransformerDecoder"})
"""Layers of ``torch.nn`` that consist of copies of a layer that they are given."""

_ATTENTION = (
    *("in_proj_weight", "in_proj_bias", "q_proj_weight", "k_proj_weight", "v_proj_weight"),
    *("bias_k", "bias_v", "out_proj.weight", "out_proj.bias"),
)

_FEED_FORWARD = tuple(
    f"{layer}.{name}"
    for layer in ("linear1", "linear2", "norm1", "norm2")
    for name in ("weight", "bias")
)

_STATE = tuple(
    f"{name}_l#{direction}"
    for name in ("weight_ih", "weight_hh", "weight_hr", "bias_ih", "bias_hh")
    for direction in ("", "_reverse")
)

LAYERS_WITH_PARAMETERS: dict[str, tuple[str, ...]] = {
    "MultiheadAttention": _ATTENTION,
    "TransformerEncoderLayer": (*(f"self_attn.{each}" for each in _ATTENTION), *_FEED_FORWARD),
    "TransformerDecoderLayer": (
        *(f"self_attn.{each}" for each in _ATTENTION),
        *(f"multihead_attn.{each}" for each in _ATTENTION),
        *(*_FEED_FORWARD, "norm3.weight", "norm3.bias"),
    ),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _STATE),
}
"""Layers whose parameters have other names than ``weight`` and ``bias``; ``#`` is a number."""

CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict"})

MODULE_CONTAINERS = frozenset(f"torch.nn.{name}" for name in CONTAINERS)

PARAMETER_CONTAINERS = frozenset({"torch.nn.ParameterList", "torch.nn.ParameterDict"})
"""Modules of which the elements are parameters."""

PARAMETER_ATTRIBUTES = frozenset({"weight", "bias"})
"""Attributes that are parameters in every layer of torch that has them."""

LAYERS_WITH_WEIGHT = frozenset(
    {
        "Linear",
        "Bilinear",
        "Conv1d",
        "Conv2d",
        "Conv3d",
        "ConvTranspose1d",
        "ConvTranspose2d",
        "ConvTranspose3d",
        "BatchNorm1d",
        "BatchNorm2d",
        "BatchNorm3d",
        "SyncBatchNorm",
        "InstanceNorm1d",
        "InstanceNorm2d",
        "InstanceNorm3d",
        "LayerNorm",
        "GroupNorm",
        "RMSNorm",
        "Embedding",
        "EmbeddingBag",
        "PReLU",
        "LazyLinear",
        "LazyConv2d",
    }
)
"""Layers whose ``weight`` (and, where there is one, ``bias``) is a parameter."""

LAYERS_THAT_NORMALIZE = frozenset(name for name in LAYERS_WITH_WEIGHT if "Norm" in name) | {"PReLU"}
"""Those of them whose parameters start at fixed values."""

LAYERS_WITHOUT_PARAMETERS = frozenset(
    {
        "Identity",
        "ReLU",
        "ReLU6",
        "LeakyReLU",
        "GELU",
        "SiLU",
        "Sigmoid",
        "Tanh",
        "Softmax",
        "LogSoftmax",
        "Dropout",
        "Dropout1d",
        "Dropout2d",
        "Dropout3d",
        "ELU",
        "Hardswish",
        "Mish",
        "Softplus",
        "Flatten",
        "Unflatten",
        "PixelShuffle",
        "Upsample",
        "MaxPool1d",
        "MaxPool2d",
        "MaxPool3d",
        "AvgPool1d",
        "AvgPool2d",
        "AvgPool3d",
        "AdaptiveMaxPool1d",
        "AdaptiveMaxPool2d",
        "AdaptiveAvgPool1d",
        "AdaptiveAvgPool2d",
        "CrossEntropyLoss",
        "MSELoss",
        "BCEWithLogitsLoss",
        "L1Loss",
        "NLLLoss",
        "BCELoss",
        "CosineEmbeddingLoss",
        "CosineSimilarity",
        "HuberLoss",
        "KLDivLoss",
        "SmoothL1Loss",
        "TripletMarginLoss",
    }
)

PRETRAINED_LAYERS = frozenset(
    {"torch.nn.Embedding.from_pretrained", "torch.nn.EmbeddingBag.from_pretrained"}
)
"""Constructors with an argument ``freeze``, which is True unless something else is passed."""

LAYERS_KEEPING_INPUT = LAYERS_WITH_WEIGHT - {
    *("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "RMSNorm", "EmbeddingBag"),
    *("LazyLinear", "LazyConv2d"),
}
"""Layers that save what they are given for the gradient of their weight."""

LOSSES_KEEPING_TARGET = {
    "MSELoss": "mse_loss",
    "KLDivLoss": "kl_div",
    "CrossEntropyLoss": "cross_entropy",
    "SmoothL1Loss": "smooth_l1_loss",
    "HuberLoss": "huber_loss",
    "BCELoss": "binary_cross_entropy",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
    "NLLLoss": "nll_loss",
}
"""Losses that save their target, as modules and as functions; ``l1_loss`` does not.

Sources of this table and the one above: runs of each on an inference tensor, torch 2.15.
"""

INDEXED = frozenset({"torch.nn.Embedding", "torch.nn.EmbeddingBag"})
"""Layers whose input is whole numbers, which never require a gradient."""

DICTIONARIES = frozenset({"torch.nn.ModuleDict", "torch.nn.ParameterDict"})
"""Modules whose elements have names."""
