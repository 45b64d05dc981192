"""Runs one script as ``__main__``, in a process that is used for nothing else, and observes it."""

from __future__ import annotations

import contextlib
import functools
import linecache
import os
import sys
import traceback
import unittest.mock
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim import Optimizer

from freezelint.judgement.measures import Measurement
from freezelint.judgement.tensors import all_names
from freezelint.runtime.backward import around_backward
from proofs.account import OUTPUT, Account, Told
from proofs.loading import Loading
from proofs.measuring import told
from proofs.observation import WatchedObservation
from proofs.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    from proofs.account import Job


def perform(job: Job, connection: Connection) -> None:
    """Run the job, send the account, and end the process."""
    settle(job)
    connection.send(account_of(job))
    connection.close()
    # Neither threads of libraries nor a process group that others have left may delay the end.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def settle(job: Job) -> None:
    """Make the process one that a person would start for the script alone."""
    os.environ.update(job.environment)
    os.chdir(job.folder)
    output = os.open(OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream, replacement in ((0, os.open(os.devnull, os.O_RDONLY)), (1, output), (2, output)):
        os.dup2(replacement, stream)
    torch.set_num_threads(1)
    if job.seed_offset:
        shift_seeds(job.seed_offset)
    torch.manual_seed(0)


def shift_seeds(offset: int) -> None:
    """Add something to every seed that is set from now on."""
    original = torch.manual_seed

    @functools.wraps(original)
    def manual_seed(seed: int) -> torch.Generator:
        return original(seed + offset)

    torch.manual_seed = manual_seed
    torch.random.manual_seed = manual_seed


def account_of(job: Job) -> Account:
    """Run the script and tell what happened."""
    path = str(Path(job.folder) / "example.py")
    Path(path).write_text(job.source, encoding="utf-8")
    linecache.checkcache(path)
    main = ModuleType("__main__")
    main.__file__ = path
    sys.modules["__main__"] = main
    sys.argv = [path]
    sys.path.insert(0, job.folder)
    loading = Loading()
    observations = [WatchedObservation(claim, vars(main), loading) for claim in job.claims]
    progress = Progress(vars(main))
    error, trace = None, ""
    with loading.noted(), observed(observations, progress):
        try:
            exec(compile(job.source, path, "exec"), vars(main))
        except SystemExit as ended:
            error = f"SystemExit: {ended.code}" if ended.code else None
        except BaseException as raised:  # noqa: BLE001 - whatever it is, it is told
            error = f"{type(raised).__name__}: {raised}"
            trace = traceback.format_exc()
    answers = tuple(answer(each, progress.steps) for each in observations)
    return Account(answers, error, trace, progress.has_trained(), progress.steps)


def answer(seen: WatchedObservation, steps: int) -> Told:
    """Look for the last time, and judge."""
    if seen.claim.consequence != "raises" and not seen.named:
        return Told(Measurement(trouble=why_nothing_was_seen(seen, steps)))
    seen.end()
    return told(seen)


def why_nothing_was_seen(seen: WatchedObservation, steps: int) -> str:
    """The reason, with what would be there to see."""
    if seen.claim.after >= steps > 0:
        return f"the claim begins after {seen.claim.after} steps, and the script takes {steps}"
    names = all_names(seen.namespace)
    there = f"the script has {', '.join(names[:12])}" if names else "the script has no model"
    return (
        f"{seen.claim.subject!r} names no tensor of the script: {there}; what a good example "
        "calls otherwise stands in the claim's `instead`"
    )


@contextlib.contextmanager
def observed(observations: list[WatchedObservation], progress: Progress) -> Iterator[None]:
    """Call all observations at the moments that they wait for."""
    waiting = [each for each in observations if each.claim.consequence != "raises"]

    def begin_those_without_steps() -> None:
        for each in waiting:
            if not each.named and each.claim.after == 0:
                each.begin()

    def before_step(optimizer: Optimizer) -> None:
        progress.before_step(optimizer)
        for each in waiting:
            if progress.steps == each.claim.after + 1:
                each.begin(optimizer)
            elif progress.steps == 1:
                each.listen(optimizer)
            each.before_step(optimizer)

    def on_backward(_roots: Any) -> Callable[[], None]:
        progress.note()
        begin_those_without_steps()
        return after_backward

    def after_backward() -> None:
        for each in waiting:
            each.after_backward()

    def on_forward(_module: Any, _arguments: Any) -> None:
        begin_those_without_steps()

    with contextlib.ExitStack() as stack:
        stack.callback(register_module_forward_pre_hook(on_forward).remove)
        stack.callback(around_backward(on_backward))
        stack.enter_context(around_whole_steps(before_step))
        yield


@contextlib.contextmanager
def around_whole_steps(before: Callable[[Optimizer], None]) -> Iterator[None]:
    """Be called before an optimizer steps and before its hooks run, so that these can be added.

    A step within another one belongs to that.
    """
    original = Optimizer.profile_hook_step
    running: list[Optimizer] = []

    def profile_hook_step(step: Callable[..., Any]) -> Callable[..., Any]:
        hooked = original(step)

        @functools.wraps(step)
        def whole_step(optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
            if running:
                return hooked(optimizer, *args, **kwargs)
            running.append(optimizer)
            try:
                before(optimizer)
                return hooked(optimizer, *args, **kwargs)
            finally:
                running.pop()

        return whole_step

    with unittest.mock.patch.object(
        Optimizer, "profile_hook_step", staticmethod(profile_hook_step)
    ):
        yield
