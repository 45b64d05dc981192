"""Which settings a project can make, what each may be, and which of them are in force."""

from __future__ import annotations

import enum
import os
from typing import TYPE_CHECKING, Any

from freezelint.project_file import BadSettings
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from freezelint.project_file import Layer


class Kind(enum.Enum):
    """What the value of a setting is, in words for a message."""

    FLAG = "true or false"
    COUNT = "a whole number of at least 1"
    PATH = "a path"
    CODES = "a list of codes or prefixes of codes, such as FZ301 or FZ3"
    NAMES = "a list of names"
    TENSORS = "a list of patterns"
    PATTERNS = "a list of patterns of paths"
    CODES_BY_PATTERN = "a table of patterns of paths, each with a list of codes"


class Setting(NamedTuple):
    """One key of the table."""

    key: str
    kind: Kind
    default: Any
    meaning: str
    adds_up: bool = False
    """Whether it adds to what an extended file says, instead of taking its place."""

    @property
    def field(self) -> str:
        """The key as a Python name."""
        return self.key.replace("-", "_")


class PlacedPattern(NamedTuple):
    """A pattern, and the folder that it is relative to."""

    folder: str
    text: str


SETTINGS = (
    Setting("extend", Kind.PATH, None, "another file of settings that these add to"),
    Setting("select", Kind.CODES, (), "the only rules to run"),
    Setting("extend-select", Kind.CODES, (), "rules to run as well", adds_up=True),
    Setting("ignore", Kind.CODES, (), "rules not to run"),
    Setting(
        "per-file-ignores",
        Kind.CODES_BY_PATTERN,
        (),
        "rules not to run on files that match a pattern",
        adds_up=True,
    ),
    Setting("exclude", Kind.PATTERNS, None, "what not to look into, instead of the default"),
    Setting("extend-exclude", Kind.PATTERNS, (), "what not to look into as well", adds_up=True),
    Setting("strict", Kind.FLAG, False, "whether info findings are shown"),
    Setting("docs", Kind.FLAG, False, "whether code in Markdown and reStructuredText is checked"),
    Setting("fix", Kind.FLAG, False, "whether what can be fixed is"),
    Setting("unsafe-fixes", Kind.FLAG, False, "whether fixes may change more than the freeze"),
    Setting("jobs", Kind.COUNT, None, "processes to use; all cores if not set"),
    Setting("baseline", Kind.PATH, None, "a file of findings that are known and not shown"),
    Setting("cache-dir", Kind.PATH, None, "where results are kept"),
    Setting("freezers", Kind.NAMES, (), "functions that freeze the modules they are given"),
    Setting("unfreezers", Kind.NAMES, (), "functions that unfreeze the modules they are given"),
    Setting("optimizers", Kind.NAMES, (), "classes and functions that build optimizers"),
    Setting("modules", Kind.NAMES, (), "classes and functions that build modules"),
)
RUNTIME = "runtime"
"""The table of what ``freezelint run`` is asked for."""


class Sourced(NamedTuple):
    """The value of a setting, and who says so: a file, an option or the default."""

    value: Any
    source: str = "default"


def in_force(layers: Iterable[Layer], codes: Callable[[], Sequence[str]]) -> dict[str, Sourced]:
    """Return the value of each setting by its key.

    Args:
        layers: The files of settings, those first that others extend.
        codes: Finds the codes of all rules, where some are named.

    Raises:
        BadSettings: if a key is unknown or its value has the wrong type.
    """
    found = {each.key: Sourced(each.default) for each in SETTINGS}
    for layer in layers:
        checked = checked_table(layer, SETTINGS, codes=codes, besides=(RUNTIME,))
        for setting in SETTINGS:
            if setting.key in checked:
                value, source = checked[setting.key], layer.path
                before = found[setting.key]
                if setting.adds_up and before.value:
                    value, source = (*before.value, *value), f"{before.source}, {source}"
                found[setting.key] = Sourced(value, source)
    return found


def checked_table(
    layer: Layer,
    settings: Sequence[Setting],
    *,
    table: str = "",
    codes: Callable[[], Sequence[str]] = tuple,
    besides: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what a file says, each value of the kind that its key asks for.

    Args:
        layer: The file.
        settings: The keys that there are.
        table: The table of the file that is meant, if it is not the whole.
        codes: Finds the codes of all rules, where some are named.
        besides: Keys that are somebody else's.

    Raises:
        BadSettings: if a key is unknown or its value has the wrong type.
    """
    values: Any = layer.table.get(table, {}) if table else layer.table
    if not isinstance(values, dict):
        raise BadSettings(f"{layer.where(table)} must be a table")
    known = {each.key: each for each in settings}
    found = {}
    for key, value in values.items():
        if key in besides:
            continue
        if key not in known:
            hint = nearest(key, [*known, *besides])
            raise BadSettings(f"{layer.where(key, table)} is unknown; {hint}")
        try:
            found[key] = _checked(layer, known[key].kind, value, codes)
        except _Wrong as wrong:
            raise BadSettings(f"{layer.where(key, table)} {wrong}") from None
    return found


def nearest(name: str, known: Sequence[str]) -> str:
    """Return what to say about a name that does not exist: the nearest one, or all."""
    import difflib

    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"


class _Wrong(Exception):
    """Why a value cannot be used."""


def _checked(layer: Layer, kind: Kind, value: Any, codes: Callable[[], Sequence[str]]) -> Any:
    folder = os.path.dirname(os.path.abspath(layer.path))
    if kind is Kind.FLAG:
        _require(isinstance(value, bool), kind, value)
        return value
    if kind is Kind.COUNT:
        is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        _require(is_count, kind, value)
        return value
    if kind is Kind.PATH:
        _require(isinstance(value, str), kind, value)
        return os.path.join(folder, os.path.expanduser(value))
    if kind is Kind.CODES_BY_PATTERN:
        _require(isinstance(value, dict), kind, value)
        return tuple(
            (PlacedPattern(folder, pattern), _codes(listed, codes))
            for pattern, listed in value.items()
        )
    if kind is Kind.CODES:
        return _codes(value, codes)
    texts = _texts(kind, value)
    return tuple(PlacedPattern(folder, each) for each in texts) if kind is Kind.PATTERNS else texts


def _codes(value: Any, known: Callable[[], Sequence[str]]) -> tuple[str, ...]:
    from freezelint.config import UnknownCode, normalized_codes

    try:
        return normalized_codes(_texts(Kind.CODES, value), known())
    except UnknownCode as error:
        raise _Wrong(f"is wrong: {error}") from None


def _texts(kind: Kind, value: Any) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    _require(
        isinstance(listed, list) and all(isinstance(each, str) for each in listed), kind, value
    )
    return tuple(listed)


def _require(holds: bool, kind: Kind, value: Any) -> None:
    if not holds:
        raise _Wrong(f"must be {kind.value}, not {value!r}")


def as_text(value: Any) -> str:
    """Return a value as TOML would have it, on one line."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, PlacedPattern):
        return f'"{value.text}"'
    if isinstance(value, tuple):
        if value and isinstance(value[0], tuple) and not isinstance(value[0], PlacedPattern):
            pairs: Mapping[PlacedPattern, Sequence[str]] = dict(value)
            inside = ", ".join(
                f"{as_text(each)} = {as_text(codes)}" for each, codes in pairs.items()
            )
            return f"{{ {inside} }}"
        return f"[{', '.join(map(as_text, value))}]"
    return str(value) if isinstance(value, int) else f'"{value}"'
