"""The texts below the attributes of a class, for the documents that describe it.

Pydantic reads them too (`use_attribute_docstrings`), but from every class as it is made: that was a sixth of what each
process and each call of the command line had to do before it could begin. Here they are read once somebody asks.
"""

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise


def attribute_docs(declaring: type) -> Mapping[str, str]:
    """By name, the text below each attribute that the class or one of its bases annotates. Nothing of those whose source
    isn't there."""
    found: dict[str, str] = {}
    for base in reversed(declaring.__mro__):
        found |= _docs_of_module(base.__module__).get(base.__qualname__, {})
    return {name: text for name, text in found.items() if text}


@cache
def _docs_of_module(name: str) -> Mapping[str, Mapping[str, str]]:
    module = sys.modules.get(name)
    if module is None or not hasattr(module, "__file__"):
        return {}
    try:
        tree = ast.parse(inspect.getsource(module))
    except (OSError, SyntaxError):  # It has no source, or one that was changed since.
        return {}
    return dict(_docs_below(tree, ""))


def _docs_below(node: ast.AST, prefix: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Each class below the node by its qualified name."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.ClassDef(name=name):
                yield f"{prefix}{name}", dict(_docs_in(child.body))
                yield from _docs_below(child, f"{prefix}{name}.")
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield from _docs_below(child, f"{prefix}{name}.<locals>.")
            case _:
                yield from _docs_below(child, prefix)


def _docs_in(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Each annotated attribute. Without a text of its own it has none, whatever a base class says of it."""
    for statement, below in pairwise([*body, ast.Pass()]):
        match statement, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, inspect.cleandoc(text)
            case ast.AnnAssign(target=ast.Name(id=name)), _:
                yield name, ""
