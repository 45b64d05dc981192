"""Gradients that arrive at leaves which no module registers and no optimizer holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD

from freezelint.runtime import watch
from tests.runtime.nets import INPUTS, WIDTH, Net, fine_tuned, frozen_net, loss_of, on, said, step

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.torch


class Prompted(Net):
    """Adds something to its inputs that it does not register."""

    def __init__(self, **loose: object) -> None:
        super().__init__()
        self.__dict__.update(loose)
        self.backbone.requires_grad_(False)

    def forward(self, inputs: Tensor) -> Tensor:
        """The scores of the prompted inputs."""
        return super().forward(inputs + self.added())

    def added(self) -> Tensor:
        """What is added."""
        raise NotImplementedError


def prompt() -> Tensor:
    return torch.ones(WIDTH, requires_grad=True)


class PlainTensor(Prompted):
    """A tensor, and no parameter."""

    def __init__(self) -> None:
        super().__init__(prompt=prompt())

    def added(self) -> Tensor:
        """The tensor."""
        return self.prompt


class MovedAtBirth(Prompted):
    """A parameter of which only what was computed from it is kept."""

    def __init__(self) -> None:
        super().__init__(prompt=nn.Parameter(torch.ones(WIDTH)).double().float())

    def added(self) -> Tensor:
        """The result."""
        return self.prompt


class InList(Prompted):
    """Parameters in a list."""

    def __init__(self) -> None:
        super().__init__(prompts=[nn.Parameter(prompt()), nn.Parameter(prompt())])

    def added(self) -> Tensor:
        """The second of them."""
        return self.prompts[1]


class InDict(Prompted):
    """A tensor in a dict."""

    def __init__(self) -> None:
        super().__init__(prompts={"task": prompt()})

    def added(self) -> Tensor:
        """The one."""
        return self.prompts["task"]


class LayerInList(Prompted):
    """A layer in a list."""

    def __init__(self) -> None:
        super().__init__(layers=[nn.Linear(WIDTH, WIDTH, bias=False)])

    def added(self) -> Tensor:
        """Of what the layer makes of ones."""
        return self.layers[0](torch.ones(WIDTH))


@pytest.mark.parametrize(
    ("model", "name", "cause"),
    [
        (PlainTensor, "prompt", "FZ606"),
        (MovedAtBirth, "prompt", "FZ605"),
        (InList, "prompts[1]", "FZ606"),
        (InDict, "prompts['task']", "FZ606"),
        (LayerInList, "layers[0].weight", "FZ606"),
    ],
)
def test_what_a_module_hides_is_named(model: Callable[[], Net], name: str, cause: str) -> None:
    net = model()
    optimizer = SGD(net.head.parameters(), lr=0.1)
    with watch(net, optimizer, on_violation="collect") as seen:
        for _ in range(3):
            step(net, optimizer)
        assert said(seen) == on(name, kind="unowned-gradient")
    (violation,) = seen.violations
    assert violation.cause == cause
    assert "not registered" in violation.message


def test_a_free_parameter_of_the_loss() -> None:
    model, optimizer = fine_tuned()
    centre = nn.Parameter(torch.zeros(2))
    with watch(model, optimizer, on_violation="collect") as seen:
        for _ in range(3):
            optimizer.zero_grad()
            (model(INPUTS) - centre).square().mean().backward()
            optimizer.step()
    assert said(seen) == {("unowned-gradient", None)}
    assert "shape (2,)" in seen.violations[0].message


def test_the_message_comes_once_and_during_the_training() -> None:
    model = PlainTensor()
    optimizer = SGD(model.head.parameters(), lr=0.1)
    with watch(model, optimizer, on_violation="collect") as seen:
        for _ in range(2):
            step(model, optimizer)
        assert len(seen.violations) == 1
        for _ in range(40):
            step(model, optimizer)
    assert len(seen.violations) == 1


def test_what_an_optimizer_holds_is_owned() -> None:
    model = PlainTensor()
    optimizer = SGD([*model.head.parameters(), model.prompt], lr=0.1)
    with watch(model, optimizer, on_violation="collect") as seen:
        for _ in range(3):
            step(model, optimizer)
    # It is in no module, so the optimizer holds an orphan; its gradient has an owner.
    assert said(seen) == {("orphan", None)}


def test_what_an_optimizer_that_was_not_named_holds_is_owned() -> None:
    model, optimizer = fine_tuned()
    centre = nn.Parameter(torch.zeros(2))
    other = SGD([centre], lr=0.1)
    with watch(model, optimizer, on_violation="collect") as seen:
        for _ in range(3):
            optimizer.zero_grad()
            other.zero_grad()
            (model(INPUTS) - centre).square().mean().backward()
            optimizer.step()
            other.step()
    assert not seen.violations


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(lambda model, inputs: model(inputs), id="by position"),
        pytest.param(lambda model, inputs: model(inputs=inputs), id="by name"),
    ],
)
def test_inputs_that_take_gradients_are_data(run: Callable[[Net, Tensor], Tensor]) -> None:
    model, optimizer = fine_tuned()
    inputs = INPUTS.clone().requires_grad_()
    with watch(model, optimizer) as seen:
        for _ in range(3):
            optimizer.zero_grad()
            run(model, inputs).square().mean().backward()
            optimizer.step()
    assert not seen.violations


def test_inputs_in_a_dict_are_data() -> None:
    class FromDict(Net):
        def forward(self, batch: dict[str, Tensor]) -> Tensor:  # type: ignore[override]
            return super().forward(batch["inputs"])

    model = FromDict()
    optimizer = SGD(model.parameters(), lr=0.1)
    batch = {"inputs": INPUTS.clone().requires_grad_()}
    with watch(model, optimizer) as seen:
        for _ in range(3):
            optimizer.zero_grad()
            model(batch).square().mean().backward()
            optimizer.step()
    assert not seen.violations


def test_an_adversarial_perturbation_is_moved_by_hand() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer) as seen:
        for _ in range(3):
            noise = torch.zeros_like(INPUTS, requires_grad=True)
            for _ in range(3):
                (-model(INPUTS + noise).square().mean()).backward()
                noise.data += 0.01 * noise.grad.sign()
                noise.grad.zero_()
            optimizer.zero_grad()
            model(INPUTS + noise.detach()).square().mean().backward()
            optimizer.step()
    assert not seen.violations


def test_parameters_of_a_model_that_is_not_watched_are_none_of_its_business() -> None:
    model, optimizer = fine_tuned()
    before = nn.Linear(WIDTH, WIDTH)
    with watch(model, optimizer) as seen:
        for _ in range(3):
            optimizer.zero_grad()
            model(before(INPUTS)).square().mean().backward()
            optimizer.step()
    assert not seen.violations


def test_gradients_of_the_watched_model_are_owned_before_and_after_it_is_rebuilt() -> None:
    model = frozen_net()
    optimizer = SGD(model.head.parameters(), lr=0.1)
    with watch(model, optimizer) as seen:
        for _ in range(2):
            step(model, optimizer)
        model.head = nn.Linear(WIDTH, 2)
        optimizer.param_groups.clear()
        optimizer.add_param_group({"params": list(model.head.parameters())})
        for _ in range(3):
            step(model, optimizer)
    assert not seen.violations


def test_backward_with_several_roots_and_with_inputs() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer) as seen:
        for _ in range(2):
            optimizer.zero_grad()
            losses = [loss_of(model), loss_of(model)]
            torch.autograd.backward(losses)
            loss_of(model).backward(inputs=list(model.head.parameters()))
            optimizer.step()
    assert not seen.violations


class Flat(Prompted):
    """A flat tensor that takes the gradients of the parameters that are views of it."""

    def __init__(self) -> None:
        super().__init__(prompt=prompt())
        self.view = nn.Parameter(self.prompt.detach()[1:], requires_grad=False)

    def added(self) -> Tensor:
        """The whole."""
        return self.prompt


def test_what_parameters_are_views_of_is_somebodys_business() -> None:
    net = Flat()
    optimizer = SGD(net.head.parameters(), lr=0.1)
    with watch(net, optimizer) as seen:
        for _ in range(3):
            step(net, optimizer)
    assert not seen.violations
