"""Where there is no torch, there is nothing to collect here."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

_NEEDED = {
    "test_accelerate.py": "accelerate",
    "test_lightning.py": "lightning",
    "test_transformers.py": "transformers",
}

collect_ignore = [file for file, name in _NEEDED.items() if not find_spec(name)]
collect_ignore_glob = [] if find_spec("torch") else ["*.py"]


@pytest.fixture(autouse=True)
def _same_numbers_each_time() -> None:
    import torch

    torch.manual_seed(20)
    # The networks are small: several threads would only wait for each other.
    torch.set_num_threads(1)
