"""What peft does to the flags of a model, as data.

Sources: the code of peft 0.21.2 and runs against it. Where versions differ, this is
what 0.15 and later do.
"""

from __future__ import annotations

MODEL = "peft.PeftModel"
"""The library name that the interpreter gives to what peft wraps around a model."""

TUNER = "peft.BaseTuner"
"""The same for ``PeftModel.base_model``, which holds the model that was passed as ``model``."""

ADAPTER_PREFIXES = {
    "peft.LoraConfig": "lora_",
    "peft.AdaLoraConfig": "lora_",
    "peft.IA3Config": "ia3_",
    "peft.LoHaConfig": "hada_",
    "peft.LoKrConfig": "lokr_",
    "peft.OFTConfig": "oft_",
    "peft.BOFTConfig": "boft_",
    "peft.VeraConfig": "vera_lambda_",
    "peft.HRAConfig": "hra_",
    "peft.FourierFTConfig": "fourierft_",
}
"""Configurations whose adapters go into the layers of a model, and how their names begin."""

UNKNOWN_PREFIX = "?"
"""How the names of adapters begin whose configuration is not in sight."""

HEAD_TASKS = frozenset({"SEQ_CLS", "TOKEN_CLS", "QUESTION_ANS"})
"""Task types with which peft trains a copy of the head, too."""

MODELS_WITH_HEADS = (
    *("ForSequenceClassification", "ForTokenClassification", "ForImageClassification"),
    *("ForAudioClassification", "ForVideoClassification", "ForMultipleChoice"),
    "ForQuestionAnswering",
)
"""How classes of transformers are called whose head no pretraining knows."""

HEADS = frozenset(
    {
        *("classifier", "score", "head", "heads", "fc", "qa_outputs", "out_proj", "dense"),
        *("pre_classifier", "logits_proj", "cls_classifier", "projector", "summary", "pooler"),
    }
)
"""How the layers of those heads are called; some have such layers elsewhere, too."""

SAYS_HEAD_IS_NEW = frozenset({"num_labels", "id2label", "label2id", "ignore_mismatched_sizes"})
"""Arguments of ``from_pretrained`` that say which labels the head is to have."""

FROZEN_ON_LOADING = frozenset(
    f"peft.{owner}.from_pretrained"
    for owner in (
        *("PeftModel", "PeftModelForCausalLM", "PeftModelForSequenceClassification"),
        *("PeftModelForTokenClassification", "PeftModelForSeq2SeqLM"),
        *("PeftModelForQuestionAnswering", "PeftModelForFeatureExtraction"),
    )
)
"""Calls that load adapters into a model: frozen, unless ``is_trainable=True`` is passed."""

AUTO_FROZEN_ON_LOADING = frozenset(
    f"peft.AutoPeftModel{task}.from_pretrained"
    for task in (
        *("", "ForCausalLM", "ForSequenceClassification", "ForTokenClassification"),
        *("ForSeq2SeqLM", "ForQuestionAnswering", "ForFeatureExtraction"),
    )
)
"""The same, for calls that build the model that the adapters go into as well."""

FREEZES_EVERYTHING = frozenset(
    {
        *("peft.prepare_model_for_kbit_training", "peft.utils.prepare_model_for_kbit_training"),
        "peft.prepare_model_for_int8_training",
    }
)
"""Calls that set every parameter's flag to False, those of adapters included."""

LORA_LAYERS = frozenset(
    f"loralib.{name}" for name in ("Linear", "MergedLinear", "Embedding", "Conv1d", "Conv2d")
)
"""Layers of loralib, which have their LoRA parameters from the beginning."""

ONE_WAY_MARKERS = frozenset(
    f"{package}.mark_only_lora_as_trainable"
    for package in ("loralib", "loralib.utils", "litgpt.lora", "lit_gpt.lora", "lit_llama.lora")
)
"""Calls that freeze all but LoRA parameters, and leave the flags of these as they are.

Sources: the code of loralib 0.1.2 and of litgpt 0.5.
"""

METHODS = frozenset(
    {
        *("merge_and_unload", "unload", "get_base_model", "disable_adapter", "set_adapter"),
        *("load_adapter", "add_adapter", "delete_adapter", "set_requires_grad"),
        *("add_weighted_adapter", "merge_adapter", "unmerge_adapter"),
        *("disable_adapter_layers", "enable_adapter_layers"),
    }
)
"""Methods of a model with adapters that bear on flags or on which parameters there are."""

DISABLED_ADAPTERS = "peft.PeftModel.disable_adapter()"
"""The library name of the context manager that switches adapters off for a while."""
