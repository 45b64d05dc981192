"""Calls: followed within the file with their arguments, and silence where they cannot be."""

from __future__ import annotations

import pytest

from tests.checking import check


@pytest.mark.parametrize(
    ("helper", "call"),
    [
        ("def freeze(m): m.requires_grad_(False)", "freeze(model.layer1)"),
        ("def freeze(m, flag=False): m.requires_grad_(flag)", "freeze(model.layer1)"),
        ("def freeze(m, flag): m.requires_grad_(flag)", "freeze(flag=False, m=model.layer1)"),
        ("def freeze(*ms): [m.requires_grad_(False) for m in ms]", "freeze(model.layer1)"),
        ("def freeze(**ms): ms['m'].requires_grad_(False)", "freeze(m=model.layer1)"),
        ("def freeze(m): m.layer1.requires_grad_(False)", "freeze(*[model])"),
        ("def freeze(m): m.layer1.requires_grad_(False)", "freeze(**{'m': model})"),
        ("freeze = lambda m: m.requires_grad_(False)", "freeze(model.layer1)"),
        ("def freeze(m): return m.requires_grad_(False)", "model.layer1 = freeze(model.layer1)"),
        ("async def freeze(m): m.requires_grad_(False)", "asyncio.run(freeze(model.layer1))"),
        ("def freeze(m): m.requires_grad_(False)", "functools.partial(freeze, model.layer1)()"),
        ("def freeze(m, flag): m.requires_grad_(flag)", "part(flag=False)(model.layer1)"),
        (
            "def freeze(m, flag): m.requires_grad_(flag)",
            "part(flag=True)(model.layer1, flag=False)",
        ),
    ],
)
def test_a_helper_is_followed_with_its_arguments(helper: str, call: str) -> None:
    check(f"""
        import asyncio
        import functools
        import torch
        from torchvision.models import resnet18

        {helper}  # evidence

        part = functools.partial(functools.partial, freeze)
        model = resnet18()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        {call}
        optimizer.step()
    """)


@pytest.mark.parametrize(
    ("helper", "applied"),
    [
        ("def freeze(m): m.requires_grad_(False)", "freeze"),
        ("def freeze(flag, m): m.requires_grad_(flag)", "part(False)"),
    ],
)
def test_a_function_for_every_module_is_shown_where_it_is_applied(
    helper: str, applied: str
) -> None:
    check(f"""
        import functools
        import torch
        from torchvision.models import resnet18

        {helper}

        part = functools.partial(functools.partial, freeze)
        model = resnet18()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        model.layer1.apply({applied})  # evidence
        optimizer.step()
    """)


def test_a_helper_with_several_callers_is_shown_where_it_is_called() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        def set_requires_grad(nets, flag):
            if not isinstance(nets, list):
                nets = [nets]
            for net in nets:
                for p in net.parameters():
                    p.requires_grad = flag

        model, other = resnet18(), resnet18()
        set_requires_grad(other, False)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        set_requires_grad([model.layer1, model.layer2], False)  # evidence
        optimizer.step()
    """)


@pytest.mark.parametrize(("flag", "mark"), [("True", "  # expect: FZ301"), ("False", "")])
def test_the_argument_decides_a_branch_in_the_helper(flag: str, mark: str) -> None:
    check(f"""
        import torch
        from torchvision.models import resnet18

        def set_parameter_requires_grad(model, feature_extracting):
            if feature_extracting:
                for p in model.parameters():
                    p.requires_grad = False

        model = resnet18()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1){mark}
        set_parameter_requires_grad(model.layer1, {flag})
        optimizer.step()
    """)


def test_what_a_function_returns_is_followed() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        def build_model():
            return resnet18()

        def build(lr):
            model = build_model()
            return model, torch.optim.SGD(model.parameters(), lr=lr)  # expect: FZ301

        model, optimizer = build(0.1)
        model.layer1.requires_grad_(False)  # evidence
        optimizer.step()
    """)


def test_a_function_in_a_function_sees_its_names() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        def main():
            model = resnet18()

            def freeze():
                model.layer1.requires_grad_(False)  # evidence

            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
            freeze()
            optimizer.step()
    """)


def test_a_function_sees_the_names_of_the_file() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        model = resnet18()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301

        def freeze():
            model.layer1.requires_grad_(False)  # evidence

        freeze()
        optimizer.step()
    """)


def test_helpers_call_helpers() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        def freeze_parameter(p):
            p.requires_grad = False  # evidence

        def freeze_parameters(parameters):
            for p in parameters:
                freeze_parameter(p)

        def freeze(module):
            freeze_parameters(module.parameters())

        model = resnet18()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        freeze(model.layer1)
        optimizer.step()
    """)


def test_recursion_over_children_is_cut_and_nothing_is_claimed_too_much() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        def freeze(module):
            for child in module.children():
                freeze(child)
            for p in module.parameters(recurse=False):
                p.requires_grad = False

        def unfreeze(module):
            unfreeze(module)

        model = resnet18()
        freeze(model.layer1)
        unfreeze(model.layer1)
        optimizer = torch.optim.SGD(model.fc.parameters(), lr=0.1)
        optimizer.step()
    """)


def test_nothing_is_claimed_of_a_module_that_unknown_code_had_in_hands() -> None:
    check("""
        import torch
        from torchvision.models import resnet18
        from project import prepare

        model = resnet18()
        model.layer1.requires_grad_(False)
        prepare(model)
        optimizer = torch.optim.SGD(model.layer1.parameters(), lr=0.1)
        optimizer.step()
    """)


def test_nothing_is_claimed_of_an_optimizer_that_unknown_code_may_have_rebuilt() -> None:
    check("""
        import torch
        from torchvision.models import resnet18
        from project import train

        model = resnet18()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        train(model, optimizer)
        model.layer1.requires_grad_(False)
        optimizer.step()
    """)


@pytest.mark.parametrize(
    "call", ["print(model)", "len(list(model.parameters()))", "log(str(model))"]
)
def test_harmless_calls_change_nothing(call: str) -> None:
    check(f"""
        import torch
        from torchvision.models import resnet18
        from project import log

        model = resnet18()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        {call}
        model.layer1.requires_grad_(False)  # evidence
        optimizer.step()
    """)


def test_a_name_alone_never_says_what_something_is() -> None:
    check("""
        def build(model, optimizer, layer):
            optimizer = make(model, lr=0.1)
            model.layer.requires_grad = False
            model.requires_grad = False
            return optimizer
    """)


def test_nothing_is_said_about_a_scope_that_is_too_large_to_follow() -> None:
    padding = "\n".join(f"{' ' * 8}x = [{number}, x]" for number in range(13_000))
    check(f"""
        import torch
        from torchvision.models import resnet18

        model = resnet18()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        x = None
{padding}
        model.layer1.requires_grad_(False)
        optimizer.step()
    """)


def test_a_scope_that_is_too_large_keeps_no_other_from_being_checked() -> None:
    padding = "\n".join(f"{' ' * 12}x = [{number}, x]" for number in range(13_000))
    check(f"""
        import torch
        from torchvision.models import resnet18

        def large(model, x):
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            model.layer1.requires_grad_(False)
{padding}

        def small():
            model = resnet18()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
            model.layer1.requires_grad_(False)
            return optimizer
    """)
