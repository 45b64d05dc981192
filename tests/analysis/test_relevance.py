"""Which functions and methods of a file are worth running."""

from __future__ import annotations

from textwrap import dedent

from freezelint.analysis.index import Index
from freezelint.analysis.relevance import Relevance
from freezelint.rules import all_rules

NETWORK = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(4, 4), nn.Linear(4, 2)

    def freeze(self):
        for parameter in self.body.parameters():
            parameter.requires_grad = False
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def size(self):
        return sum(each.numel() for each in self.parameters())


"""


def relevance_of(code: str) -> Relevance:
    text = NETWORK + dedent(code).lstrip("\n")
    return Relevance(Index(text), [*all_rules()])


def test_a_function_that_only_names_a_class_in_an_annotation_is_not_run() -> None:
    relevance = relevance_of("""
        def megabytes(net: Net) -> float:
            return net.size() * 4 / 1e6
    """)
    assert not relevance.of_function("megabytes")


def test_one_that_calls_what_freezes_is_run() -> None:
    relevance = relevance_of("""
        def prepared(net: Net):
            return net.freeze()
    """)
    assert relevance.of_function("prepared")


def test_one_that_makes_the_class_is_run() -> None:
    relevance = relevance_of("""
        def made():
            return Net()
    """)
    assert relevance.of_function("made")


def test_one_is_run_for_what_a_function_does_that_it_calls() -> None:
    relevance = relevance_of("""
        def prepared(net: Net):
            return again(net)


        def again(net):
            return prepared(net) if net is None else frozen(net)


        def frozen(net):
            net.requires_grad_(False)
            return torch.optim.SGD(net.parameters(), lr=0.1)
    """)
    assert relevance.of_function("prepared")


def test_functions_that_call_each_other_and_do_nothing_are_not_run() -> None:
    relevance = relevance_of("""
        def even(net: Net, count):
            return count == 0 or odd(net, count - 1)


        def odd(net: Net, count):
            return count > 0 and even(net, count - 1)
    """)
    assert not relevance.of_function("even")


def test_a_rule_about_a_single_statement_needs_nothing_else() -> None:
    relevance = relevance_of("""
        def predictions(net: Net, images):
            torch.no_grad()
            return net(images)
    """)
    assert relevance.of_function("predictions")


def test_what_a_test_requires_is_no_write_of_a_flag() -> None:
    relevance = relevance_of("""
        class Trial:
            def __init__(self):
                self.net = Net()
                self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1)

            def test_trains(self):
                self.net.body.requires_grad_(False)
                self.optimizer.step()

            @require_torch_gpu
            def test_moves(self):
                self.net.cuda()
    """)
    methods = relevance.methods(relevance._index.classes["Trial"])
    assert methods is not None
    assert "test_moves" not in [each.name for each in methods]
    assert "test_trains" in [each.name for each in methods]
