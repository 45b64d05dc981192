"""What the tables say of peft is what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from freezelint.analysis.knowledge.peft import ADAPTER_PREFIXES, ONE_WAY_MARKERS

if TYPE_CHECKING:
    from pathlib import Path

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")


def model() -> Any:
    return torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))


def configuration(**options: Any) -> Any:
    return peft.LoraConfig(target_modules=["0"], **options)


def trainable(module: Any) -> set[str]:
    return {name for name, param in module.named_parameters() if param.requires_grad}


def adapters(module: Any) -> set[str]:
    return {name for name, _ in module.named_parameters() if "lora_" in name}


@pytest.mark.parametrize(("name", "prefix"), ADAPTER_PREFIXES.items())
def test_names_of_adapters_begin_like_this(name: str, prefix: str) -> None:
    mapping = pytest.importorskip("peft.mapping")
    options = {"total_step": 10} if name.endswith("AdaLoraConfig") else {}
    kind = getattr(peft, name.rpartition(".")[2])(**options).peft_type
    assert mapping.PEFT_TYPE_TO_PREFIX_MAPPING[kind] == prefix


def test_adding_freezes_all_else_in_place() -> None:
    base = model()
    wrapped = peft.get_peft_model(base, configuration())
    assert trainable(wrapped) == adapters(wrapped) != set()
    assert trainable(base) == adapters(base) != set()
    assert wrapped.base_model.model is base


def test_some_options_leave_more_trainable() -> None:
    for options in ({"bias": "all"}, {"modules_to_save": ["2"]}):
        wrapped = peft.get_peft_model(model(), configuration(**options))
        assert trainable(wrapped) > adapters(wrapped)


def test_preparing_for_quantization_freezes_adapters_too() -> None:
    wrapped = peft.get_peft_model(model(), configuration())
    peft.prepare_model_for_kbit_training(wrapped, use_gradient_checkpointing=False)
    assert not trainable(wrapped)


def test_loading_is_for_inference_unless_told_otherwise(tmp_path: Path) -> None:
    peft.get_peft_model(model(), configuration()).save_pretrained(tmp_path)
    assert not trainable(peft.PeftModel.from_pretrained(model(), tmp_path))
    wrapped = peft.PeftModel.from_pretrained(model(), tmp_path, "default", True)
    assert trainable(wrapped) == adapters(wrapped) != set()


@pytest.mark.parametrize("method", ["merge_and_unload", "unload"])
def test_what_comes_out_is_as_frozen_as_before(method: str) -> None:
    base = model()
    plain = getattr(peft.get_peft_model(base, configuration()), method)()
    assert plain is base
    assert not trainable(plain)
    assert not adapters(plain)


def test_leaving_the_block_makes_adapters_trainable() -> None:
    wrapped = peft.get_peft_model(model(), configuration())
    wrapped.requires_grad_(False)
    with wrapped.disable_adapter():
        assert not trainable(wrapped)
    assert trainable(wrapped) == adapters(wrapped) != set()


def test_activating_makes_adapters_trainable() -> None:
    wrapped = peft.get_peft_model(model(), configuration())
    wrapped.requires_grad_(False)
    wrapped.set_adapter("default")
    assert trainable(wrapped) == adapters(wrapped) != set()


def test_marking_only_freezes() -> None:
    loralib = pytest.importorskip("loralib")
    assert "loralib.mark_only_lora_as_trainable" in ONE_WAY_MARKERS
    layer = loralib.Linear(4, 4, r=2)
    layer.bias.requires_grad_(True)
    loralib.mark_only_lora_as_trainable(layer)
    assert trainable(layer) == adapters(layer) != set()
    layer.requires_grad_(False)
    loralib.mark_only_lora_as_trainable(layer)
    assert not trainable(layer)
