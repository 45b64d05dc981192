"""Patterns: what they match, which of several counts, and errors that help."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from freezelint.runtime import Contract, ContractError, watch
from freezelint.runtime.inventory import Inventory
from tests.runtime.nets import WIDTH, Net, on, said, step

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.torch


class Wrapper(nn.Module):
    """A module around another one, under whatever name."""

    def __init__(self, inner: nn.Module, *path: str) -> None:
        super().__init__()
        name, *rest = path
        self.add_module(name, Wrapper(inner, *rest) if rest else inner)

    def forward(self, inputs: Tensor) -> Tensor:
        """What the inner one says."""
        (inner,) = self.children()
        return inner(inputs)


WRAPPERS = ["module", "_orig_mod", "_fsdp_wrapped_module", "base_model.model", "module._orig_mod"]

OF_TORCH = {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}


def said_of(wrapper: str, name: str) -> str:
    """The name in messages: without what only wrappers of torch put in front."""
    kept = [part for part in wrapper.split(".") if part not in OF_TORCH]
    return ".".join([*kept, name])


def roles(model: nn.Module | dict[str, nn.Module], contract: Contract) -> dict[str, str]:
    """The roles of all tensors, in one letter each: f for frozen, - for none."""
    models = model if isinstance(model, dict) else {"": model}
    entries = Inventory(models).entries
    contract.assign(entries)
    return {entry.name: entry.role.value for entry in entries}


def frozen_by(model: nn.Module | dict[str, nn.Module], patterns: Sequence[str]) -> set[str]:
    assigned = roles(model, Contract(frozen=patterns))
    return {name for name, role in assigned.items() if role == "frozen"}


BACKBONE = {"backbone.weight", "backbone.bias"}
HEAD = {"head.weight", "head.bias"}


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("backbone.*", BACKBONE),
        ("backbone", BACKBONE),
        ("back*", BACKBONE),
        ("*bone", BACKBONE),
        ("*.bias", {"backbone.bias", "head.bias"}),
        ("*", BACKBONE | HEAD),
        ("[bh]*.weight", {"backbone.weight", "head.weight"}),
        ("head.bia?", {"head.bias"}),
        ("head.weight", {"head.weight"}),
    ],
)
def test_globs_and_paths_of_modules(pattern: str, names: set[str]) -> None:
    assert frozen_by(Net(), [pattern]) == names


@pytest.mark.parametrize("pattern", ["body", "body.*", "body.layers", "body.layers.0"])
def test_the_path_of_a_module_stands_for_all_in_it(pattern: str) -> None:
    model = nn.Module()
    model.body = Wrapper(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), "layers")
    everything = {name for name, _ in model.named_parameters()}
    first = {"body.layers.0.weight", "body.layers.0.bias"}
    assert frozen_by(model, [pattern]) == (first if pattern.endswith("0") else everything)


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("pattern", ["backbone.*", "backbone", "{}.backbone.*", "{}.backbone"])
def test_prefixes_of_wrappers_may_be_written_or_left_out(wrapper: str, pattern: str) -> None:
    model = Wrapper(Net(), *wrapper.split("."))
    names = frozen_by(model, [pattern.format(wrapper)])
    assert names == {said_of(wrapper, name) for name in BACKBONE}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_prefixes_in_a_pattern_match_the_bare_model(wrapper: str) -> None:
    assert frozen_by(Net(), [f"{wrapper}.backbone.*"]) == BACKBONE


@pytest.mark.parametrize(
    "wrapper", ["_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"]
)
def test_a_wrapper_may_be_inside(wrapper: str) -> None:
    model = Net(Wrapper(nn.Linear(WIDTH, WIDTH), wrapper))
    assert frozen_by(model, ["backbone.weight"]) == {"backbone.weight"}


def test_a_submodule_may_be_called_like_a_wrapper() -> None:
    model = nn.ModuleDict({"module": nn.Linear(1, 1), "rest": nn.Linear(1, 1)})
    assert frozen_by(model, ["module"]) == {"module.weight", "module.bias"}


def test_a_compiled_model_has_the_names_of_the_model() -> None:
    model = torch.compile(Net(), backend="eager")
    assert frozen_by(model, ["backbone.*"]) == BACKBONE


@pytest.mark.parametrize(
    ("frozen", "trainable", "expected"),
    [
        (["*"], ["head"], BACKBONE),
        (["*"], ["head.*"], BACKBONE),
        (["*.weight"], ["backbone.weight"], {"head.weight"}),
        (["backbone.weight"], ["*"], {"backbone.weight"}),
        (["backbone.*"], ["*.bias"], BACKBONE),
        (["back*.bias"], ["backbone*"], {"backbone.bias"}),
    ],
)
def test_the_more_specific_pattern_counts(
    frozen: list[str], trainable: list[str], expected: set[str]
) -> None:
    assigned = roles(Net(), Contract(frozen=frozen, trainable=trainable))
    assert {name for name, role in assigned.items() if role == "frozen"} == expected


def test_two_equally_specific_patterns_contradict() -> None:
    contract = Contract(frozen=["backbone.*"], trainable=["backbone.*"])
    with pytest.raises(ContractError, match=r"backbone\.weight is frozen by") as caught:
        roles(Net(), contract)
    assert "trainable by 'backbone.*'" in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("backbonee.*", "backbone"),
        ("encoder.backbone.weigth", "backbone.weight"),
        ("heads", "head"),
    ],
)
def test_a_pattern_that_matches_nothing_names_the_nearest(pattern: str, meant: str) -> None:
    with pytest.raises(ContractError, match="did you mean") as caught:
        roles(Net(), Contract(frozen=[pattern]))
    assert repr(pattern) in str(caught.value)
    assert repr(meant) in str(caught.value)


@pytest.mark.parametrize("role", ["frozen", "trainable", "target", "statistics"])
def test_every_role_refuses_a_pattern_that_matches_nothing(role: str) -> None:
    with pytest.raises(ContractError, match="'zzz' matches no parameter"):
        roles(Net(), Contract(**{role: ["zzz"]}))  # type: ignore[arg-type]
    with pytest.raises(ContractError, match="'zzz' matches no parameter"):
        roles(Net(), Contract(frozen_rows={"zzz": slice(3)}))


def test_the_error_comes_on_entry() -> None:
    with pytest.raises(ContractError), watch(Net(), frozen=["zzz"]):
        pytest.fail("the block ran")


@pytest.mark.parametrize("role", ["frozen", "trainable", "target"])
def test_a_lone_pattern_is_a_list_of_one(role: str) -> None:
    assigned = roles(Net(), Contract(**{role: "backbone"}))  # type: ignore[arg-type]
    assert {name for name, found in assigned.items() if found == role} == BACKBONE


def test_what_no_pattern_names_is_free_to_move_and_to_stay() -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.backbone.parameters(), lr=0.1)
    with watch(model, optimizer, frozen=["head.bias"]) as seen:
        for _ in range(12):
            step(model, optimizer)
        model.head.weight.data += 1
    assert not seen.violations


def test_without_patterns_flags_decide() -> None:
    model = Net(nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH)))
    model.backbone.requires_grad_(False)
    assigned = roles(model, Contract())
    assert {name for name, role in assigned.items() if role == "trainable"} == HEAD
    assert assigned["backbone.1.running_mean"] == "frozen"
    model.backbone[1].requires_grad_(True)
    assert roles(model, Contract())["backbone.1.running_mean"] == "free"


def test_names_of_several_models_begin_with_their_keys() -> None:
    models = {"student": Net(), "teacher": Net()}
    assert frozen_by(models, ["teacher"]) == {f"teacher.{name}" for name in BACKBONE | HEAD}
    assert frozen_by(models, ["*.backbone.*"]) == {
        f"{model}.{name}" for model in models for name in BACKBONE
    }


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_names_of_several_models_that_are_wrapped(wrapper: str) -> None:
    models = {"student": Net(), "teacher": Wrapper(Net(), *wrapper.split("."))}
    expected = {f"teacher.{said_of(wrapper, name)}" for name in BACKBONE}
    assert frozen_by(models, ["teacher.backbone"]) == expected


def test_a_contract_may_be_handed_over_as_a_whole() -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    contract = Contract(frozen=["backbone.bias"], trainable=["head"])
    with watch(model, optimizer, contract=contract, on_violation="collect") as seen:
        step(model, optimizer)
    assert said(seen) == on("backbone.bias", kind="frozen-changed")


@pytest.mark.parametrize("options", [{"every": 0}, {"within": 0}, {"every": -1}])
def test_steps_are_counted_from_one(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        watch(Net(), **options)  # type: ignore[arg-type]


def test_patterns_and_a_contract_are_one_too_many() -> None:
    with pytest.raises(TypeError, match="not both"):
        watch(Net(), frozen=["backbone"], contract=Contract())


@pytest.mark.parametrize("options", [{"on_violation": "error"}, {"locate": "sometimes"}])
def test_a_word_that_means_nothing_is_refused(options: dict[str, str]) -> None:
    (word,) = options.values()
    with pytest.raises(ValueError, match=f"not '{word}'"):
        watch(Net(), **options)  # type: ignore[arg-type]
