"""Marked code: it says which of the wanted lines run, and is the program's otherwise."""

from __future__ import annotations

import inspect
import linecache
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from freezelint.judgement.markers import Markers

pytestmark = pytest.mark.torch

SOURCE = '''"""The program."""
from __future__ import annotations


def branch(x):
    """Its own."""
    if x > 5:
        return "large"
    elif x > 1: found = "middle"
    else:
        raise ValueError("small")
    for turn in range(2): found += "."
    return found
'''


def marked(path: Path, *lines: int, evidence: tuple[int, ...] = ()) -> tuple[Markers, Any]:
    from freezelint.judgement.markers import NAME, Markers, Wanted, passed

    path.write_text(SOURCE, encoding="utf-8")
    linecache.checkcache(str(path))
    wanted = [Wanted(number, (line, line), evidence) for number, line in enumerate(lines)]
    markers = Markers({str(path): wanted})
    names: dict[str, Any] = {NAME: passed}
    exec(markers.compiled(SOURCE.encode(), str(path)), names)
    return markers, names


def heard(markers: Markers, call: Any) -> list[int]:
    """The findings whose statements a call passes, once before each of them."""
    from freezelint.judgement.markers import listen

    numbers: list[int] = []
    stop = listen(lambda number, _: numbers.append(number))
    try:
        call()
    finally:
        stop()
    moments = [moment for number in numbers for moment in markers.moments[number]]
    return [each.finding for each in moments if each.is_before and each.is_finding]


def test_only_lines_that_run_are_heard_of(tmp_path: Path) -> None:
    markers, names = marked(tmp_path / "it.py", 7, 8, 9, 11)
    assert heard(markers, lambda: names["branch"](9)) == [0, 1]
    assert heard(markers, lambda: names["branch"](2)) == [0, 2]


def test_a_line_in_a_loop_is_heard_of_every_time(tmp_path: Path) -> None:
    markers, names = marked(tmp_path / "it.py", 12)
    assert heard(markers, lambda: names["branch"](2)) == [0, 0]


def test_evidence_is_not_the_finding(tmp_path: Path) -> None:
    markers, names = marked(tmp_path / "it.py", 8, evidence=(7,))
    assert heard(markers, lambda: names["branch"](2)) == []


def test_results_and_texts_are_as_without(tmp_path: Path) -> None:
    _, names = marked(tmp_path / "it.py", 7, 8, 9, 11, 12, 13)
    branch = names["branch"]
    assert branch(2) == "middle.."
    assert (names["__doc__"], branch.__doc__) == ("The program.", "Its own.")
    assert inspect.getsource(branch) == "".join(SOURCE.splitlines(keepends=True)[4:])


def test_a_traceback_names_the_line(tmp_path: Path) -> None:
    _, names = marked(tmp_path / "it.py", 7, 9, 11)
    with pytest.raises(ValueError, match="small") as raised:
        names["branch"](0)
    assert raised.traceback[-1].lineno + 1 == 11


def test_a_file_without_findings_is_compiled_as_it_is(tmp_path: Path) -> None:
    from freezelint.judgement.markers import Markers

    path = str(tmp_path / "it.py")
    plain = compile(SOURCE, path, "exec", dont_inherit=True)
    assert Markers({}).compiled(SOURCE.encode(), path) == plain
