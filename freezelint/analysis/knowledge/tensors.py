"""What makes tensors, and what the methods of a tensor do.

Sources: the reference at https://docs.pytorch.org/docs/stable/tensors.html, and runs against
torch 2.13.
"""

from __future__ import annotations

from freezelint.analysis.knowledge.modules import PARAMETER_CLASSES

TENSOR_CLASSES = PARAMETER_CLASSES | {"torch.Tensor", "torch.FloatTensor"}

TENSOR_CONSTRUCTORS = frozenset(
    {
        "torch.tensor",
        "torch.as_tensor",
        "torch.from_numpy",
        "torch.zeros",
        "torch.ones",
        "torch.rand",
        "torch.randn",
        "torch.randint",
        "torch.empty",
        "torch.full",
        "torch.arange",
        "torch.linspace",
        "torch.eye",
        "torch.FloatTensor",
        "torch.LongTensor",
        "torch.Tensor",
        "torch.autograd.Variable",
        "torch.zeros_like",
        "torch.ones_like",
        "torch.randn_like",
        "torch.rand_like",
        "torch.empty_like",
    }
)

DATA_LOADERS = frozenset({"torch.utils.data.DataLoader", "torch.utils.data.dataloader.DataLoader"})
"""Classes whose instances yield tensors, or tuples and dicts of them, that nothing computed."""

CONVERSIONS = frozenset(
    {"to", "cuda", "cpu", "half", "float", "double", "bfloat16", "type", "xpu", "type_as"}
)

DISCRETE_METHODS = frozenset(
    {"argmax", "argmin", "argsort", "long", "int", "bool", "eq", "ne", "gt", "ge", "lt", "le"}
)
"""Methods and functions of tensors whose result has whole numbers, and so no graph."""

VALUES_WITH_INDICES = frozenset(
    {"cummax", "cummin", "kthvalue", "max", "median", "min", "mode", "sort", "topk"}
)
"""Methods of a tensor that give values, which have its graph, and where these were."""

ONE_TENSOR_METHODS = CONVERSIONS | frozenset(
    {
        *("abs", "clone", "contiguous", "cumsum", "exp", "expand", "flatten", "log"),
        *("log_softmax", "mean", "norm", "permute", "relu", "repeat", "reshape", "sigmoid"),
        *("softmax", "split", "chunk", "sqrt", "squeeze", "std", "sum", "tanh", "transpose"),
        *("unsqueeze", "var", "view"),
    }
)
"""Methods of a tensor that take no other tensor."""

BOUNDED_METHODS = frozenset({"clamp", "clamp_", "clip", "clip_", "uniform_", "normal_"})
"""Methods of a tensor that take numbers, unless another tensor is known to be there."""

VIEW_METHODS = frozenset({"detach", "view", "squeeze", "unsqueeze", "expand", "chunk", "split"})
"""Methods of a tensor whose result shares its memory, whatever its layout is."""

JOINING = frozenset({"cat", "concat", "stack"})
"""Functions that make one tensor of several."""

REAL_FUNCTIONS = frozenset(
    {
        *("adaptive_avg_pool2d", "avg_pool2d", "clamp", "dropout", "elu", "gelu", "interpolate"),
        *("leaky_relu", "normalize", "silu", "softplus"),
    }
)
"""Functions of one tensor whose result has a graph wherever the tensor has one."""
