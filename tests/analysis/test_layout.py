"""How statements are laid out on lines does not matter."""

from __future__ import annotations

import pytest

from tests.checking import check


@pytest.mark.parametrize(
    "statement",
    [
        "for child in model.children(): child.requires_grad = False",
        "if model is not None: model.requires_grad = False",
        "layers = 4; model.requires_grad = False",
    ],
)
def test_a_statement_may_share_its_line(statement: str) -> None:
    check(f"""
        from torchvision.models import resnet18

        model = resnet18()
        {statement}  # expect: FZ101
    """)


def test_a_statement_may_take_several_lines() -> None:
    check("""
        from torchvision.models import resnet18

        model = resnet18()
        for child in (
            model.children()
        ):
            child.requires_grad = (  # expect: FZ101
                False
            )
        (model
            .fc
            .weight
            .requires_grad_(False))
    """)


def test_comments_and_blank_lines_may_stand_between() -> None:
    check("""
        from torchvision.models import resnet18

        model = resnet18()

        for child in model.children():  # all of them

            # the stem too
            child.requires_grad = False  # expect: FZ101
    """)
