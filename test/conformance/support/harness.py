"""Runs conformance programs on asyncio, a turn at a time, on a clock that only moves when nothing is ready.

Usage:  harness.py < request.json, `{"programs": [[name, text], ...], "suites": [module, ...]}`
Prints: `{"python": "3.13.0", "traces": {name: [line, ...]}, "cases": {module: {class: [test, ...]}}}`
"""

import ast
import asyncio
import contextvars
import importlib.util
import json
import logging
import sys
import textwrap
from pathlib import Path

TURN_LIMIT = 10_000
# What depends on when garbage is collected is no part of a trace.
IGNORED = ("never retrieved", "destroyed but it is pending")
MISUSE = (RuntimeError, TypeError, ValueError, asyncio.InvalidStateError)


class Boom(Exception):
    """What programs raise."""


class Fatal(SystemExit):
    """What ends the run."""


class Loop(asyncio.SelectorEventLoop):
    def __init__(self):
        super().__init__()
        self.now = 0.0

    def time(self):
        return self.now

    # Sums of binary fractions would make ties a matter of rounding.
    def call_at(self, when, callback, *args, context=None):
        return super().call_at(round(when, 9), callback, *args, context=context)

    def is_idle(self):
        return not self._ready and all(timer.cancelled() for timer in self._scheduled)

    def move_clock(self):
        if self._ready:
            return False
        first = min(timer.when() for timer in self._scheduled if not timer.cancelled())
        is_later = first > self.now
        self.now = max(self.now, first)
        return is_later

    def one_turn(self):
        self.stop()
        self.run_forever()


def show(value):
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{round(value, 6):g}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(show, value)) + "]"
    if isinstance(value, BaseExceptionGroup):
        return "ExceptionGroup[" + ", ".join(map(show, value.exceptions)) + "]"
    if isinstance(value, (Boom, Fatal)):
        return f"{type(value).__name__}({value})"
    if isinstance(value, BaseException):
        if type(value) in MISUSE:
            return "misuse"
        if isinstance(value, asyncio.CancelledError) and value.args not in ((), ("",), (None,)):
            return f"CancelledError({show(value.args[0])})"
        return type(value).__name__
    if isinstance(value, asyncio.Future):
        return state(value)
    return str(value)


def state(future):
    if not future.done():
        return "pending"
    if future.cancelled():
        return "cancelled"
    error = future.exception()
    return f"result {show(future.result())}" if error is None else f"error {show(error)}"


def attempt(function, *args):
    try:
        return function(*args)
    except BaseException as error:
        return error


async def outcome(awaitable):
    try:
        return await awaitable
    except BaseException as error:
        return error


class Program:
    def __init__(self, text):
        self.text = textwrap.dedent(text)
        self.trace = []
        self.turn = 0
        self.loop = Loop()
        self.is_over = False

    def log(self, *what):
        if not self.is_over:
            ms = f"{round(self.loop.now * 1000, 6):g}"
            place = f"{ms}ms/{self.turn} " if self.turn > 0 else ""
            self.trace.append(place + " ".join(map(show, what)))

    def on_exception(self, loop, context):
        if not any(text in context["message"] for text in IGNORED):
            self.log("unhandled", context.get("exception"))

    def names(self):
        names = {name: getattr(asyncio, name) for name in asyncio.__all__}
        mine = [Boom, Fatal, show, state, attempt, outcome]
        names |= {one.__name__: one for one in mine}
        names |= {"asyncio": asyncio, "contextvars": contextvars, "log": self.log}
        loop = asyncio.get_running_loop
        names |= {"loop": loop, "future": lambda: loop().create_future(), "on_exception": self.on_exception}
        return names

    def run(self):
        loop = self.loop
        loop.set_exception_handler(self.on_exception)
        names = self.names()
        exec(compile(self.text, "<program>", "exec"), names)
        if "program" in names:
            names["program"]()
            return self.trace
        main = loop.create_task(names["main"]())
        turns = 0
        while not loop.is_idle():
            turns += 1
            if turns > TURN_LIMIT:
                raise RuntimeError("the program does not come to rest")
            self.turn = 1 if loop.move_clock() else self.turn + 1
            try:
                loop.one_turn()
            except Fatal as error:
                self.log("the run ends with", error)
        if state(main) != "result none":
            self.log("main:", main)
        self.is_over = True
        return self.trace


def cases_of(module):
    spec = importlib.util.find_spec(f"test.test_asyncio.{module}")
    tree = ast.parse(Path(spec.origin).read_text())
    classes = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            functions = (one for one in node.body if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)))
            tests = [one.name for one in functions if one.name.startswith("test")]
            if tests:
                classes[node.name] = tests
    return classes


def main():
    logging.disable()
    request = json.load(sys.stdin)
    traces = {}
    for name, text in request["programs"]:
        try:
            traces[name] = Program(text).run()
        except BaseException as error:
            traces[name] = [f"the program is wrong: {error!r}"]
    version = ".".join(map(str, sys.version_info[:3]))
    cases = {module: cases_of(module) for module in request.get("suites", [])}
    json.dump({"python": version, "traces": traces, "cases": cases}, sys.stdout)


main()
