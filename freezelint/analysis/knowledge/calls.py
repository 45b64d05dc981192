"""What functions, wrappers and switches do with the modules and parameters they are handed.

Sources: the reference at https://docs.pytorch.org/docs/stable/, and runs against torch 2.13.
"""

from __future__ import annotations

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

FULLY_SHARDED = frozenset(
    {
        "torch.distributed.fsdp.FullyShardedDataParallel",
        "torch.distributed.fsdp.fully_sharded_data_parallel.FullyShardedDataParallel",
    }
)
"""FSDP1, which makes one flat parameter of all that are in a unit."""

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

ITERATOR_CONSUMERS = frozenset(
    {
        "torch.nn.utils.clip_grad_norm_",
        "torch.nn.utils.clip_grad_norm",
        "torch.nn.utils.clip_grad_value_",
        "torch.nn.utils.parameters_to_vector",
    }
)

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
