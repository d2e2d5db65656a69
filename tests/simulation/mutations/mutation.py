"""Owns how a bug is planted: functions are given other code, or names other values, while a block runs."""

import ast
import builtins
import dis
import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any


class Unfit(Exception):
    """The source is not as the mutation expects it: the mutation is to be written anew."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A function whose source reads otherwise in one place, wherever it is used.

    `target` is `module:function` or `module:Class.method`; what decorates it stays. Only its code is
    replaced, so all who have imported it run the other code, and the defaults of its arguments stay.
    """

    target: str
    old: str
    new: str

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Have the function behave so while the block runs. Raises Unfit."""
        function = self._function()
        before = function.__code__
        function.__code__ = self._code(function)
        try:
            yield
        finally:
            function.__code__ = before

    def _function(self) -> FunctionType:
        holder, name = _holder(self.target)
        found: Any = inspect.getattr_static(holder, name)
        if isinstance(found, property):
            found = found.fget
        found = inspect.unwrap(found)
        if not isinstance(found, FunctionType):
            raise Unfit(f"{self.target} is no function")
        return found

    def _code(self, function: FunctionType) -> CodeType:
        source = textwrap.dedent(inspect.getsource(function))
        if source.count(self.old) != 1:
            raise Unfit(f"{self.target} has {self.old!r} {source.count(self.old)} times, not once")
        tree = ast.parse(source.replace(self.old, self.new))
        (definition,) = tree.body
        assert isinstance(definition, ast.FunctionDef)
        definition.decorator_list = []
        compiled = compile(tree, f"<mutation of {self.target}>", "exec", dont_inherit=True)
        code = next(
            each
            for each in compiled.co_consts
            if isinstance(each, CodeType) and each.co_name == definition.name
        )
        if code.co_freevars != function.__code__.co_freevars:
            raise Unfit(f"{self.target} is a closure")
        if unknown := sorted(set(_globals_of(code)) - function.__globals__.keys() - set(dir(builtins))):
            raise Unfit(f"{self.target} does not know {', '.join(unknown)}")
        return code


@dataclass(frozen=True, slots=True)
class Setting:
    """A module's or a class's name that means something else; `changed` makes it from what it means."""

    target: str
    changed: Callable[[Any], Any]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Have it mean that while the block runs. Raises Unfit where that would change nothing."""
        holder, name = _holder(self.target)
        before = getattr(holder, name)
        after = self.changed(before)
        if after == before:
            raise Unfit(f"{self.target} would stay as it is")
        setattr(holder, name, after)
        try:
            yield
        finally:
            setattr(holder, name, before)


@dataclass(frozen=True, slots=True)
class Mutation:
    """A bug as somebody might make it."""

    name: str
    why: str
    """What is broken."""
    plants: tuple[Patch | Setting, ...]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Have the bug while the block runs. Raises Unfit."""
        with ExitStack() as stack:
            for plant in self.plants:
                stack.enter_context(plant.planted())
            yield


def mutation(name: str, why: str, target: str, old: str, new: str) -> Mutation:
    """The bug that is one patch."""
    return Mutation(name, why, (Patch(target, old, new),))


def _holder(target: str) -> tuple[Any, str]:
    """Whose attribute a target is, and what it is called there."""
    module, _, path = target.partition(":")
    *parts, name = path.split(".")
    holder: Any = importlib.import_module(module)
    for part in parts:
        holder = getattr(holder, part)
    return holder, name


def _globals_of(code: CodeType) -> Iterator[str]:
    """The names that the code, and what is in it, looks for in its module."""
    yield from _loaded(code)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _globals_of(inner)


def _loaded(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname in {"LOAD_GLOBAL", "LOAD_NAME"}:
            yield str(instruction.argval)
