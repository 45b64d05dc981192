"""Whether a run showed what a rule claims: for the proofs, and for ``freezelint run --check``.

The one place that knows of findings and of tensors. A claim is about some tensors; an
:class:`~freezelint.judgement.observation.Observation` looks at them while a program runs, and
the functions in :mod:`freezelint.judgement.measures` say what came of it.
"""
