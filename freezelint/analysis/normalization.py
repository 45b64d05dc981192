"""Which layers of normalisation a piece of code picks by their class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.knowledge import transformers
from freezelint.analysis.predicates import NotAll, TypeTest

if TYPE_CHECKING:
    from freezelint.analysis.predicates import Atom, Predicate

BATCH_NORM_CLASSES = frozenset(
    {
        *("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"),
        *("LazyBatchNorm1d", "LazyBatchNorm2d", "LazyBatchNorm3d"),
        *("_BatchNorm", "_NormBase"),
    }
)
"""Classes of ``torch.nn`` and ``torch.nn.modules.batchnorm`` whose layers keep statistics."""

BATCH_NORM_BASES = frozenset({"_BatchNorm", "_NormBase"})
"""Those that all others derive from."""

STATISTICS_WORDS = (
    *("BatchNorm", "InstanceNorm", "torchvision", "timm", "segmentation_models", "hub.load"),
    *transformers.STATISTICS_WORDS,
)
"""Of a file without one of these it is not known that a module keeps statistics."""

MODE_WORDS = (*STATISTICS_WORDS, "ropout", "Transformer", "MultiheadAttention")
"""Nor, without one of these, that the mode makes a difference to a module."""


def is_batch_norm(library: str | None) -> bool:
    """Whether a dotted name is that of a BatchNorm of torch."""
    package, _, last = (library or "").rpartition(".")
    return package.startswith("torch.nn") and last in BATCH_NORM_CLASSES


def picked_batch_norms(predicate: Predicate) -> frozenset[str]:
    """The kinds of BatchNorm that a test by class picks, where it picks nothing else.

    Empty where no test says that only BatchNorms are meant.
    """
    for atom in predicate:
        names = _names(atom)
        if names and all(is_batch_norm(name) for name in names):
            return frozenset(name.rpartition(".")[2] for name in names)
    return frozenset()


def picks_layers_with_modes(predicate: Predicate) -> bool:
    """Whether a test by class picks BatchNorms, and nothing beside them but Dropout."""
    for atom in predicate:
        kinds = [name.rpartition(".")[2] for name in _names(atom)]
        if any(map(is_batch_norm, _names(atom))):
            return all(kind in BATCH_NORM_CLASSES or "Dropout" in kind for kind in kinds)
    return False


def _names(atom: Atom) -> tuple[str, ...]:
    """The classes of ``isinstance(m, (A, B))``, or of ``isinstance(m, A) or isinstance(m, B)``."""
    if isinstance(atom, TypeTest) and not atom.negated:
        return atom.names
    if isinstance(atom, NotAll):
        tests = [each for each in atom.atoms if isinstance(each, TypeTest) and each.negated]
        if len(tests) == len(atom.atoms):
            return tuple(name for each in tests for name in each.names)
    return ()
