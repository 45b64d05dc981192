"""An option that is to switch a freeze is of the type `bool`, which takes any text for True."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.events import Event, OptionTypedAsBool
from freezelint.analysis.search import LinePattern
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace

_FREEZING = frozenset(
    [
        *("freeze", "frozen", "unfreeze", "freezing", "unfrozen"),
        *("finetune", "finetuning", "trainable"),
    ]
)
"""Words that say what an option is about."""

_IN_ONE_WORD = ("freez", "unfreez", "nofreez", "finetun", "frozen")
"""How such words begin, whatever follows without a hyphen."""

_HOLDING = frozenset(
    {"train", "tune", "tuning", "fix", "fixed", "lock", "locked", "update", "static"}
)
"""Words that say it of a part of a model only."""

_PARTS = frozenset(
    [
        "fine",
        *("backbone", "encoder", "decoder", "trunk", "body", "stem", "base", "head", "neck"),
        *("embed", "embedding", "embeddings", "layer", "layers", "features", "extractor"),
        *("bn", "norm", "batchnorm", "bert", "vit", "cnn", "resnet", "clip", "unet", "vae", "llm"),
        *("text", "vision", "visual", "projector", "adapter", "classifier", "teacher"),
    ]
)
"""Next to these, `train` and `tune` do not mean to run a training or a search, nor `fix` a bug."""

_WITH_PARSERS_OF_ITS_OWN = frozenset({"jsonargparse", "tap", "fire", "absl"})


class BoolTypedFreezeOption(Rule):
    """Finds `type=bool` on a command-line option that switches a freeze.

    What it does:
        Reports `add_argument("--freeze-...", type=bool)` of `argparse`, for options that
        say in their name that something is frozen, fine-tuned or trained.

    Why is this bad:
        `argparse` calls `bool` with the text of the option, and every text but the empty
        one is true: `--freeze-backbone False` gives `True`, without a message. The
        option cannot be switched off by writing what everybody writes.

    Bad:
        import argparse

        import torch
        from torch import nn

        torch.manual_seed(0)

        parser = argparse.ArgumentParser()
        parser.add_argument("--tune-backbone", type=bool, default=True)  # expect: FZ117
        args = parser.parse_args(["--tune-backbone", "False"])


        class Classifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.backbone = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.backbone(x))


        model = Classifier()
        model.backbone.requires_grad_(args.tune_backbone)

        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import argparse

        import torch
        from torch import nn

        torch.manual_seed(0)

        parser = argparse.ArgumentParser()
        parser.add_argument(
            "--tune-backbone", action=argparse.BooleanOptionalAction, default=True
        )
        args = parser.parse_args(["--no-tune-backbone"])


        class Classifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.backbone = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.backbone(x))


        model = Classifier()
        model.backbone.requires_grad_(args.tune_backbone)

        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Functions that turn text into a bool (`type=str2bool`), `store_true` and
        `BooleanOptionalAction`, parsers that understand `bool` (jsonargparse and
        Lightning's, click, typed configurations), options about other things, and
        parsers of which it is not known where they come from.

    References:
        https://docs.python.org/3/library/argparse.html#type
        https://docs.python.org/3/library/argparse.html#argparse.BooleanOptionalAction
        https://github.com/pyg-team/pytorch_geometric/issues/4967
    """

    code = "FZ117"
    name = "bool-typed-freeze-option"
    level = Level.ERROR
    claims = (Claim("moves", "model.backbone.*"),)
    triggers = (
        ("add_argument(",),
        ("type=bool", "type = bool"),
        ("freez", "frozen", "tun", "train", "fix", "lock", "update", "static"),
    )
    trigger_patterns = (
        (
            LinePattern("type=bool", r"[^#\n]*type=bool\b"),
            LinePattern("type = bool", r"[^#\n]*type = bool\b"),
        ),
    )
    is_local = True
    events = ("OptionTypedAsBool",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report an option about freezing that every text switches on."""
        assert isinstance(event, OptionTypedAsBool)
        if not event.is_argparse and not _parses_like_argparse(trace):
            return
        if _REGISTERED.search(trace.file.text):
            return
        if _is_about_freezing(event.option):
            yield Report(
                event.place,
                f"`{event.option} False` gives True: `bool` of every text but the empty one is "
                "True, so this option cannot be switched off",
                "write `action=argparse.BooleanOptionalAction` instead of `type=bool`",
            )


_REGISTERED = re.compile(r"\.register\(\s*[\"']type[\"'],\s*bool\b")
"""A parser is told what to do with `type=bool`."""


def _parses_like_argparse(trace: Trace) -> bool:
    """Whether a parser that comes from elsewhere is one of ``argparse`` in all likelihood."""
    file = trace.file
    if "argparse" not in file.packages or file.packages & _WITH_PARSERS_OF_ITS_OWN:
        return False
    return not any("LightningCLI" in name or ".cli" in name for name in file.imports.values())


def _is_about_freezing(option: str) -> bool:
    words = re.split(r"[-_.]", option.lstrip("-").lower())
    if _FREEZING.intersection(words) or any(map(_begins_so, words)):
        return True
    return not _HOLDING.isdisjoint(words) and not _PARTS.isdisjoint(words)


def _begins_so(word: str) -> bool:
    return word.startswith(_IN_ONE_WORD)
