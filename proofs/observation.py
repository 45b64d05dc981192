"""What happens to the tensors that a claim is about, from the moment on that it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezelint.runtime.freeze_map import freeze_report
from freezelint.runtime.names import matches, without_wrappers
from freezelint.runtime.quiet import quietly
from freezelint.runtime.violations import Kind
from freezelint.runtime.watching import Watch, watch
from proofs.names import models_of, optimizers_of, own_values, tensors_of
from proofs.outputs import Outputs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor, nn
    from torch.optim import Optimizer

    from freezelint.rules.claims import Claim
    from freezelint.runtime.inventory import Entry
    from freezelint.runtime.violations import Violation
    from proofs.loading import Loading
    from proofs.names import Named

_WRITTEN = (Kind.FROZEN_CHANGED, Kind.BUFFER_CHANGED, Kind.ROWS_CHANGED, Kind.FROZEN_REPLACED)
_MEANT_TO_TRAIN = ("dead", "cut")


class Observation:
    """Looks at one claim's subject, with the runtime checker and with copies of all values."""

    def __init__(self, claim: Claim, namespace: Mapping[str, Any], loading: Loading) -> None:
        """Nothing is looked at before :meth:`begin`."""
        self.claim = claim
        self.namespace = namespace
        """The variables of the script, as they are at any time."""
        self.loading = loading
        self.named: dict[str, Named] = {}
        """The subject's tensors at the beginning; empty before that."""
        self.values: dict[str, Tensor] = {}
        """What was in them."""
        self.gradients: dict[str, int] = {}
        """Bytes of the gradients that arrived since, and were not zero."""
        self.held: dict[str, dict[str, int]] = {}
        """By optimizer, frozen parameters that it held in a step, and their bytes."""
        self.outputs: Outputs | None = None
        self.steps = 0
        self._models: dict[str, nn.Module] = {}
        self._watch: Watch | None = None
        self._listens_early = False
        self._stale: dict[str, tuple[int, int]] = {}

    def listen(self, stepping: Optimizer) -> None:
        """Let the runtime checker look earlier: at what trains later it looks from the first step.

        Else it would not know that it was frozen before.
        """
        self._models = models_of(self.namespace, self.claim.subject)
        if self.claim.consequence in _MEANT_TO_TRAIN and self._models:
            self._watch = self._watching(stepping).__enter__()
            self._listens_early = True

    def begin(self, stepping: Optimizer | None) -> None:
        """Look from now on, and forget what was seen before; wait if there is no subject yet."""
        named = tensors_of(self.namespace, self.claim.subject)
        if not named:
            return
        if not self._listens_early:
            self.end()
        self.named = named
        with quietly():
            self.values = {name: own_values(each.tensor).clone() for name, each in named.items()}
        self.gradients, self.held = {}, {}
        self._stale = {
            name: (id(gradient), gradient._version) for name, gradient in self._gradients()
        }
        self.steps = 0
        self._models = models_of(self.namespace, self.claim.subject)
        if self.claim.consequence == "differs":
            self.outputs = Outputs(self._models, self.claim.subject)
        if self._models and not self._listens_early:
            self._watch = self._watching(stepping).__enter__()

    def end(self) -> None:
        """Look no more."""
        if self._watch is not None:
            self._watch.__exit__(None, None, None)
        if self.outputs is not None:
            self.outputs.remove()

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

    # -- moments -------------------------------------------------------------

    def before_step(self, optimizer: Optimizer) -> None:
        """Look at who holds what, and at gradients that were written without a backward pass."""
        if not self.named:
            return
        self.steps += 1
        self._look_at_gradients()
        if self.claim.consequence == "wastes" and self._models:
            self._look_at_holders(optimizer)

    def after_backward(self) -> None:
        """Look at which gradients arrived."""
        self._look_at_gradients()

    def _look_at_gradients(self) -> None:
        for name, gradient in self._gradients():
            is_stale = self._stale.get(name) == (id(gradient), gradient._version)
            if name not in self.gradients and not is_stale:
                with quietly():
                    values = own_values(gradient)
                    values = values.coalesce().values() if values.is_sparse else values
                    if bool(values.ne(0).any()):
                        self.gradients[name] = values.nbytes

    def _gradients(self) -> Iterator[tuple[str, Tensor]]:
        for name, each in self.named.items():
            if each.tensor.is_leaf and each.tensor.grad is not None:
                yield name, each.tensor.grad

    def _look_at_holders(self, optimizer: Optimizer) -> None:
        report = freeze_report(self._models, {type(optimizer).__name__: optimizer})
        for state in report.tensors:
            names = [each for each in (state.name, *state.tied_to) if each in self.named]
            if names and state.optimizer is not None and "flag" in state.means:
                held = self.held.setdefault(state.optimizer, {})
                held[names[0]] = self.named[names[0]].tensor.nbytes

    # -- the runtime checker -------------------------------------------------

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
        )


def _is_called(name: str, entry: Entry) -> bool:
    """Whether this is a name of an entry, which has none of what wrappers put in front."""
    return without_wrappers(name) in map(without_wrappers, entry.names)
