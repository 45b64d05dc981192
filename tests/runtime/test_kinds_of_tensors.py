"""Tensors of every kind as frozen parameters and buffers: silent at rest, seen when written to."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from freezelint.runtime import freeze_report, watch
from tests.runtime.nets import INPUTS, RELEASE, WIDTH, Net, fine_tuned, frozen_net, said, step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.torch


class Case(NamedTuple):
    """A tensor, and a write to it that changes one number."""

    make: Callable[[], Tensor]
    write: Callable[[Tensor], object]


def first(tensor: Tensor) -> Tensor:
    return tensor[(0,) * tensor.dim()]


def set_first(tensor: Tensor) -> None:
    first(tensor).fill_(7)


def upside_down() -> Tensor:
    return torch.arange(6.0).reshape(2, 3).t()


def coo() -> Tensor:
    return torch.eye(3).to_sparse()


def quantized() -> Tensor:
    with warnings.catch_warnings():
        # Their constructors are about to go; models that hold them are not.
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(torch.arange(6.0), 0.1, 3, torch.qint8)


def quantized_by_channel() -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scales, zeros = torch.tensor([0.1, 0.2]), torch.tensor([0, 1])
        return torch.quantize_per_channel(torch.ones(2, 3), scales, zeros, 0, torch.qint8)


def nested(layout: torch.layout) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.nested.nested_tensor([torch.ones(2), torch.zeros(3)], layout=layout)


def compressed(name: str) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(torch.eye(4), f"to_sparse_{name}")(*[(2, 2)] * name.startswith("bs"))


def write_values(tensor: Tensor) -> None:
    first(tensor.values()).fill_(7)


def write_storage(tensor: Tensor) -> None:
    tensor.untyped_storage()[0] = 77


CASES = {
    "float32": Case(lambda: torch.zeros(3), set_first),
    "float16": Case(lambda: torch.zeros(3, dtype=torch.float16), set_first),
    "bfloat16 at an odd offset": Case(lambda: torch.zeros(9, dtype=torch.bfloat16)[1:4], set_first),
    "float8": Case(lambda: torch.zeros(3).to(torch.float8_e4m3fn), write_storage),
    "complex": Case(lambda: torch.zeros(3, dtype=torch.complex64), set_first),
    "conjugated": Case(lambda: torch.full((3,), 1 + 2j).conj(), set_first),
    "imaginary": Case(lambda: torch.full((3,), 1 + 2j).conj().imag, set_first),
    "bool": Case(lambda: torch.zeros(3, dtype=torch.bool), set_first),
    "int64": Case(lambda: torch.zeros(3, dtype=torch.int64), set_first),
    "uint8": Case(lambda: torch.zeros(3, dtype=torch.uint8), set_first),
    "0-dimensional": Case(lambda: torch.tensor(1.0), lambda tensor: tensor.fill_(7)),
    "transposed": Case(upside_down, set_first),
    "every second column": Case(lambda: torch.zeros(3, 4)[:, ::2], set_first),
    "a channel of an image": Case(lambda: torch.zeros(2, 3, 4, 4)[:, 1], set_first),
    "expanded": Case(
        lambda: torch.zeros(1).expand(64), lambda tensor: tensor.as_strided((1,), (1,)).fill_(7)
    ),
    "expanded inside": Case(
        lambda: torch.zeros(2, 1, 3).expand(2, 5, 3),
        lambda tensor: tensor.as_strided((1,), (1,), 5).fill_(7),
    ),
    "overlapping windows": Case(lambda: torch.arange(6.0).unfold(0, 3, 1), set_first),
    "sparse": Case(coo, lambda tensor: tensor._values()[0].fill_(7)),
    "sparse at another place": Case(coo, lambda tensor: tensor._indices()[0, 0].fill_(1)),
    "CSR": Case(lambda: compressed("csr"), write_values),
    "CSC": Case(lambda: compressed("csc"), write_values),
    "BSR": Case(lambda: compressed("bsr"), write_values),
    "BSC": Case(lambda: compressed("bsc"), write_values),
    "quantized": Case(quantized, write_storage),
    "quantized by channel": Case(quantized_by_channel, write_storage),
}
if RELEASE >= (2, 4):
    CASES["nested"] = Case(
        lambda: nested(torch.strided), lambda tensor: tensor.unbind()[0].fill_(7)
    )
    CASES["nested, jagged"] = Case(
        lambda: nested(torch.jagged), lambda tensor: tensor.values()[0].fill_(7)
    )


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request: pytest.FixtureRequest) -> Case:
    return request.param  # type: ignore[no-any-return]


def with_buffer(tensor: Tensor) -> tuple[Net, torch.optim.Optimizer]:
    model, optimizer = fine_tuned()
    model.backbone.register_buffer("odd", tensor)
    return model, optimizer


def test_a_buffer_of_any_kind_is_silent_at_rest(case: Case) -> None:
    model, optimizer = with_buffer(case.make())
    with watch(model, optimizer, every=2, exact=True):
        for _ in range(3):
            step(model, optimizer)


def test_a_write_to_a_buffer_of_any_kind_is_seen(case: Case) -> None:
    model, optimizer = with_buffer(case.make())
    with watch(model, optimizer, on_violation="collect", locate="always") as seen:
        step(model, optimizer)
        case.write(model.backbone.odd)
        step(model, optimizer)
    assert said(seen) == {("buffer-changed", "backbone.odd")}


def test_the_freeze_map_names_a_buffer_of_any_kind(case: Case) -> None:
    model, optimizer = with_buffer(case.make())
    states = {each["name"]: each for each in freeze_report(model, optimizer).to_dict()["tensors"]}
    assert json.loads(json.dumps(states["backbone.odd"]))["kind"] == "buffer"


@pytest.mark.parametrize(
    "tensor",
    [torch.zeros(0, 3), torch.zeros(2, 0).t(), torch.empty(4, 4, device="meta"), coo() * 0],
    ids=["empty", "empty and transposed", "meta", "sparse without values"],
)
def test_what_has_no_bits_cannot_change(tensor: Tensor) -> None:
    model, optimizer = with_buffer(tensor)
    with watch(model, optimizer):
        for _ in range(2):
            step(model, optimizer)


def test_a_model_on_meta_gets_its_data_during_the_watch() -> None:
    model = frozen_net()
    with torch.device("meta"):
        model.backbone = nn.Linear(WIDTH, WIDTH).requires_grad_(False)
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
    with watch(model, optimizer, frozen=["backbone"], on_violation="collect") as seen:
        # The way of the `assign` of a checkpoint: other objects, of which the watch says so.
        model.backbone.load_state_dict(nn.Linear(WIDTH, WIDTH).state_dict(), assign=True)
        step(model, optimizer)
        assert {kind for kind, _ in said(seen)} <= {"frozen-replaced", "flag-flipped"}
        model.backbone.weight.data[0] += 1
    assert ("frozen-changed", "backbone.weight") in said(seen)


def test_two_buffers_of_one_storage_are_told_apart() -> None:
    whole = torch.zeros(6)
    model, optimizer = with_buffer(whole[:3])
    model.backbone.register_buffer("other", whole[3:])
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer)
        whole[4] = 1
    assert said(seen) == {("buffer-changed", "backbone.other")}


class LazyNet(nn.Module):
    """A backbone that learns its width from the first input."""

    def __init__(self) -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.backbone = nn.LazyLinear(WIDTH)
        self.head = nn.Linear(WIDTH, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        """The scores."""
        with torch.no_grad():
            features = self.backbone(inputs)
        return self.head(features)


def test_a_lazy_layer_is_frozen_as_soon_as_it_has_parameters() -> None:
    model = LazyNet()
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
    promise = {"frozen": ["backbone"], "trainable": ["head"]}
    with watch(model, optimizer, on_violation="collect", **promise) as seen:
        assert freeze_report(model, optimizer).tensors[0].shape == ()
        step(model, optimizer)
        step(model, optimizer)
        assert not seen.violations
        model.backbone.bias.data += 1
        step(model, optimizer)
    assert said(seen) == {("frozen-changed", "backbone.bias")}


def test_a_lazy_layer_that_never_runs_stays_silent() -> None:
    model, optimizer = fine_tuned()
    model.spare = LazyNet().backbone
    with watch(model, optimizer, frozen=["backbone", "spare"], trainable=["head"]):
        step(model, optimizer)


def test_a_lazy_layer_trains() -> None:
    model = LazyNet()
    model.forward = lambda inputs: model.head(model.backbone(inputs))  # type: ignore[method-assign]
    model.head.requires_grad_(False)
    optimizer = torch.optim.SGD([*model.backbone.parameters()], lr=0.1)
    with watch(model, optimizer, trainable=["backbone"], frozen=["head"]):
        for _ in range(3):
            step(model, optimizer)


def test_parameters_made_in_inference_mode_have_no_version_and_are_watched() -> None:
    with torch.inference_mode():
        backbone = nn.Linear(WIDTH, WIDTH)
    model = Net()
    model.backbone = backbone.requires_grad_(False)
    head = torch.optim.SGD(model.head.parameters(), lr=0.1)

    def train() -> None:
        with torch.inference_mode():
            features = model.backbone(INPUTS)
        model.head(features.clone()).square().mean().backward()
        head.step()

    with watch(model, head, on_violation="collect") as seen:
        train()
        assert not seen.violations
        with torch.inference_mode():
            model.backbone.weight.mul_(0.5)
        train()
    assert said(seen) == {("frozen-changed", "backbone.weight")}


@pytest.fixture
def mesh() -> Iterator[Any]:
    """Of one device, in a group of one process."""
    distributed = torch.distributed
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        yield distributed.device_mesh.init_device_mesh("cpu", (1,))
    finally:
        distributed.destroy_process_group()


@pytest.mark.skipif(RELEASE < (2, 6), reason="no fully_shard")
def test_a_model_that_is_sharded(mesh: Any) -> None:
    from torch.distributed.fsdp import fully_shard

    model = frozen_net()
    fully_shard(model, mesh=mesh)
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
    with watch(model, optimizer) as seen:
        for _ in range(3):
            step(model, optimizer)
    with watch(model, optimizer, on_violation="collect") as seen, torch.no_grad():
        model.backbone.weight.mul_(2)
    assert said(seen) == {("frozen-changed", "backbone.weight")}


@pytest.mark.skipif(RELEASE < (2, 6), reason="no mesh for it on the CPU")
@pytest.mark.filterwarnings("ignore")
def test_a_model_whose_parameters_are_views_of_a_flat_one(mesh: Any) -> None:
    from torch.distributed.fsdp import FullyShardedDataParallel

    model = frozen_net()
    model.head = FullyShardedDataParallel(
        model.head, use_orig_params=True, device_mesh=mesh, device_id=torch.device("cpu")
    )
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
    with watch(model, optimizer) as seen:
        for _ in range(4):
            step(model, optimizer)
    assert not seen.violations
