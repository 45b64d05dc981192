"""What a contract promised can be saved, and held against models and checkpoints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from freezelint.runtime import Contract, Kind, watch
from freezelint.runtime.manifest import Manifest, ManifestError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Project

pytestmark = pytest.mark.torch


def model() -> nn.Module:
    torch.manual_seed(0)
    built = nn.Sequential()
    built.backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    built.head = nn.Linear(4, 2)
    built.backbone.requires_grad_(False)
    return built.eval()


class Trainer(nn.Module):
    """What a training framework wraps around a model."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.net = inner


def seen(loaded: Contract, other: nn.Module) -> list[tuple[str, str | None]]:
    with watch(other, contract=loaded, on_violation="collect", locate="never") as found:
        pass
    kinds = {Kind.FROZEN_CHANGED, Kind.BUFFER_CHANGED, Kind.FROZEN_REPLACED, Kind.ROWS_CHANGED}
    return [(each.kind.value, each.tensor) for each in found.violations if each.kind in kinds]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "manifest.json"
    Contract().save(path, model())
    return path


def test_a_resumed_model_with_the_same_bits_keeps_the_promise(saved: Path) -> None:
    assert seen(Contract.load(saved), model()) == []


def test_what_was_frozen_is_frozen_after_a_resume_whatever_its_flag(saved: Path) -> None:
    resumed = model().requires_grad_(True)
    optimizer = torch.optim.SGD(resumed.parameters(), 0.1)
    with watch(resumed, optimizer, contract=Contract.load(saved), on_violation="collect") as found:
        resumed.backbone(torch.randn(2, 3, 5, 5)).sum().backward()
        optimizer.step()
    moved = [each.tensor for each in found.violations if each.kind is Kind.FROZEN_CHANGED]
    assert "backbone.0.weight" in moved


@pytest.mark.parametrize("wrap", [Trainer, torch.nn.DataParallel, torch.compile])
def test_wrappers_do_not_hide_a_change(saved: Path, wrap: Any) -> None:
    resumed = model()
    resumed.backbone[0].weight.data[0, 0, 0, 0] += 1
    ((kind, name),) = seen(Contract.load(saved), wrap(resumed))
    assert kind == "frozen-changed"
    assert str(name).endswith("backbone.0.weight")


def test_the_layout_in_memory_is_no_promise(saved: Path) -> None:
    assert seen(Contract.load(saved), model().to(memory_format=torch.channels_last)) == []


def test_every_kind_of_difference_is_told(saved: Path) -> None:
    resumed = model()
    resumed.backbone[1].running_mean += 1
    resumed.backbone[0].bias = nn.Parameter(torch.zeros(5), requires_grad=False)
    resumed.backbone[0].weight.data = resumed.backbone[0].weight.data.double()
    del resumed.backbone[1].weight
    resumed.backbone[1].register_parameter("weight", None)
    assert sorted(seen(Contract.load(saved), resumed)) == [
        ("buffer-changed", "backbone.1.running_mean"),
        ("frozen-changed", "backbone.0.bias"),
        ("frozen-changed", "backbone.0.weight"),
        ("frozen-replaced", "backbone.1.weight"),
    ]


def test_rows_are_promised_too(tmp_path: Path) -> None:
    embedding = nn.Embedding(10, 3)
    Contract(frozen_rows={"weight": slice(0, 6)}).save(tmp_path / "rows.json", embedding)
    loaded = Contract.load(tmp_path / "rows.json")
    embedding.weight.data[7] += 1
    assert seen(loaded, embedding) == []
    embedding.weight.data[2] += 1
    assert seen(loaded, embedding) == [("rows-changed", "weight")]


def test_it_survives_a_file(saved: Path) -> None:
    manifest = Manifest.load(saved)
    assert manifest.versions["torch"] == torch.__version__
    again = saved.with_name("again.json")
    manifest.save(again)
    assert Manifest.load(again) == manifest


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is no manifest"),
        ("[]", "is no manifest of freezelint"),
        ('{"format": "freezelint manifest", "version": 99}', "is of version 99"),
        ('{"format": "freezelint manifest", "version": 1, "made_by": {}}', "is damaged"),
        (
            '{"format": "freezelint manifest", "version": 1, "made_by": {}, "tensors": [3]}',
            "is damaged",
        ),
    ],
)
def test_a_file_that_is_no_manifest_is_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "bad.json").write_text(content)
    with pytest.raises(ManifestError, match=said):
        Contract.load(tmp_path / "bad.json")


# -- freezelint verify ---------------------------------------------------------


def save_torch(state: dict[str, Any], path: Path) -> Path:
    torch.save(state, path.with_suffix(".pt"))
    return path.with_suffix(".pt")


def save_old_torch(state: dict[str, Any], path: Path) -> Path:
    torch.save(state, path.with_suffix(".pth"), _use_new_zipfile_serialization=False)
    return path.with_suffix(".pth")


def save_nested(state: dict[str, Any], path: Path) -> Path:
    whole = {"epoch": 3, "model": {f"module.{key}": each for key, each in state.items()}}
    return save_torch(whole, path)


def save_safetensors(state: dict[str, Any], path: Path) -> Path:
    torch_format = pytest.importorskip("safetensors.torch")
    torch_format.save_file({key: each.contiguous() for key, each in state.items()}, path)
    return path


def save_sharded(state: dict[str, Any], path: Path) -> Path:
    torch_format = pytest.importorskip("safetensors.torch")
    places = {}
    for number, (key, each) in enumerate(state.items()):
        shard = f"model-{number % 2}.safetensors"
        places.setdefault(shard, {})[key] = each.contiguous()
    for shard, tensors in places.items():
        torch_format.save_file(tensors, path.with_name(shard))
    index = path.with_name("model.safetensors.index.json")
    names = {key: shard for shard, tensors in places.items() for key in tensors}
    index.write_text(json.dumps({"weight_map": names}))
    return index


SAVED_AS = [save_torch, save_old_torch, save_nested, save_safetensors, save_sharded]


@pytest.mark.parametrize("save", SAVED_AS)
def test_a_checkpoint_with_the_same_frozen_tensors_passes(
    project: Project, saved: Path, save: Any
) -> None:
    trained = model()
    trained.head.weight.data += 1
    trained.head.bias.data += 1
    file = save(trained.state_dict(), project.folder / "model.safetensors")
    answer = project.freezelint("verify", str(saved), str(file))
    assert answer.output == "7 frozen: 7 same.\n"
    assert answer.code == 0


@pytest.mark.parametrize("save", SAVED_AS)
def test_what_a_checkpoint_changed_is_named(project: Project, saved: Path, save: Any) -> None:
    trained = model().to(memory_format=torch.channels_last)
    trained.backbone[0].weight.data[1, 1, 1, 1] += 1
    trained.backbone[1].num_batches_tracked += 1
    file = save(trained.state_dict(), project.folder / "model.safetensors")
    answer = project.freezelint("verify", str(saved), str(file))
    assert answer.code == 1
    assert answer.output.splitlines() == [
        "backbone.0.weight: frozen, and changed",
        "backbone.1.num_batches_tracked: frozen, and changed",
        "head.weight: should train, and is unchanged",
        "head.bias: should train, and is unchanged",
        "7 frozen: 2 changed, 5 same.",
    ]


def test_a_checkpoint_of_half_precision_cannot_be_compared(project: Project, saved: Path) -> None:
    file = save_torch(model().half().state_dict(), project.folder / "model")
    answer = project.freezelint("verify", str(saved), str(file))
    assert answer.code == 1
    assert "backbone.0.weight: frozen, and converted (float32 became float16)" in answer.output


def test_what_a_checkpoint_lacks_is_counted_and_no_change(project: Project, saved: Path) -> None:
    state = {key: each for key, each in model().state_dict().items() if "backbone.0" in key}
    answer = project.freezelint("verify", str(saved), str(save_torch(state, saved)))
    assert answer.code == 0
    assert answer.output.endswith("7 frozen: 2 same, 5 missing.\n")


def test_rows_of_a_checkpoint_are_compared(project: Project, tmp_path: Path) -> None:
    embedding = nn.Embedding(10, 3)
    manifest = tmp_path / "rows.json"
    Contract(frozen_rows={"weight": slice(0, 6)}).save(manifest, embedding)
    embedding.weight.data[7] += 1
    file = save_safetensors(embedding.state_dict(), tmp_path / "a.safetensors")
    assert project.freezelint("verify", str(manifest), str(file)).code == 0
    embedding.weight.data[5] += 1
    file = save_safetensors(embedding.state_dict(), tmp_path / "a.safetensors")
    assert project.freezelint("verify", str(manifest), str(file)).code == 1


class Hostile:
    """An object that runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("open('executed', 'w').close()",)


def test_nothing_in_a_checkpoint_is_executed(project: Project, saved: Path) -> None:
    state = {**model().state_dict(), "extra": Hostile()}
    torch.save(state, project.folder / "hostile.pt")
    answer = project.freezelint("verify", str(saved), "hostile.pt")
    assert answer.code == 2
    assert "cannot be loaded without executing" in answer.errors
    assert not (project.folder / "executed").exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("nowhere.safetensors", None, "cannot be read"),
        ("nowhere.pt", None, "cannot be read"),
        ("short.safetensors", b"\x05\0\0\0\0\0\0\0{", "no safetensors file"),
        ("long.safetensors", b"\xff" * 16, "its header is too long"),
        (
            "outside.safetensors",
            b'\x46\0\0\0\0\0\0\0{"backbone.0.bias":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}} ',
            "lies outside",
        ),
        ("text.pt", b"hello", "cannot be loaded"),
        ("model.safetensors.index.json", b'{"weight_map": {"a": "../b.safetensors"}}', "outside"),
    ],
)
def test_a_damaged_checkpoint_is_refused(
    project: Project, saved: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        project.write(name, content)
    answer = project.freezelint("verify", str(saved), name)
    assert answer.code == 2
    assert said in answer.errors


def test_a_checkpoint_of_another_model_is_refused(project: Project, saved: Path) -> None:
    file = save_torch({"alpha": torch.zeros(3)}, project.folder / "other")
    answer = project.freezelint("verify", str(saved), str(file))
    assert answer.code == 2
    assert "holds no tensor that the manifest names" in answer.errors


def test_safetensors_are_verified_without_pytorch(project: Project, saved: Path) -> None:
    file = save_safetensors(model().state_dict(), project.folder / "model.safetensors")
    project.write("torch.py", "raise ModuleNotFoundError('hidden', name='torch')")
    answer = project.python("-m", "freezelint", "verify", str(saved), str(file))
    assert "7 frozen: 7 same." in answer.output, answer
