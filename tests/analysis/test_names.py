"""One thing under several names, and several things under one."""

from __future__ import annotations

import pytest

from tests.checking import check


def test_an_alias_is_the_same_module() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        model = resnet18()
        net = model
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        trunk = net.layer1
        trunk.requires_grad_(False)  # evidence
        optimizer.step()
    """)


def test_a_copy_is_another_module() -> None:
    check("""
        import copy
        import torch
        from torchvision.models import resnet18

        student = resnet18()
        optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
        teacher = copy.deepcopy(student)
        teacher.requires_grad_(False)
        optimizer.step()
    """)


@pytest.mark.parametrize(
    "chain",
    [
        "model.layer1.requires_grad_(False)",
        "model.train().layer1.eval().requires_grad_(False)",
        "model.to('cuda').layer1.cuda().eval().requires_grad_(False)",
        "frozen = model.layer1.eval().requires_grad_(False).half()",
    ],
)
def test_chained_calls_return_the_same_module(chain: str) -> None:
    check(f"""
        import torch
        from torchvision.models import resnet18

        model = resnet18()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        {chain}  # evidence
        optimizer.step()
    """)


@pytest.mark.parametrize(
    "assignment",
    [
        "one, other = model.layer1, model.fc",
        "(one, [other]) = model.layer1, [model.fc]",
        "one, *rest = model.layer1, model.layer2, model.fc",
        "[one, other] = [model.layer1, model.fc]",
        "zero = one = model.layer1",
        "one: nn.Module = model.layer1",
    ],
)
def test_targets_are_assigned_one_by_one(assignment: str) -> None:
    check(f"""
        import torch
        from torch import nn
        from torchvision.models import resnet18

        model = resnet18()
        {assignment}
        optimizer = torch.optim.SGD(model.layer1.parameters(), lr=0.1)  # expect: FZ301
        one.requires_grad_(False)  # evidence
        optimizer.step()
    """)


def test_names_can_be_swapped() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        one, other = resnet18(), resnet18()
        optimizer = torch.optim.SGD(one.parameters(), lr=0.1)
        one, other = other, one
        one.requires_grad_(False)
        optimizer.step()
    """)


def test_a_name_that_is_bound_again_holds_the_new_module() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        model = resnet18()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        optimizer.step()
        model = resnet18()
        model.requires_grad_(False)
    """)


def test_a_walrus_binds_too() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        optimizer = torch.optim.SGD((model := resnet18()).parameters(), lr=0.1)  # expect: FZ301
        if (trunk := model.layer1) is not None:
            trunk.requires_grad_(False)  # evidence
        optimizer.step()
    """)


@pytest.mark.parametrize(
    "parameters",
    [
        "[p for p in model.parameters()]",
        "(p for _, p in model.named_parameters())",
        "[{'params': model.layer1.parameters()}, {'params': model.fc.parameters()}]",
        "list(model.layer1.parameters()) + list(model.fc.parameters())",
        "itertools.chain(model.layer1.parameters(), model.fc.parameters())",
        "[*model.layer1.parameters(), *model.fc.parameters()]",
        "map(lambda p: p, model.parameters())",
        "params=model.parameters()",
    ],
)
def test_parameters_reach_an_optimizer_in_many_forms(parameters: str) -> None:
    check(f"""
        import itertools
        import torch
        from torchvision.models import resnet18

        model = resnet18()
        optimizer = torch.optim.SGD({parameters}, lr=0.1)  # expect: FZ301
        model.layer1.requires_grad_(False)  # evidence
        optimizer.step()
    """)


@pytest.mark.parametrize(
    "freeze",
    [
        "[p.requires_grad_(False) for p in model.layer1.parameters()]",
        "for p in [q for n, q in model.layer1.named_parameters()]: p.requires_grad = False",
        "list(map(lambda p: p.requires_grad_(False), model.layer1.parameters()))",
        "_ = {n: p.requires_grad_(False) for n, p in model.layer1.named_parameters()}",
    ],
)
def test_comprehensions_act_on_each_element(freeze: str) -> None:
    check(f"""
        import torch
        from torchvision.models import resnet18

        model = resnet18()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        {freeze}  # evidence
        optimizer.step()
    """)
