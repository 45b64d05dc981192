"""Code blocks of Markdown and reStructuredText: which there are, and where they stand."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezelint.findings import Finding, Level, Span
from freezelint.sources.document import Document, read_document
from freezelint.sources.python import UnreadableSource


def read(name: str, text: str) -> Document:
    return read_document(name, textwrap.dedent(text).encode())


def programs(name: str, text: str) -> list[str]:
    return [each.text for each in read(name, text).programs]


def places(name: str, text: str, word: str) -> list[tuple[int, int]]:
    """Where a word of the programs stands in the document, by their own account."""
    document = read(name, text)
    found = []
    for program in document.programs:
        for number, line in enumerate(program.lines, 1):
            at = line.find(word)
            if at >= 0 and not line.startswith("#-output-"):
                span = Span(number, at + 1, number, at + 1 + len(word))
                finding = Finding("FZ101", "n", Level.ERROR, name, span, "m", "h")
                span = document.located(program, finding).span
                shown = document.lines(0)[span.line - 1]
                assert shown[span.column - 1 : span.end_column - 1] == word
                found.append((span.line, span.column))
    return found


MARKDOWN = """\
# Title

```python
x = 1
word = 2
```

- a list:

  ```py
  word = 3
  ```

> ``` python title="quoted"
> word = 4
> ```

~~~~pycon
>>> for word in y:
...     pass
word
>>> word = 5
~~~~

    word = "indented code says no language"

```
word = "nor does this"
```

```js
let word = 6;
```

<pre>
word = 7
</pre>
"""


def test_fenced_blocks_of_markdown_are_programs_with_their_places() -> None:
    lines = textwrap.dedent(MARKDOWN).split("\n")
    expected = [
        (lines.index(line) + 1, line.index("word") + 1)
        for line in (
            *("word = 2", "  word = 3", "> word = 4"),
            *(">>> for word in y:", ">>> word = 5"),
        )
    ]
    assert places("a.md", MARKDOWN, "word") == expected


@pytest.mark.parametrize(
    "info",
    [
        *("python", "Python", "py", "python3", "{.python .numberLines}", "{python}"),
        *("{code-cell} ipython3", "python {1,3}", "python,ignore"),
    ],
)
def test_a_block_of_python_is_known_by_its_first_word(info: str) -> None:
    assert programs("a.md", f"```{info}\nx = 1\n```\n") == ["x = 1\n"]


@pytest.mark.parametrize("info", ["", "pythonic", "text", "{note} python", "bash", "diff"])
def test_other_blocks_are_none(info: str) -> None:
    assert programs("a.md", f"```{info}\nx = 1\n```\n") == []


REST = """\
Title
=====

.. code-block:: python
   :linenos:
   :emphasize-lines: 1

   word = 1

   if x:
       word = 2

Text.

.. note::

    .. code:: Python3

        word = 3

>>> word = 4
>>> for x in y:
...     word
printed

.. testcode::

    word = 5

.. code-block:: console

   word = 6

::

    word = 7

.. code-block:: pycon

   >>> word
   word
"""


def test_directives_of_restructured_text_and_doctests_are_programs_with_their_places() -> None:
    lines = REST.split("\n")
    expected = [
        (lines.index(line) + 1, line.index("word") + 1)
        for line in (
            *("   word = 1", "       word = 2", "        word = 3", ">>> word = 4"),
            *("...     word", "    word = 5", "   >>> word"),
        )
    ]
    assert places("a.rst", REST, "word") == expected


def test_what_a_session_printed_is_no_code() -> None:
    text = ">>> x\nif y\n>>> z\n... # more\n\n"
    (shown,) = programs("a.rst", text)
    assert shown == "x\n#-output-if y\nz\n# more\n"


def test_what_is_no_python_as_it_stands_is_left_out() -> None:
    text = "```python\nmodel = ...\n    x\n```\n\n```python\nx = 1\n```\n"
    assert programs("a.md", text) == ["x = 1\n"]


def test_a_document_that_is_not_utf_8_says_so() -> None:
    with pytest.raises(UnreadableSource, match="is not UTF-8"):
        read_document("a.md", b"\xe9")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("ending", ["\n", ""])
def test_new_lines_of_a_block_are_indented_as_it_is(newline: str, ending: str) -> None:
    text = f"> - x\n>   ```py\n>   old = 1\n>   y = 1\n>   ```\n\n* z{ending}"
    text = text.replace("\n", newline)
    document = read_document("a.md", text.encode())
    (program,) = document.programs
    changed = program.text.replace("old = 1\n", f"new = 1{newline}newer = 2{newline}")
    expected = text.replace("old = 1", f"new = 1{newline}>   newer = 2")
    assert document.with_texts([changed]).decode() == expected


def test_new_lines_of_a_session_get_a_prompt() -> None:
    document = read_document("a.rst", b"Text\n\n  >>> with a:\n  ...     old = 1\n  1\n")
    (program,) = document.programs
    changed = program.text.replace("    old = 1\n", "    old = 2\n    z = 3\n")
    after = document.with_texts([changed]).decode()
    assert after == "Text\n\n  >>> with a:\n  ...     old = 2\n  ...     z = 3\n  1\n"


def test_a_last_line_without_an_end_stays_without() -> None:
    document = read_document("a.rst", b".. code:: python\n\n   x = 1\n   old = 1")
    (program,) = document.programs
    changed = program.text.replace("old = 1", "old = 1\nnew = 2")
    assert document.with_texts([changed]) == b".. code:: python\n\n   x = 1\n   old = 1\n   new = 2"


LINES = st.sampled_from(
    [
        *("```python", "```", "  ```py", "> ```pycon", "x = 1", "  x = 1", "> x = 1", ">>> x"),
        *("... y", "", "text", ".. code:: python", "   :name: x", "   x = 1", "\tx = 1", "- ```py"),
    ]
)


@given(
    st.lists(LINES, max_size=12),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["a.md", "a.rst"]),
    st.booleans(),
)
def test_what_is_not_changed_keeps_its_bytes(
    lines: list[str], newline: str, name: str, bom: bool
) -> None:
    data = (("\ufeff" if bom else "") + newline.join(lines)).encode()
    document = read_document(name, data)
    assert document.with_texts([each.text for each in document.programs]) == data
    if document.programs:
        texts = [f"new{newline}{each.text}" for each in document.programs]
        assert document.with_texts(texts).count(b"new") == len(texts)
