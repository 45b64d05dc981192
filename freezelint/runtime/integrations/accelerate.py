"""A context manager for Accelerate: ``with FreezeWatch(accelerator, model, optimizer): ...``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelerate.optimizer import AcceleratedOptimizer
from torch import nn

from freezelint.runtime.integrations.fit import FreezeWatchBase, manifest_in

if TYPE_CHECKING:
    from types import TracebackType

    from accelerate import Accelerator
    from typing_extensions import Self, Unpack

    from freezelint.runtime.integrations.fit import WatchOptions
    from freezelint.runtime.manifest import Manifest


class FreezeWatch(FreezeWatchBase):
    """Watches a loop over what an accelerator prepared.

    Make it after ``prepare`` and enter it around the loop. Names are those of the model
    beneath its wrappers. A step is one that is taken: not those that are left out while
    gradients accumulate, or because they are not finite.

    What was promised is written into the folder of ``save_state``, as ``freezelint.json``
    (which ``freezelint verify`` reads too). If ``load_state`` is called between making and
    entering this, it begins with a comparison: are the frozen parameters what they were?
    """

    def __init__(
        self, accelerator: Accelerator, *subjects: Any, **options: Unpack[WatchOptions]
    ) -> None:
        """Take models and optimizers, and the options of :func:`freezelint.runtime.watch`.

        Args:
            accelerator: That prepared them.
            *subjects: Models and optimizers, or lists and dicts of them.
            **options: Those options.

        Raises:
            TypeError, ValueError: if they are none.
        """
        super().__init__(**options)
        self._accelerator = accelerator
        self._subjects = subjects
        self._earlier: Manifest | None = None
        self._run_as: list[nn.Module] = []
        self._handles = [
            accelerator.register_save_state_pre_hook(self._save),
            accelerator.register_load_state_pre_hook(self._load),
        ]

    def __enter__(self) -> Self:
        """Take stock of everything and begin to watch.

        Raises:
            ContractError: when a pattern matches nothing or two contradict.
            FreezeViolated: with ``on_violation="raise"``.
        """
        __tracebackhide__ = True
        earlier, self._earlier = self._earlier, None
        try:
            self._run_as.clear()
            subjects = self._unwrapped(self._subjects)
            self._fit.begin(*subjects, earlier=earlier, run_as=self._run_as)
        except BaseException:
            self._remove_handles()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop watching; if the training ended well, report what never moved.

        Raises:
            FreezeViolated: with ``on_violation="raise"``.
        """
        __tracebackhide__ = True
        self._remove_handles()
        if error is None:
            self._fit.end()
        else:
            self._fit.abandon(error)

    def _remove_handles(self) -> None:
        for handle in self._handles:
            handle.remove()

    def _unwrapped(self, subject: Any) -> Any:
        if isinstance(subject, dict):
            return {key: self._unwrapped(each) for key, each in subject.items()}
        if isinstance(subject, (list, tuple)):
            return [self._unwrapped(each) for each in subject]
        if isinstance(subject, nn.Module):
            self._run_as.append(subject)
            inner = self._accelerator.unwrap_model(subject)
            return getattr(inner, "_orig_mod", inner)
        return subject.optimizer if isinstance(subject, AcceleratedOptimizer) else subject

    def _save(self, _models: Any, _weights: Any, folder: str) -> None:
        if self._accelerator.is_main_process:
            self._fit.save_manifest(Path(folder))

    def _load(self, _models: Any, folder: str) -> None:
        if not self._fit.is_open:
            self._earlier = manifest_in(Path(folder))
