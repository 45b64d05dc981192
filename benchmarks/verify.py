"""How fast `freezelint verify` is next to reading the checkpoint, and how much memory it takes.

    python benchmarks/verify.py [--gigabytes 2]

Writes a safetensors file of that size to a temporary folder, a manifest of what is in it,
and lets two processes take turns: one that reads the file and does nothing else, one that
is the command. ``results/verify.md`` is the table.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import tempfile
from pathlib import Path

import click
import numpy as np
from speed import run_once

from freezelint.runtime.checkpoints import open_checkpoint
from freezelint.runtime.manifest import Manifest, TensorRecord
from freezelint.runtime.stored_digest import digest_of_pieces

RESULTS = Path(__file__).parent / "results" / "verify.md"
TENSORS = 8
PIECE = 1 << 24
LEAST_SPEED = 0.5
MOST_MEMORY = 300
READ = """
import sys
buffer = bytearray(1 << 25)
with open(sys.argv[1], "rb", 0) as file:
    while file.readinto(buffer):
        pass
"""


def write_checkpoint(path: Path, gigabytes: float) -> None:
    """Write a file of several large tensors, each with other numbers."""
    count = int(gigabytes * (1 << 30)) // 4 // TENSORS
    header = {
        f"layer{number}.weight": {
            "dtype": "F32",
            "shape": [count],
            "data_offsets": [4 * count * number, 4 * count * (number + 1)],
        }
        for number in range(TENSORS)
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        # In pieces: what this process holds counts as its children's, too.
        left = 4 * count * TENSORS
        generator = np.random.default_rng(0)
        while left:
            piece = generator.bytes(min(left, PIECE))
            file.write(piece)
            left -= len(piece)


def write_manifest(checkpoint: Path, path: Path) -> None:
    """Promise that all of it stays."""
    (tensors,) = open_checkpoint(checkpoint)
    records = tuple(
        TensorRecord(
            name,
            "parameter",
            "frozen",
            each.shape,
            each.dtype,
            digest_of_pieces(each.pieces(), each.size),
        )
        for name, each in tensors.items()
    )
    Manifest(records, {}).save(path)


@click.command()
@click.option("--gigabytes", default=2.0, show_default=True)
@click.option("--rounds", default=5, show_default=True)
def main(gigabytes: float, rounds: int) -> None:
    """Measure, print, and write the table."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint, manifest = Path(folder, "model.safetensors"), Path(folder, "manifest.json")
        write_checkpoint(checkpoint, gigabytes)
        write_manifest(checkpoint, manifest)
        reading = [sys.executable, "-c", READ, str(checkpoint)]
        verifying = [sys.executable, "-m", "freezelint", "verify", str(manifest), str(checkpoint)]
        pairs = [
            (run_once(reading, Path(folder)), run_once(verifying, Path(folder)))
            for _ in range(rounds)
        ]
    read, verified = ([pair[side] for pair in pairs] for side in (0, 1))
    speed = min(each.wall for each in read) / min(each.wall for each in verified)
    middle = statistics.median(each.wall for each in read) / statistics.median(
        each.wall for each in verified
    )
    memory = max(each.peak for each in verified)
    lines = [
        "# Verifying a checkpoint",
        "",
        "Written by `benchmarks/verify.py`.",
        "",
        "| what | measured | limit | met |",
        "|--|--|--|--|",
        (
            f"| speed of `freezelint verify` on {gigabytes:g} GiB against reading the file | "
            f"{speed:.0%} (medians {middle:.0%}) | >= {LEAST_SPEED:.0%} | "
            f"{'yes' if speed >= LEAST_SPEED else 'no'} |"
        ),
        (
            f"| memory of its process | {memory:.0f} MB | < {MOST_MEMORY} MB | "
            f"{'yes' if memory < MOST_MEMORY else 'no'} |"
        ),
        "",
        (
            f"{platform.machine()}, Python {platform.python_version()}, "
            f"reading {min(each.wall for each in read):.2f} s, "
            f"verifying {min(each.wall for each in verified):.2f} s (minima of {rounds})"
        ),
        "",
    ]
    RESULTS.write_text("\n".join(lines))
    click.echo("\n".join(lines))


if __name__ == "__main__":
    main()
