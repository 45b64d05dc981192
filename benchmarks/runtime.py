"""Time the runtime checker: what a watched step costs, and how fast digests read memory.

Every ratio is one of two numbers from the same run on the same device.
"""

from __future__ import annotations

import json
import platform
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import torch
from torch import nn
from torchvision.models import resnet50

from freezelint.runtime import watch
from freezelint.runtime.fingerprint import Digester, read
from freezelint.runtime.hooks import Hooks
from freezelint.runtime.inventory import Inventory

if TYPE_CHECKING:
    from collections.abc import Callable


RESULTS = Path(__file__).parent / "results"
TURNS = 16


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    ours: str
    against: str
    ratio: str
    limit: str
    met: bool


class Transformer(nn.Module):
    """24 encoder layers over embedded tokens, and a classifier."""

    def __init__(self, width: int = 256, layers: int = 24, classes: int = 10) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, batch_first=True)
        self.embedding = nn.Embedding(1000, width)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(width, classes)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Class scores, one row per sequence."""
        return self.head(self.encoder(self.embedding(tokens)).mean(1))


def frozen_resnet(device: torch.device) -> tuple[nn.Module, nn.Module, torch.Tensor]:
    """A ResNet-50 of which only the head trains, and a batch."""
    model = resnet50(weights=None, num_classes=10).to(device).eval()
    model.requires_grad_(False)
    model.fc.requires_grad_(True)
    return model, model.fc, torch.randn(8, 3, 160, 160, device=device)


def frozen_transformer(device: torch.device) -> tuple[nn.Module, nn.Module, torch.Tensor]:
    """A transformer of which only the head trains, and a batch."""
    model = Transformer().to(device).eval()
    model.requires_grad_(False)
    model.head.requires_grad_(True)
    return model, model.head, torch.randint(1000, (8, 64), device=device)


def wait(device: torch.device) -> None:
    """Let the device finish, so that its time is counted."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_per_step(step: Callable[[], None], steps: int, device: torch.device) -> float:
    """The mean time of some steps."""
    wait(device)
    start = time.perf_counter()
    for _ in range(steps):
        step()
    wait(device)
    return (time.perf_counter() - start) / steps


class HookClock:
    """Adds up the time that a watch's own code takes, by wrapping what it installs."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._originals = {
            name: getattr(Hooks, name) for name in ("around_steps", "before_forward", "listen")
        }

    def __enter__(self) -> HookClock:
        for name, original in self._originals.items():
            setattr(Hooks, name, self._timed(original))
        return self

    def __exit__(self, *_: object) -> None:
        for name, original in self._originals.items():
            setattr(Hooks, name, original)

    def _timed(self, install: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(hooks: Hooks, *arguments: Any) -> Any:
            return install(hooks, *(self._clocked(each) for each in arguments))

        return wrapped

    def _clocked(self, callback: Any) -> Any:
        if not callable(callback) or isinstance(callback, nn.Module):
            return callback

        def clocked(*arguments: Any) -> Any:
            start = time.perf_counter()
            try:
                return callback(*arguments)
            finally:
                self.seconds += time.perf_counter() - start

        return clocked


def overhead(name: str, parts: Any, device: torch.device, rounds: int) -> list[Row]:
    """What watching adds to the step of a model with a trained head."""
    model, head, inputs = parts(device)
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-3)
    labels = torch.randint(10, (len(inputs),), device=device)

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()

    for _ in range(3):
        step()
    plain, watched, hooks = [], [], []
    for _ in range(rounds):
        plain.append(seconds_per_step(step, TURNS, device))
        with HookClock() as clock, watch(model, optimizer, every=1):
            for _ in range(TURNS):
                # The beginning, in which everything is listened to, is amortised over training.
                step()
            clock.seconds = 0.0
            watched.append(seconds_per_step(step, TURNS, device))
            hooks.append(clock.seconds / TURNS)
    base = statistics.median(plain)
    share = statistics.median(hooks) / base
    difference = min(watched) / min(plain) - 1
    return [
        Row(
            f"{name}: time in the checker's hooks per step, every=1",
            f"{statistics.median(hooks) * 1e3:.2f} ms",
            f"step {base * 1e3:.1f} ms",
            f"{share:.2%} (whole step, minima: {difference:+.2%})",
            "<= 1%",
            share <= 0.01,
        )
    ]


def bandwidth(device: torch.device, megabytes: int, rounds: int) -> list[Row]:
    """How fast a digest reads memory, against a copy of the same bytes."""
    source = torch.randn(megabytes * 2**20 // 4, device=device)
    target = torch.empty_like(source)
    digester = Digester()

    def copy() -> None:
        target.copy_(source)

    def digest() -> None:
        read([digester.digest(source)])

    return [_faster(f"digest of {megabytes} MiB", digest, copy, megabytes, device, rounds)]


def bandwidth_of_model(name: str, model: nn.Module, device: torch.device, rounds: int) -> list[Row]:
    """A pass over all tensors of a model, of which many are small, against copying them."""
    entries = Inventory({"": model}).entries
    tensors = [entry.tensor.detach() for entry in entries]
    copies = [tensor.clone() for tensor in tensors]
    megabytes = sum(tensor.nbytes for tensor in tensors) / 2**20
    digester = Digester()

    def copy() -> None:
        for mine, theirs in zip(copies, tensors, strict=True):
            mine.copy_(theirs)

    def digest() -> None:
        digester.digests(tensors)

    what = f"digests of the {len(tensors)} tensors of {name} ({megabytes:.0f} MiB)"
    return [_faster(what, digest, copy, megabytes, device, rounds)]


def _faster(
    what: str,
    ours: Callable[[], None],
    theirs: Callable[[], None],
    megabytes: float,
    device: torch.device,
    rounds: int,
) -> Row:
    mine, other = [], []
    for _ in range(rounds + 1):
        mine.append(seconds_per_step(ours, 1, device))
        other.append(seconds_per_step(theirs, 1, device))
    ratio = min(other[1:]) / min(mine[1:])
    medians = statistics.median(other[1:]) / statistics.median(mine[1:])
    return Row(
        what,
        f"{megabytes / 1024 / min(mine[1:]):.1f} GiB/s",
        f"copy_ {megabytes / 1024 / min(other[1:]):.1f} GiB/s",
        f"{ratio:.0%} (medians {medians:.0%})",
        ">= 60%",
        ratio >= 0.6,
    )


@click.command()
@click.option("--device", default="cpu", show_default=True)
@click.option("--threads", default=1, show_default=True, help="Of torch, on the CPU.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--megabytes", default=512, show_default=True, help="Of the large tensor.")
def main(device: str, threads: int, rounds: int, megabytes: int) -> None:
    """Measure, and write results/runtime-DEVICE.json and .md."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    where = torch.device(device)
    rows = [
        *bandwidth(where, megabytes, rounds),
        *bandwidth_of_model("ResNet-50", resnet50(weights=None).to(where), where, rounds),
        *bandwidth_of_model(
            "the transformer, 1024 wide", Transformer(1024).to(where), where, rounds
        ),
        *overhead("ResNet-50, frozen", frozen_resnet, where, rounds),
        *overhead("transformer, 24 layers, frozen", frozen_transformer, where, rounds),
    ]
    named = torch.cuda.get_device_name(where) if where.type == "cuda" else platform.machine()
    facts = f"{named}, {threads} thread(s), torch {torch.__version__}, Python {platform.python_version()}"
    lines = [
        f"# The runtime checker on {where.type}",
        "",
        "Written by `benchmarks/runtime.py`; what the numbers mean stands in [the README](../README.md).",
        "",
        "| what | ours | against | ratio | limit | met |",
        "|--|--|--|--|--|--|",
        *(
            f"| {row.what} | {row.ours} | {row.against} | {row.ratio} | {row.limit} | "
            f"{'yes' if row.met else 'NO'} |"
            for row in rows
        ),
        "",
        facts,
        "",
    ]
    page = "\n".join(lines)
    click.echo(page)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"runtime-{where.type}.md").write_text(page)
    data = {"facts": facts, "rows": [asdict(row) for row in rows]}
    (RESULTS / f"runtime-{where.type}.json").write_text(json.dumps(data, indent=1) + "\n")


if __name__ == "__main__":
    main()
