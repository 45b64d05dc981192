"""Submodules by attribute, by name in a string, by number and by slice."""

from __future__ import annotations

import pytest

from tests.checking import check


@pytest.mark.parametrize(
    "freeze",
    [
        'getattr(model, "layer1").requires_grad_(False)',
        'getattr(model, "layer1", None).requires_grad_(False)',
        'model.get_submodule("layer1").requires_grad_(False)',
        'for p in model.layer1.parameters(): setattr(p, "requires_grad", False)',
        'model._modules["layer1"].requires_grad_(False)',
        'model._modules.get("layer1").requires_grad_(False)',
        "for child in model._modules.values(): child.requires_grad_(False)",
        "for name, child in model._modules.items(): child.requires_grad_(False)",
        'for name in ["conv1", "layer1"]: getattr(model, name).requires_grad_(False)',
        'for i in range(1, 3): getattr(model, f"layer{i}").requires_grad_(False)',
        'for i in range(1, 3): getattr(model, "layer" + str(i)).requires_grad_(False)',
    ],
)
def test_a_name_in_a_string_leads_to_the_submodule(freeze: str) -> None:
    check(f"""
        import torch
        from torchvision.models import resnet18

        model = resnet18()
        optimizer = torch.optim.SGD(model.layer1.parameters(), lr=0.1)  # expect: FZ301
        {freeze}  # evidence
        optimizer.step()
    """)


@pytest.mark.parametrize(
    "freeze",
    [
        "model.fc.weight.requires_grad = False",
        'setattr(model.fc.weight, "requires_grad", False)',
        "model.layer1[0].conv1.weight.requires_grad_(False)",
        "model.layer1[0].conv1.weight.requires_grad = False",
    ],
)
def test_one_parameter_can_be_frozen(freeze: str) -> None:
    check(f"""
        import torch
        from torchvision.models import resnet18

        model = resnet18()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        {freeze}  # evidence
        optimizer.step()
    """)


def test_a_range_that_leaves_a_layer_out_does_not_reach_it() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        model = resnet18()
        optimizer = torch.optim.SGD(model.layer4.parameters(), lr=0.1)
        for i in range(1, 4):
            getattr(model, f"layer{i}").requires_grad_(False)
        optimizer.step()
    """)


def test_a_name_that_is_not_known_leads_nowhere() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        def build(options):
            model = resnet18()
            optimizer = torch.optim.SGD(model.layer1.parameters(), lr=0.1)
            getattr(model, options.part).requires_grad_(False)
            return optimizer
    """)


@pytest.mark.parametrize(
    "replacement",
    [
        "model.fc = nn.Linear(512, 10)",
        'setattr(model, "fc", nn.Linear(512, 10))',
        'model.add_module("fc", nn.Linear(512, 10))',
        'model._modules["fc"] = nn.Linear(512, 10)',
        "model.fc, classes = nn.Linear(512, 10), 10",
        "classes, model.fc = 10, nn.Linear(512, 10)",
        "head = model.fc = nn.Linear(512, 10)",
    ],
)
def test_a_submodule_is_replaced_in_many_forms(replacement: str) -> None:
    check(f"""
        from torch import nn
        from torchvision.models import resnet18

        model = resnet18()
        model.fc.requires_grad_(True)  # evidence
        {replacement}  # expect: FZ601
    """)


@pytest.mark.parametrize("number", ["6", "-1"])
def test_an_element_of_a_container_is_replaced_by_its_number(number: str) -> None:
    check(f"""
        from torch import nn
        from torchvision.models import vgg16

        model = vgg16()
        model.classifier[{number}].requires_grad_(True)  # evidence
        model.classifier[{number}] = nn.Linear(4096, 10)  # expect: FZ601
    """)


def test_numbers_from_the_end_are_the_same_elements() -> None:
    check("""
        from torch import nn

        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        model[2].requires_grad_(True)  # evidence
        model[-1] = nn.Linear(8, 10)  # expect: FZ601
    """)


@pytest.mark.parametrize(
    "change",
    [
        "model.append(nn.Dropout())",
        "for rate in rates: model.append(nn.Dropout(rate))",
        "model.insert(0, nn.Dropout())",
        "model.extend(more)",
        "del model[1]",
        "adapt(model)",
    ],
)
def test_numbers_from_the_end_are_others_once_the_length_changes(change: str) -> None:
    check(f"""
        from torch import nn
        from project import adapt, more, rates

        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        model[2].requires_grad_(True)
        {change}
        model[-1] = nn.Linear(8, 10)
    """)


def test_what_is_appended_is_the_last_element() -> None:
    check("""
        from torch import nn

        model = nn.Sequential(nn.Linear(4, 8))
        model.append(nn.Linear(8, 2))
        model[1].requires_grad_(True)  # evidence
        model[-1] = nn.Linear(8, 10)  # expect: FZ601
    """)


def test_another_method_may_change_the_length() -> None:
    check("""
        from torch import nn

        class Growing(nn.Module):
            def __init__(self):
                super().__init__()
                self.heads = nn.ModuleList([nn.Linear(8, 2), nn.Linear(8, 2)])
                self.heads[1].requires_grad_(True)

            def grow(self):
                self.heads.append(nn.Linear(8, 2))

            def renew(self):
                self.heads[-1] = nn.Linear(8, 10)
    """)


def test_another_element_is_another_module() -> None:
    check("""
        from torch import nn
        from torchvision.models import vgg16

        model = vgg16()
        model.classifier[3].requires_grad_(True)
        model.classifier[6] = nn.Linear(4096, 10)
    """)


@pytest.mark.parametrize(
    "freeze",
    [
        "for part in model.features[:10]: part.requires_grad_(False)",
        "model.features[:10].requires_grad_(False)",
        "for p in model.features[0:10].parameters(): p.requires_grad = False",
        "for part in list(model.features.children())[:10]: part.requires_grad_(False)",
        "for p in list(model.parameters())[:-2]: p.requires_grad = False",
    ],
)
def test_a_slice_holds_some_of_the_parameters(freeze: str) -> None:
    check(f"""
        import torch
        from torchvision.models import vgg16

        model = vgg16()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        {freeze}  # evidence
        optimizer.step()
    """)


def test_a_slice_is_not_taken_for_the_whole() -> None:
    check("""
        import torch
        from torchvision.models import vgg16

        model = vgg16()
        for p in list(model.parameters())[:-2]:
            p.requires_grad = False
        trainable = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.SGD(trainable, lr=0.1)
        optimizer.step()
    """)
