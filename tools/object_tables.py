"""Write the tables of docs/objects.md from the stub of the kernel and its words; ``--check`` only compares.

``<!-- Order -->`` stands before the fields and methods of a class, ``<!-- words of order/life.rs:Status -->`` before
the words of an enumeration of the kernel; ``<!-- end -->`` behind either.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "objects.md"
STUB = ROOT / "python" / "tradewind" / "_core.pyi"
STRATEGY = ROOT / "python" / "tradewind" / "strategy.py"
KERNEL = ROOT / "crates" / "core" / "src"
TABLE = re.compile(r"<!-- (?:words of ([\w/]+\.rs):)?(\w+) -->\n(.*?)<!-- end -->", re.DOTALL)
VARIANT = re.compile(r"((?:    /// [^\n]*\n)+)    (\w+)(\([^\n]*\)| \{.*?\n    \})?,\n", re.DOTALL)


def main() -> int:
    """Write or compare; the exit code tells whether they were equal."""
    stub = ast.parse(STUB.read_text(encoding="utf-8"))
    classes = {node.name: node for node in stub.body if isinstance(node, ast.ClassDef)}
    found = PAGE.read_text(encoding="utf-8")
    made = TABLE.sub(lambda match: _filled(match, stub, classes), found)
    missing = met(classes) - {match[2] for match in TABLE.finditer(made)}
    if missing:
        print(f"{PAGE.name} has no table of {', '.join(sorted(missing))}")
        return 1
    if made == found:
        return 0
    if "--check" in sys.argv:
        print(f"{PAGE.name} is not what the code says: run tools/object_tables.py")
        return 1
    PAGE.write_text(made, encoding="utf-8")
    return 0


def met(classes: dict[str, ast.ClassDef]) -> set[str]:
    """The classes that a strategy meets: what its callbacks take, and what those lead to."""
    known = set[str]()
    new = _names(ast.parse(STRATEGY.read_text(encoding="utf-8"))) & classes.keys()
    while new:
        known |= new
        new = set().union(*(_names(classes[name]) for name in new)) & classes.keys() - known
    return known


def members(node: ast.ClassDef, stub: ast.Module) -> str:
    """The fields and methods of a class."""
    rows = [
        f"| `{_call(one)}` | {_cell(_type(one.returns, stub))} | {_cell(_text(one))} |"
        for one in node.body
        if isinstance(one, ast.FunctionDef) and not one.name.startswith("__")
    ]
    return "\n".join(["| | type | meaning |", "|---|---|---|", *rows]) + "\n"


def words(file: Path, name: str) -> str:
    """The words of an enumeration, as Python has them."""
    source = file.read_text(encoding="utf-8")
    body = source[source.index(f"pub enum {name} {{\n") :].partition("\n}\n")[0] + "\n"
    rows = []
    for text, variant, held in VARIANT.findall(body):
        if held == f"({variant})":
            continue  # An enumeration of its own, with a table of its own.
        word = re.sub(r"(?<!^)(?=[A-Z])", "_", variant).lower()
        rows.append(f"| `{word}` | {_cell(text.replace('///', ' '))} |")
    return "\n".join(["| word | meaning |", "|---|---|", *rows]) + "\n"


def _filled(match: re.Match[str], stub: ast.Module, classes: dict[str, ast.ClassDef]) -> str:
    file, name = match[1], match[2]
    table = members(classes[name], stub) if file is None else words(KERNEL / file, name)
    mark = match[0].partition("\n")[0]
    return f"{mark}\n{table}<!-- end -->"


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _text(method: ast.FunctionDef) -> str:
    return inspect.cleandoc(ast.get_docstring(method) or "")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _call(method: ast.FunctionDef) -> str:
    """A field by its name, a method as it is called."""
    if any(isinstance(one, ast.Name) and one.id == "property" for one in method.decorator_list):
        return method.name
    return f"{method.name}({', '.join(_arguments(method.args))})"


def _arguments(arguments: ast.arguments) -> Iterator[str]:
    placed = arguments.args[1:]
    defaults = [None] * (len(placed) - len(arguments.defaults)) + list(arguments.defaults)
    for one, default in zip(placed, defaults, strict=True):
        yield _argument(one, default)
    if arguments.vararg:
        yield f"*{arguments.vararg.arg}"
    elif arguments.kwonlyargs:
        yield "*"
    for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _argument(one, default)


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    return argument.arg if default is None else f"{argument.arg}={ast.unparse(default).replace(chr(39), chr(34))}"


def _type(annotation: ast.expr | None, stub: ast.Module) -> str:
    """A type in words: "a or b" for a union, the words of a literal, and what a name of the stub stands for."""
    match annotation:
        case ast.BinOp(left, ast.BitOr(), right):
            return f"{_type(left, stub)} or {_type(right, stub)}"
        case ast.Subscript(ast.Name("Literal"), ast.Tuple(choices)):
            return " or ".join(f"`{ast.unparse(one).replace(chr(39), chr(34))}`" for one in choices)
        case ast.Name(name) if name.startswith("_"):
            return _type(_named(name, stub), stub)
        case None | ast.Constant(None):
            return "None"
        case _:
            return f"`{ast.unparse(annotation)}`"


def _named(name: str, stub: ast.Module) -> ast.expr:
    for node in stub.body:
        if isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == name for one in node.targets):
            return node.value
    raise KeyError(name)


if __name__ == "__main__":
    sys.exit(main())
