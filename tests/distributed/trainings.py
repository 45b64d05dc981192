"""The model that all cases train, what is put around it, and a training under a watch."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.distributed.fsdp.wrap import ModuleWrapPolicy
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.nn.parallel import DistributedDataParallel

from freezelint.runtime import Contract, FreezeViolated, Kind, watch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STEPS = 5


class Net(nn.Module):
    """A backbone that is frozen, a part that trains, and a head."""

    def __init__(self, *, norm: bool = False) -> None:
        super().__init__()
        last = nn.BatchNorm1d(16) if norm else nn.Identity()
        self.backbone = nn.Sequential(nn.Linear(8, 16), last)
        self.extra = nn.Linear(16, 16)
        self.head = nn.Linear(16, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        """The scores."""
        return self.head(torch.tanh(self.extra(torch.tanh(self.backbone(inputs)))))


def ddp(model: nn.Module) -> nn.Module:
    return DistributedDataParallel(model, find_unused_parameters=hasattr(model, "unused"))


def _fsdp(model: nn.Module, **options: Any) -> nn.Module:
    return FullyShardedDataParallel(model, device_id=torch.device("cpu"), **options)


def fsdp_original(model: nn.Module) -> nn.Module:
    return _fsdp(model, auto_wrap_policy=ModuleWrapPolicy({nn.Linear}), use_orig_params=True)


def fsdp_as_one(model: nn.Module) -> nn.Module:
    return _fsdp(model, use_orig_params=True)


def fsdp_flat(model: nn.Module) -> nn.Module:
    return _fsdp(model, auto_wrap_policy=ModuleWrapPolicy({nn.Linear}), use_orig_params=False)


def fsdp2(model: nn.Module) -> nn.Module:
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    for module in list(model.modules()):
        if isinstance(module, nn.Linear):
            fully_shard(module, mesh=mesh)
    return fully_shard(model, mesh=mesh)


WRAPS = (ddp, fsdp_original, fsdp_as_one, fsdp_flat, fsdp2)


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.1)


def decaying(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)


def zero(model: nn.Module) -> torch.optim.Optimizer:
    trained = [each for each in model.parameters() if each.requires_grad]
    return ZeroRedundancyOptimizer(trained, torch.optim.AdamW, lr=0.01)


def frozen_net(*, norm: bool = False) -> Net:
    torch.manual_seed(0)
    model = Net(norm=norm)
    model.backbone.requires_grad_(False)
    return model


def own(tensor: Tensor) -> Tensor:
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def write(model: nn.Module) -> None:
    """Write to what this process has of the first frozen weight."""
    for name, parameter in model.named_parameters():
        if "backbone" in name and ("weight" in name or "_flat_param" in name):
            with torch.no_grad():
                own(parameter).add_(1.0)


def written_by(rank: int, model: nn.Module) -> Callable[[int], None]:
    """What one rank does after its second step."""
    return lambda step: write(model) if step == 2 and dist.get_rank() == rank else None


def train(model: nn.Module, optimizer: Any, after: Callable[[int], None], steps: int) -> None:
    torch.manual_seed(10 + dist.get_rank())
    inputs, labels = torch.randn(8, 8), torch.randint(4, (8,))
    for number in range(1, steps + 1):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
        after(number)


def nothing(_step: int) -> None:
    pass


def seen_in(
    model: nn.Module,
    optimizer: Any,
    after: Callable[[int], None] = nothing,
    steps: int = STEPS,
    **options: Any,
) -> dict[str, Any]:
    """Train under a watch, and say what it saw and what came of it."""
    error: BaseException | None = None
    options = {"on_violation": "collect", **options}
    watching = watch(model, optimizer, **options)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            with watching:
                train(model, optimizer, after, steps)
        except (FreezeViolated, ZeroDivisionError) as raised:
            error = raised
    return {
        "violations": [
            {
                "kind": each.kind.value,
                "tensor": each.tensor,
                "step": each.step,
                "ranks": each.ranks,
                "message": str(each),
            }
            for each in watching.violations
        ],
        "error": None if error is None else type(error).__name__,
        "cause": None if error is None else type(error.__cause__).__name__,
        "said": str(error),
        "steps": watching.steps,
        "warnings": [str(each.message) for each in warned if "Freeze" in each.category.__name__],
    }


def broken(path: Path, model: nn.Module) -> list[tuple[str, str | None]]:
    watching = watch(model, contract=Contract.load(path), on_violation="collect", timeout=60)
    with watching:
        dist.barrier()
    return [
        (each.kind.value, each.tensor)
        for each in watching.violations
        if each.kind is not Kind.RANKS_DIFFER and each.kind is not Kind.NOT_TRAINED
    ]
