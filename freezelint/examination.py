"""One file through the rules: decode, analyse, drop what is suppressed."""

from __future__ import annotations

import functools
from collections import Counter
from typing import TYPE_CHECKING

from freezelint.analysis.gate import Gate
from freezelint.analysis.outline import LONG
from freezelint.discovery import reason_of
from freezelint.findings import Finding, Problem
from freezelint.records import NamedTuple
from freezelint.sources.document import is_python, read_document
from freezelint.sources.python import UnreadableSource, decode
from freezelint.sources.syntax import syntax_problem

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from freezelint.config import Config
    from freezelint.sources.document import Document
    from freezelint.sources.python import Source
    from freezelint.suppressions import Comment, Suppressions


class Task(NamedTuple):
    """A file that rules may care for; small, since it travels between processes."""

    path: str
    size: int
    config: Config
    must_parse: bool = False
    """Whether a syntax error is to be reported even if no rule cares for the file."""
    data: bytes | None = None
    """Only of what cannot be read again, which is standard input."""
    hears_noqa: bool = True
    """Whether `# noqa` comments count, beside those that are freezelint's own."""


class Rewritten(NamedTuple):
    """A file whose text was fixed: its bytes before and after, and how often each rule did."""

    path: str
    before: bytes
    after: bytes
    made: Mapping[str, int]
    is_standard_input: bool = False
    is_silenced: bool = False
    """Whether comments were put behind findings, instead of fixes."""


class Outcome(NamedTuple):
    """What came of one file."""

    path: str
    findings: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()
    suppressed: int = 0
    rewritten: Rewritten | None = None


def read(path: str) -> bytes:
    """Return the bytes of a file; unbuffered, since all of them are wanted at once."""
    with open(path, "rb", 0) as file:
        return file.readall()


def examine(task: Task) -> Outcome:
    """Run the rules on a file; whatever goes wrong becomes a problem of that file."""
    path, config = task.path, task.config
    try:
        data = read(path) if task.data is None else task.data
    except OSError as error:
        return Outcome(path, problems=(Problem(path, reason_of(error)),))
    codes: Sequence[str] | None = None
    if is_python(path):
        codes = _gate(config).candidates(data)
        if not codes and not config.strict:
            return examine_plain(path, data, parse=task.must_parse)
    try:
        document = read_document(path, data)
    except UnreadableSource as error:
        return Outcome(path, problems=(Problem(path, error.reason),))
    if config.fixes == "none":
        return _examine_programs(document, task, codes)
    if config.fixes == "noqa":
        return _examine_and_silence(document, task, data)
    return _examine_and_fix(document, task, data)


def _examine_programs(document: Document, task: Task, codes: Sequence[str] | None) -> Outcome:
    """Check each program; ``codes`` are the rules that could fire on it, if that is known."""
    parts = [
        _examine_program(each, task, _codes(each, task.config) if codes is None else codes)
        for each in document.programs
    ]
    return _joined(task.path, document, parts)


def _examine_and_fix(document: Document, task: Task, data: bytes) -> Outcome:
    """Fix what can be fixed, and say what is left."""
    from freezelint.repair import repair

    config = task.config

    def look(program: Source) -> Sequence[Finding] | None:
        seen = _examine_program(program, task, _codes(program, config))
        return None if seen.problems else seen.findings

    unsafe = config.fixes == "unsafe"
    repaired = [repair(program, look, unsafe=unsafe) for program in document.programs]
    made = sum((each.made for each in repaired), Counter[str]())
    if not made:
        return _examine_programs(document, task, None)
    texts = [each.source.text for each in repaired]
    return _examine_rewritten(document, task, data, texts, made)


def _examine_and_silence(document: Document, task: Task, data: bytes) -> Outcome:
    """Put comments behind findings, and look again at what is left."""
    from freezelint.noqa_comments import silenced

    config = task.config
    parts = [_examine_program(each, task, _codes(each, config)) for each in document.programs]
    seen = _joined(task.path, document, parts)
    texts, made = silenced(document, [each.findings for each in parts], seen, config, data)
    if not made:
        return seen
    return _examine_rewritten(document, task, data, texts, made, is_silenced=True)


def _examine_rewritten(
    document: Document,
    task: Task,
    data: bytes,
    texts: Sequence[str],
    made: Mapping[str, int],
    *,
    is_silenced: bool = False,
) -> Outcome:
    """Say what is left in a document whose programs have other texts now."""
    after = document.with_texts(texts)
    config = task.config._replace(fixes="none")
    left = examine(task._replace(data=after, size=len(after), config=config))
    is_standard_input = task.data is not None
    return left._replace(
        rewritten=Rewritten(task.path, data, after, made, is_standard_input, is_silenced)
    )


def _codes(program: Source, config: Config) -> Sequence[str]:
    return _gate(config).candidates(program.encoded(program.text))


def _examine_program(source: Source, task: Task, codes: Sequence[str]) -> Outcome:
    path, config = source.path, task.config
    if not codes and not config.strict and not task.must_parse:
        return Outcome(path)
    suppressions = _suppressions(source.text) if "skip-file" in source.text else None
    if suppressions and suppressions.skip_file:
        return Outcome(path)
    # A short file is parsed as a whole anyway, to find its scopes.
    if task.must_parse and (not codes or len(source.text) >= LONG):
        broken = syntax_problem(path, source.text)
        if broken is not None:
            return Outcome(path, problems=(broken,))
    findings, problems = _analyze(source, codes, config)
    if not findings and not config.strict:
        return Outcome(path, problems=tuple(problems))
    suppressions = suppressions or _suppressions(source.text)
    if not task.hears_noqa:
        suppressions = suppressions.without_noqa()
    silenced = suppressions.apply(findings)
    unused = () if problems else _unused(path, suppressions, silenced.used, config)
    return Outcome(
        path,
        (*silenced.remaining, *unused),
        tuple(problems),
        suppressed=len(findings) - len(silenced.remaining),
    )


def examine_source(source: Source, config: Config, *, hears_noqa: bool = True) -> Outcome:
    """Run the rules on a program that somebody else has read; nothing is fixed."""
    codes = _codes(source, config)
    if not codes and not config.strict:
        return Outcome(source.path)
    task = Task(source.path, len(source.text), config, hears_noqa=hears_noqa)
    return _examine_program(source, task, codes)


def _joined(path: str, document: Document, parts: Sequence[Outcome]) -> Outcome:
    """Put together what came of a document's programs."""
    by_program = list(zip(document.programs, parts, strict=True))
    return Outcome(
        path,
        tuple(
            document.located(program, each)
            for program, part in by_program
            for each in part.findings
        ),
        tuple(
            document.located_problem(program, each)
            for program, part in by_program
            for each in part.problems
        ),
        sum(part.suppressed for _, part in by_program),
    )


def examine_plain(path: str, data: bytes, *, parse: bool) -> Outcome:
    """Say whether a file that no rule cares for is Python text, and on request whether it parses."""
    if not is_python(path):
        return _examine_plain_document(path, data) if parse else Outcome(path)
    is_surely_text = data.isascii() and b"\0" not in data and b"coding" not in data[:400]
    if is_surely_text and not parse:
        return Outcome(path)
    try:
        text = decode(path, data).text
    except UnreadableSource as error:
        return Outcome(path, problems=(Problem(path, error.reason),))
    problem = syntax_problem(path, text) if parse else None
    if problem is None or (b"skip-file" in data and _suppressions(text).skip_file):
        return Outcome(path)
    return Outcome(path, problems=(problem,))


def _examine_plain_document(path: str, data: bytes) -> Outcome:
    try:
        document = read_document(path, data)
    except UnreadableSource as error:
        return Outcome(path, problems=(Problem(path, error.reason),))
    problems = [
        document.located_problem(program, problem)
        for program in document.programs
        if (problem := syntax_problem(path, program.text)) is not None
        and not ("skip-file" in program.text and _suppressions(program.text).skip_file)
    ]
    return Outcome(path, problems=tuple(problems))


@functools.cache
def _gate(config: Config) -> Gate:
    from freezelint.rules import indexed_rules

    return Gate(config.rules_on(indexed_rules()))


def internal_error(path: str, error: BaseException, rule: str | None = None) -> Problem:
    """Word an exception that is freezelint's fault, not the checked file's."""
    return Problem(path, f"internal error: {type(error).__name__}: {error}", rule)


def _analyze(
    source: Source, codes: Sequence[str], config: Config
) -> tuple[list[Finding], Sequence[Problem]]:
    """Return the findings that are to be shown, and what went wrong."""
    if not codes:
        # Examined for its suppressions only.
        problem = syntax_problem(source.path, source.text)
        return [], (problem,) if problem else ()
    try:
        # Loads LibCST, so not before there is a file that needs it.
        from freezelint.analysis.analyze import analyze
        from freezelint.rules import load_rule

        rules = {code: config.names.with_triggers(load_rule(code)) for code in codes}
        findings, problems = analyze(source, list(rules.values()), config.names)
    except Exception as error:  # noqa: BLE001
        # One file must never cost the findings of the others.
        return [], (internal_error(source.path, error),)
    shown = [each for each in findings if config.shows(each, rules[each.code].level)]
    return [_with_fix_in_one_input(each, source) for each in shown], problems


def _with_fix_in_one_input(finding: Finding, source: Source) -> Finding:
    if finding.fix is None or not source.inputs:
        return finding
    from freezelint.fixes import stays_in_one_input

    return finding if stays_in_one_input(finding.fix, source.inputs) else finding._replace(fix=None)


def _suppressions(text: str) -> Suppressions:
    from freezelint.suppressions import Suppressions

    return Suppressions.of(text)


def _unused(
    path: str,
    suppressions: Suppressions,
    used: Collection[tuple[Comment, str | None]],
    config: Config,
) -> Sequence[Finding]:
    from freezelint.rules import indexed_rules
    from freezelint.suppressions import UnusedSuppression, unused_suppressions

    if not config.is_on(UnusedSuppression.code, UnusedSuppression.level):
        return ()
    levels = {rule.code: rule.level for rule in indexed_rules()}
    levels[UnusedSuppression.code] = UnusedSuppression.level
    return tuple(
        unused_suppressions(
            path,
            suppressions,
            used,
            tuple(levels),
            lambda code: config.is_on(code, levels[code]),
        )
    )
