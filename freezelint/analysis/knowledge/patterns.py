"""How code looks that sets flags, builds optimizers, or picks parameters by their names."""

from __future__ import annotations

from freezelint.analysis.search import LinePattern

QUOTED_FLAG = (r"\"requires_grad\"", r"'requires_grad'")
"""Patterns of the flag's name as a string, as ``setattr`` takes it."""

TRAINING_CALLS = (
    r"\.train\((?:True|mode=True|resume_from_checkpoint=.*)?\)(?!`)",
    # A mode that a variable holds; that an override passes its own on says nothing.
    r"\.train\((?<!super\(\)\.train\()(?!False)\w+\)",
)
"""Patterns of source text that may put something into training mode."""

FLAG_WRITES = (
    r"\.requires_grad(?:_\((?![\w.]+\.requires_grad\))|\s*=(?!=)(?! ?[\w.]+\.requires_grad\n))",
    *QUOTED_FLAG,
)
"""Patterns of source text that may set a flag to another value than that of another tensor."""

LIBRARY_FREEZES = (
    "freeze_feature_encoder(",
    "freeze_feature_extractor(",
    "freeze_base_model(",
    "freeze_encoder(",
    "_freeze_parameters(",
)
"""Calls by which a model of transformers freezes a part of itself."""

LIBRARY_FREEZE_CALLS = (r"\.freeze_(?:feature|base|encoder)\w*\(\)", r"\._freeze_parameters\(\)")
"""Patterns of the same."""

FREEZES = (
    r"\.requires_grad_\((?!(?:requires_grad=)?True\)|\)|[\w.]+\.requires_grad\))",
    r"\.requires_grad\s*=(?!=)(?!\s*True[ \t]*[\n#;]| ?[\w.]+\.requires_grad\n)",
    *QUOTED_FLAG,
    r"\.freeze\(\)",
    *LIBRARY_FREEZE_CALLS,
)
"""Patterns of source text that may freeze something."""

OPTIMIZER_WORDS = ("torch.optim", "optim.", "optim,", "ptimizer", "Adam", "SGD")
"""One of these is in every file that builds an optimizer; that something is optimized says little."""

OPTIMIZER_WORDS_OR_NAMES = (
    *OPTIMIZER_WORDS,
    *("RMSprop", "Adagrad", "LBFGS", "Lion", "Muon"),
)
"""The same, for files that call it by another word and import it from elsewhere."""

OPTIMIZER_CONSTRUCTIONS: tuple[str | LinePattern, ...] = (
    r"optim\w*\.(?!lr_scheduler)[A-Z]\w*\(",
    *(
        rf"{name}(?<!class {name})(?!\w*(?:Config|Layer|Model))\w*\("
        for name in (
            *("Adam", "SGD", "RMSprop", "Adagrad", "Adadelta", "LBFGS", "Rprop", "Lion"),
            *("Muon", "Adafactor", "LAMB"),
        )
    ),
    r"Lamb\((?<!class Lamb\()",
    # A class that is chosen first and called later.
    r"optim\w*\.(?!lr_scheduler|Optimizer\b)[A-Z]\w*(?=\s*[,}\n)]| if )",
    *(
        rf"{name}(?<=[:=] {name})(?!\w*Config)\w*(?=\s*[,}}\n)]| if )"
        for name in ("Adam", "SGD", "RMSprop", "Lion", "Muon")
    ),
    LinePattern("optim,", r"[^\n]*getattr\([\w.]*optim,"),
    # A class of the file's own, which is used.
    LinePattern("Optimizer)", r"class (\w+)\([\w.]*Optimizer\)[\s\S]*?(?<!\w)\1\("),
    # One that wraps another was built before.
    r"Optimizer\((?![\w.]*optimizer\b)",
)
"""Patterns of source text that may build an optimizer."""

TRAINER_CALL = r"Trainer\((?![\w., \[\]]*\):\n)"
"""Pattern of a Trainer that is built; the header of a subclass builds none."""

NAME_TESTS = (
    r"startswith\(",
    r"endswith\(",
    r"\.match\(",
    r"\.search\(",
    r"map\(\w+\.(?:startswith|endswith|__contains__),",
    r"\" (?:not )?in \w",
    r"' (?:not )?in \w",
    r"% \w+ in n",
    r"\) in n",
    r" in \w+ for ",
    # The name itself is looked for somewhere, or handed to what tests it.
    LinePattern(
        ".named_",
        r"[^\n]*\bfor (?:\w+, ?)?\(?(?P<name>\w+), ?\w+\)? in [^\n]*\.named_(?:[^\n]*\n){0,20}?[^\n]*"
        r"(?:\bin (?P=name)\b|\b(?P=name) (?:not )?in |\b(?:if|and|or|not)\b[^\n]*\((?P=name)[,)])",
    ),
    # A dict or a list of names, which are tested further below.
    LinePattern(
        ".named_",
        r"(?![^\n]*\bfor (?:\w+, ?)?\(?\w+, ?\w+\)? in )[^\n]*\.named_(?:[^\n]*\n){0,20}?[^\n]*"
        r"(?:if|=|_\() ?(?:not )?\w+ (?:not )?in [\w({\[]",
    ),
    r"\.split\([\"']\.[\"'](?:, ?1)?\)\[0\] (?:[=!]= |(?:not )?in )",
    r"name(?<!model_name)(?<!class_name)(?<!__name) [=!]= ",
    r" n [=!]= ",
    r"\(n [=!]= ",
)
"""Patterns of source text that may test the name of a parameter."""

NAME_LISTINGS = (
    r"in [\w.\[\]()]{1,80}\.named_",
    r"\([\w.\[\]()]{1,80}\.named_",
)
"""Patterns of source text that goes over the names of something but ``self``."""
