"""Writes test/support/asyncio-names.json: the public names of asyncio, which docs/coming-from-asyncio.md has to cover.

Run it with CPython 3.13: python3.13 scripts/record-asyncio-names.py
"""

import asyncio
import inspect
import json
import pathlib
import sys
from asyncio import subprocess

assert sys.version_info[:2] == (3, 13), sys.version


def members(cls):
    """The public members of a class; those that it has from another class of asyncio stand there."""
    inherited = {name for base in cls.__mro__[1:] for name in vars(base)}
    if issubclass(cls, BaseException):
        return []
    return sorted(name for name in vars(cls) if not name.startswith("_") and name not in inherited)


names = {"asyncio": sorted(set(asyncio.__all__) | set(subprocess.__all__))}
classes = [getattr(asyncio, name) for name in names["asyncio"]] + [subprocess.Process]
# Those of the loop are declared by its interface; child watchers and policies are gone in 3.14.
left_out = ("ChildWatcher", "Policy", "BaseEventLoop", "SelectorEventLoop", "EventLoop", "StreamReaderProtocol")
for cls in filter(inspect.isclass, classes):
    if cls.__name__.endswith(left_out) and cls is not asyncio.AbstractEventLoop:
        continue
    if own := members(cls):
        names[cls.__name__] = own

target = pathlib.Path(__file__).parent.parent / "test/support/asyncio-names.json"
target.write_text(json.dumps(names, indent=2) + "\n")
