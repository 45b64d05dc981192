"""The command ``python -m proofs``: runs all examples and writes ``docs/proofs.md``."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from freezelint.rules import all_rules
from proofs.execution import ROOT, prepare
from proofs.page import page, prove_all, without_numbers
from proofs.proving import examples_of, prove, script_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezelint.rules.rule import Rule

PAGE = ROOT / "docs" / "proofs.md"


@click.command()
@click.option(
    "--rule", "codes", multiple=True, metavar="CODE", help="Print this rule's proofs only."
)
@click.option("--check", is_flag=True, help="Write nothing; fail if the page would be another.")
def main(codes: tuple[str, ...], check: bool) -> None:
    """Run the examples of all rules, and write docs/proofs.md; fail if a claim is refuted."""
    rules = [rule for rule in all_rules() if not codes or rule.code in codes]
    if not rules:
        raise click.UsageError(f"there is no rule {', '.join(codes)}")
    began = time.monotonic()
    prepare(script_of(rule, example).source for rule in rules for example in examples_of(rule))
    if codes:
        sys.exit(show(rules))
    import torch

    device = torch.cuda.get_device_name() if has_device() else "the CPU"
    refuted: list[str] = []
    proven = prove_all(rules, has_device(), refuted.append)
    for each in refuted:
        click.echo(each, err=True)
    text = page(rules, proven, torch.__version__.partition("+")[0], device)
    if not check and not refuted:
        PAGE.write_text(text, encoding="utf-8")
    is_old = check and without_numbers(text) != without_numbers(PAGE.read_text(encoding="utf-8"))
    if is_old:
        click.echo("docs/proofs.md is not up to date: run python -m proofs", err=True)
    claims = sum(len(rule.claims) for rule in rules)
    seconds = time.monotonic() - began
    click.echo(f"{claims} claims of {len(rules)} rules, {len(refuted)} refuted, in {seconds:.0f} s")
    sys.exit(bool(refuted) or is_old)


def has_device() -> bool:
    """Whether there is a device for the examples that need one."""
    import torch

    return torch.cuda.is_available()


def show(rules: Sequence[Rule]) -> int:
    """Print the proofs of some rules; return how many are refuted."""
    refuted = 0
    for rule in rules:
        if rule.device != "cpu" and not has_device():
            click.echo(f"{rule.code} needs a CUDA device\n")
            continue
        for number, claim in enumerate(rule.claims):
            for example in examples_of(rule):
                proof = prove(script_of(rule, example), number, example)
                refuted += bool(proof.objections)
                about = claim.error or claim.subject
                click.echo(f"{rule.code} {claim.consequence} {about} ({example} example)")
                click.echo("".join(f"  {line}\n" for line in str(proof).strip().splitlines()))
    return refuted


if __name__ == "__main__":
    main()
