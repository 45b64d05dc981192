"""A callback for Lightning: ``Trainer(callbacks=[FreezeWatch(frozen=["backbone"])])``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezelint.runtime.integrations.fit import FreezeWatchBase, warn_of
from freezelint.runtime.manifest import Manifest, ManifestError

try:
    from lightning.pytorch import Callback
except ImportError:
    # The same under its older name.
    from pytorch_lightning import Callback

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer


class FreezeWatch(FreezeWatchBase, Callback):
    """Watches every ``fit`` from its first batch to its end.

    By then optimizers are configured, a checkpoint has been loaded and all hooks that run
    before the first batch have frozen what they freeze. Names are those of the
    LightningModule. What was promised is saved in checkpoints, and a fit that resumes from
    one begins with a comparison: are the frozen parameters what they were?

    Where a finetuning callback unfreezes by a schedule, and no patterns are given, flags are
    followed as with ``follows_flags``.
    """

    _earlier: Manifest | None = None
    """What a checkpoint promised, until the fit begins."""

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Begin to watch, before the first batch.

        Raises:
            ContractError: when a pattern matches nothing or two contradict.
            FreezeViolated: with ``on_violation="raise"``, which ends the fit.
        """
        __tracebackhide__ = True
        if self._fit.is_open:
            return
        earlier, self._earlier = self._earlier, None
        unfreezes = any(hasattr(each, "finetune_function") for each in trainer.callbacks)
        self._fit.begin(
            pl_module,
            trainer.optimizers,
            earlier=earlier,
            follows_flags=True if unfreezes and not self._fit.has_patterns else None,
        )

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report what never moved, and stop watching.

        Raises:
            FreezeViolated: with ``on_violation="raise"``; the checkpoints are written by then.
        """
        __tracebackhide__ = True
        self._fit.end()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Stop watching a fit that fails."""
        self._fit.abandon(exception)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Leave nothing behind, however the fit ended."""
        self._fit.abandon()

    def state_dict(self) -> dict[str, Any]:
        """What is promised, for a checkpoint."""
        manifest = self._fit.manifest()
        return {} if manifest is None else {"manifest": manifest.document()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep what a checkpoint promised until the fit begins."""
        try:
            self._earlier = Manifest.of(state_dict["manifest"], "the state of FreezeWatch")
        except (KeyError, ManifestError) as error:
            warn_of(error)
