"""What `freezelint run` costs: a script that trains the head of a frozen ResNet-18, with and without.

With `--check` there is a finding to be followed to the end: an attribute that freezes nothing, on
a part that is frozen all the same.

    python benchmarks/run_overhead.py [--steps 150]

All run as processes of their own, in turns. ``results/run.md`` is the table.
"""

from __future__ import annotations

import platform
import statistics
import sys
import tempfile
from pathlib import Path

import click
from speed import run_once

RESULTS = Path(__file__).parent / "results" / "run.md"
SHARE, SECONDS = 0.02, 0.3
SCRIPT = """
import sys
import torch
from torch import nn
from torchvision.models import resnet18

torch.manual_seed(0)
torch.set_num_threads(1)
model = resnet18(weights=None).eval().requires_grad_(False)
model.layer1.requires_grad = False
model.fc = nn.Linear(512, 10)
optimizer = torch.optim.SGD(model.fc.parameters(), lr=0.1, momentum=0.9)
images, labels = torch.randn(8, 3, 96, 96), torch.randint(10, (8,))
for _ in range(int(sys.argv[1])):
    loss = nn.functional.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


@click.command()
@click.option("--steps", default=150, show_default=True)
@click.option("--rounds", default=5, show_default=True)
def main(steps: int, rounds: int) -> None:
    """Measure, print, and write the table."""
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        script = folder / "train.py"
        script.write_text(SCRIPT)
        plain = [sys.executable, str(script), str(steps)]
        watched = [sys.executable, "-m", "freezelint", "run", str(script), str(steps)]
        checked = [*watched[:4], "--check", *watched[4:]]
        commands = {"python": plain, "run": watched, "run --check": checked}
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(rounds):
            for name, command in commands.items():
                times[name].append(run_once(command, folder).wall)
    rows = []
    for what, of in (("minima", min), ("medians", statistics.median)):
        theirs = of(times["python"])
        limit = theirs * (1 + SHARE) + SECONDS
        for name in ("run", "run --check"):
            ours = of(times[name])
            met = "yes" if ours <= limit else "no"
            rows.append(
                f"| {what}, `{name}` | {ours:.2f} s | {theirs:.2f} s | <= {limit:.2f} s | {met} |"
            )
    lines = [
        "# Running a script under the checker",
        "",
        f"Written by `benchmarks/run_overhead.py`: {steps} steps, one thread. The limit is the plain",
        f"run plus {SHARE:.0%} and {SECONDS} s.",
        "",
        "| of the whole process | `freezelint` | `python` | limit | met |",
        "|--|--|--|--|--|",
        *rows,
        "",
        f"{platform.machine()}, Python {platform.python_version()}",
        "",
    ]
    RESULTS.write_text("\n".join(lines))
    click.echo("\n".join(lines))


if __name__ == "__main__":
    main()
