"""Whether a freeze was good for something before the flags were switched on again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    BackwardRan,
    Called,
    ConditionTested,
    FlagWritten,
    ForwardRan,
    OptimizerBuilt,
    Stepped,
)
from freezelint.analysis.knowledge.frameworks import LIGHTNING
from freezelint.analysis.objects import Origin
from freezelint.analysis.training import filters_by_flag, may_be_unknown, shares_activation

if TYPE_CHECKING:
    from freezelint.analysis.trace import Trace


def is_used_between(trace: Trace, freeze: FlagWritten, unfreeze: FlagWritten) -> bool:
    """Whether somebody had something of a freeze before it was undone.

    Args:
        trace: The run that both writes are from.
        freeze: The write of False.
        unfreeze: The later write of True to the same parameters.
    """
    if _is_last_of_several(trace, freeze, unfreeze) or _is_next_turn(trace, freeze, unfreeze):
        return True
    if any(each.name == "torch.save" for each in trace.between(freeze, unfreeze, Called)):
        # With its flags, or what they pick.
        return True
    if _is_copied(trace, freeze, unfreeze) or _is_asserted(trace, freeze, unfreeze):
        return True
    for kind in (BackwardRan, Stepped):
        if any(True for _ in trace.between(freeze, unfreeze, kind)):
            return True
    for built in trace.between(freeze, unfreeze, OptimizerBuilt):
        if any(map(filters_by_flag, built.parts)) or not _is_order_known(freeze, unfreeze):
            return True
    for forward in trace.between(freeze, unfreeze, ForwardRan):
        if any(trace.related(forward.key, part.key, forward.index) for part in freeze.parts):
            return True
    return any(may_be_unknown(trace, part, freeze, unfreeze) for part in freeze.parts)


def _is_last_of_several(trace: Trace, freeze: FlagWritten, unfreeze: FlagWritten) -> bool:
    """Whether a loop freezes one after the other, and what it froze before was used by then."""
    return any(
        each.place.node is freeze.place.node
        and each.activations == freeze.activations
        and each.parts != freeze.parts
        and any(True for _ in trace.between(each, freeze, BackwardRan))
        for each in trace.before(freeze, FlagWritten)
        if trace.parts_overlap(each.parts[0], unfreeze.parts[0], unfreeze.index)
    )


def _is_next_turn(trace: Trace, freeze: FlagWritten, unfreeze: FlagWritten) -> bool:
    """Whether a generator gives something in between, with which its caller trains."""
    first, second = trace.common_place(freeze, unfreeze), trace.common_place(unfreeze, freeze)
    lines = trace.file.text.split("\n")[first.span.line : second.span.line]
    return bool(freeze.scopes) and any(re.search(r"^\s+.*\byield\b", line) for line in lines)


def _is_copied(trace: Trace, freeze: FlagWritten, unfreeze: FlagWritten) -> bool:
    """Whether a copy is made in between, which stays frozen."""
    return any(
        copied.origin is Origin.COPY
        and copied.source is not None
        and freeze.index < copied.born <= unfreeze.index
        and any(trace.related(copied.source, part.key, copied.born) for part in freeze.parts)
        for copied in trace.objects.modules()
    )


def _is_asserted(trace: Trace, freeze: FlagWritten, unfreeze: FlagWritten) -> bool:
    """Whether all that was wanted is to see that the flags are off."""
    return any(
        test.place.statement_code.startswith("assert") and "requires_grad" in test.place.code
        for test in trace.between(freeze, unfreeze, ConditionTested)
    )


def _is_order_known(freeze: FlagWritten, unfreeze: FlagWritten) -> bool:
    """Whether it is not others that call the methods, as the stages of a schedule.

    A script knows its order, and so does Lightning of what it calls before the first epoch.
    """
    return shares_activation(freeze, unfreeze) or unfreeze.scopes[0] in LIGHTNING.start
