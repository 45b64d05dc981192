"""A freeze by name takes in parameters of longer names that begin alike."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.counting import first_left_out
from freezelint.analysis.events import ElementCounted, Event, FlagWritten, NumbersTested
from freezelint.analysis.knowledge.depths import BLOCKS, depth, usual_depth
from freezelint.analysis.knowledge.patterns import FLAG_WRITES, NAME_LISTINGS, NAME_TESTS
from freezelint.analysis.parameter_names import are_whole
from freezelint.analysis.predicates import PATTERNS, ConditionTest, FlagTest, NameTest, NotAll, Some
from freezelint.analysis.selectors import listing, meets, selectors
from freezelint.analysis.values import Constant, Part
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from freezelint.analysis.predicates import Predicate
    from freezelint.analysis.selectors import Selector
    from freezelint.analysis.trace import Trace

_SHOWN = 3

_TEN = 10
"""From so many blocks on, one has a number that begins with that of another."""

_NUMBERED = tuple(
    f"{name}.{number}"
    for name in ("ayer", "ayers", "lock", "locks", "h")
    for number in ("{", "1", "%", '"', "'")
)
"""How texts go on that ask for blocks by number."""


_COUNTED_FROM_ONE = r"range\((?<!arange\()1, ?(?:1 ?\+|[^,\n]{1,40}\+ ?1\))"
"""How the numbers of the first so many look, counted from 1."""


class AmbiguousSelector(Rule):
    """Finds numbers that pick other layers than they seem to.

    What it does:
        Reports a test such as `"features.1" in name` or `name.startswith("layer1")`
        that sets flags, where the model also has parameters in `features.10` or
        `layer10`, and no other test asks for those. It also reports the first `n`
        layers of a list that are frozen by `range(1, n + 1)`.

    Why is this bad:
        A text is found in every name that goes on behind it. Who means block 1 gets
        blocks 10 to 19 along with it: they stay frozen, or train, without anybody
        having asked for it, and nothing says so. Lists of layers count from 0: who
        begins with 1 leaves the first one training below the frozen ones.

    Bad:
        import torch
        from torch import nn
        from torchvision.models import mobilenet_v2

        torch.manual_seed(0)
        pretrained = mobilenet_v2(weights=None).state_dict()
        model = mobilenet_v2(weights=None)
        model.load_state_dict(pretrained)
        model.classifier[1] = nn.Linear(1280, 4)
        for block in range(3):
            for name, parameter in model.named_parameters():
                if f"features.{block}" in name:  # expect: FZ115
                    parameter.requires_grad = False

        trained = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.SGD(trained, lr=0.1)
        images, labels = torch.randn(4, 3, 64, 64), torch.randint(4, (4,))
        for epoch in range(2):
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn
        from torchvision.models import mobilenet_v2

        torch.manual_seed(0)
        pretrained = mobilenet_v2(weights=None).state_dict()
        model = mobilenet_v2(weights=None)
        model.load_state_dict(pretrained)
        model.classifier[1] = nn.Linear(1280, 4)
        for block in range(3):
            for name, parameter in model.named_parameters():
                if f"features.{block}." in name:
                    parameter.requires_grad = False

        trained = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.SGD(trained, lr=0.1)
        images, labels = torch.randn(4, 3, 64, 64), torch.randint(4, (4,))
        for epoch in range(2):
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Texts that end with a dot, numbers that no longer one begins with, tests that
        together ask for the longer names as well, flags that these have anyway or get
        afterwards, and models of which not all names are known. Lists whose layers
        differ, or whose first one is frozen elsewhere, may well be counted from 1.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.named_parameters
        https://github.com/zbf1991/WeCLIP/issues/13
    """

    code = "FZ115"
    name = "ambiguous-selector"
    level = Level.WARNING
    claims = (Claim("dead", "model.features.1?.*"),)
    triggers = (
        ("requires_grad",),
        ("named_parameters(", "named_modules(", "named_children(", "range(1,"),
        ("torchvision", "Sequential(", "Module)", *_NUMBERED, "range(1,"),
    )
    trigger_patterns = (
        FLAG_WRITES,
        (*NAME_TESTS, _COUNTED_FROM_ONE),
        (*NAME_LISTINGS, _COUNTED_FROM_ONE),
    )
    events = ("FlagWritten", "NumbersTested", "ElementCounted")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a test that decides about flags and that longer numbers pass too."""
        if isinstance(event, NumbersTested):
            yield from _check_numbers(event, trace)
            return
        if isinstance(event, ElementCounted):
            yield from _check_counting(event, trace)
            return
        assert isinstance(event, FlagWritten)
        if event.value is None or not event.certain:
            return
        for part in event.parts:
            before = trace.flag(part._replace(predicate=()), event.index, event.path).value
            tests = [_with_blocks(trace, part.key, each) for each in selectors(trace, event, part)]
            if before is event.value and not _is_all_but(trace, event, part.key, tests):
                continue
            for selector in _undivided(tests, part.predicate):
                for text in selector.test.texts:
                    longer = _longer(selector, text) - _asked_for(trace, event, part.key)
                    if longer and not _is_set_again(trace, event, part.key, longer):
                        yield _report(event, selector, text, longer)
                        break


def _is_all_but(trace: Trace, event: FlagWritten, key: int, tests: list[Selector]) -> bool:
    """Whether the same loop gives the other flag to all that none of the tests meets."""
    texts = {text for each in tests for text in each.test.texts}
    return any(
        bool(texts)
        and other.value is (not event.value)
        and other.certain
        and part.key == key
        and texts <= _refused(part)
        and listing(trace, other, key) is listing(trace, event, key)
        for other in trace.all(FlagWritten)
        for part in other.parts
    )


def _refused(part: Part) -> set[str]:
    """The texts that no name of a part may meet, where nothing else is asked of it."""
    tests = [each for each in part.predicate if isinstance(each, NameTest) and each.negated]
    if len(tests) < len(part.predicate):
        return set()
    return {text for each in tests for text in each.texts}


def _check_counting(event: ElementCounted, trace: Trace) -> Iterator[Report]:
    """Report the first layers that are counted from 1, in a list that counts from 0."""
    found = first_left_out(trace, event)
    if found is not None:
        yield Report(
            found.place,
            f"this counts from 1, and `{found.container}` from 0: its first layer is left out, "
            f"and layer {found.bound} is frozen in its stead",
            f"`range({found.bound})` are the first {found.bound}",
            ((found.write.place, "this freezes the layers that are counted"),),
        )


def _check_numbers(event: NumbersTested, trace: Trace) -> Iterator[Report]:
    """Report numbers that nothing ends: 1 is in the names of 10 to 19 as well."""
    if event.repeated or event.test not in ("contains", "startswith"):
        return
    if event.after or event.start > 1:
        return
    if not BLOCKS.search(event.text):
        return
    writes = [each for each in trace.after(event, FlagWritten) if each.value is not None]
    for write in writes:
        if write.place.node is not writes[0].place.node or write.activations != event.activations:
            return
        if any(_is_loose(trace, event, write, part) for part in write.parts):
            done = "freezes" if write.value is False else "unfreezes"
            yield Report(
                event.place,
                f"`{event.text}1` is in the names of `{event.text}10` and more too: this {done} "
                "them as well",
                "end the text with the dot that ends the name, behind the number",
                ((write.place, f"this {done} what passes"),),
            )
            return


def _is_loose(trace: Trace, event: NumbersTested, write: FlagWritten, part: Part) -> bool:
    """Whether a test of open numbers decides about a part that has more blocks than ten."""
    if not _is_open(part.predicate):
        return False
    blocks = _blocks(trace, part.key, event.index)
    if blocks is None or blocks <= _TEN or _is_set_again(trace, write, part.key):
        return False
    return trace.flag(Part(part.key), event.index, event.path).value is not write.value


def _is_open(predicate: Predicate) -> bool:
    """Whether a test of which nothing is known has a part in a predicate."""
    return any(
        isinstance(atom, (Some, ConditionTest))
        or (isinstance(atom, NotAll) and _is_open(atom.atoms))
        for atom in predicate
    )


def _blocks(trace: Trace, key: int, at: int) -> int | None:
    """How many numbered blocks a model has at least, or the only published one in it."""
    inside = [key, *(each.key for each in trace.objects.below(key, at))]
    depths = set()
    for each in inside:
        module = trace.objects.module(each)
        if module.library is None or module.arguments is None:
            continue
        asked = module.arguments.positional[:1] or tuple(module.arguments.keywords.values())[:1]
        if asked and isinstance(asked[0], Constant) and isinstance(asked[0].value, str):
            depths.add(depth(module.library, asked[0].value))
        elif asked:
            depths.add(usual_depth(module.library, trace.file.text))
    depths.discard(None)
    return depths.pop() if len(depths) == 1 else None


def _with_blocks(trace: Trace, key: int, selector: Selector) -> Selector:
    """A selector put to the names of the blocks that it asks for, where no others are known."""
    if selector.names is not None or selector.place is None:
        return selector
    beginnings = set(filter(BLOCKS.search, map(selector.beginning, selector.test.texts)))
    blocks = _blocks(trace, key, selector.place.index) if beginnings else None
    names = tuple(name for name in selector.possible or () if are_whole((name,)))
    if blocks is not None:
        names += tuple(
            f"{each}{number}.weight" for each in sorted(beginnings) for number in range(blocks)
        )
    return selector._replace(names=names) if names else selector


def _undivided(tests: list[Selector], predicate: Predicate) -> Iterator[Selector]:
    """The tests that decided about flags, each put to the names that pass the others."""
    if not all(isinstance(atom, (NameTest, NotAll, FlagTest)) for atom in predicate):
        return
    for mine in tests:
        if mine.names is None or mine.place is None or mine.test.negated:
            continue
        others = [each for each in tests if each is not mine]
        names = tuple(name for name in mine.names if all(_passes(other, name) for other in others))
        yield mine._replace(names=names)


def _passes(selector: Selector, name: str) -> bool:
    is_met = any(
        meets(selector.test.kind, text, prefix + name)
        for text in selector.test.texts
        for prefix in selector.prefixes
    )
    return is_met is not selector.test.negated


def _report(event: FlagWritten, selector: Selector, text: str, longer: set[str]) -> Report:
    assert selector.place is not None
    is_pattern = selector.test.kind in PATTERNS
    named = sorted({_whole_number(name) if is_pattern else _whole(text, name) for name in longer})
    shown = ", ".join(f"`{name}`" for name in named[:_SHOWN])
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    done = "freezes" if event.value is False else "unfreezes"
    return Report(
        selector.place.place,
        f"`{text}` is in the names of {shown}{more} too: this {done} them as well",
        f"end the {'pattern' if is_pattern else 'text'} with the dot that ends the name: "
        f"`{text}{chr(92) * is_pattern}.`",
        ((event.place, f"this {done} what passes"),),
        about=About(
            tuple(f"{event.label}.{name}" for name in sorted(longer)[:_FOLLOWED]),
            shows=("dead",) if event.value is False else ("moves",),
        ),
    )


_FOLLOWED = 50
"""Parameters that a run of the program looks at."""


def _whole(text: str, name: str) -> str:
    """The part of a name that goes on where the text ends."""
    found = re.search(rf"\d*{re.escape(text)}\d+", name)
    return text if found is None else found[0]


def _whole_number(name: str) -> str:
    """A name up to its first number of several digits."""
    found = re.match(r".*?\d\d+", name)
    return name if found is None else found[0]


def _met(selector: Selector, text: str) -> tuple[set[str], set[str]]:
    """The names that a text meets with a number that ends where it does, and the others."""
    if selector.test.kind in PATTERNS:
        return _fitted(selector, text)
    exact: set[str] = set()
    longer: set[str] = set()
    begins = "^" if selector.test.kind == "startswith" else ""
    for name in selector.names or ():
        for prefix in selector.prefixes:
            if re.search(rf"{begins}{re.escape(text)}", prefix + name) is None:
                continue
            is_exact = re.search(rf"{begins}{re.escape(text)}(?!\d)", prefix + name)
            (exact if is_exact else longer).add(name)
    return exact, longer - exact


def _fitted(selector: Selector, pattern: str) -> tuple[set[str], set[str]]:
    """The names in which a match of a pattern ends with a number, and where it cuts one off."""
    if pattern.endswith(_ANY_DIGIT):
        # Whatever number follows is meant.
        return set(), set()
    compiled = re.compile(pattern)
    fit = compiled.match if selector.test.kind == "match" else compiled.search
    exact: set[str] = set()
    longer: set[str] = set()
    for name in selector.names or ():
        for prefix in selector.prefixes:
            found = fit(prefix + name)
            if found is not None and found[0][-1:].isdigit():
                is_cut = found.string[found.end() :][:1].isdigit()
                (longer if is_cut else exact).add(name)
    return exact, longer - exact


_ANY_DIGIT = (r"\d", "[0-9]")
"""How patterns end that ask for some number, and for none in particular."""


def _longer(selector: Selector, text: str) -> set[str]:
    """The names that go on with a digit, where others do not."""
    is_plain = selector.test.kind in ("contains", "startswith") and text[-1:].isdigit()
    if not is_plain and selector.test.kind not in PATTERNS:
        return set()
    exact, longer = _met(selector, text)
    return longer if exact else set()


def _asked_for(trace: Trace, event: FlagWritten, key: int) -> set[str]:
    """The names that tests of the same model for the same flag meet exactly."""
    asked: set[str] = set()
    for other in trace.all(FlagWritten):
        for part in other.parts:
            if part.key == key and other.value is event.value:
                tests = [
                    _with_blocks(trace, key, each)
                    for each in selectors(trace, other, part)
                    if not each.test.negated
                ]
                met = [_met_exactly(each) for each in tests]
                asked |= met[0].intersection(*met[1:]) if met else set()
    return asked


def _met_exactly(selector: Selector) -> set[str]:
    return set().union(*(_met(selector, text)[0] for text in selector.test.texts))


def _is_set_again(trace: Trace, event: FlagWritten, key: int, names: Iterable[str] = ()) -> bool:
    """Whether a later loop, or write, may give the longer names the other flag."""
    for later in trace.after(event, FlagWritten):
        if later.value is event.value:
            continue
        is_other_loop = listing(trace, later, key) is not listing(trace, event, key)
        for part in later.parts:
            if trace.objects.route(part.key, key, later.index) is not None:
                if is_other_loop:
                    return True
            elif _is_among(trace, part, key, names, later.index):
                return True
    return False


def _is_among(trace: Trace, part: Part, key: int, names: Iterable[str], at: int) -> bool:
    """Whether a part lies inside a module, where it has parameters of these names."""
    prefix = trace.objects.route(key, part.key, at)
    return prefix is not None and any(f"{name}.".startswith(f"{prefix}.") for name in names)
