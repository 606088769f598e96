"""Timers and tasks on uvloop: python3 micro-uvloop.py MEASURE OPERATIONS. Prints one line of JSON."""

import asyncio
import json
import sys
import time

import uvloop

TASKS = 100


async def switch(operations):
    """100 tasks that give way to each other."""

    async def give_way():
        for _ in range(operations // TASKS):
            await asyncio.sleep(0)

    await asyncio.gather(*(give_way() for _ in range(TASKS)))


async def spawn(operations):
    """Starts a task that does nothing, and waits for its end."""

    async def empty():
        pass

    loop = asyncio.get_running_loop()
    for _ in range(operations):
        await loop.create_task(empty())


async def start_cancel(operations):
    loop = asyncio.get_running_loop()
    for i in range(operations):
        loop.call_later(10 + i % 1000 / 1000, int).cancel()


async def main(body, operations):
    for _ in range(2):
        await body(operations // 4)
    begin, cpu = time.perf_counter_ns(), time.process_time_ns()
    await body(operations)
    return {
        "cpuNs": (time.process_time_ns() - cpu) / operations,
        "ns": (time.perf_counter_ns() - begin) / operations,
    }


measures = {"switch": switch, "spawn": spawn, "startCancel": start_cancel}
loop = uvloop.new_event_loop()
metrics = loop.run_until_complete(main(measures[sys.argv[1]], int(sys.argv[2])))
print(json.dumps({"metrics": metrics, "cpuSeconds": time.process_time()}))
