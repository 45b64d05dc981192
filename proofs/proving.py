"""Proofs: what was measured, held against what a rule claims."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Literal, NamedTuple

from freezelint.judgement.measures import SHOWN, Measurement, ends_so
from freezelint.rules.documentation import Documentation
from proofs.account import Told
from proofs.execution import Script, run
from proofs.fixing import fixed_example

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezelint.rules.claims import Claim
    from freezelint.rules.rule import Rule
    from proofs.account import Account, Heard
    from proofs.execution import Run

Example = Literal["bad", "good", "fixed"]
"""The fixed one is the bad one as the command repairs it, where it can."""


class Proof(NamedTuple):
    """What a run of an example says to one claim."""

    sentences: tuple[str, ...]
    """What was measured."""
    objections: tuple[str, ...]
    """Why the claim is refuted by the bad example, or the good one is no good; mostly empty."""
    heard: tuple[Heard, ...] = ()
    """What the runtime checker said."""
    output: str = ""
    """What the script printed, and the traceback if it ended with an error."""

    def __str__(self) -> str:
        """What a person reads who has to find out what is wrong."""
        lines = [f"refuted: {each}" for each in self.objections]
        lines += [f"measured: {each}" for each in self.sentences]
        lines += [f"the checker says: {each}" for each in self.heard]
        return "\n".join([*lines, self.output])


class _Finding(NamedTuple):
    """What all processes of a run, or two runs, show together."""

    is_shown: bool
    sentences: tuple[str, ...]
    trouble: str | None = None
    heard: tuple[Heard, ...] = ()


def examples_of(rule: Rule) -> tuple[Example, ...]:
    """Which examples of a rule there are."""
    return ("bad", "good") if fixed_example(rule) is None else ("bad", "good", "fixed")


def script_of(rule: Rule, example: Example) -> Script:
    """The example of a rule."""
    documentation = Documentation.of(type(rule))
    if example != "good":
        source = documentation.bad if example == "bad" else fixed_example(rule)
        assert source is not None
        return Script(source, rule.claims, rule.processes, rule.device)
    claims = tuple(each._replace(subject=each.instead or each.subject) for each in rule.claims)
    return Script(documentation.good, claims, rule.processes, rule.device)


def prove(script: Script, number: int, example: Example) -> Proof:
    """Run an example and judge one of its claims, by its place among them."""
    claim = script.claims[number]
    done = run(script)
    found = _found(script, number, done)
    errors = [f"the script ends with {each.error}" for each in done.accounts if each.error]
    objections = [] if found.trouble is None else [found.trouble]
    if example == "bad":
        if claim.consequence != "raises":
            objections += errors[:1]
        if not found.is_shown and not objections:
            objections.append(f"what is claimed does not happen: {claim.consequence}")
    else:
        objections += errors[:1]
        if found.is_shown:
            objections.append(f"what is claimed happens here too: {claim.consequence}")
        if not any(each.has_trained for each in done.accounts):
            objections.append("nothing trains: no parameter of any model changes")
    return Proof(found.sentences, tuple(objections), found.heard, _printed(done))


def _found(script: Script, number: int, done: Run) -> _Finding:
    claim = script.claims[number]
    if claim.consequence == "raises":
        return _raised(claim, done.accounts)
    told = [_of(number, account) for account in done.accounts]
    first = _decisive(told, claim)
    is_shown, sentences, trouble = first.measured[:3]
    if trouble is not None:
        return _Finding(is_shown, sentences, trouble, first.heard)
    if claim.consequence == "random":
        again = run(script._replace(seed_offset=1)).accounts[0]
        compared = _compared(first, _of(number, again), "two seeds")
    elif claim.consequence == "diverges":
        if len(told) == 1:
            trouble = "a lone process cannot diverge: set `processes = 2`"
            return _Finding(False, (), trouble, first.heard)
        compared = _compared(first, told[1], "two processes")
    else:
        return _Finding(is_shown, sentences, None, first.heard)
    return compared._replace(sentences=(*sentences, *compared.sentences))


def _decisive(told: Sequence[Told], claim: Claim) -> Told:
    """What the process says that decides: one suffices, but what is dead is so in all."""
    for each in told:
        measured = each.measured
        if measured.trouble is not None or measured.is_shown is (claim.consequence not in OF_ALL):
            return each
    return told[0]


OF_ALL = ("dead", "cut")
"""Consequences that hold if they hold of everything that a subject names."""


def _of(number: int, account: Account) -> Told:
    if not account.told:
        return Told(Measurement(trouble="the process ended before it could tell what it had seen"))
    return account.told[number]


def _raised(claim: Claim, accounts: Sequence[Account]) -> _Finding:
    errors = [each.error for each in accounts if each.error is not None]
    if not claim.error:
        return _Finding(False, tuple(errors[:1]), "the claim does not say which error")
    for each in errors:
        if ends_so(each, claim.error):
            return _Finding(True, (_shortened(each),))
    said = tuple(f"another error: {_shortened(each)}" for each in errors[:1])
    return _Finding(False, said or ("it ends without an error",))


def _shortened(error: str) -> str:
    return textwrap.shorten(error.splitlines()[0], 160, placeholder=" ...")


def _compared(one: Told, other: Told, of: str) -> _Finding:
    """Compare the same tensors of two runs or processes."""
    if other.measured.trouble is not None:
        return _Finding(False, (), f"the other of {of}: {other.measured.trouble}", one.heard)
    contents = {each.name: each.content for each in other.values}
    different = []
    for name, size, content in one.values:
        there = contents.get(name, b"")
        count = sum(
            content[start : start + size] != there[start : start + size]
            for start in range(0, len(content), size)
        )
        if count:
            total = len(content) // size
            different.append(f"{name}: {count:,} of {total:,} values differ between {of}")
    if not different:
        equal = (f"{len(one.values)} tensors are equal in {of}",) if one.values else ()
        return _Finding(False, equal, None, one.heard)
    more = [f"and {len(different) - SHOWN} more"] if len(different) > SHOWN else []
    return _Finding(True, (*different[:SHOWN], *more), None, one.heard)


def _printed(done: Run) -> str:
    traces = [each.traceback for each in done.accounts if each.traceback]
    return "\n".join(part for part in (done.output.strip(), *traces[:1]) if part)
