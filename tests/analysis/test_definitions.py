"""What is read off the lines of functions and classes without parsing them."""

from __future__ import annotations

from freezelint.analysis.definitions import ClassDefinition, Definition
from freezelint.analysis.search import AnyOf


def test_comments_and_long_strings_mention_nothing() -> None:
    lines = [
        "def train(model):",
        '    """Freezes as `Teacher` does."""',
        "    # see Student",
        "    return getattr(model, 'head#1'), build(\"it's # no comment\")  # Expert",
    ]

    words = Definition("train", lines, 1).words

    assert words >= {"train", "model", "getattr", "head", "build", "comment"}
    assert words.isdisjoint({"Teacher", "Student", "Expert"})


def test_names_of_its_own_are_those_behind_self_its_class_and_its_bases() -> None:
    lines = [
        "def forward(self, x):",
        "    y = self.encoder(myself.other(x))",
        "    return super().head(cls.scale, getattr(self, 'tail'))",
    ]

    names = Definition("forward", lines, 1).names_of_own

    assert names == {"encoder", "head", "scale", "tail"}


def test_fields_are_read_without_parsing_the_methods() -> None:
    broken_method = ["    def train(self):", "        return (", "            1"]
    lines = ["class Settings:", "    rate: float = 0.1", *broken_method, "    depth = 3"]

    definition = ClassDefinition("Settings", lines, 1)

    assert definition.annotated == ("rate",)
    constants = definition.constants
    assert constants is not None
    assert constants.get("depth") is not None


def test_a_name_that_only_functions_assign_is_constant() -> None:
    lines = ["class Sizes:", "    width = 8", "    def grow(self):", "        width = 9"]

    constants = ClassDefinition("Sizes", lines, 1).constants

    assert constants is not None
    assert constants.get("width") is not None


def test_one_of_some_words_or_patterns_is_enough() -> None:
    frozen = AnyOf("freeze", ("eval", r"\.eval\b"))

    assert frozen.occurs_in("model.eval()")
    assert frozen.occurs_in("unfreeze(model)")
    assert not frozen.occurs_in("evaluate(model.evaluation)")
