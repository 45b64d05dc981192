"""What IPython understands besides Python, against IPython itself."""

from __future__ import annotations

import ast
import textwrap

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

from freezelint.sources.magics import with_magics, without_magics

MARK = "#-command-"

CELLS = [
    "%matplotlib inline\nimport torch",
    "  \n%load_ext autoreload\n%autoreload 2",
    "!pip install torch \\\n    torchvision\nx = 1",
    "!echo \"it's (open\nx = 1",
    "files = !ls *.pt\nn = len(files)",
    "a, b = %timeit -o f()",
    "x['k'] = !nvidia-smi",
    "for each in y:\n    !echo {each}\n    z = 1",
    "if x:\n    %cd data\nelse:\n    pass",
    "model?",
    "model.fc??",
    "?model",
    "x = 1\nnn.Linear?",
    "%%time\nmodel.train()",
    "%%timeit -n 10\nx = 1\n",
    "%%capture out\n%%time\nx = 1",
    "%%bash\necho 'hi\nls",
    "%%writefile train.py\nif x\n",
    "%%html\n<div>\n  it's\n</div>",
    "\n\n%%bash\nls (",
    "%time x = f()",
    "%time",
    "%time -p f()",
    "%run train.py",
    'x = """\n%matplotlib inline\n!ls\n"""\n%pwd',
    "x = (1\n% y)\n!ls",
    "x = 'a' \\\n% y\n!ls",
    "x = f(  # (\n    '(',\n)\n!ls",
    "x = y % z\n!ls",
    "await f()",
    "!!ls",
    "/f 1",
    "s = 'it\\'s ('\n%pwd",
]


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_that_ipython_runs_is_python_with_the_same_lines(cell: str) -> None:
    ast.parse(TransformerManager().transform_cell(cell))
    python = without_magics(cell, MARK)
    ast.parse(python.text)
    assert python.text.count("\n") == cell.count("\n")
    assert with_magics(python.text, MARK) == cell


@pytest.mark.parametrize("cell", ["if x\n!ls", "%pwd\nx = (", "x = 'a\n!ls", "def f(:\n    ?x"])
def test_what_ipython_cannot_run_is_no_python_either(cell: str) -> None:
    with pytest.raises(SyntaxError):
        ast.parse(TransformerManager().transform_cell(cell))
    with pytest.raises(SyntaxError):
        ast.parse(without_magics(cell, MARK).text)


@pytest.mark.parametrize(
    "text",
    ["x = '''\n%pwd\n'''", "x = (1\n% 2)", "x = 1 \\\n% 2", "'what?'\n# really?", "y = a != b"],
)
def test_python_stays_as_it_is(text: str) -> None:
    assert without_magics(text, MARK) == (text, {})


def test_the_rest_of_a_cell_stays_where_it_is() -> None:
    cell = textwrap.dedent("""\
        %matplotlib inline
        text = '''
        %not_a_command
        '''
        files = !ls (
        if files:
            !rm {files}
            x = 1
        """)
    assert without_magics(cell, MARK).text == textwrap.dedent("""\
        pass  #-command-%matplotlib inline
        text = '''
        %not_a_command
        '''
        files = get_ipython()  #-command-!ls (
        if files:
            pass  #-command-!rm {files}
            x = 1
        """)


def test_a_timed_statement_is_python_and_knows_what_stood_before_it() -> None:
    assert without_magics("%time  x = f()", MARK) == (f"x = f()  {MARK}{MARK}%time  ", {0: 7})


@pytest.mark.parametrize("cell", ["pip install torch", "\ncd data\n", "ls"])
def test_a_command_without_its_sign_counts_if_nothing_else_is_there(cell: str) -> None:
    ast.parse(without_magics(cell, MARK).text)
    assert with_magics(without_magics(cell, MARK).text, MARK) == cell
    with pytest.raises(SyntaxError):
        ast.parse(without_magics(f"x = 1\n{'pip install y'}", MARK).text)


PIECES = [
    *("%time ", "!ls", "?", "x", " = ", "!", "%", "'", '"""', "\\", "\n"),
    *("    ", "(", ")", "#", "<", "é"),
]


@example("<?")
@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_commands_come_back_as_they_were(cell: str) -> None:
    python = without_magics(cell, MARK)
    assert python.text.count("\n") == cell.count("\n")
    assert with_magics(python.text, MARK) == cell
