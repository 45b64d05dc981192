"""Loops over parameters, over modules and over epochs."""

from __future__ import annotations

import pytest

from tests.checking import check


def test_a_loop_over_parameters_freezes_them_all() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        model = resnet18(weights="DEFAULT")
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        for p in model.layer1.parameters():
            p.requires_grad = False  # evidence
        optimizer.step()
    """)


@pytest.mark.parametrize(
    "body",
    [
        'p.requires_grad = "fc" in name',
        'if "fc" not in name: p.requires_grad = False',
        'p.requires_grad_(name.startswith("fc"))',
        'p.requires_grad = False if name.startswith("layer1") else True',
    ],
)
def test_a_test_of_the_name_picks_parameters(body: str) -> None:
    check(f"""
        import torch
        from torchvision.models import resnet18

        model = resnet18(weights="DEFAULT")
        whole = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        head = torch.optim.SGD(model.fc.parameters(), lr=0.1)
        for name, p in model.named_parameters():
            {body}  # evidence
        whole.step()
        head.step()
    """)


def test_continue_leaves_the_other_parameters_alone() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        model = resnet18(weights="DEFAULT")
        whole = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        head = torch.optim.SGD(model.fc.parameters(), lr=0.1)
        for name, p in model.named_parameters():
            if name.startswith("fc"):
                continue
            p.requires_grad = False  # evidence
        whole.step()
        head.step()
    """)


@pytest.mark.parametrize(
    "test",
    [
        'name.startswith("layer4.")',
        'name.startswith("layer4.0.")',
        'name.startswith(("layer4.0.", "layer4.1."))',
        'name == "layer4.0.conv1.weight"',
        'name.startswith("layer4")',
        'name.startswith("layer")',
        '"layer4" in name',
        'not name.startswith("fc")',
    ],
)
def test_a_name_may_pick_some_or_all_of_what_an_optimizer_holds(test: str) -> None:
    check(f"""
        import torch
        from torchvision.models import resnet18

        model = resnet18(weights="DEFAULT")
        optimizer = torch.optim.SGD(model.layer4.parameters(), lr=0.1)  # expect: FZ301
        for name, p in model.named_parameters():
            if {test}:
                p.requires_grad = False  # evidence
        optimizer.step()
    """)


@pytest.mark.parametrize(
    "test",
    [
        'name.startswith("layer3.")',
        'name.startswith(("layer3.", "layer4."))',
        'name.endswith("bias")',
        '"bn" in name',
        '"fc" not in name',
        'not name.startswith("layer")',
    ],
)
def test_a_name_may_pick_other_parameters_than_an_optimizer_holds(test: str) -> None:
    check(f"""
        import torch
        from torchvision.models import resnet18

        model = resnet18(weights="DEFAULT")
        optimizer = torch.optim.SGD(model.layer2.parameters(), lr=0.1)
        for name, p in model.named_parameters():
            if {test}:
                p.requires_grad = False
        optimizer.step()
    """)


def test_loops_can_be_nested() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        model = resnet18(weights="DEFAULT")
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        for child in model.children():
            for p in child.parameters():
                p.requires_grad = False  # evidence
        optimizer.step()
    """)


def test_a_loop_over_a_tuple_of_modules_takes_each() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        model = resnet18(weights="DEFAULT")
        optimizer = torch.optim.SGD(model.layer2.parameters(), lr=0.1)  # expect: FZ301
        for part in (model.conv1, model.layer1, model.layer2):
            part.requires_grad_(False)  # evidence
        optimizer.step()
    """)


def test_a_loop_over_other_modules_touches_no_more() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        model = resnet18(weights="DEFAULT")
        optimizer = torch.optim.SGD(model.layer2.parameters(), lr=0.1)
        for part in [model.conv1, model.layer1]:
            part.requires_grad_(False)
        optimizer.step()
    """)


def test_a_dictionary_of_modules_can_be_looped_over() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        models = {"student": resnet18(weights="DEFAULT"), "teacher": resnet18()}
        optimizer = torch.optim.SGD(models["teacher"].parameters(), lr=0.1)  # expect: FZ301
        for name, each in models.items():
            each.requires_grad_(False)  # evidence
        optimizer.step()
    """)


@pytest.mark.parametrize(
    "header",
    [
        "for number, each in enumerate([one, other])",
        "for each in reversed([one, other])",
        "for each in list((one, other))",
        "for name, each in zip(['one', 'other'], [one, other])",
    ],
)
def test_what_is_looped_over_can_be_wrapped(header: str) -> None:
    check(f"""
        import torch
        from torchvision.models import resnet18

        one, other = resnet18(weights="DEFAULT"), resnet18()
        optimizer = torch.optim.SGD(other.parameters(), lr=0.1)  # expect: FZ301
        {header}:
            each.requires_grad_(False)  # evidence
        optimizer.step()
    """)


def test_a_while_loop_runs_its_body() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        model = resnet18(weights="DEFAULT")
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        while not model.layer1.training:
            model.layer1.requires_grad_(False)  # evidence
        optimizer.step()
    """)


def test_what_one_iteration_does_the_next_one_finds() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        def train(loader, criterion):
            model = resnet18(weights="DEFAULT")
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # evidence
            for x, y in loader:
                loss = criterion(model(x), y)
                loss.backward()  # evidence
                model.layer1.requires_grad_(False)  # expect: FZ305
                optimizer.step()  # evidence
    """)


def test_an_optimizer_built_in_each_round_sees_the_freeze_of_the_last() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        model = resnet18(weights="DEFAULT")
        for part in [model.layer1, model.layer2]:
            part.requires_grad_(False)
            trainable = [p for p in model.parameters() if p.requires_grad]
            optimizer = torch.optim.SGD(trainable, lr=0.1)
            optimizer.step()
    """)


def test_the_else_of_a_loop_runs_after_it() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        model = resnet18(weights="DEFAULT")
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        for name in ("a.pt", "b.pt"):
            if name == "c.pt":
                break
        else:
            model.layer1.requires_grad_(False)  # evidence
        optimizer.step()
    """)
