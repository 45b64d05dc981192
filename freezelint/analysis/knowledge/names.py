"""How code looks that picks parameters by their names."""

from __future__ import annotations

NAME_TESTS = (
    r"startswith\(",
    r"endswith\(",
    r"\.match\(",
    r"\.search\(",
    r"map\(\w+\.(?:startswith|endswith|__contains__),",
    r"\" (?:not )?in \w",
    r"' (?:not )?in \w",
    r"% \w+ in n",
    r"\) in n",
    r" in \w+ for ",
    r"if (?:not )?\w+ (?:not )?in [\w({\[]",
    r"= (?:not )?\w+ (?:not )?in [\w({\[]",
    r"_\((?:not )?\w+ (?:not )?in [\w({\[]",
    r"\.split\([\"']\.[\"'](?:, ?1)?\)\[0\] (?:[=!]= |(?:not )?in )",
    r"name [=!]= ",
    r"n [=!]= ",
)
"""Patterns of source text that may test the name of a parameter."""

NAME_LISTINGS = (
    r"in [\w.\[\]()]{1,80}\.named_",
    r"\([\w.\[\]()]{1,80}\.named_",
)
"""Patterns of source text that goes over the names of something but ``self``."""
