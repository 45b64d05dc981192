"""What is a module, and what the methods of a module do.

Sources: the reference at https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html,
and runs against torch 2.13.
"""

from __future__ import annotations

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

FORWARD_HOOKS = frozenset({"register_forward_hook", "register_forward_pre_hook"})
"""Methods of modules that are given what runs with each forward pass."""

STRONG_MODULE_EVIDENCE = FORWARD_HOOKS | frozenset(
    {
        "parameters",
        "named_parameters",
        "modules",
        "named_modules",
        "named_children",
        "named_buffers",
        "get_submodule",
        "register_full_backward_hook",
        "requires_grad_",
    }
)
"""Only a module answers to these calls (a tensor answers to the last one too)."""

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

HARMLESS_MODULE_METHODS = FORWARD_HOOKS | frozenset(
    {
        "buffers",
        "named_buffers",
        "get_buffer",
        "get_parameter",
        "extra_repr",
        "state_dict",
        "load_state_dict",
        "register_buffer",
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

PARAMETER_CLASSES = frozenset({"torch.nn.Parameter", "torch.nn.parameter.Parameter"})
