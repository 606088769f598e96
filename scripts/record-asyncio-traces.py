#!/usr/bin/env python3.13
"""Runs random programs on asyncio and records who did what in which turn of the loop.

When:   after a change of what the programs may do; test/unit/task/asyncio-traces.test.ts replays them.
Usage:  python3.13 scripts/record-asyncio-traces.py > test/support/asyncio-traces.json
Exit:   0; 1 when this is no CPython 3.13 or later, whose uncancel() the traces rely on.
"""

import asyncio
import json
import os
import random
import sys

PROGRAMS = 300
FUTURES = 3
TASKS = 5
LONGEST = 5


def make_ops(rng, depth=0):
    """A few operations; `try` holds others."""
    ops = []
    for _ in range(rng.randint(1, LONGEST)):
        kind = rng.choice(
            ["pause", "pause", "await", "await", "await", "join", "join", "set", "fail", "cancelFuture",
             "cancel", "cancel", "cancelSelf", "uncancel", "callback", "soon", "spawn", "throw", "return", "try",
             "try", "finally"]
        )
        if kind in ("await", "set", "fail", "cancelFuture", "callback"):
            ops.append([kind, rng.randrange(FUTURES)])
        elif kind in ("join", "cancel", "spawn"):
            ops.append([kind, rng.randrange(TASKS)])
        elif kind in ("try", "finally"):
            if depth < 2:
                ops.append([kind, make_ops(rng, depth + 1), make_ops(rng, depth + 1)])
        elif kind in ("throw", "return") and rng.random() < 0.6:
            continue
        else:
            ops.append([kind])
    return ops


class Return(Exception):
    """Leaves a body from within."""


class Program:
    """Runs one program, a turn at a time."""

    def __init__(self, bodies):
        self.bodies = bodies
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda loop, context: None)
        self.futures = [self.loop.create_future() for _ in range(FUTURES)]
        self.tasks = [None] * TASKS
        self.turn = 0
        self.trace = []
        self.is_usable = True

    def log(self, who, *what):
        self.trace.append([self.turn, who, *what])

    def spawn(self, index):
        if self.tasks[index] is None:
            self.tasks[index] = self.loop.create_task(self.body(index))

    def cancel(self, task):
        try:
            return task.cancel()
        except RecursionError:
            # Tasks that wait for each other in a circle.
            self.is_usable = False
            return False

    async def body(self, index):
        self.log(index, "begin")
        try:
            await self.run(index, self.bodies[index])
        except Return:
            return f"value {index}"
        return None

    async def run(self, who, ops):
        for op in ops:
            await self.perform(who, *op)

    async def perform(self, who, kind, *args):
        if kind == "pause":
            await asyncio.sleep(0)
            self.log(who, "paused")
        elif kind == "await":
            self.log(who, "got", await self.futures[args[0]])
        elif kind == "join":
            task = self.tasks[args[0]]
            # CPython leaves a mark on a task that waited for itself, on which the next waiter stumbles.
            if task is not None and args[0] != who:
                self.log(who, "joined", await task)
        elif kind == "set":
            if not self.futures[args[0]].done():
                self.futures[args[0]].set_result(f"result {who}")
        elif kind == "fail":
            if not self.futures[args[0]].done():
                self.futures[args[0]].set_exception(ValueError(f"failed by {who}"))
        elif kind == "cancelFuture":
            self.log(who, "cancelFuture", self.futures[args[0]].cancel())
        elif kind == "cancel":
            task = self.tasks[args[0]]
            if task is not None:
                self.log(who, "cancel", self.cancel(task), task.cancelling())
        elif kind == "cancelSelf":
            self.log(who, "cancelSelf", self.cancel(self.tasks[who]))
        elif kind == "uncancel":
            self.log(who, "uncancel", self.tasks[who].uncancel())
        elif kind == "callback":
            self.futures[args[0]].add_done_callback(lambda future: self.log(who, "callback", args[0]))
        elif kind == "soon":
            self.loop.call_soon(self.log, who, "soon")
        elif kind == "spawn":
            self.spawn(args[0])
        elif kind == "throw":
            raise ValueError(f"thrown by {who}")
        elif kind == "return":
            raise Return
        elif kind == "try":
            try:
                await self.run(who, args[0])
            except asyncio.CancelledError:
                self.log(who, "caught cancelled")
                await self.run(who, args[1])
            except ValueError as error:
                self.log(who, "caught", str(error))
                await self.run(who, args[1])
        elif kind == "finally":
            try:
                await self.run(who, args[0])
            finally:
                self.log(who, "finally")
                await self.run(who, args[1])

    def execute(self):
        for index in range(TASKS - 1):
            self.spawn(index)
        while self.loop._ready:
            self.turn += 1
            self.loop._run_once()
        outcomes = [outcome(task) for task in [*self.tasks, *self.futures]]
        self.loop.close()
        return {"bodies": self.bodies, "trace": self.trace, "outcomes": outcomes}


def outcome(future):
    if future is None:
        return None
    if not future.done():
        return "pending"
    if future.cancelled():
        return "cancelled"
    error = future.exception()
    return f"result {future.result()}" if error is None else f"error {error}"


def main():
    if sys.version_info < (3, 13):
        print("needs CPython 3.13 or later", file=sys.stderr)
        return 1
    programs = []
    for seed in range(PROGRAMS):
        rng = random.Random(seed)
        program = Program([make_ops(rng) for _ in range(TASKS)])
        programs.append((program, program.execute()))
    usable = [json.dumps(result, separators=(",", ":")) for program, result in programs if program.is_usable]
    print("[", ",\n".join(usable), "]", sep="\n", flush=True)
    # Without collecting what is still pending.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
