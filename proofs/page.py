"""The page of proofs: what each rule claims, and what was measured of that."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from proofs.proving import Example, Proof, examples_of, prove, script_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from freezelint.findings import Consequence
    from freezelint.rules.claims import Claim
    from freezelint.rules.rule import Rule
    from proofs.account import Heard

    Proven = dict[tuple[str, int, Example], Proof]
    """Proofs by code, number of the claim and example."""

_HEAD = """\
# Proofs

Every rule claims that something happens. Here its bad example was run, and it happened; its good
example was run, and it did not, while something else trained. Each script runs unchanged in a process
of its own, under the runtime checker (`freezelint.runtime.watch`) and beside copies of all values; a
change that the checker does not see refutes the proof too. Where `--fix --unsafe-fixes` repairs the bad
example, the repaired script was run as well, and the bug was gone. The lines that begin with "the checker" are
its own words on the bad example. Tensors are named by the script's variables; `freezelint explain FZ101`
prints both scripts of a rule.

Written by `python -m proofs` with PyTorch {torch}, on {device}. The numbers may differ elsewhere.
"""

_WORDS: dict[Consequence, str] = {
    "moves": "parameters that were meant to stay change",
    "drifts": "buffers of a frozen part change",
    "dead": "parameters that were meant to train never change",
    "cut": "parameters that were meant to train get no gradient",
    "raises": "the script ends with this error",
    "wastes": "the optimizer holds what is frozen, or gradients are computed for what never moves",
    "random": "what is frozen was never trained: other seeds give other values",
    "differs": "a frozen part computes something else than in evaluation mode",
    "diverges": "processes that train one model end with different values",
}


def prove_all(rules: Iterable[Rule], has_device: bool, tell: Callable[[str], None]) -> Proven:
    """Run the examples of all rules; those that need a device are left out where there is none."""
    proven: Proven = {}
    for rule in rules:
        if rule.device != "cpu" and not has_device:
            continue
        for number in range(len(rule.claims)):
            for example in examples_of(rule):
                proof = prove(script_of(rule, example), number, example)
                proven[rule.code, number, example] = proof
                if proof.objections:
                    tell(f"{rule.code}, {example} example\n{proof}")
    return proven


def page(rules: Sequence[Rule], proven: Proven, torch: str, device: str) -> str:
    """The whole page, as Markdown."""
    lines = [_HEAD.format(torch=torch, device=device), *_summary(rules, proven), ""]
    for rule in rules:
        lines += [heading(rule), ""]
        if rule.unproven:
            lines.append(rule.unproven)
        said: tuple[Heard, ...] = ()
        for number, claim in enumerate(rule.claims):
            lines.append(claimed(claim))
            for example in examples_of(rule):
                lines.append(
                    f"  - {example}: {_measured(proven.get((rule.code, number, example)))}"
                )
            bad = proven.get((rule.code, number, "bad"))
            if bad is not None and bad.heard != said:
                said = bad.heard
                lines += [f"  - the checker: {each}" for each in _spoken(said)]
        lines.append("")
    return "\n".join(lines)


def _summary(rules: Sequence[Rule], proven: Proven) -> Iterator[str]:
    yield "| rule | claims | the checker says on the bad example |"
    yield "|--|--|--|"
    for rule in rules:
        claims = ", ".join(claim.consequence for claim in rule.claims) or "none"
        said = {
            each.cause or each.kind: None
            for number in range(len(rule.claims))
            if (rule.code, number, "bad") in proven
            for each in proven[rule.code, number, "bad"].heard
        }
        causes = [each for each in said if each.startswith("FZ")]
        yield f"| {rule.code} {rule.name} | {claims} | {', '.join(causes or said)} |"


def outline(text: str) -> list[str]:
    """What of a page depends on the rules alone: headings, claims, and reasons for none."""
    _, _, rules = text.partition("\n## ")
    return [line for line in f"## {rules}".splitlines() if line and not line.startswith("  - ")]


def outline_of(rules: Sequence[Rule]) -> list[str]:
    """The outline of the page of these rules, without running them."""
    return outline(page(rules, {}, "", ""))


def without_numbers(text: str) -> str:
    """A page without the numbers that another machine may measure otherwise."""
    return re.sub(r"(?<![\w.])\d[\d,.]*(e[+-]\d+)?", "#", text)


def heading(rule: Rule) -> str:
    """The line above a rule's claims."""
    return f"## {rule.code} {rule.name} ({rule.level.value})"


def claimed(claim: Claim) -> str:
    """A claim in words."""
    about = claim.error or claim.subject
    steps = f", after {claim.after} step{'s' * (claim.after > 1)}" if claim.after else ""
    return f"- **{claim.consequence}** `{about}`{steps}: {_WORDS[claim.consequence]}"


def _measured(proof: Proof | None) -> str:
    if proof is None:
        return "not measured: there was no device"
    if proof.objections:
        return f"REFUTED: {'; '.join(proof.objections)}"
    return "; ".join(proof.sentences)


def _spoken(heard: Sequence[Heard]) -> Iterator[str]:
    """Each kind and cause once, with the first sentence."""
    firsts: dict[tuple[str, str | None], list[Heard]] = {}
    for each in heard:
        firsts.setdefault((each.kind, each.cause), []).append(each)
    for (kind, cause), said in firsts.items():
        more = f" (and {len(said) - 1} more)" if len(said) > 1 else ""
        yield f"`{kind}`{f', {cause}' if cause else ''}: {said[0].message}{more}"
