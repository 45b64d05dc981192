"""Parameter groups that are picked by conditions, and what they hold together."""

from __future__ import annotations

import pytest

from tests.checking import check

LASTING = [
    "p.ndim > 1",
    "p.dim() >= 2",
    "len(p.shape) == 1",
    "p.numel() < limit",
    'n.endswith(".bias")',
    'n.split(".")[0] == "fc"',
    'n.lower().startswith("fc")',
    "n in skipped",
    "any(part in n for part in skipped)",
    "id(p) in skipped",
    "isinstance(p, special)",
    'p.ndim <= 1 or n.endswith("bias")',
    'p.ndim > 1 and n not in skipped and "fc" not in n',
]

FLEETING = [
    "p.grad is None",
    "p.sum() > 0",
    "p.requires_grad != limit",
    "choose(n)",
    "skipped.pop() in n",
    "n in skipped()",
    "(last := n) in skipped",
    "p.some_mark",
]


@pytest.mark.parametrize("test", LASTING)
def test_what_a_condition_picks_and_what_it_leaves_is_the_whole(test: str) -> None:
    check(f"""
        import torch
        from torchvision.models import resnet18

        def build(limit, skipped, special):
            model = resnet18()
            one = [p for n, p in model.named_parameters() if {test}]
            other = [p for n, p in model.named_parameters() if not ({test})]
            groups = [{{"params": one}}, {{"params": other, "weight_decay": 0.0}}]
            optimizer = torch.optim.SGD(groups, lr=0.1)  # expect: FZ301
            model.layer1.requires_grad_(False)  # evidence
            return optimizer
    """)


@pytest.mark.parametrize("test", LASTING)
def test_the_arms_of_a_condition_pick_the_whole(test: str) -> None:
    check(f"""
        import torch
        from torchvision.models import resnet18

        def build(limit, skipped, special):
            model = resnet18()
            one, other = [], []
            for n, p in model.named_parameters():
                if {test}:
                    one.append(p)
                else:
                    other.append(p)
            optimizer = torch.optim.SGD(one + other, lr=0.1)  # expect: FZ301
            model.layer1.requires_grad_(False)  # evidence
            return optimizer
    """)


@pytest.mark.parametrize("test", FLEETING)
def test_a_condition_may_say_another_thing_the_second_time(test: str) -> None:
    check(f"""
        import torch
        from torchvision.models import resnet18

        def build(limit, skipped, choose):
            model = resnet18()
            one = [p for n, p in model.named_parameters() if {test}]
            other = [p for n, p in model.named_parameters() if not ({test})]
            optimizer = torch.optim.SGD([{{"params": one}}, {{"params": other}}], lr=0.1)
            model.layer1.requires_grad_(False)
            return optimizer
    """)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("p.ndim > 1", "p.ndim <= 1"),
        ("p.ndim < 2", "p.ndim >= 2"),
        ("p.ndim == 1", "p.ndim != 1"),
        ("n in skipped", "n not in skipped"),
        ('n.endswith("bias")', 'not n.endswith("bias")'),
        ('any(t in n for t in ["bias", "bn"])', 'not any(t in n for t in ["bias", "bn"])'),
    ],
)
def test_filters_can_be_each_others_opposite(one: str, other: str) -> None:
    check(f"""
        import torch
        from torchvision.models import resnet18

        def build(skipped):
            model = resnet18()
            with_decay = [p for n, p in model.named_parameters() if {one}]
            without = [p for n, p in model.named_parameters() if {other}]
            optimizer = torch.optim.SGD(with_decay + without, lr=0.1)  # expect: FZ301
            model.layer1.requires_grad_(False)  # evidence
            return optimizer
    """)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("p.ndim > 1", "p.ndim < 1"),
        ("p.ndim > 1", "p.numel() <= 1"),
        ("n in skipped", "n not in others"),
        ('n.endswith("bias")', 'not n.endswith("weight")'),
    ],
)
def test_filters_may_leave_something_out_between_them(one: str, other: str) -> None:
    check(f"""
        import torch
        from torchvision.models import resnet18

        def build(skipped, others):
            model = resnet18()
            with_decay = [p for n, p in model.named_parameters() if {one}]
            without = [p for n, p in model.named_parameters() if {other}]
            optimizer = torch.optim.SGD(with_decay + without, lr=0.1)
            model.layer1.requires_grad_(False)
            return optimizer
    """)


def test_a_name_that_a_condition_reads_may_change_between_two_filters() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        def build(skipped, others):
            model = resnet18()
            one = [p for n, p in model.named_parameters() if n in skipped]
            skipped = others
            other = [p for n, p in model.named_parameters() if n not in skipped]
            optimizer = torch.optim.SGD(one + other, lr=0.1)
            model.layer1.requires_grad_(False)
            return optimizer
    """)


def test_three_groups_can_be_the_whole() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        def build(skipped):
            model = resnet18()
            groups = {"head": [], "norm": [], "rest": []}
            head, norm, rest = [], [], []
            for n, p in model.named_parameters():
                if n.startswith("fc."):
                    head.append(p)
                elif p.ndim == 1 or n in skipped:
                    norm.append(p)
                else:
                    rest.append(p)
            groups = [{"params": each} for each in (head, norm, rest)]
            optimizer = torch.optim.SGD(groups, lr=0.1)  # expect: FZ301
            model.layer1.requires_grad_(False)  # evidence
            return optimizer
    """)


def test_the_number_of_an_element_is_counted_anew() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        def build(few):
            model = resnet18()
            weights = list(model.parameters())
            first = [p for i, p in enumerate(weights) if i < few]
            last = [p for i, p in enumerate(reversed(weights)) if i >= few]
            optimizer = torch.optim.SGD(first + last, lr=0.1)
            model.layer1.requires_grad_(False)
            return optimizer
    """)


def test_filters_by_flag_agree_as_long_as_no_flag_is_written() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        model = resnet18()
        one = [p for n, p in model.named_parameters() if p.requires_grad and "bn" in n]  # expect: FZ302
        other = [p for n, p in model.named_parameters() if p.requires_grad and "bn" not in n]
        model.layer1.requires_grad_(False)  # evidence
        optimizer = torch.optim.SGD([{"params": one}, {"params": other}], lr=0.1)  # evidence
        optimizer.step()
    """)


def test_filters_by_flag_do_not_agree_once_a_flag_is_written() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        model = resnet18()
        one = [p for n, p in model.named_parameters() if p.requires_grad and "bn" in n]
        model.layer1.requires_grad_(False)
        other = [p for n, p in model.named_parameters() if p.requires_grad and "bn" not in n]
        optimizer = torch.optim.SGD([{"params": one}, {"params": other}], lr=0.1)
        optimizer.step()
    """)
