"""What is said of the optimizers is what they do in the torch that is installed."""

from __future__ import annotations

import inspect

import pytest

from freezelint.analysis.knowledge.optimizers import TORCH_OPTIMIZERS, traits_of

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.torch

INSTALLED = [name for name in TORCH_OPTIMIZERS if hasattr(torch.optim, name)]
DENSE = [name for name in INSTALLED if name not in ("SparseAdam", "LBFGS")]


@pytest.mark.parametrize("name", INSTALLED)
def test_arguments_have_these_names_and_defaults(name: str) -> None:
    traits = TORCH_OPTIMIZERS[name]
    parameters = list(inspect.signature(getattr(torch.optim, name)).parameters.values())[1:]
    assert tuple(each.name for each in parameters)[: len(traits.arguments)] == traits.arguments
    defaults = {each.name: each.default for each in parameters}
    assert defaults.get("weight_decay", 0.0) == traits.decay
    assert all(name in defaults for name in traits.history_arguments)
    if traits.pull is not None:
        assert defaults[traits.pull[0]] == traits.pull[1]


def _moves_on_zeros(name: str, *, trained: bool, **options: float) -> bool:
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(4, 4))
    optimizer = getattr(torch.optim, name)([weight], lr=0.01, **options)
    for _ in range(3 if trained else 0):
        weight.grad = torch.randn(4, 4)
        optimizer.step()
    before = weight.detach().clone()
    weight.grad = torch.zeros(4, 4)
    optimizer.step()
    return not torch.equal(before, weight)


@pytest.mark.parametrize("name", DENSE)
def test_what_moves_on_gradients_of_zero(name: str) -> None:
    traits = TORCH_OPTIMIZERS[name]
    decays = bool(traits.decay) or traits.pull is not None
    assert _moves_on_zeros(name, trained=False) is decays
    assert _moves_on_zeros(name, trained=True) is (decays or traits.has_history)
    for argument in traits.history_arguments:
        assert _moves_on_zeros(name, trained=True, **{argument: 0.9})


def test_lbfgs_moves_without_a_gradient() -> None:
    assert TORCH_OPTIMIZERS["LBFGS"].takes_none_for_zero
    torch.manual_seed(0)
    first, second = (torch.nn.Parameter(torch.randn(3)) for _ in range(2))
    optimizer = torch.optim.LBFGS([first, second], lr=0.1, max_iter=2)

    def closure() -> object:
        optimizer.zero_grad()
        loss = (first * second - 1).pow(2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    first.requires_grad_(False)
    first.grad = None
    before = first.detach().clone()
    optimizer.step(closure)
    assert not torch.equal(before, first)


def test_other_packages_are_not_known() -> None:
    assert traits_of("torch.optim.adamw.AdamW") is TORCH_OPTIMIZERS["AdamW"]
    assert traits_of("transformers.AdamW") is None
    assert traits_of("") is None
