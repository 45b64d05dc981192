"""What fixes promise: the bug is gone, the text parses, and nothing else has changed."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from freezelint.analysis.analyze import analyze
from freezelint.findings import Edit, Fix, Span
from freezelint.fixes import inputs_after, stays_in_one_input
from freezelint.repair import repair
from freezelint.rules import all_rules
from freezelint.rules.documentation import Documentation
from freezelint.sources.python import Source, decode
from tests.properties.strategies import mutants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezelint.findings import Finding
    from freezelint.rules.rule import Rule

FIXTURES = Path(__file__).parents[2] / "fixtures"
BUGS = sorted(FIXTURES.rglob("*_bug_*.py"))
FEW = settings(max_examples=40, deadline=None, derandomize=True)


def look(source: Source) -> Sequence[Finding] | None:
    found, problems = analyze(source, all_rules())
    return None if problems else found


def fixed(text: str, *, unsafe: bool = True) -> str:
    return repair(decode("example.py", text.encode()), look, unsafe=unsafe).source.text


@pytest.mark.parametrize("script", BUGS, ids=lambda path: path.stem)
@pytest.mark.parametrize("unsafe", [False, True], ids=["safe", "unsafe"])
def test_a_fixed_fixture_parses_has_fewer_findings_and_stays_as_it_is(
    script: Path, unsafe: bool
) -> None:
    source = decode(str(script), script.read_bytes())
    before = look(source)
    once = repair(source, look, unsafe=unsafe)
    ast.parse(once.source.text)
    after = look(once.source)
    assert before is not None
    assert after is not None
    for code, made in once.made.items():
        assert sum(each.code == code for each in after) <= (
            sum(each.code == code for each in before) - made
        )
    again = repair(once.source, look, unsafe=unsafe)
    assert again.source.text == once.source.text
    if not once.made:
        assert once.source.text == source.text


@pytest.mark.parametrize(
    "optimized",
    [
        "optimizer = SGD(model.parameters(), lr=0.1)",
        "held = [p for p in model.parameters() if p.requires_grad]\noptimizer = SGD(held, lr=0.1)",
    ],
)
def test_no_optimizer_is_moved_to_where_it_would_get_nothing(optimized: str) -> None:
    text = f"""\
from torch import nn
from torch.optim import SGD
from torchvision.models import resnet18

model = resnet18()
{optimized}
for parameter in model.parameters():
    parameter.requires_grad = False
model.fc = nn.Linear(512, 10)
optimizer.step()
"""
    source = decode("example.py", text.encode())
    assert {each.code for each in look(source) or ()} & {"FZ301", "FZ302"}
    assert fixed(text) == text


@FEW
@given(mutants())
def test_whatever_is_fixed_parses_and_is_fixed_once_for_all(text: str) -> None:
    once = fixed(text)
    ast.parse(once)
    assert fixed(once) == once


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_a_rule_offers_the_kind_of_fix_that_it_says(rule: Rule) -> None:
    scripts = [*FIXTURES.rglob(f"{rule.code.lower()}_bug_*.py")]
    texts = [each.read_text("utf-8") for each in scripts]
    texts.append(Documentation.of(type(rule)).bad)
    fixes = [
        each.fix
        for text in texts
        for each in look(decode("example.py", text.encode())) or ()
        if each.code == rule.code and each.fix is not None
    ]
    assert bool(fixes) is (rule.fix != "none")
    if rule.fix == "unsafe":
        assert not any(each.is_safe for each in fixes)
    elif rule.fix == "safe":
        assert any(each.is_safe for each in fixes)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_newlines_stay_what_they_are(newline: str) -> None:
    text = newline.join(
        [
            "import torch",
            "net = torch.nn.Linear(1, 1)",
            "optimizer = torch.optim.SGD(net.parameters(), lr=1.0)",
            "net.eval",
            "net.bias.requires_grad_(False)",
            "net(torch.ones(1)).backward()",
            "optimizer.step()",
            "",
        ]
    )
    after = fixed(text)
    assert "net.eval()" in after
    assert after.index("net.bias") < after.index("optimizer = ")
    assert after.count(newline) == text.count(newline)
    assert len(after.split(newline)) == len(text.split(newline))


EXAMPLES = {
    "comments and odd spacing stay": (
        """
        import torch
        net = torch.nn.Linear(1, 1)
        net.requires_grad   =  ( False )   # the whole of it
        """,
        """
        import torch
        net = torch.nn.Linear(1, 1)
        net.requires_grad_(( False ))   # the whole of it
        """,
    ),
    "two statements on a line": (
        """
        import torch
        net = torch.nn.Linear(1, 1)
        net.eval; net.bias.requires_grad == False; x = 1
        """,
        """
        import torch
        net = torch.nn.Linear(1, 1)
        net.eval(); net.bias.requires_grad = False; x = 1
        """,
    ),
    "comments above a moved statement go with it": (
        """
        import torch
        net = torch.nn.Linear(1, 1)
        # Small steps.
        optimizer = torch.optim.SGD(net.parameters(), lr=1.0)  # no momentum
        net.bias.requires_grad_(False)
        net(torch.ones(1)).backward()
        optimizer.step()
        """,
        """
        import torch
        net = torch.nn.Linear(1, 1)
        net.bias.requires_grad_(False)
        # Small steps.
        optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=1.0)  # no momentum
        net(torch.ones(1)).backward()
        optimizer.step()
        """,
    ),
    "what is used in between is not moved": (
        """
        import torch
        net = torch.nn.Linear(1, 1)
        optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2)
        net.bias.requires_grad_(False)
        net(torch.ones(1)).backward()
        optimizer.step()
        """,
        None,
    ),
    "a generator becomes a list": (
        """
        import torch
        net = torch.nn.Linear(1, 1)
        trained = (p for p in net.parameters() if p.requires_grad)
        print(sum(p.numel() for p in trained))
        optimizer = torch.optim.SGD(trained, lr=1.0)
        """,
        """
        import torch
        net = torch.nn.Linear(1, 1)
        trained = list(p for p in net.parameters() if p.requires_grad)
        print(sum(p.numel() for p in trained))
        optimizer = torch.optim.SGD(trained, lr=1.0)
        """,
    ),
    "a stored attribute that is read may have a reader": (
        """
        import torch
        net = torch.nn.Linear(1, 1)
        net.requires_grad = False
        if net.requires_grad:
            print("trains")
        """,
        None,
    ),
    "a name for the module from before is no way to the one after": (
        """
        import torch
        from torchvision.models import resnet18
        net = resnet18()
        head = net.fc
        head.requires_grad_(True)
        net.fc = torch.nn.Linear(512, 2)
        """,
        None,
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_as_a_person_would_write_it(name: str) -> None:
    before, after = (
        None if text is None else textwrap.dedent(text).lstrip("\n") for text in EXAMPLES[name]
    )
    assert before is not None
    unsafe = "moved" in name or "module" in name
    assert fixed(before, unsafe=unsafe) == (before if after is None else after)


def _edit(line: int, text: str, end_line: int = 0) -> Edit:
    return Edit(Span(line, 1, end_line or line, 1), text)


def test_cells_end_lower_once_lines_are_added_above() -> None:
    edits = [_edit(2, "x\ny\n"), _edit(5, "", end_line=6)]
    assert inputs_after((1, 3, 7), edits) == (1, 5, 8)


@pytest.mark.parametrize(
    ("lines", "stays"), [((1, 3), True), ((3,), True), ((3, 4), False), ((4, 9), True)]
)
def test_a_fix_stays_in_a_cell_if_all_its_edits_do(lines: tuple[int, ...], stays: bool) -> None:
    fix = Fix("move it", tuple(_edit(line, "") for line in lines), is_safe=False)
    assert stays_in_one_input(fix, (3, 9)) is stays
    assert stays_in_one_input(fix, ())
