"""Trainings in two processes, one after the other; what each process saw goes to a file.

torchrun --nproc-per-node 2 cases.py FOLDER [NAME ...]
"""

from __future__ import annotations

import faulthandler
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from freezelint.runtime import Contract, watch
from freezelint.runtime.peers import NoAnswer
from tests.distributed.trainings import (
    STEPS,
    WRAPS,
    broken,
    ddp,
    decaying,
    frozen_net,
    fsdp2,
    fsdp_as_one,
    nothing,
    own,
    seen_in,
    sgd,
    train,
    write,
    written_by,
    zero,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Case = Callable[[], dict[str, Any]]

FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
LIMIT = 120
CASES: dict[str, Case] = {}


def case(name: str) -> Callable[[Case], Case]:
    def register(run: Case) -> Case:
        CASES[name] = run
        return run

    return register


def _of_each_wrap(wrap: Callable[[nn.Module], nn.Module]) -> None:
    @case(f"clean-{wrap.__name__}")
    def clean() -> dict[str, Any]:
        model = wrap(frozen_net())
        return seen_in(model, sgd(model))

    @case(f"raises_nothing-{wrap.__name__}")
    def raises_nothing() -> dict[str, Any]:
        model = wrap(frozen_net().eval())
        return seen_in(model, decaying(model), on_violation="raise")

    @case(f"written-{wrap.__name__}")
    def written() -> dict[str, Any]:
        model = wrap(frozen_net())
        return seen_in(model, sgd(model), lambda step: write(model) if step == 2 else None)

    @case(f"written_on_one_rank-{wrap.__name__}")
    def written_on_one_rank() -> dict[str, Any]:
        model = wrap(frozen_net())
        # As one flat parameter all of the backbone is in the half of rank 0.
        after = written_by(int(wrap is not fsdp_as_one), model)
        return seen_in(model, sgd(model), after, on_violation="raise")

    @case(f"decays-{wrap.__name__}")
    def decays() -> dict[str, Any]:
        model = wrap(frozen_net())
        return seen_in(model, decaying(model), frozen=["extra"], trainable=["head"])

    @case(f"dead-{wrap.__name__}")
    def dead() -> dict[str, Any]:
        inner = frozen_net()
        inner.unused = nn.Linear(3, 3)
        model = wrap(inner)
        return seen_in(model, sgd(model), trainable=["unused", "head"])


for each_wrap in WRAPS:
    _of_each_wrap(each_wrap)


@case("norm_in_eval_mode-ddp")
def norm_in_eval_mode() -> dict[str, Any]:
    inner = frozen_net(norm=True)
    inner.backbone.eval()
    model = ddp(inner)
    return seen_in(model, sgd(model))


@case("norm_drifts-ddp")
def norm_drifts() -> dict[str, Any]:
    model = ddp(frozen_net(norm=True))
    return seen_in(model, sgd(model))


@case("one_rank_unfroze-ddp")
def one_rank_unfroze() -> dict[str, Any]:
    model = ddp(frozen_net())
    model.module.backbone.requires_grad_(dist.get_rank() == 1)
    return seen_in(model, sgd(model), on_violation="raise")


@case("copies_differ-ddp")
def copies_differ() -> dict[str, Any]:
    model = ddp(frozen_net())
    if dist.get_rank() == 1:
        write(model)
    return seen_in(model, sgd(model))


@case("copies_left_to_each-ddp")
def copies_left_to_each() -> dict[str, Any]:
    inner = frozen_net()
    ignored = ["backbone.0.weight", "backbone.0.bias"]
    DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(inner, ignored)
    model = ddp(inner)
    if dist.get_rank() == 1:
        write(model)
    return seen_in(model, sgd(model))


@case("frozen_after_wrapping-ddp")
def frozen_after_wrapping() -> dict[str, Any]:
    model = DistributedDataParallel(frozen_net(), find_unused_parameters=True)
    model.module.extra.requires_grad_(False)
    return seen_in(model, sgd(model))


@case("clean-zero")
def clean_zero() -> dict[str, Any]:
    model = ddp(frozen_net())
    return seen_in(model, zero(model))


@case("written_on_one_rank-zero")
def written_on_one_rank_zero() -> dict[str, Any]:
    model = ddp(frozen_net())
    return seen_in(model, zero(model), written_by(1, model), on_violation="raise")


def words() -> nn.Module:
    """An embedding of which each process has half of the rows."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Embedding(8, 4), nn.Flatten(), nn.Linear(8, 2))
    return fully_shard(layers, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))


@case("rare_words-fsdp2")
def rare_words() -> dict[str, Any]:
    """The rows of one process are never looked up, those of the other are."""
    model = words()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watching = watch(model, optimizer, on_violation="collect", within=2)
    with watching:
        for _ in range(STEPS):
            optimizer.zero_grad()
            model(torch.tensor([[0, 1], [2, 3]])).sum().backward()
            optimizer.step()
    return {"violations": [(each.kind.value, each.tensor) for each in watching.violations]}


def _rows(*, changed: int) -> dict[str, Any]:
    model = words()
    watching = watch(
        model, trainable=["2"], frozen_rows={"0.weight": slice(2, 6)}, on_violation="collect"
    )
    with watching:
        dist.barrier()
        # The rows of rank 1 begin with the fifth.
        if dist.get_rank() == 1:
            own(model[0].weight.data)[changed - 4] += 1.0
    return {"violations": [(each.kind.value, each.tensor) for each in watching.violations]}


CASES["frozen_rows-fsdp2"] = lambda: _rows(changed=5)
CASES["other_rows-fsdp2"] = lambda: _rows(changed=6)


@case("uneven_steps-alone")
def uneven_steps() -> dict[str, Any]:
    """Each process trains a model of its own, one of them for longer."""
    model = frozen_net()
    return seen_in(model, sgd(model), steps=2 + 3 * dist.get_rank())


def _one_fails(failing: int) -> dict[str, Any]:
    model = frozen_net()

    def after(step: int) -> None:
        if step == 1:
            dist.barrier()
        if dist.get_rank() == failing and step == 2:
            raise ZeroDivisionError("by accident")

    return seen_in(model, sgd(model), after)


CASES["rank_0_fails-alone"] = lambda: _one_fails(0)
CASES["rank_1_fails-alone"] = lambda: _one_fails(1)


@case("only_rank_1_watches-ddp")
def only_rank_1_watches() -> dict[str, Any]:
    model = ddp(frozen_net())
    optimizer = sgd(model)
    if dist.get_rank() == 0:
        train(model, optimizer, nothing, STEPS)
        return {"violations": []}
    return seen_in(model, optimizer)


@case("rank_0_watched_more-ddp")
def rank_0_watched_more() -> dict[str, Any]:
    """Rank 0 watches the same model once more than the others, on its own, before all do."""
    model = ddp(frozen_net())
    if dist.get_rank() == 0:
        with watch(model, on_violation="collect"):
            pass
    return seen_in(model, sgd(model), written_by(1, model), on_violation="raise")


@case("leaves_late-alone")
def leaves_late() -> dict[str, Any]:
    """Rank 1 stays in its watch until rank 0 has given up waiting for it."""
    model = frozen_net()

    def after(step: int) -> None:
        if step == 1 or (step == 2 and dist.get_rank() == 1):
            dist.barrier()

    result = seen_in(model, sgd(model), after, timeout=0.3)
    if dist.get_rank() == 0:
        dist.barrier()
    return result


def _manifests(wrap: Callable[[nn.Module], nn.Module]) -> None:
    @case(f"manifest-{wrap.__name__}")
    def manifest() -> dict[str, Any]:
        """Saved by both, and checked by both: of the same model, and of one that differs."""
        path = FOLDER / f"of_{wrap.__name__}.manifest"
        model = wrap(frozen_net(norm=True))
        Contract(frozen=["backbone"], trainable=["head"]).save(path, model)
        same = broken(path, model)
        of_one = FOLDER / "of_one.manifest"
        if dist.get_rank() == 1 or wrap is fsdp_as_one:
            write(model)
        return {"same": same, "written": broken(path, model), "of_one": broken(of_one, model)}


for each_wrap in WRAPS:
    _manifests(each_wrap)


@case("manifest_alone-fsdp2")
def manifest_alone() -> dict[str, Any]:
    """Only one process of several comes to save what is shared out among them."""
    model = fsdp2(frozen_net())
    if dist.get_rank() == 1:
        return {"said": ""}
    try:
        Contract().save(FOLDER / "alone.manifest", model, timeout=0.2)
    except NoAnswer as error:
        return {"said": str(error)}
    return {"said": ""}


def main(*names: str) -> None:
    faulthandler.dump_traceback_later(LIMIT, exit=True)
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    for name in names or CASES:
        result = CASES[name]()
        (FOLDER / f"{name}.{dist.get_rank()}.json").write_text(json.dumps(result))
        # All are at the same point, whatever a case raised: the group is as good as before.
        dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[2:])
