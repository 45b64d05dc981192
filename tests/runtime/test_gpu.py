"""The same on a CUDA device: fused optimizers, digests in flight, no waiting in the step."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from freezelint.runtime import FreezeViolated, Kind, watch  # noqa: E402
from freezelint.runtime.fingerprint import Digester  # noqa: E402

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.torch,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def model_and_batch() -> tuple[torch.nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 4))
    return model.cuda(), torch.randn(32, 64, device="cuda")


@pytest.mark.parametrize("form", [{"foreach": True}, {"fused": True}, {"foreach": False}])
def test_every_form_of_a_stale_gradient_is_seen(form: dict[str, bool]) -> None:
    model, inputs = model_and_batch()
    optimizer = torch.optim.AdamW(model.parameters(), **form)
    model(inputs).sum().backward()
    model[0].requires_grad_(False)
    with watch(model, optimizer, on_violation="collect") as seen:
        optimizer.step()
    kinds = {each.kind for each in seen.violations}
    assert {Kind.STALE_GRADIENT, Kind.FROZEN_CHANGED} <= kinds


def test_a_write_through_data_is_seen_within_sixteen_steps() -> None:
    model, inputs = model_and_batch()
    model[0].requires_grad_(False)
    optimizer = torch.optim.SGD(model[2].parameters(), lr=0.01)

    def train() -> None:
        for step in range(20):
            optimizer.zero_grad()
            model(inputs).sum().backward()
            optimizer.step()
            if step == 1:
                model[0].weight.data.mul_(2)

    with pytest.raises(FreezeViolated, match=r"0\.weight"), watch(model, optimizer):
        train()


def test_the_step_path_waits_for_nothing() -> None:
    model, inputs = model_and_batch()
    model[0].requires_grad_(False)
    optimizer = torch.optim.AdamW(model[2].parameters(), fused=True)
    with watch(model, optimizer, within=1000):
        torch.cuda.set_sync_debug_mode("error")
        try:
            for _ in range(20):
                optimizer.zero_grad()
                model(inputs).sum().backward()
                optimizer.step()
        finally:
            torch.cuda.set_sync_debug_mode("default")


def test_a_digest_stays_on_the_device_of_its_tensor() -> None:
    tensor = torch.randn(1000, 7, device="cuda")
    digester = Digester()
    before = digester.digest(tensor)
    tensor[500, 3] += 1
    after = digester.digest(tensor)
    assert before is not None
    assert after is not None
    assert before.device == after.device == tensor.device
    assert before != after
