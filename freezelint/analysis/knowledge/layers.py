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

CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict"})
