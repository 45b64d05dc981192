"""What an integration takes is what ``watch`` takes."""

from __future__ import annotations

import inspect

import pytest

from freezelint.runtime import watch
from freezelint.runtime.integrations.fit import WatchOptions

pytestmark = pytest.mark.torch


def test_every_option_of_a_watch_is_one_of_the_integrations() -> None:
    parameters = inspect.signature(watch).parameters.values()
    options = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
    assert list(WatchOptions.__annotations__) == options
