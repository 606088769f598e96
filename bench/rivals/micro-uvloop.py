"""Timers and tasks on Python: python3 micro-uvloop.py MEASURE OPERATIONS [asyncio]. Prints one line of JSON.

On uvloop, or on asyncio's own loop.
"""

import asyncio
import json
import sys
import time

TASKS = 100
CHILDREN = 10
DELAY_S = 10


async def switch(operations):
    """100 tasks that give way to each other."""

    async def give_way():
        for _ in range(operations // TASKS):
            await asyncio.sleep(0)

    await asyncio.gather(*(give_way() for _ in range(TASKS)))


async def spawn(operations):
    """Starts a task that does nothing, and waits for its end."""

    loop = asyncio.get_running_loop()
    for _ in range(operations):
        await loop.create_task(empty())


async def start_cancel(operations):
    loop = asyncio.get_running_loop()
    for i in range(operations):
        loop.call_later(10 + i % 1000 / 1000, int).cancel()


async def empty():
    pass


async def timeout(operations):
    """A time limit around something that is done at once."""
    for _ in range(operations):
        async with asyncio.timeout(DELAY_S):
            await empty()


async def lock(operations):
    mutex = asyncio.Lock()
    for _ in range(operations):
        async with mutex:
            await empty()


async def queue(operations):
    items = asyncio.Queue()
    for i in range(operations):
        await items.put(i)
        await items.get()


async def group(operations):
    for _ in range(operations):
        async with asyncio.TaskGroup() as tasks:
            for _ in range(CHILDREN):
                tasks.create_task(empty())


async def race(operations):
    loop = asyncio.get_running_loop()
    for _ in range(operations):
        first, second = loop.create_future(), loop.create_future()
        loop.call_soon(second.set_result, 1)
        _, pending = await asyncio.wait([first, second], return_when=asyncio.FIRST_COMPLETED)
        for loser in pending:
            loser.cancel()


async def main(body, operations):
    for _ in range(2):
        await body(operations // 4)
    begin, cpu = time.perf_counter_ns(), time.process_time_ns()
    await body(operations)
    return {
        "cpuNs": (time.process_time_ns() - cpu) / operations,
        "ns": (time.perf_counter_ns() - begin) / operations,
    }


measures = {
    "switch": switch,
    "spawn": spawn,
    "startCancel": start_cancel,
    "timeout": timeout,
    "lock": lock,
    "queue": queue,
    "group": group,
    "race": race,
}
if sys.argv[3:] == ["asyncio"]:
    loop = asyncio.new_event_loop()
else:
    import uvloop

    loop = uvloop.new_event_loop()
metrics = loop.run_until_complete(main(measures[sys.argv[1]], int(sys.argv[2])))
print(json.dumps({"metrics": metrics, "cpuSeconds": time.process_time()}))
