"""JUnit's XML, read by a reader of others, and with nothing in it that Jenkins refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from freezelint.engine import CheckResult
from freezelint.reports import junit
from freezelint.reports.presentation import Presentation
from tests.reports.example import SAFE, example

if TYPE_CHECKING:
    from tests.conftest import Project

COUNTS = {"tests", "failures", "errors"}
ACCEPTED = {
    "testsuites": {"name", "time", *COUNTS},
    "testsuite": {"name", "file", "time", "skipped", "timestamp", "hostname", "id", *COUNTS},
    "testcase": {"name", "classname", "time", "group"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
}
"""Elements of the xUnit plugin's schema `junit-10.xsd` that can occur, with their attributes."""


def document(result: CheckResult) -> str:
    return "\n".join(junit.render(result, Presentation()))


def test_jenkins_accepts_it(project: Project) -> None:
    for result in (example(project), CheckResult(files_checked=3)):
        root = ElementTree.fromstring(document(result))
        assert root.tag == "testsuites"
        for parent in root.iter():
            assert set(parent.attrib) <= ACCEPTED[parent.tag]
            if parent.tag in {"testsuites", "testsuite"}:
                assert {"name", *COUNTS} <= set(parent.attrib)
                for count, tag in (
                    ("tests", "testcase"),
                    ("failures", "failure"),
                    ("errors", "error"),
                ):
                    assert int(parent.attrib[count]) == len(list(parent.iter(tag)))


def test_another_reader_reads_it(project: Project) -> None:
    junitparser = pytest.importorskip("junitparser")
    suites = junitparser.JUnitXml.fromstring(document(example(project)).encode())
    assert (suites.tests, suites.failures, suites.errors) == (6, 4, 2)
    assert [suite.name for suite in suites] == [
        *("a,b.py", "lib/build.py", "note.ipynb", "src/tr äin.py")
    ]
    names = [case.name for suite in suites for case in suite]
    assert len(set(names)) == 6
    assert "FZ101 module-attribute-freeze at cell 7:3:1" in names
    *_, safe, _ = (case.result[0] for suite in suites for case in suite)
    assert (safe.type, safe.message) == ("error", SAFE.message)
    assert safe.text.splitlines() == [
        f"src/tr äin.py:3:10: {SAFE.message}",
        "lib/build.py:1:1: built in `layers[0]` here",
        *SAFE.help.splitlines(),
    ]


def test_nothing_found_is_a_test_that_passed() -> None:
    junitparser = pytest.importorskip("junitparser")
    suites = junitparser.JUnitXml.fromstring(document(CheckResult(files_checked=3)).encode())
    ((case,),) = suites
    assert case.is_passed
    assert case.name == "no freeze bugs in 3 files"


def test_what_xml_forbids_is_escaped() -> None:
    forbidden = "".join(map(chr, (0, 8, 11, 12, 27, 0xFFFE, 0xFFFF, 0xD800)))
    finding = SAFE._replace(message=f'a{forbidden}<&">b\tc', path="\x01.py", help="")
    text = document(CheckResult((finding,)))
    assert text.isascii()
    (failure,) = ElementTree.fromstring(text).iter("failure")
    escaped = r"a\x00\x08\x0b\x0c\x1b\ufffe\uffff\ud800" + '<&">b    c'
    assert failure.attrib["message"] == escaped
    assert (failure.text or "").startswith(rf"\x01.py:3:10: {escaped}")
