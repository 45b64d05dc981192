"""An observation with the runtime checker beside it, by the names that a script gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.judgement.memory import Copies
from freezelint.judgement.observation import Observation
from freezelint.judgement.tensors import models_of, optimizers_of, tensors_of
from freezelint.runtime.names import matches, without_wrappers
from freezelint.runtime.violations import Kind
from freezelint.runtime.watching import Watch, watch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from torch import nn
    from torch.optim import Optimizer

    from freezelint.judgement.tensors import Named
    from freezelint.rules.claims import Claim
    from freezelint.runtime.inventory import Entry
    from freezelint.runtime.violations import Violation
    from proofs.loading import Loading

_WRITTEN = (Kind.FROZEN_CHANGED, Kind.BUFFER_CHANGED, Kind.ROWS_CHANGED, Kind.FROZEN_REPLACED)
_MEANT_TO_TRAIN = ("dead", "cut")


class ByName:
    """What a claim's subject names among a script's variables, as they are at any time."""

    def __init__(self, namespace: Mapping[str, Any], subject: str) -> None:
        """Take the variables and the glob."""
        self.namespace = namespace
        self.label = subject

    def tensors(self) -> Mapping[str, Named]:
        """The tensors that it names, registered with a module or not."""
        return tensors_of(self.namespace, self.label)

    def models(self) -> dict[str, nn.Module]:
        """The models of the script."""
        return models_of(self.namespace, self.label)

    def modules(self) -> Mapping[str, nn.Module]:
        """The modules that it names."""
        return {
            path: module
            for name, model in self.models().items()
            for path, module in model.named_modules(prefix=name)
            if matches(self.label.removesuffix(".*"), path)
        }


class WatchedObservation(Observation):
    """Looks at one claim's subject with copies of all values, and with the runtime checker."""

    def __init__(self, claim: Claim, namespace: Mapping[str, Any], loading: Loading) -> None:
        """Nothing is looked at before :meth:`begin`."""
        self.subject = ByName(namespace, claim.subject)
        super().__init__(self.subject, claim.consequence, Copies())
        self.claim = claim
        self.namespace = namespace
        self.loading = loading
        self._models: dict[str, nn.Module] = {}
        self._watch: Watch | None = None
        self._listens_early = False

    def listen(self, stepping: Optimizer) -> None:
        """Let the runtime checker look earlier: at what trains later it looks from the first step.

        Else it would not know that it was frozen before.
        """
        self._models = self.subject.models()
        if self.claim.consequence in _MEANT_TO_TRAIN and self._models:
            self._watch = self._watching(stepping).__enter__()
            self._listens_early = True

    def begin(self, stepping: Optimizer | None = None) -> bool:
        """Look from now on, and forget what was seen before; wait if there is no subject yet."""
        if not super().begin():
            return False
        self._models = self.subject.models()
        if not self._listens_early:
            self._end_watch()
            if self._models:
                self._watch = self._watching(stepping).__enter__()
        return True

    def end(self) -> None:
        """Look no more."""
        super().end()
        self._end_watch()

    def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.__exit__(None, None, None)

    @property
    def violations(self) -> list[Violation]:
        """What the runtime checker saw."""
        return [] if self._watch is None else self._watch.violations

    def is_watched(self, name: str) -> bool:
        """Whether the runtime checker can see a tensor: a module has registered it."""
        return self._watch is not None and any(
            _is_called(name, entry) for entry in self._watch.stock.inventory.entries
        )

    def was_reported(self, name: str) -> bool:
        """Whether the runtime checker reported that a tensor changed."""
        assert self._watch is not None
        entries = self._watch.stock.inventory.entries
        names = {name}.union(*(entry.names for entry in entries if _is_called(name, entry)))
        return any(each.kind in _WRITTEN and each.tensor in names for each in self.violations)

    def _watching(self, stepping: Optimizer | None) -> Watch:
        registered = [
            name
            for prefix, model in self._models.items()
            for find in (model.named_parameters, model.named_buffers)
            for name, _ in find(prefix, remove_duplicate=False)
        ]
        subject = self.claim.subject
        patterns = [subject] if any(matches(subject, name) for name in registered) else []
        is_trained = self.claim.consequence in _MEANT_TO_TRAIN
        optimizers = optimizers_of(self.namespace)
        if stepping is not None and all(each is not stepping for each in optimizers.values()):
            optimizers[type(stepping).__name__] = stepping
        return watch(
            self._models,
            optimizers,
            frozen=[] if is_trained else patterns,
            trainable=patterns if is_trained else [],
            on_violation="collect",
            locate="never",
            exact=True,
            # Each process is judged by what itself saw, and may end before the others.
            timeout=0.5,
        )


def _is_called(name: str, entry: Entry) -> bool:
    """Whether this is a name of an entry, which has none of what wrappers put in front."""
    return without_wrappers(name) in map(without_wrappers, entry.names)
