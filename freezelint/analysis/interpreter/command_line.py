"""Options: of which type ``argparse`` makes them, and what objects hold them by attribute."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis import events
from freezelint.analysis.values import (
    UNKNOWN,
    BuiltinValue,
    Constant,
    LibraryInstance,
    MappingValue,
    NamespaceValue,
    SequenceValue,
    TypedValue,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import libcst as cst

    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter

PARSER = "argparse.ArgumentParser"

_PLAIN_TYPES = frozenset({"int", "float", "str"})
_ORDINARY = frozenset({"type", "default", "choices", "required", "help", "dest", "metavar"})
"""Arguments with which an option is its text, converted: no ``action``, no ``nargs``."""

_ENTRY = r"( *)([A-Za-z_]\w*):(?: +(\S.*))?$"
"""A line of a text in YAML: a key, and what it stands for unless that is in the lines below."""

_SAME_PARSER = frozenset({"add_argument_group", "add_mutually_exclusive_group"})


def call_on_parser(
    run: Interpreter, parser: LibraryInstance, name: str, arguments: Arguments, node: cst.Call
) -> Value:
    """Define options, or parse them."""
    if name == "add_argument":
        note_type(run, arguments, node, is_argparse=True)
        option = _destination(arguments)
        if option is not None:
            run.bindings[parser.key, option] = _option(arguments)
    elif name == "set_defaults":
        for option in list(arguments.keywords) if arguments.complete else _options(run, parser):
            run.bindings[parser.key, option] = UNKNOWN
    elif name in _SAME_PARSER:
        return parser
    elif name == "parse_args":
        return _parsed(run, parser)
    elif name == "parse_known_args":
        return SequenceValue((_parsed(run, parser), UNKNOWN))
    return UNKNOWN


def note_type(run: Interpreter, arguments: Arguments, node: cst.Call, *, is_argparse: bool) -> None:
    """Announce an option of the type ``bool``, which takes every text for True."""
    names = [each.value for each in arguments.positional if isinstance(each, Constant)]
    option = next((each for each in names if isinstance(each, str) and each[:2] == "--"), None)
    if option is not None and arguments.keywords.get("type") == BuiltinValue("bool"):
        run.announce(
            events.OptionTypedAsBool(place=run.place(node), option=option, is_argparse=is_argparse)
        )


def _parsed(run: Interpreter, parser: LibraryInstance) -> NamespaceValue:
    namespace = NamespaceValue(run.objects.new_key())
    for option in _options(run, parser):
        run.bindings[namespace.key, option] = run.bindings[parser.key, option]
    return namespace


def _options(run: Interpreter, parser: LibraryInstance) -> list[str]:
    return [name for key, name in run.bindings if key == parser.key]


def _destination(arguments: Arguments) -> str | None:
    chosen = arguments.keywords.get("dest")
    names = [chosen] if chosen is not None else list(arguments.positional)
    texts = [each.value for each in names if isinstance(each, Constant)]
    if not texts or len(texts) < len(names) or not all(isinstance(each, str) for each in texts):
        return None
    long = [each for each in texts if each.startswith("--") or not each.startswith("-")]
    return str((long or texts)[0]).lstrip("-").replace("-", "_")


def _option(arguments: Arguments) -> Value:
    """What parsing gives; where it may be a bool after all, nothing is known of it."""
    given = arguments.keywords
    if not arguments.complete or not _ORDINARY.issuperset(given):
        return UNKNOWN
    default = given.get("default", Constant(None))
    if not isinstance(default, Constant) or isinstance(default.value, bool):
        return UNKNOWN
    kind = given.get("type", BuiltinValue("str"))
    if isinstance(kind, BuiltinValue) and kind.name in _PLAIN_TYPES:
        return TypedValue(kind.name, default)
    return UNKNOWN


def _namespace(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """``SimpleNamespace(rate=0.1)``."""
    made = NamespaceValue(run.objects.new_key())
    for name, value in arguments.keywords.items():
        run.bindings[made.key, name] = value
    return made


def _configuration(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """A dict whose keys are attributes, too: made from a plain one, it holds the same."""
    given = arguments.positional[0] if len(arguments.all) == 1 else UNKNOWN
    return _options_in(given)


def _options_in(given: Value) -> Value:
    if isinstance(given, Constant) and isinstance(given.value, str):
        return _of_text(given.value)
    return given if isinstance(given, MappingValue) else UNKNOWN


def options_of(name: str, given: Value) -> Value:
    """What a file keeps its options in: switches are there to be turned."""
    is_made = OPTION_CALLS.get(name) is _configuration
    return _without_switches(_options_in(given)) if is_made else UNKNOWN


def _merged(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """``OmegaConf.merge(defaults, others)``: switches are there to be turned by the others."""
    first = arguments.positional[0] if arguments.positional else UNKNOWN
    return _without_switches(first)


def _without_switches(value: Value) -> Value:
    if isinstance(value, MappingValue):
        items = tuple((key, _without_switches(each)) for key, each in value.items)
        return MappingValue(items, complete=False)
    return UNKNOWN if isinstance(value, Constant) and type(value.value) is bool else value


def as_defaults(value: Value) -> Value:
    """What options may be where they are passed: numbers are as by default, if nobody says more."""
    if isinstance(value, MappingValue):
        items = tuple((key, as_defaults(each)) for key, each in value.items)
        return MappingValue(items, complete=False)
    if isinstance(value, Constant) and type(value.value) is float:
        return TypedValue("float", value)
    return UNKNOWN


def _of_text(text: str) -> Value:
    """What a text in YAML stands for, where it is nothing but keys and plain values."""
    lines = [re.sub(r"(?:^|\s)#.*", "", line).rstrip() for line in text.split("\n")]
    found = [re.match(_ENTRY, line) for line in lines if line]
    entries = [(len(each[1]), each[2], each[3] or "") for each in found if each is not None]
    return _of_entries(entries) if len(entries) == len(found) else UNKNOWN


def _of_entries(entries: Sequence[tuple[int, str, str]]) -> Value:
    items: list[tuple[object, Value]] = []
    start = 0
    while start < len(entries):
        depth, key, text = entries[start]
        end = start + 1
        while end < len(entries) and entries[end][0] > depth:
            end += 1
        if depth != entries[0][0] or (text and end > start + 1):
            return UNKNOWN
        below = entries[start + 1 : end]
        items.append((key, _of_entries(below) if below else _of_scalar(text)))
        start = end
    return MappingValue(tuple(items), complete=True)


def _of_scalar(text: str) -> Value:
    if re.fullmatch(r"\{[^{}\[\]\"']*\}", text):
        pairs = [each.partition(":") for each in text[1:-1].split(",")]
        return MappingValue(
            tuple((key.strip(), _of_scalar(value.strip())) for key, _, value in pairs),
            complete=True,
        )
    if text in ("true", "True", "false", "False"):
        return Constant(text.lower() == "true")
    if re.fullmatch(r"-?\d+", text):
        return Constant(int(text))
    if re.fullmatch(r"-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?", text):
        return Constant(float(text))
    return UNKNOWN


OPTION_CALLS: dict[str, Callable[[Interpreter, Arguments, cst.Call], Value]] = {
    "types.SimpleNamespace": _namespace,
    "argparse.Namespace": _namespace,
    "omegaconf.OmegaConf.create": _configuration,
    "omegaconf.DictConfig": _configuration,
    "omegaconf.OmegaConf.merge": _merged,
    "easydict.EasyDict": _configuration,
    "ml_collections.ConfigDict": _configuration,
    "ml_collections.config_dict.ConfigDict": _configuration,
    "addict.Dict": _configuration,
    "box.Box": _configuration,
    "munch.Munch": _configuration,
}
"""What makes objects that hold options."""


def forget_options(run: Interpreter, values: Iterable[Value]) -> None:
    """Note that code out of sight has these options in hands and may put others in their place."""
    namespaces = {each.key for each in values if isinstance(each, NamespaceValue)}
    for key, value in run.bindings.items() if namespaces else ():
        if key[0] in namespaces and isinstance(value, TypedValue):
            run.bindings[key] = UNKNOWN
