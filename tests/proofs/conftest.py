"""Where there is no torch, nothing can be proven; where there is, imports are loaded once."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from proofs.execution import Script, prepare

collect_ignore_glob = [] if find_spec("torch") else ["*.py"]


@pytest.fixture(scope="session", autouse=True)
def _imports_are_loaded(request: pytest.FixtureRequest) -> None:
    parameters = [
        parameter
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
        for parameter in item.callspec.params.values()
    ]
    scripts = {each for each in parameters if isinstance(each, Script)}
    prepare(script.source for script in scripts)
