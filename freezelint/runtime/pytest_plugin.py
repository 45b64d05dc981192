"""The pytest plugin: a fixture, a marker and an option; loads PyTorch only when one is used."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pytest

from freezelint.runtime.violations import FreezeViolated

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from freezelint.runtime.watching import Watch

_STARTED = pytest.StashKey[list["Watch"]]()

_MARKER = (
    "freeze(frozen=(), trainable=(), ...): what must stay and what must move in this test; "
    "the options of freezelint.runtime.watch, for the fixture `freeze_watch`"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--freezelint``, also as an ini option of that name."""
    text = "Fail tests in which an optimizer moves a parameter with requires_grad=False."
    parser.getgroup("freezelint").addoption("--freezelint", action="store_true", help=text)
    parser.addini("freezelint", text, type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def freeze_watch(request: pytest.FixtureRequest) -> Generator[Callable[..., Watch]]:
    """Watch a training until the end of the test: ``freeze_watch(model, optimizer)``.

    Takes what :func:`freezelint.runtime.watch` takes; what the marker ``freeze`` says
    comes first, and is overridden by what is given here.
    """
    started = request.node.stash.setdefault(_STARTED, [])

    def start(*subjects: Any, **options: Any) -> Watch:
        __tracebackhide__ = True
        from freezelint.runtime import watch

        marker = request.node.get_closest_marker("freeze")
        said = {} if marker is None else marker.kwargs
        seen = watch(*subjects, **{**said, **options})
        seen.__enter__()
        started.append(seen)
        return seen

    yield start
    # Left open where the test never came to its call.
    _abandon(started)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """End the watches of a test with its call, so that what they saw fails the test itself."""
    __tracebackhide__ = True
    marker = item.get_closest_marker("freeze")
    if marker is not None and "freeze_watch" not in getattr(item, "fixturenames", ()):
        pytest.fail(
            "the marker `freeze` needs the fixture `freeze_watch`: "
            "take it as an argument and call it with the model and the optimizer",
            pytrace=False,
        )
    started = item.stash.setdefault(_STARTED, [])
    try:
        with _guard(item.config):
            result = yield
    except FreezeViolated as error:
        _abandon(started)
        raise error.with_traceback(_in_users_code(error.__traceback__)) from error.__cause__
    except BaseException:
        _abandon(started)
        raise
    if marker is not None and not started:
        pytest.fail("`freeze_watch` was never called: nothing was watched", pytrace=False)
    try:
        while started:
            started.pop().__exit__(None, None, None)
    finally:
        _abandon(started)
    return result


def _in_users_code(traceback: TracebackType | None) -> TracebackType | None:
    """A traceback without torch's frames and ours, which say nothing of where the mistake is."""
    if traceback is None:
        return None
    below = _in_users_code(traceback.tb_next)
    path = Path(traceback.tb_frame.f_code.co_filename)
    if "torch" in path.parts or Path(__file__).parent in path.parents:
        return below
    return TracebackType(below, traceback.tb_frame, traceback.tb_lasti, traceback.tb_lineno)


def _guard(config: pytest.Config) -> contextlib.AbstractContextManager[Any]:
    if not config.getoption("freezelint") and not config.getini("freezelint"):
        return contextlib.nullcontext()
    from freezelint.runtime.step_guard import StepGuard

    return StepGuard()


def _abandon(started: list[Watch]) -> None:
    """Take hooks out of a training that ended early, with nothing said about it."""
    while started:
        error = RuntimeError("the test ended early")
        started.pop().__exit__(RuntimeError, error, None)
