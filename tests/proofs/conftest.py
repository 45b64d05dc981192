"""Where there is no torch, nothing can be proven; where there is, imports are loaded once."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from proofs.execution import prepare

collect_ignore_glob = [] if find_spec("torch") else ["*.py"]


@pytest.fixture(scope="session", autouse=True)
def _imports_are_loaded(request: pytest.FixtureRequest) -> None:
    scripts = {
        item.callspec.params["script"]
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and hasattr(item, "callspec")
        and "script" in item.callspec.params
    }
    prepare(script.source for script in scripts)
