"""Which rules run: the more specific selector decides, and a tie goes to ``ignore``."""

from __future__ import annotations

import pytest

from freezelint.config import Config, UnknownCode, normalized_codes
from freezelint.findings import Level

CODES = {
    "FZ101": Level.ERROR,
    "FZ301": Level.WARNING,
    "FZ302": Level.ERROR,
    "FZ303": Level.INFO,
}


def on(config: Config) -> str:
    return " ".join(code[2:] for code, level in CODES.items() if config.is_on(code, level))


@pytest.mark.parametrize(
    ("config", "codes"),
    [
        (Config(), "101 301 302"),
        (Config(strict=True), "101 301 302 303"),
        (Config(select=("FZ",)), "101 301 302"),
        (Config(select=("FZ3",)), "301 302"),
        (Config(select=("FZ3",), strict=True), "301 302 303"),
        (Config(select=("FZ303",)), "303"),
        (Config(extend_select=("FZ303",)), "101 301 302 303"),
        (Config(select=("FZ1",), extend_select=("FZ302",)), "101 302"),
        (Config(ignore=("FZ3",)), "101"),
        (Config(ignore=("FZ",)), ""),
        (Config(select=("FZ301",), ignore=("FZ3",)), "301"),
        (Config(select=("FZ3",), ignore=("FZ301",)), "302"),
        (Config(select=("FZ301",), ignore=("FZ301",)), ""),
        (Config(extend_select=("FZ301",), ignore=("FZ3",)), "101 301"),
    ],
)
def test_selection(config: Config, codes: str) -> None:
    assert on(config) == codes


def test_codes_come_with_commas_in_any_case_and_once() -> None:
    assert normalized_codes(["fz3, FZ101,", "FZ3"], list(CODES)) == ("FZ3", "FZ101")


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("FZ3O1", "did you mean FZ301?"),
        ("F301", "did you mean FZ301?"),
        ("E501", "`freezelint rules` lists them"),
    ],
)
def test_an_unknown_code_names_the_nearest_right_one(code: str, hint: str) -> None:
    with pytest.raises(UnknownCode, match="no rule has the code") as raised:
        normalized_codes([code], list(CODES))
    assert hint in str(raised.value)
