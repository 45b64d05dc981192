"""One of two names of the same parameter is frozen or unfrozen as if it were alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.architectures import root_of
from freezelint.analysis.events import Event, FlagWritten
from freezelint.analysis.knowledge.patterns import FLAG_WRITES
from freezelint.analysis.knowledge.shapes import class_of
from freezelint.analysis.knowledge.transformers import tied_names
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import NameTest, OwnTest
from freezelint.analysis.search import LinePattern
from freezelint.analysis.selectors import selectors
from freezelint.analysis.values import Constant
from freezelint.findings import About, Level
from freezelint.records import NamedTuple
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Part


_WITH_TIED_HEADS = (
    "LMHeadModel",
    "DoubleHeadsModel",
    "MaskedLM",
    "ForConditionalGeneration",
    "ForPreTraining",
    "ForCausalLM",
)
"""How the names of classes end that tie the weights of their heads."""


_TIED_T5 = re.compile(r"(?:google-t5/)?t5-(?:small|base|large|3b|11b)$")
"""Checkpoints of T5 with one tensor for the embeddings and the head; later ones have two."""


class Written(NamedTuple):
    """A submodule or parameter that a write reached, from the whole model."""

    root: int
    path: str

    def covers(self, name: str) -> bool:
        """Whether a parameter is (in) what was written."""
        return not self.path or f"{name}.".startswith(f"{self.path}.")


class TiedWeights(Rule):
    """Finds flags set on one name of a parameter that has two.

    What it does:
        Reports a head of a language model of transformers that is unfrozen alone after
        everything was frozen, where its weight is that of the input embedding; a name
        of the two that is frozen after the other was unfrozen; and tests of names that
        look for the one which `named_parameters()` leaves out. Where just one of the two is
        frozen, and nothing is said of the other, it is reported as info.

    Why is this bad:
        Tied weights are one tensor with one flag. Unfreezing `lm_head` trains the input
        embedding too, and with it what every layer gets to see; freezing the
        embedding freezes the head. `named_parameters()` lists such a tensor once,
        under the name that comes first, so a test for the other name meets nothing.

    Bad:
        import torch
        from transformers import GPT2Config, GPT2LMHeadModel

        torch.manual_seed(0)
        config = GPT2Config(
            vocab_size=64, n_positions=32, n_embd=32, n_layer=1, n_head=2,
            bos_token_id=0, eos_token_id=0,
        )
        model = GPT2LMHeadModel(config)
        model.requires_grad_(False)
        model.lm_head.requires_grad_(True)  # expect: FZ607

        trained = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=1e-3)
        tokens = torch.randint(64, (8, 16))
        for epoch in range(3):
            loss = model(input_ids=tokens, labels=tokens).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from transformers import GPT2Config, GPT2LMHeadModel

        torch.manual_seed(0)
        config = GPT2Config(
            vocab_size=64, n_positions=32, n_embd=32, n_layer=1, n_head=2,
            bos_token_id=0, eos_token_id=0, tie_word_embeddings=False,
        )
        model = GPT2LMHeadModel(config)
        model.requires_grad_(False)
        model.lm_head.requires_grad_(True)

        trained = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=1e-3)
        tokens = torch.randint(64, (8, 16))
        for epoch in range(3):
            loss = model(input_ids=tokens, labels=tokens).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Files that speak of `tie_word_embeddings` or `tie_weights`, models whose
        checkpoints may be untied (T5 and its kin, Llama, Qwen), heads that were
        replaced, flags that are set again afterwards, and models that went through code
        out of sight.

    References:
        https://huggingface.co/docs/transformers/main_classes/model#transformers.PreTrainedModel.tie_weights
        https://github.com/huggingface/transformers/issues/11903
        https://github.com/kohjingyu/fromage/issues/18
    """

    code = "FZ607"
    name = "tied-weights"
    level = Level.WARNING
    claims = (Claim("moves", "model.transformer.wte.weight"),)
    triggers = (
        ("requires_grad",),
        ("transformers",),
        ("LMHead", "MaskedLM", "ForCausalLM", "ForConditional", "ForPreTraining", "DoubleHeads"),
    )
    trigger_patterns = (
        FLAG_WRITES,
        # A model is made, in a statement: examples in docstrings begin otherwise.
        (
            *(
                LinePattern(
                    name,
                    r"[ \t]*(?:return[ \t]|\w[\w.]*(?:[ \t]*:[^=\n]+)?[ \t]*=)[ \t]*[\w.]*"
                    rf"{name}(?<!AutoModelForCausalLM)(?:\.from|\()",
                )
                for name in _WITH_TIED_HEADS
            ),
            r"gpt2[\"'-]",
        ),
    )
    events = ("FlagWritten",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a write to one of two names, against what was said of the other."""
        assert isinstance(event, FlagWritten)
        if event.value is None or not event.certain or event.repeated:
            return
        for part in event.parts:
            written = _written(trace, part)
            root = part.key if written is None else written.root
            tied = _tied(trace, root, event)
            for name, source in tied.items():
                report = (
                    _lists_the_other(trace, event, part, name, source)
                    if written is None
                    else _contradiction(trace, event, written, name, source)
                )
                if report is not None:
                    yield report
                    return


def _tied(trace: Trace, root: int, event: FlagWritten) -> dict[str, str]:
    """The names that share a tensor in a model, if that is certain."""
    module = trace.objects.module(root)
    if module.origin is not Origin.BUILT or module.library is None:
        return {}
    given = module.arguments
    asked = None if given is None else next(iter(given.positional), None)
    name = asked.value if isinstance(asked, Constant) else None
    title = class_of(module.library, name)
    # What a checkpoint is for, its class is known to tie.
    tied = tied_names(module.library) or tied_names(f"transformers.{title}.from_pretrained")
    if not tied and isinstance(name, str) and _TIED_T5.match(name):
        tied = tied_names(f"transformers.{title}")
    if not tied or trace.was_handed_over(root, event.index):
        return {}
    if any(map(trace.file.mentions, ("tie_word_embeddings", "tie_weights", "tie_encoder_decoder"))):
        return {}
    return tied


def _written(trace: Trace, part: Part) -> Written | None:
    """Where in its model a part is, if it is all of something; None if it is picked by a test."""
    module = trace.objects.module(part.key)
    own: list[str] = []
    if module.origin is Origin.PARAMETER and module.parent is not None:
        assert module.attribute is not None
        own = [module.attribute]
        module = trace.objects.module(module.parent)
    elif len(part.predicate) == 1 and isinstance(part.predicate[0], OwnTest):
        own = [part.predicate[0].attribute or ""]
    elif part.predicate:
        return None
    root, steps = root_of(trace, module)
    return Written(root.key, ".".join([*(step.strip("[]") for step in steps), *own]))


def _contradiction(
    trace: Trace, event: FlagWritten, written: Written, name: str, source: str
) -> Report | None:
    """A write that reaches one of two names, after another had said the contrary of both."""
    if written.covers(name) is written.covers(source):
        return None
    mine, other = (name, source) if written.covers(name) else (source, name)
    if event.value is True and mine != name:
        # Who trains the embedding of a tied model knows that its output changes.
        return None
    if _is_written_later(trace, event, written.root, (name, source)):
        return None
    said = _said_of(trace, event, written.root, other, source)
    if said is None:
        is_alone = event.value is False and not _is_spoken_of(trace, event, written.root, other)
        return _frozen_alone(event, mine, other) if is_alone else None
    done = "trains" if event.value else "freezes"
    return Report(
        trace.meeting_place(event, said),
        f"`{mine}` and `{other}` are one tensor: this {done} both",
        "untie them (`tie_word_embeddings=False`), or set the flag of both in one place",
        ((trace.meeting_place(said, event), f"`{other}` was to stay as it is set here"),),
        about=About(
            (f"{trace.objects.label(written.root)}.{other}",),
            shows=("moves",) if event.value else ("dead",),
        ),
    )


def _frozen_alone(event: FlagWritten, mine: str, other: str) -> Report:
    return Report(
        event.place,
        f"`{mine}` and `{other}` are one tensor: this freezes both",
        "untie them (`tie_word_embeddings=False`) if only one of them is to stay as it is",
        level=Level.INFO,
    )


def _is_spoken_of(trace: Trace, event: FlagWritten, root: int, name: str) -> bool:
    """Whether any other write reaches a name, or may reach it."""
    for each in trace.all(FlagWritten):
        if each is event:
            continue
        for part in each.parts:
            written = _written(trace, part)
            if written is None and part.key == root:
                return True
            if written is not None and written.root == root and written.covers(name):
                return True
    return False


def _said_of(
    trace: Trace, event: FlagWritten, root: int, name: str, source: str
) -> FlagWritten | None:
    """The write before that gave a parameter the other flag; blanket ones count if they freeze."""
    for earlier in trace.before(event, FlagWritten):
        for part in earlier.parts:
            written = _written(trace, part)
            if written is None and part.key == root and name == source and _picks(part, name):
                is_meant = earlier.value is False
            elif written is None or written.root != root or not written.covers(name):
                continue
            else:
                is_meant = earlier.value is False or bool(written.path)
            is_contrary = earlier.value is (not event.value) and earlier.certain
            return earlier if is_contrary and is_meant else None
    return None


def _picks(part: Part, name: str) -> bool:
    """Whether tests of names, and nothing else, pick a parameter by the one name that is listed."""
    return bool(part.predicate) and all(
        isinstance(test, NameTest) and test.is_met_by(name) for test in part.predicate
    )


def _is_written_later(trace: Trace, event: FlagWritten, root: int, names: tuple[str, str]) -> bool:
    for later in trace.after(event, FlagWritten):
        for part in later.parts:
            written = _written(trace, part)
            if written is None:
                if part.key == root:
                    return True
            elif written.root == root and any(map(written.covers, names)):
                return True
    return False


def _lists_the_other(
    trace: Trace, event: FlagWritten, part: Part, name: str, source: str
) -> Report | None:
    """A test of names for the one of two that is not listed."""
    module = name.rpartition(".")[0]
    for selector in selectors(trace, event, part):
        texts = {text.strip(".") for text in selector.test.texts}
        if selector.test.negated or selector.place is None or not texts <= {name, module}:
            continue
        done = "freezes" if event.value is False else "unfreezes"
        return Report(
            selector.place.place,
            f"`{name}` is `{source}`, and is listed under that name only: this {done} nothing",
            f"test for `{source}`, or untie them with `tie_word_embeddings=False`",
            ((event.place, f"this {done} nothing"),),
        )
    return None
