"""Code that looks like a bug to those who do not see which lines follow which."""

from __future__ import annotations

import pytest

from tests.checking import check


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("options.full", "not options.full"),
        ("options.mode == 'full'", "options.mode == 'probe'"),
        ("mode is None", "mode is not None"),
    ],
)
def test_conditions_that_exclude_each_other_are_two_runs(first: str, second: str) -> None:
    check(f"""
        import torch
        from torchvision.models import resnet18

        def build(options, mode):
            model = resnet18()
            if {first}:
                optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            if {second}:
                model.layer1.requires_grad_(False)
                optimizer = torch.optim.SGD(model.fc.parameters(), lr=0.1)
            return model, optimizer
    """)


def test_a_head_is_replaced_only_where_it_was_not_unfrozen() -> None:
    check("""
        from torch import nn
        from torchvision.models import resnet18

        def build(options):
            model = resnet18()
            if options.keep_head:
                model.fc.requires_grad_(True)
            if not options.keep_head:
                model.fc = nn.Linear(512, 10)
            return model
    """)


def test_an_optimizer_that_is_replaced_without_a_step_does_no_harm() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        model = resnet18()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model.layer1.requires_grad_(False)
        optimizer = torch.optim.SGD(model.fc.parameters(), lr=0.1)
        optimizer.step()
    """)


@pytest.mark.parametrize("end", ["sys.exit()", "exit(0)", "os._exit(0)", "assert False"])
def test_nothing_happens_after_the_end_of_the_program(end: str) -> None:
    check(f"""
        import os
        import sys
        import torch
        from torchvision.models import resnet18

        model = resnet18()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        {end}
        model.layer1.requires_grad_(False)
    """)


def test_whoever_runs_a_generator_may_train_between_two_steps_of_it() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        def trained():
            model = resnet18()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            yield model, optimizer
            model.layer1.requires_grad_(False)
            yield model
    """)


def test_a_trained_model_is_frozen_at_the_end() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        def train(loader, criterion):
            model = resnet18()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for x, y in loader:
                loss = criterion(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            model.requires_grad_(False)
            return model
    """)


def test_a_freeze_that_is_taken_back_in_each_step_is_a_toggle() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        def train(loader, criterion):
            model = resnet18()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for x, y in loader:
                model.layer1.requires_grad_(False)
                loss = criterion(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                model.layer1.requires_grad_(True)
    """)


def test_a_function_that_nobody_calls_does_not_follow_the_file() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        model = resnet18()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        def export():
            model.requires_grad_(False)
            torch.save(model, "model.pt")
    """)


def test_each_round_may_have_its_own_model() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        for fold in range(5):
            model = resnet18()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            model(torch.rand(2, 3, 64, 64)).sum().backward()
            optimizer.step()
            model.requires_grad_(False)
    """)


def test_objects_that_hold_each_other_are_handed_over_once() -> None:
    check("""
        import torch
        from elsewhere import log
        from torchvision.models import resnet18

        class Trainer:
            def __init__(self):
                self.model = resnet18()
                self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
                self.callback = Callback(self)
                self.me = self

        class Callback:
            def __init__(self, trainer):
                self.trainer = trainer
                self.history = [trainer, self]

        trainer = Trainer()
        log(trainer, trainer.callback)
        trainer.model.layer1.requires_grad_(False)
        trainer.optimizer.step()
    """)
