"""Real git is asked what it would leave out."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freezelint.configuration import Configuration
from freezelint.discovery import discover

if TYPE_CHECKING:
    from tests.conftest import Project

PATHS = ["a.py", "b.py", "src/a.py", "src/out/b.py", "src/out/in/a.py", "out/a.py", "out/c d.py"]
# Not here, since pathspec itself reads them in another way than git: `[[:alpha:]]` (a plain
# class to it), `***` as one of several segments (`*` to it, `**` to git), and a bracket that
# a slash follows (it splits at slashes first).
SEGMENTS = [
    *("a.py", "b.py", "src", "out", "in", "c d.py"),
    *("*", "**", "*.py", "?ut", "[a-c].py", "[!a].py", "[^b]*", "[]a].py", "[z-a].py"),
    *("o*t", "**.py", "a[.]py", "[ab].py", "*.p[xy]", "a*", "a\\.py", "c\\ d.py", "\\"),
]

lines = st.builds(
    lambda negated, rooted, segments, slash, blank: (
        "!" * negated + "/" * rooted + "/".join(segments) + "/" * slash + " " * blank
    ),
    st.booleans(),
    st.booleans(),
    st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=3),
    st.booleans(),
    st.booleans(),
)
ignore_files = st.lists(lines, max_size=4).map("\n".join)


def git(project: Project, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-c", "core.quotePath=off", *arguments],
        cwd=project.folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(outer=ignore_files, inner=ignore_files)
def test_git_would_list_the_same_files(project: Project, outer: str, inner: str) -> None:
    if not (project.folder / ".git").exists():
        git(project, "init", "-q")
        for path in PATHS:
            project.write(path)
    project.write(".gitignore", outer)
    project.write("src/.gitignore", inner)
    listed = git(project, "ls-files", "--others", "--exclude-standard", "--", "*.py")
    assert list(discover(["."], Configuration(isolated=True)).files) == sorted(listed.splitlines())
