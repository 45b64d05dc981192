"""Proofs: what was measured, held against what a rule claims."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from freezelint.rules.documentation import Documentation
from proofs.execution import Script, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezelint.rules.claims import Claim
    from freezelint.rules.rule import Rule
    from proofs.account import Account, Heard, Measurement, Value
    from proofs.execution import Run

Example = Literal["bad", "good"]
EXAMPLES: tuple[Example, ...] = ("bad", "good")


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


def script_of(rule: Rule, example: Example) -> Script:
    """The example of a rule."""
    documentation = Documentation.of(type(rule))
    if example == "bad":
        return Script(documentation.bad, rule.claims, rule.processes, rule.device)
    claims = tuple(each._replace(subject=each.instead or each.subject) for each in rule.claims)
    return Script(documentation.good, claims, rule.processes, rule.device)


def prove(script: Script, number: int, example: Example) -> Proof:
    """Run an example and judge one of its claims, by its place among them."""
    claim = script.claims[number]
    done = run(script)
    found = _found(script, claim, done)
    objections = [] if found.trouble is None else [found.trouble]
    errors = [each.error for each in done.accounts if each.error]
    if example == "bad":
        if errors and claim.consequence != "raises":
            objections.append(f"the script ends with {errors[0]}")
        if not found.is_shown and not objections:
            objections.append(f"what is claimed does not happen: {claim.consequence}")
    else:
        if errors:
            objections.append(f"the script ends with {errors[0]}")
        if found.trouble is not None and "names no tensor" in found.trouble:
            objections.append("say in the claim's `instead` what the good example calls it")
        if found.is_shown:
            objections.append(f"what is claimed happens here too: {claim.consequence}")
        if not done.accounts[0].has_trained:
            objections.append("nothing trains: no parameter of any model changes")
    return Proof(found.sentences, tuple(dict.fromkeys(objections)), found.heard, _printed(done))


def _found(script: Script, claim: Claim, done: Run) -> _Finding:
    if claim.consequence == "raises":
        return _raised(claim, done.accounts)
    measurements = [_of(script, claim, account) for account in done.accounts]
    if any(each is None for each in measurements):
        return _Finding(False, (), "the process ended before it could tell what it had seen")
    first = measurements[0]
    assert first is not None
    if first.trouble is not None:
        return _Finding(first.is_shown, first.sentences, first.trouble, first.heard)
    if claim.consequence == "random":
        again = run(script._replace(seed_offset=1))
        other = _of(script, claim, again.accounts[0])
        if other is None or other.trouble is not None:
            reason = "the process ended early" if other is None else other.trouble
            return _Finding(False, (), f"with other seeds: {reason}", first.heard)
        return _compared(first.values, other.values, "two seeds")._replace(heard=first.heard)
    if claim.consequence == "diverges":
        if len(measurements) < 2:
            return _Finding(False, (), "a lone process cannot diverge: set `processes = 2`")
        second = measurements[1]
        assert second is not None
        return _compared(first.values, second.values, "two processes")._replace(heard=first.heard)
    return _Finding(first.is_shown, first.sentences, None, first.heard)


def _of(script: Script, claim: Claim, account: Account) -> Measurement | None:
    if not account.measurements:
        return None
    return account.measurements[script.claims.index(claim)]


def _raised(claim: Claim, accounts: Sequence[Account]) -> _Finding:
    errors = [each.error for each in accounts if each.error is not None]
    if not claim.error:
        return _Finding(False, tuple(errors[:1]), "the claim does not say which error")
    for each in errors:
        if each.startswith(claim.error):
            return _Finding(True, (each.splitlines()[0],))
    said = tuple(f"another error: {each.splitlines()[0]}" for each in errors[:1])
    return _Finding(False, said or ("it ends without an error",))


def _compared(values: Sequence[Value], others: Sequence[Value], of: str) -> _Finding:
    """Compare the same tensors of two runs or processes."""
    contents = {each.name: each.content for each in others}
    different = []
    for name, size, content in values:
        other = contents.get(name, b"")
        count = sum(
            content[start : start + size] != other[start : start + size]
            for start in range(0, len(content), size)
        )
        if count:
            total = len(content) // size
            different.append(f"{name}: {count:,} of {total:,} values differ between {of}")
    if not different:
        return _Finding(False, (f"all {len(values)} tensors are equal in {of}",))
    more = [f"and {len(different) - 3} more"] if len(different) > 3 else []
    return _Finding(True, (*different[:3], *more))


def _printed(done: Run) -> str:
    traces = [each.traceback for each in done.accounts if each.traceback]
    return "\n".join(part for part in (done.output.strip(), *traces[:1]) if part)
