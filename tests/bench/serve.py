"""serve.h in Python: tasks that are called, and asked for the least time of a call."""
import collections
import os
import sys
import time

Task = collections.namedtuple("Task", "run reset")      # reset: None, or what comes before each question
wall = time.perf_counter
clock = time.process_time if os.environ.get("THREADS") == "1" else wall


def warm(run, seconds):
    end = wall() + seconds
    for _ in range(3):
        run()
    while wall() < end:
        run()


def sample(run, times):
    start = clock()
    for _ in range(times):
        run()
    return clock() - start


def least(run, seconds):
    times, end = 1, wall() + seconds
    while (best := sample(run, times)) < 100e-6:
        times *= 2
    while wall() < end:
        best = min(best, sample(run, times))
    return 1e6 * best / times


def serve(tasks, enter=lambda task: None):
    """tasks: {name: Task}; enter is called with the name before a task runs."""
    for name, task in tasks.items():
        enter(name)
        warm(task.run, 0.2)
    print("ready", flush=True)
    for line in sys.stdin:
        name, seconds = line.split()
        if name not in tasks:
            print("-", flush=True)
            continue
        enter(name)
        if tasks[name].reset:
            tasks[name].reset()
        tasks[name].run()
        print("%.6f" % least(tasks[name].run, float(seconds)), flush=True)
