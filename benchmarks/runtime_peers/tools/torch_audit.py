"""torch-audit: `autopatch` around the author's own loop, at every step.

It takes no names. What concerns freezing are its rules on missing gradients and on layers that are
never called. Its rules on weight decay of biases and embeddings are general advice, given on frozen
parameters and trained ones alike, and counted apart.
"""

from __future__ import annotations

from typing import Any

from training import Training

from tools.verdict import AROUND, Remark, Verdict, beyond_the_flags, models_of, names_in, prefix_of

DISTRIBUTION = "torch-audit"
MOMENTS = (AROUND,)
RULES = {"TA104", "TA500"}
ADVICE = {"TA401", "TA402", "TA403"}
WEIGHTY = {"WARN", "ERROR", "FATAL"}
BEYOND = {
    "buffer-changed": "looks at parameters only",
    "rows-changed": "takes no names",
    "train-mode": "takes no names",
}


def check(training: Training) -> Verdict:
    """Every finding at warning level or above of the rules that concern freezing."""
    auditors = patched(training)
    try:
        training.run()
    finally:
        for _, auditor in reversed(auditors):
            auditor.unpatch()
    known = training.known_names()
    remarks = {}
    for prefix, auditor in auditors:
        for finding in auditor.finish().findings:
            if finding.rule_id in RULES | ADVICE and finding.severity.value in WEIGHTY:
                remarks[remark_of(finding, known, prefix)] = None
    return Verdict(tuple(remarks))


def beyond(kind: str, training: Training) -> str:
    """Nothing can be declared: a promise that the flags do not keep is unknown to it."""
    return beyond_the_flags(kind, training) or BEYOND.get(kind, "")


def patched(training: Training) -> list[tuple[str, Any]]:
    """An auditor for each optimizer and each model that it holds parameters of."""
    import torch_audit

    auditors = []
    for optimizer in training.optimizers.values():
        for key in models_of(training, optimizer) or list(training.models)[:1]:
            auditor = torch_audit.autopatch(
                training.models[key], optimizer=optimizer, every_n_steps=1
            )
            auditors.append((prefix_of(training, key), auditor))
    return auditors


def remark_of(finding: Any, known: set[str], prefix: str) -> Remark:
    """A finding, with the layer or the parameter it is on."""
    entity = (finding.entity or "").rpartition("::")[2]
    tensors = names_in([finding.module_path or "", entity], known, prefix)
    text = f"{finding.rule_id} {', '.join(tensors)}: {finding.message}".replace(" :", ":")
    return Remark(text, tensors, advice=finding.rule_id in ADVICE)
