"""Classes of the file: one ``self`` in all methods, and what they inherit."""

from __future__ import annotations

import pytest

from tests.checking import check


def test_the_constructor_runs_before_a_method() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        class Trainer:
            def __init__(self):
                self.model = resnet18()
                self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)  # expect: FZ301

            def train(self):
                for p in self.model.layer1.parameters():
                    p.requires_grad = False  # evidence
                self.optimizer.step()
    """)


def test_methods_call_each_other_on_the_same_self() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        class Trainer:
            def __init__(self):
                self.build()
                self.freeze()  # evidence

            def build(self):
                self.model = resnet18()
                self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)  # expect: FZ301

            def freeze(self):
                self.model.layer1.requires_grad_(False)

            def again(self):
                self.freeze()

            def train(self):
                self.optimizer.step()
    """)


def test_a_model_given_to_the_constructor_is_followed() -> None:
    check("""
        import torch

        class Trainer:
            def __init__(self, model, lr):
                self.net = model
                self.optimizer = torch.optim.SGD(self.net.parameters(), lr=lr)  # expect: FZ301
                for p in self.net.backbone.parameters():
                    p.requires_grad = False  # evidence

            def step(self):
                self.optimizer.step()
    """)


def test_a_module_of_the_file_is_made_by_its_constructor() -> None:
    check("""
        import torch
        from torch import nn
        from torchvision.models import resnet18

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.trunk = resnet18()
                self.head = nn.Linear(512, 10)
                for p in self.trunk.parameters():
                    p.requires_grad = False

        model = Net()
        model.trunk.requires_grad_(True)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        model.trunk.requires_grad_(False)  # evidence
        optimizer.step()
    """)


def test_what_a_constructor_froze_is_frozen_already() -> None:
    check("""
        import torch
        from torch import nn
        from torchvision.models import resnet18

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.trunk = resnet18()
                self.head = nn.Linear(512, 10)
                self.trunk.requires_grad_(False)

        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model.trunk.requires_grad_(False)
        optimizer.step()
    """)


def test_a_method_of_a_module_is_followed() -> None:
    check("""
        import torch
        from torch import nn
        from torchvision.models import resnet18

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.trunk = resnet18()
                self.head = nn.Linear(512, 10)

            def freeze_trunk(self):
                for p in self.trunk.parameters():
                    p.requires_grad = False  # evidence

        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        model.freeze_trunk()
        optimizer.step()
    """)


def test_a_subclass_inherits_the_methods_of_a_class_of_the_file() -> None:
    check("""
        import torch
        from torch import nn
        from torchvision.models import resnet18

        class Base(nn.Module):
            def freeze(self):
                self.trunk.requires_grad_(False)  # evidence

        class Net(Base):
            def __init__(self):
                super().__init__()
                self.trunk = resnet18()
                self.head = nn.Linear(512, 10)

        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        model.freeze()
        optimizer.step()
    """)


def test_super_runs_what_a_method_overrides() -> None:
    check("""
        import torch
        from torch import nn
        from torchvision.models import resnet18

        class Base(nn.Module):
            def __init__(self):
                super().__init__()
                self.trunk = resnet18()

            def freeze(self):
                self.trunk.requires_grad_(False)

        class Net(Base):
            def __init__(self):
                super().__init__()
                self.head = nn.Linear(512, 10)

            def freeze(self):
                super().freeze()
                print("frozen")

        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        model.freeze()  # evidence
        optimizer.step()
    """)


def test_a_method_overrides_that_of_the_base() -> None:
    check("""
        import torch
        from torch import nn
        from torchvision.models import resnet18

        class Base(nn.Module):
            def __init__(self):
                super().__init__()
                self.trunk = resnet18()

            def freeze(self):
                self.trunk.requires_grad_(False)

        class Net(Base):
            def freeze(self):
                print("nothing is frozen")

        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model.freeze()
        optimizer.step()
    """)


@pytest.mark.parametrize(
    ("decorator", "first"),
    [
        ("staticmethod", ""),
        ("classmethod", "cls, "),
    ],
)
def test_methods_without_self_are_followed(decorator: str, first: str) -> None:
    check(f"""
        import torch
        from torchvision.models import resnet18

        class Tools:
            @{decorator}
            def freeze({first}module):
                module.requires_grad_(False)  # evidence

        model = resnet18()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        Tools.freeze(model.layer1)
        optimizer.step()
    """)


def test_a_property_leads_to_what_it_returns() -> None:
    check("""
        import torch
        from torch import nn
        from torchvision.models import resnet18

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.trunk = resnet18()
                self.head = nn.Linear(512, 10)

            @property
            def backbone(self):
                return self.trunk

        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        model.backbone.requires_grad_(False)  # evidence
        optimizer.step()
    """)


def test_two_methods_are_not_taken_to_follow_each_other() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        class Trainer:
            def __init__(self):
                self.model = resnet18()

            def full(self):
                self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
                self.optimizer.step()

            def probe(self):
                self.model.layer1.requires_grad_(False)
                self.optimizer = torch.optim.SGD(self.model.fc.parameters(), lr=0.1)
                self.optimizer.step()
    """)


def test_two_instances_are_two_modules() -> None:
    check("""
        import torch
        from torch import nn
        from torchvision.models import resnet18

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.trunk = resnet18()

        student, teacher = Net(), Net()
        optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
        teacher.trunk.requires_grad_(False)
        optimizer.step()
    """)
