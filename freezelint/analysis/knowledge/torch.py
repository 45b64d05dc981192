"""Facts about PyTorch that the interpreter and the rules look up.

Sources: the reference at https://docs.pytorch.org/docs/stable/ for ``torch.nn``,
``torch.optim`` and ``torch.Tensor``, and runs against torch 2.13.
"""

from __future__ import annotations

from freezelint.analysis.search import LinePattern

MODULE_ITERATORS = {
    "parameters": False,
    "named_parameters": True,
}
"""Methods that yield parameters; True when they yield pairs with a name."""

SUBMODULE_ITERATORS = {
    "children": False,
    "modules": False,
    "named_children": True,
    "named_modules": True,
}

SAME_MODULE_METHODS = frozenset(
    {
        "to",
        "cuda",
        "cpu",
        "xpu",
        "ipu",
        "half",
        "float",
        "double",
        "bfloat16",
        "type",
        "share_memory",
        "apply",
        "train",
        "eval",
        "requires_grad_",
    }
)
"""Methods of a module that return the module itself."""

HARMLESS_MODULE_METHODS = frozenset(
    {
        "buffers",
        "named_buffers",
        "get_buffer",
        "get_parameter",
        "extra_repr",
        "state_dict",
        "load_state_dict",
        "register_buffer",
        "register_forward_hook",
        "register_forward_pre_hook",
        "register_full_backward_hook",
        "register_backward_hook",
        "zero_grad",
        "print_trainable_parameters",
        "num_parameters",
        "get_nb_trainable_parameters",
        "save_pretrained",
        "generate",
        "log",
        "log_dict",
        "save_hyperparameters",
        "print",
        "size",
        "dim",
        "keys",
        "values",
        "items",
        "get_encoder",
        "get_decoder",
        "get_input_embeddings",
        "get_output_embeddings",
        "gradient_checkpointing_enable",
        "gradient_checkpointing_disable",
        "enable_input_require_grads",
        "disable_input_require_grads",
        "compile",
    }
)
"""Methods that change neither flags nor modes nor which parameters there are."""

STRONG_MODULE_EVIDENCE = frozenset(
    {
        "parameters",
        "named_parameters",
        "modules",
        "named_modules",
        "named_children",
        "named_buffers",
        "get_submodule",
        "register_forward_hook",
        "register_forward_pre_hook",
        "register_full_backward_hook",
        "requires_grad_",
    }
)
"""Only a module answers to these calls (a tensor answers to the last one too)."""

CONVERSIONS = frozenset(
    {"to", "cuda", "cpu", "half", "float", "double", "bfloat16", "type", "xpu", "type_as"}
)

OPTIMIZERS_ELSEWHERE = frozenset(
    {
        "transformers.AdamW",
        "transformers.Adafactor",
        "transformers.optimization.AdamW",
        "transformers.optimization.Adafactor",
        "apex.optimizers.FusedAdam",
        "apex.optimizers.FusedLAMB",
        "apex.optimizers.FusedSGD",
        "bitsandbytes.optim.Adam8bit",
        "bitsandbytes.optim.AdamW8bit",
        "bitsandbytes.optim.PagedAdamW8bit",
        "bitsandbytes.optim.Lion8bit",
        "lion_pytorch.Lion",
        "torch_optimizer.RAdam",
        "torch_optimizer.Lookahead",
        "timm.optim.AdamP",
        "timm.optim.RAdam",
        "timm.optim.Lamb",
        "timm.optim.Lion",
    }
)

GRAD_SWITCHES = {
    "torch.no_grad": False,
    "torch.autograd.no_grad": False,
    "torch.inference_mode": False,
    "torch.autograd.inference_mode": False,
    "torch.enable_grad": True,
    "torch.autograd.enable_grad": True,
    "torch.autograd.grad_mode.no_grad": False,
}
"""Context managers that act only when entered, and whether gradients are on inside."""

INFERENCE_SWITCHES = frozenset({"torch.inference_mode", "torch.autograd.inference_mode"})
"""Those of which the tensors cannot take part in a graph later, either."""

TRANSPARENT_WRAPPERS = frozenset(
    {
        "torch.nn.DataParallel",
        "torch.nn.parallel.DataParallel",
        "torch.nn.parallel.DistributedDataParallel",
        "torch.nn.parallel.distributed.DistributedDataParallel",
        "torch.compile",
        "torch.nn.SyncBatchNorm.convert_sync_batchnorm",
        "apex.parallel.DistributedDataParallel",
        "apex.parallel.convert_syncbn_model",
        "torch.jit.script",
        "torch.nn.utils.spectral_norm",
        "torch.nn.utils.parametrizations.spectral_norm",
    }
)
"""Calls whose result holds the very same parameters."""

DATA_PARALLEL = frozenset(
    {
        "torch.nn.parallel.DistributedDataParallel",
        "torch.nn.parallel.distributed.DistributedDataParallel",
    }
)
"""Wrappers that note, when they are built, for which parameters they will average gradients."""

MODULE_GUARD_SKIPS = frozenset(
    f"torch.compiler.{name}"
    for name in (
        "keep_tensor_guards_unsafe",
        "skip_all_guards_unsafe",
        "skip_guard_on_all_nn_modules_unsafe",
        "skip_guard_on_inbuilt_nn_modules_unsafe",
    )
)
"""Filters for ``guard_filter_fn`` after which a graph does not notice that flags changed."""

FULLY_SHARDED = frozenset(
    {
        "torch.distributed.fsdp.FullyShardedDataParallel",
        "torch.distributed.fsdp.fully_sharded_data_parallel.FullyShardedDataParallel",
    }
)
"""FSDP1, which makes one flat parameter of all that are in a unit."""

PARAMETER_REPLACERS = FULLY_SHARDED | frozenset(
    {
        "torch.distributed.fsdp.fully_shard",
        "torch.distributed._composable.fsdp.fully_shard",
        "torch.nn.utils.parametrizations.weight_norm",
        "torch.nn.utils.weight_norm",
    }
)
"""Calls after which an optimizer built before holds parameters that nobody uses."""

FORGETFUL_REPARAMETRIZATIONS = {
    "torch.nn.utils.weight_norm": "`weight_g` and `weight_v`",
    "torch.nn.utils.remove_weight_norm": "a new `weight`",
    "torch.nn.utils.remove_spectral_norm": "a new `weight`",
}
"""Calls that replace a layer's weight, and what they replace it by: it forgets the flag.

Source: runs of torch 2.15. The old ``spectral_norm`` and the functions in
``torch.nn.utils.parametrizations`` and ``torch.nn.utils.prune`` keep the flag.
"""

HARMLESS_CALLS = frozenset(
    {
        "torch.nn.utils.clip_grad_norm_",
        "torch.nn.utils.clip_grad_norm",
        "torch.nn.utils.clip_grad_value_",
        "torch.save",
        "torchinfo.summary",
        "torchsummary.summary",
        "thop.profile",
        "copy.deepcopy",
        "copy.copy",
        "time.time",
        "pprint.pprint",
        "itertools.chain",
        "wandb.watch",
    }
)
"""Calls that take modules or parameters and leave flags, modes and parameters alone."""

SCHEDULE_FACTORIES = frozenset(
    f"{package}.{name}"
    for package in ("transformers", "transformers.optimization", "diffusers.optimization")
    for name in (
        "get_scheduler",
        "get_constant_schedule",
        "get_constant_schedule_with_warmup",
        "get_cosine_schedule_with_warmup",
        "get_cosine_with_hard_restarts_schedule_with_warmup",
        "get_cosine_with_min_lr_schedule_with_warmup",
        "get_inverse_sqrt_schedule",
        "get_linear_schedule_with_warmup",
        "get_piecewise_constant_schedule",
        "get_polynomial_decay_schedule_with_warmup",
        "get_reduce_on_plateau_schedule",
        "get_wsd_schedule",
    )
)
"""Calls that take an optimizer and change its learning rates only.

Source: ``optimization.py`` of transformers 5.23 and of diffusers 0.42.
"""

HARMLESS_PREFIXES = (
    "torch.nn.init.",
    "torch.nn.functional.",
    "torch.optim.lr_scheduler.",
    "torch.utils.data.",
    "torch.utils.tensorboard.",
    "torch.cuda.",
    "torch.autograd.",
    "torch.distributed.",
    "logging.",
    "os.",
    "math.",
    "numpy.",
    "random.",
    "collections.",
    "functools.",
    "warnings.",
    "json.",
    "timm.data.",
    # They ask the model for the inputs of its decoder.
    "transformers.DataCollator",
)

DATA_LOADERS = frozenset({"torch.utils.data.DataLoader", "torch.utils.data.dataloader.DataLoader"})
"""Classes whose instances yield tensors, or tuples and dicts of them, that nothing computed."""

DISCRETE_METHODS = frozenset(
    {"argmax", "argmin", "argsort", "long", "int", "bool", "eq", "ne", "gt", "ge", "lt", "le"}
)
"""Methods and functions of tensors whose result has whole numbers, and so no graph."""

ONE_TENSOR_METHODS = CONVERSIONS | frozenset(
    {
        *("abs", "clone", "contiguous", "cumsum", "exp", "expand", "flatten", "log"),
        *("log_softmax", "mean", "norm", "permute", "relu", "repeat", "reshape", "sigmoid"),
        *("softmax", "split", "chunk", "sqrt", "squeeze", "std", "sum", "tanh", "transpose"),
        *("unsqueeze", "var", "view"),
    }
)
"""Methods of a tensor that take no other tensor."""

REAL_FUNCTIONS = frozenset(
    {
        *("adaptive_avg_pool2d", "avg_pool2d", "clamp", "dropout", "elu", "gelu", "interpolate"),
        *("leaky_relu", "normalize", "silu", "softplus"),
    }
)
"""Functions of one tensor whose result has a graph wherever the tensor has one."""

JOINING = frozenset({"cat", "concat", "stack"})
"""Functions that make one tensor of several."""

VALUES_WITH_INDICES = frozenset(
    {"cummax", "cummin", "kthvalue", "max", "median", "min", "mode", "sort", "topk"}
)
"""Methods of a tensor that give values, which have its graph, and where these were."""

VIEW_METHODS = frozenset({"detach", "view", "squeeze", "unsqueeze", "expand", "chunk", "split"})
"""Methods of a tensor whose result shares its memory, whatever its layout is."""

ITERATOR_CONSUMERS = frozenset(
    {
        "torch.nn.utils.clip_grad_norm_",
        "torch.nn.utils.clip_grad_norm",
        "torch.nn.utils.clip_grad_value_",
        "torch.nn.utils.parameters_to_vector",
    }
)

PARAMETER_CLASSES = frozenset({"torch.nn.Parameter", "torch.nn.parameter.Parameter"})

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
    }
)

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

LAYERS_THAT_NORMALIZE = frozenset(name for name in LAYERS_WITH_WEIGHT if "Norm" in name) | {"PReLU"}
"""Those of them whose parameters start at fixed values."""

PRETRAINED_LAYERS = frozenset(
    {"torch.nn.Embedding.from_pretrained", "torch.nn.EmbeddingBag.from_pretrained"}
)
"""Constructors with an argument ``freeze``, which is True unless something else is passed."""

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

INDEXED = frozenset({"torch.nn.Embedding", "torch.nn.EmbeddingBag"})
"""Layers whose input is whole numbers, which never require a gradient."""

QUOTED_FLAG = r"requires_grad[\"'](?<=[\"']requires_grad[\"'])"
"""Pattern of the flag's name as a string, as ``setattr`` takes it."""

TRAINS_AS_GIVEN = r"\.train\((?<!super\(\)\.train\()(?!False)\w+\)"
"""A mode that a variable holds; that an override passes its own on says nothing."""

FLAG_WRITES = (
    r"\.requires_grad(?:_\((?![\w.]+\.requires_grad\))|\s*=(?!=)(?! ?[\w.]+\.requires_grad\n))",
    QUOTED_FLAG,
)
"""Patterns of source text that may set a flag to another value than that of another tensor."""

LIBRARY_FREEZES = (
    "freeze_feature_encoder(",
    "freeze_feature_extractor(",
    "freeze_base_model(",
    "freeze_encoder(",
    "_freeze_parameters(",
)
"""Calls by which a model of transformers freezes a part of itself."""

LIBRARY_FREEZE_CALLS = (r"\.freeze_(?:feature|base|encoder)\w*\(\)", r"\._freeze_parameters\(\)")
"""Patterns of the same."""

OPTIMIZER_WORDS = ("torch.optim", "optim.", "optim,", "ptimizer", "Adam", "SGD")
"""One of these is in every file that builds an optimizer; that something is optimized says little."""

OPTIMIZER_WORDS_OR_NAMES = (
    *OPTIMIZER_WORDS,
    *("RMSprop", "Adagrad", "LBFGS", "Lion", "Muon"),
)
"""The same, for files that call it by another word and import it from elsewhere."""

OPTIMIZER_CONSTRUCTIONS: tuple[str | LinePattern, ...] = (
    r"optim\w*\.(?!lr_scheduler)[A-Z]\w*\(",
    *(
        rf"{name}(?<!class {name})\w*\("
        for name in (
            *("Adam", "SGD", "RMSprop", "Adagrad", "Adadelta", "LBFGS", "Rprop", "Lion"),
            *("Muon", "Adafactor", "LAMB"),
        )
    ),
    r"Lamb(?!da)(?<!class Lamb)\w*\(",
    # A class that is chosen first and called later.
    r"optim\w*\.(?!lr_scheduler|Optimizer\b)[A-Z]\w*(?=\s*[,}\n)]| if )",
    *(
        rf"{name}(?<=[:=] {name})\w*(?=\s*[,}}\n)]| if )"
        for name in ("Adam", "SGD", "RMSprop", "Lion", "Muon")
    ),
    r"getattr\([\w.]*optim,",
    # A class of the file's own, which is used.
    LinePattern("Optimizer)", r"class (\w+)\([\w.]*Optimizer\)[\s\S]*?(?<!\w)\1\("),
    # One that wraps another was built before.
    r"Optimizer\((?![\w.]*optimizer\b)",
)
"""Patterns of source text that may build an optimizer."""

CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict"})

MODULE_CONTAINERS = frozenset(f"torch.nn.{name}" for name in CONTAINERS)

PARAMETER_CONTAINERS = frozenset({"torch.nn.ParameterList", "torch.nn.ParameterDict"})
"""Modules of which the elements are parameters."""

DICTIONARIES = frozenset({"torch.nn.ModuleDict", "torch.nn.ParameterDict"})
"""Modules whose elements have names."""

PARAMETER_ATTRIBUTES = frozenset({"weight", "bias"})
"""Attributes that are parameters in every layer of torch that has them."""

MODULE_BASES = frozenset(
    {
        "torch.nn.Module",
        "torch.nn.modules.Module",
        "torch.nn.modules.module.Module",
        "torch.jit.ScriptModule",
        "pytorch_lightning.LightningModule",
        "lightning.LightningModule",
        "lightning.pytorch.LightningModule",
        "pytorch_lightning.core.LightningModule",
        "lightning.pytorch.core.LightningModule",
        "transformers.PreTrainedModel",
        "transformers.modeling_utils.PreTrainedModel",
        "diffusers.ModelMixin",
        "diffusers.models.modeling_utils.ModelMixin",
        "mmcv.runner.BaseModule",
        "mmengine.model.BaseModule",
        "mmengine.model.BaseModel",
        "fairseq.models.BaseFairseqModel",
        "fairseq.models.FairseqEncoder",
        "fairseq.models.FairseqDecoder",
        "fairseq.models.FairseqEncoderModel",
        "fairseq.models.FairseqEncoderDecoderModel",
        "fairseq.models.FairseqLanguageModel",
    }
)

LIGHTNING_BASES = frozenset(name for name in MODULE_BASES if name.endswith("LightningModule"))
