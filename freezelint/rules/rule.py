"""What a rule is: one class that documents, illustrates and performs one check."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freezelint.analysis.events import Event
    from freezelint.analysis.search import LinePattern
    from freezelint.analysis.syntax import Place
    from freezelint.analysis.trace import Trace
    from freezelint.findings import About, Fix, Level
    from freezelint.rules.claims import Claim


class Report(NamedTuple):
    """A rule's verdict, before positions are worked out."""

    place: Place
    message: str
    help: str
    evidence: tuple[tuple[Place, str], ...] = ()
    level: Level | None = None
    """Overrides the rule's own level for this one finding."""
    fix: Fix | None = None
    about: About | None = None
    """The tensors that it is about, by names that the code has for them."""


class IndexedRule(NamedTuple):
    """What must be known of a rule before its module is loaded."""

    code: str
    level: Level
    module: str
    """The module that it is in, below this package."""
    triggers: tuple[tuple[str, ...], ...]
    trigger_patterns: tuple[tuple[str | LinePattern, ...], ...]

    @property
    def name(self) -> str:
        """The code in words, which a rule's file is named for."""
        return self.module.rpartition(".")[2].replace("_", "-")

    @classmethod
    def of(cls, rule: Rule) -> IndexedRule:
        """What must be known of this rule."""
        module = type(rule).__module__.removeprefix("freezelint.rules.")
        return cls(rule.code, rule.level, module, rule.triggers, rule.trigger_patterns)


class Rule:
    """The base of every rule.

    A rule subscribes to events that the interpreter announced and looks at the
    trace around each of them. It keeps no state and never walks a tree.

    The docstring of a subclass is its documentation. It has these sections, in
    this order, each headed by a line that ends with a colon and stands alone:
    ``What it does:``, ``Why is this bad:``, ``Bad:``, ``Good:``, ``When it is
    silent:`` and ``References:``. What stands under a heading is indented by
    four spaces. ``Bad`` and ``Good`` each hold one complete script; the script
    under ``Bad`` marks the wrong line with ``# expect: CODE``.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    level: ClassVar[Level]
    claims: ClassVar[tuple[Claim, ...]]
    """What a run of the bad example shows, and a run of the good one does not."""
    unproven: ClassVar[str] = ""
    """Why no run can show what is claimed; empty if one does."""
    processes: ClassVar[int] = 1
    """How many processes the examples are run in, each with its rank in the environment."""
    device: ClassVar[str] = "cpu"
    """Where the examples show what is claimed; ``cuda`` if only there."""
    triggers: ClassVar[tuple[tuple[str, ...], ...]]
    """Words without which the rule cannot fire: of each group at least one must occur."""
    trigger_patterns: ClassVar[tuple[tuple[str | LinePattern, ...], ...]] = ()
    """Regular expressions for a rule whose words are common: of each group one must match too.

    Each should begin with a literal, or name a word of its line: the search for it is
    what makes them fast.
    """
    events: ClassVar[tuple[str, ...]]
    """Names of the event classes that :meth:`check` is called with."""
    is_local: ClassVar[bool] = False
    """Whether one statement decides, with nothing but the kinds of the things that it names."""
    reads_classes: ClassVar[bool] = False
    """Whether a class for itself can decide: what it is made of, and its ``forward``."""
    fix: ClassVar[Literal["none", "safe", "unsafe"]] = "none"
    """What kind of fix it offers where it knows one; ``safe`` ones change the freeze only."""

    def check(self, event: Event, trace: Trace) -> Iterable[Report]:
        """Yield a report for each bug that this event completes."""
        raise NotImplementedError
