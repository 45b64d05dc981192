"""Which parameters a state was loaded into: these are not what their constructor drew."""

from __future__ import annotations

import contextlib
import functools
import unittest.mock
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor


class Loading:
    """Notes every parameter that a call of ``load_state_dict`` writes to."""

    def __init__(self) -> None:
        """Nothing was loaded yet."""
        self._loaded: list[Tensor] = []

    def reached(self, parameter: Tensor) -> bool:
        """Whether anything was loaded into a parameter."""
        return any(each is parameter for each in self._loaded)

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Note what is loaded meanwhile."""
        original = nn.Module.load_state_dict

        @functools.wraps(original)
        def load_state_dict(
            model: nn.Module, state: Mapping[str, Any], *args: Any, **kwargs: Any
        ) -> Any:
            before = {name: (each, each._version) for name, each in model.named_parameters()}
            result = original(model, state, *args, **kwargs)
            for name, each in model.named_parameters():
                known, version = before.get(name, (None, 0))
                if known is not each or version != each._version:
                    self._loaded.append(each)
            return result

        with unittest.mock.patch.object(nn.Module, "load_state_dict", load_state_dict):
            yield
