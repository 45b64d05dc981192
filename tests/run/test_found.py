"""What a finding names, found among the variables of a program without running any of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from torch import nn

pytestmark = pytest.mark.torch


@pytest.fixture
def model() -> nn.Module:
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
            self.hidden = [nn.Linear(2, 3)]

        @property
        def trap(self) -> Any:
            raise AssertionError("this must not run")

    return Net()


class Holder:
    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


@pytest.mark.parametrize(
    "path",
    [
        "model.layers[0]",
        "model.layers.0",
        "model.layers[-2]",
        "run.model.layers[0]",
        "parts['first']",
    ],
)
def test_names_attributes_and_constants_are_followed(model: Any, path: str) -> None:
    from freezelint.judgement.found import resolved

    variables = {"model": model, "parts": {"first": model.layers[0]}}
    assert resolved(path, variables, {"run": Holder(model)}) is model.layers[0]


def test_the_variables_of_the_function_come_first(model: Any) -> None:
    from freezelint.judgement.found import resolved

    assert resolved("model", {"model": model}, {"model": None}) is model


@pytest.mark.parametrize(
    "path",
    ["model.trap", "run.other", "model.layers[i]", "build()", "model.layers[7]", "the module", ""],
)
def test_everything_else_names_nothing(model: Any, path: str) -> None:
    from freezelint.judgement.found import resolved

    assert resolved(path, {"model": model}, {"run": Holder(model)}) is None
