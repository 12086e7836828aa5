"""Every small change that could be made to a module: numbers, comparisons, operators, results.

Owns which of the library's changes count. Texts and annotations are left alone, decorators and
subscripts as well: without them a module does not get as far as being wrong. Left alone is also
what cannot lose or double anything: how a class is made (nothing writes to a frozen value, and a
member without its name is an error of the type checker), and assertions (they say what holds
anyway, and only stop).
"""

from __future__ import annotations

import ast
import functools
import pickle
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from poodle import mutators
from typing_extensions import override

if TYPE_CHECKING:
    from poodle.data_types import FileMutation


KINDS: Final = (
    mutators.AugAssignMutator,
    mutators.BinaryOperationMutator,
    mutators.ComparisonMutator,
    mutators.FunctionCallMutator,
    mutators.KeywordMutator,
    mutators.LambdaReturnMutator,
    mutators.NumberMutator,
    mutators.ReturnMutator,
    mutators.UnaryOperationMutator,
)
WORDS_MAX: Final = 80  # of the source that a name tells
_EMPTY_TEXT: Final = "f''"  # what is left of a text with values in it: such a change is none


class Mutation(NamedTuple):
    """One change.

    Attributes:
        key: What it is: function, source, replacement; no line number, so that it outlives
            changes elsewhere in the module.
        start: Where the source begins, bytes from the start of the file.
        end: Where it ends.
        text: What stands there instead.
    """

    key: str
    start: int
    end: int
    text: str


@functools.cache  # of each module that is drawn from
def mutations_of(source: str) -> tuple[Mutation, ...]:
    """Return every change of a module, in the order of their places."""
    data, functions = source.encode(), _functions(ast.parse(source))
    starts = [0]
    for line in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for each in sorted(_made(source), key=lambda made: (made.lineno, made.col_offset, made.text)):
        start = starts[each.lineno - 1] + each.col_offset
        end = starts[each.end_lineno - 1] + each.end_col_offset
        words = " ".join(data[start:end].decode().split())
        where = _innermost(functions, each.lineno)
        key = f"{where}: {words[:WORDS_MAX]} -> {each.text[:WORDS_MAX]}"
        found.append(Mutation(key, start, end, each.text))
    return _numbered(found)


def applied(mutation: Mutation, source: str) -> str | None:
    """Return the changed module, or None where the change is none or no Python."""
    data = source.encode()
    changed = (data[: mutation.start] + mutation.text.encode() + data[mutation.end :]).decode()
    try:
        tree = ast.parse(changed)
    except SyntaxError:
        return None
    return None if ast.dump(tree) == _dumped(source) else changed


@functools.cache
def _dumped(source: str) -> str:
    return ast.dump(ast.parse(source))


def _made(source: str) -> list[FileMutation]:
    config: Any = SimpleNamespace(mutator_opts={})  # no settings
    found: list[FileMutation] = []
    plain = pickle.dumps(_Plain().visit(ast.parse(source)))
    for kind in KINDS:
        # Each gets a tree of its own: some of them change it.
        tree = pickle.loads(plain)  # noqa: S301 - made just above
        maker: Any = kind(config=config, echo=print)
        # No annotation is left that a parent would tell, and a node that knows its parents is
        # copied with the whole module.
        maker.add_parent_attr = _without_parents
        found += maker.create_mutations(parsed_ast=tree, file_lines=[])
    return [each for each in found if _EMPTY_TEXT not in each.text]


def _without_parents(_: ast.Module) -> None:
    """Leave the nodes as they are."""


class _Plain(ast.NodeTransformer):
    """Takes out what is not to be changed: texts, annotations, what is raised or asserted."""

    @override
    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return ast.copy_location(ast.JoinedStr(values=[]), node)

    @override
    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.copy_location(ast.Constant(...), node.annotation)
        return self.generic_visit(node)

    @override
    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    @override
    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return ast.copy_location(ast.Raise(), node)

    @override
    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        return ast.copy_location(ast.Pass(), node)

    @override
    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Call) and _is_named(node.value.func, "assert_never"):
            return ast.copy_location(ast.Pass(), node)
        return self.generic_visit(node)

    @override
    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.keywords, node.decorator_list = [], []
        return self.generic_visit(node)

    @override
    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns, node.decorator_list = None, []
        return self.generic_visit(node)

    @override
    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.returns, node.decorator_list = None, []
        return self.generic_visit(node)


def _is_named(function: ast.expr, name: str) -> bool:
    return isinstance(function, ast.Name) and function.id == name


def _functions(tree: ast.Module) -> list[tuple[int, int, str]]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return [
        (node.lineno, node.end_lineno or node.lineno, node.name)
        for node in ast.walk(tree)
        if isinstance(node, kinds)
    ]


def _innermost(functions: list[tuple[int, int, str]], line: int) -> str:
    around = [(last - first, name) for first, last, name in functions if first <= line <= last]
    return min(around)[1] if around else "module"


def _numbered(found: list[Mutation]) -> tuple[Mutation, ...]:
    """Return them with names that are their own: equal ones are counted."""
    seen: Counter[str] = Counter()
    result = []
    for each in found:
        seen[each.key] += 1
        number = seen[each.key]
        result.append(each if number == 1 else each._replace(key=f"{each.key} #{number}"))
    return tuple(result)
