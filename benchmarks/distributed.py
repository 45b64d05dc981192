"""Time the runtime checker in two processes: what a watched step under DDP costs, digests of shards.

    torchrun --standalone --nproc-per-node 2 benchmarks/distributed.py

Every ratio is one of two numbers from the same run; rank 0 writes ``results/distributed.md``.
"""

from __future__ import annotations

import platform
import statistics
import time
from typing import TYPE_CHECKING, Any

import click
import torch
import torch.distributed as dist
from runtime import (
    RESULTS,
    Row,
    bandwidth,
    bandwidth_of_model,
    frozen_resnet,
    frozen_transformer,
    overhead,
)
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
from torchvision.models import resnet50

from freezelint.runtime.distributed import peers_of
from freezelint.runtime.inventory import Inventory

if TYPE_CHECKING:
    from collections.abc import Callable

_CALLS = 300


def under_ddp(parts: Any) -> Callable[[torch.device], tuple[nn.Module, nn.Module, torch.Tensor]]:
    """The same model, head and batch, with the model in DistributedDataParallel."""

    def wrapped(device: torch.device) -> tuple[nn.Module, nn.Module, torch.Tensor]:
        model, head, inputs = parts(device)
        return DistributedDataParallel(model), head, inputs

    return wrapped


def sharded_resnet() -> nn.Module:
    """Of which each process has half."""
    model = resnet50(weights=None)
    for layer in (model.layer1, model.layer2, model.layer3, model.layer4, model):
        fully_shard(layer, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    shard = nn.Module()
    for number, entry in enumerate(Inventory({"": model}).entries):
        local = entry.tensor.detach()
        local = local.to_local() if hasattr(local, "to_local") else local
        shard.register_buffer(str(number), local.clone())
    return shard


def microseconds(call: Callable[[], Any]) -> float:
    """The median time of many calls."""
    taken = []
    for _ in range(_CALLS):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1e6


def look_and_collective() -> list[str]:
    """What a step pays to hear of the others, and what the smallest collective would cost."""
    peers = peers_of(Inventory({"": nn.Linear(2, 2)}).entries, "benchmark")
    assert peers is not None
    number = torch.zeros(1)
    look = microseconds(lambda: peers.has("stop"))
    dist.barrier()
    collective = microseconds(lambda: dist.all_reduce(number))
    return [
        f"A look into the store, which each watched step takes, needs {look:.0f} µs (a median);",
        f"the smallest `all_reduce` over gloo, which no step takes, {collective:.0f} µs.",
    ]


def page(rows: list[Row], remarks: list[str]) -> str:
    """What rank 0 measured, as a table."""
    facts = [platform.machine(), "2 processes of 1 thread", f"torch {torch.__version__}"]
    lines = [
        "# The runtime checker in two processes",
        "",
        "Written by `benchmarks/distributed.py`, explained in [the README](../README.md).",
        "Both processes measure at the same time, over gloo; the numbers are those of rank 0.",
        "",
        "| what | ours | against | ratio | limit | met |",
        "|--|--|--|--|--|--|",
        *(
            f"| {row.what} | {row.ours} | {row.against} | {row.ratio} | {row.limit} | "
            f"{'yes' if row.met else 'NO'} |"
            for row in rows
        ),
        "",
        *remarks,
        "",
        ", ".join([*facts, f"Python {platform.python_version()}"]),
        "",
    ]
    return "\n".join(lines)


@click.command()
@click.option("--rounds", default=5, show_default=True)
@click.option("--megabytes", default=256, show_default=True, help="Of the large tensor.")
@click.option("--remark", default="", help="A line for the page, such as how busy the machine was.")
def main(rounds: int, megabytes: int, remark: str) -> None:
    """Measure, and write results/distributed.md."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    dist.init_process_group("gloo")
    cpu = torch.device("cpu")
    remarks = look_and_collective()
    dist.barrier()
    rows = [
        *bandwidth(cpu, megabytes, rounds),
        *bandwidth_of_model("ResNet-50, a shard of two", sharded_resnet(), cpu, rounds),
        *overhead("ResNet-50, frozen, DDP", under_ddp(frozen_resnet), cpu, rounds),
        *overhead(
            "transformer, 24 layers, frozen, DDP", under_ddp(frozen_transformer), cpu, rounds
        ),
    ]
    if dist.get_rank() == 0:
        text = page(rows, [*remarks, *([remark] if remark else [])])
        click.echo(text)
        (RESULTS / "distributed.md").write_text(text)
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
