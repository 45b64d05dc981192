"""freezelint: `watch` around the author's own loop, told every promise."""

from __future__ import annotations

from training import Training

from tools.verdict import AROUND, Remark, Verdict

DISTRIBUTION = "freezelint"
MOMENTS = (AROUND,)


def check(training: Training) -> Verdict:
    """Every violation."""
    from freezelint.runtime import watch

    models = dict(training.models)
    with watch(
        next(iter(models.values())) if len(models) == 1 else models,
        *training.optimizers.values(),
        frozen=list(training.frozen),
        trainable=list(training.trainable),
        target=list(training.targets),
        statistics=list(training.statistics),
        frozen_rows=dict(training.frozen_rows or {}),
        every=1,
        on_violation="collect",
    ) as seen:
        training.run()
    known = training.known_names()
    return Verdict(
        tuple(
            Remark(
                f"{violation.kind}: {violation.message}",
                (violation.tensor,) if violation.tensor in known else (),
                kind=violation.kind,
            )
            for violation in seen.violations
        )
    )


def beyond(kind: str, training: Training) -> str:
    """Every promise has its option."""
    return ""
