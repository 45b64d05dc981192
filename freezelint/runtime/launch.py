"""Runs a script or a module as ``python`` would, in this process."""

from __future__ import annotations

import builtins
import importlib.machinery
import importlib.util
import io
import os
import sys
import threading
import traceback
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import TYPE_CHECKING, Any

from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Compile = Callable[[bytes, str], CodeType]
    """Called with the source and the path of a file."""


class CannotLaunch(Exception):
    """There is nothing to run under that name."""


class Ending(NamedTuple):
    """The error that a program ended with."""

    error: str
    """Its type and text: ``ValueError: optimizer got an empty parameter list``."""
    lines: tuple[tuple[str, int], ...]
    """The files and lines that it came through, the program's first."""


def _compile(source: bytes, path: str) -> CodeType:
    return compile(source, path, "exec", dont_inherit=True)


class Program:
    """A script, or with ``-m`` a module, that is about to be ``__main__``."""

    def __init__(self, target: str, arguments: Sequence[str], *, is_module: bool) -> None:
        """Find it.

        Raises:
            CannotLaunch: if there is no such file or module.
        """
        self._arguments = list(arguments)
        self._target = target
        self._is_module = is_module
        self.compiled: Compile = _compile
        """What turns a script into code."""
        self.ending: Ending | None = None
        """The error that it ended with, if one did end it."""
        if not is_module and not os.path.exists(target):
            raise CannotLaunch(f"there is no file {target}")
        self.main = ModuleType("__main__")

    @property
    def names(self) -> dict[str, Any]:
        """The variables of the program's top level."""
        return vars(self.main)

    def run(self) -> int:
        """Run it to its end and return its exit code.

        A traceback goes to standard error as Python prints it, without this package's
        frames. The program's threads are waited for, as Python does before it exits.

        Raises:
            CannotLaunch: if the file or module cannot be loaded.
            KeyboardInterrupt: as the program let it through.
        """
        code = self._prepare()
        # It stays there, for what runs at exit.
        sys.modules["__main__"] = self.main
        try:
            result = self._execute(code)
            _wait_for_threads()
        finally:
            _flush()
        return result

    def _execute(self, code: CodeType) -> int:
        try:
            exec(code, self.names)  # noqa: S102
        except SystemExit as ended:
            return _exit_code(ended)
        except KeyboardInterrupt as error:
            _print_traceback(error)
            raise
        except BaseException as error:  # noqa: BLE001
            # It is the program's, and Python would end the program with it just so.
            _print_traceback(error)
            self.ending = _ending_of(error)
            return 1
        return 0

    def _prepare(self) -> CodeType:
        return self._prepare_module() if self._is_module else self._prepare_script()

    def _prepare_script(self) -> CodeType:
        path = self._target
        if os.path.isdir(path) or not path.endswith((".py", ".pyc", ".pyw")):
            found = _main_of_archive(path)
            if found is not None:
                _put_first(path)
                sys.argv = [path, *self._arguments]
                return self._adopt(found, package="")
        _put_first(str(Path(path).resolve().parent))
        sys.argv = [path, *self._arguments]
        path = os.path.abspath(path)
        self.names.update(
            __file__=path, __cached__=None, __spec__=None, __package__=None, __doc__=None
        )
        self.names["__builtins__"] = builtins
        self.names["__loader__"] = importlib.machinery.SourceFileLoader("__main__", path)
        try:
            with io.open_code(path) as file:
                source = file.read()
            return self.compiled(source, path)
        except (SyntaxError, ValueError) as error:
            _print_traceback(error)
            raise CannotLaunch(f"{self._target} cannot be compiled") from None
        except OSError as error:
            raise CannotLaunch(f"{self._target}: {error.strerror}") from None

    def _prepare_module(self) -> CodeType:
        _put_first(os.getcwd())
        # What is imported on the way must not see the arguments of the program.
        sys.argv = ["-m", *self._arguments]
        name = self._target
        try:
            spec = importlib.util.find_spec(name)
            if spec is not None and spec.submodule_search_locations is not None:
                name = f"{name}.__main__"
                spec = importlib.util.find_spec(name)
        except (ImportError, AttributeError, ValueError) as error:
            raise CannotLaunch(f"{self._target} cannot be imported: {error}") from None
        if spec is None or spec.loader is None:
            what = "__main__ in the package" if name != self._target else "module"
            raise CannotLaunch(f"there is no {what} {self._target}")
        sys.argv = [str(spec.origin), *self._arguments]
        return self._adopt(spec, package=spec.parent)

    def _adopt(self, spec: importlib.machinery.ModuleSpec, package: str | None) -> CodeType:
        """Let the main module look as if the import system had made it."""
        loader: Any = spec.loader
        code = loader.get_code(spec.name)
        if not isinstance(code, CodeType):
            raise CannotLaunch(f"{self._target} has no code to run")
        self.names.update(
            __file__=spec.origin,
            __cached__=spec.cached,
            __spec__=spec,
            __package__=package,
            __loader__=loader,
            __doc__=None,
        )
        self.names["__builtins__"] = builtins
        return code


def _put_first(folder: str) -> None:
    """Search for imports where the program lies, instead of where this command does."""
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = folder


def _main_of_archive(path: str) -> importlib.machinery.ModuleSpec | None:
    """``__main__`` in a folder or a zip file, which Python runs like a script."""
    for hook in sys.path_hooks:
        try:
            finder = hook(path)
        except ImportError:
            continue
        spec = finder.find_spec("__main__")
        if spec is not None:
            return spec
    return None


def _exit_code(ended: SystemExit) -> int:
    if ended.code is None:
        return 0
    if isinstance(ended.code, int):
        return ended.code & 0xFF
    sys.stderr.write(f"{ended.code}\n")
    return 1


def _print_traceback(error: BaseException) -> None:
    """Print it as Python would, from the program's first frame on."""
    error.__traceback__ = _without_launcher(error.__traceback__)
    if sys.excepthook is not sys.__excepthook__:
        sys.excepthook(type(error), error, error.__traceback__)
    else:
        traceback.print_exception(error)


def _ending_of(error: BaseException) -> Ending:
    lines = [
        (frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    # What makes it a text may raise errors of its own.
    text = traceback.TracebackException(type(error), error, None)
    return Ending(f"{type(error).__name__}: {text}", tuple(lines))


def _without_launcher(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace


def _wait_for_threads() -> None:
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
