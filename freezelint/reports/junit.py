"""Findings as failed tests, a suite for each file, for servers that show results of tests.

Elements and attributes are those that Jenkins accepts, which others read as well. What a
terminal would obey is escaped; XML forbids most of it anyway.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from freezelint.findings import Finding
from freezelint.reports.display import safe_lines
from freezelint.reports.places import in_full, place, portable
from freezelint.reports.summary import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.engine import CheckResult
    from freezelint.findings import Problem
    from freezelint.reports.presentation import Presentation


def render(result: CheckResult, presentation: Presentation) -> Iterator[str]:
    """Yield one XML document, of ASCII only, so that it survives any encoding on its way."""
    root = ElementTree.Element("testsuites", name="freezelint")
    seen: list[Finding | Problem] = [*result.findings, *result.problems]
    # Stable: what was found in a file stays before what could not be checked.
    for path, in_file in groupby(sorted(seen, key=lambda each: each.path), lambda each: each.path):
        _add_suite(root, path, list(in_file))
    if not seen:
        # Jenkins takes a report without tests for a broken one.
        suite = ElementTree.SubElement(
            root, "testsuite", {"name": "freezelint", **_counts(0, 0, 1)}
        )
        name = f"no freeze bugs in {counted(result.files_checked, 'file')}"
        ElementTree.SubElement(suite, "testcase", name=name, classname="freezelint")
    tests = len(seen) or 1
    for key, value in _counts(len(result.findings), len(result.problems), tests).items():
        root.set(key, value)
    ElementTree.indent(root)
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield ElementTree.tostring(root, encoding="us-ascii", xml_declaration=False).decode()


def _add_suite(root: ElementTree.Element, path: str, seen: list[Finding | Problem]) -> None:
    findings = [each for each in seen if isinstance(each, Finding)]
    counts = _counts(len(findings), len(seen) - len(findings), len(seen))
    name = safe_lines(portable(path))
    suite = ElementTree.SubElement(root, "testsuite", {"name": name, "file": name, **counts})
    for each in seen:
        _add_case(suite, name, each)


def _add_case(suite: ElementTree.Element, path: str, seen: Finding | Problem) -> None:
    # Servers keep one of several tests of one name, so the place is part of it.
    if isinstance(seen, Finding):
        where = place("", seen.span)[1:]
        name, kind, level = f"{seen.code} {seen.name} at {where}", "failure", seen.level.value
        message, text = seen.message, f"{place(seen.path, seen.span)}: {in_full(seen)}"
    else:
        where = "" if seen.line is None else f" at {seen.line}"
        name, kind, level = f"{seen.rule or 'check'}{where}", "error", "error"
        message = text = seen.reason
    case = ElementTree.SubElement(suite, "testcase", name=safe_lines(name), classname=path)
    told = ElementTree.SubElement(case, kind, type=level, message=safe_lines(message))
    told.text = safe_lines(text)


def _counts(failures: int, errors: int, tests: int) -> dict[str, str]:
    return {"tests": str(tests), "failures": str(failures), "errors": str(errors)}
