"""serve.h in Python: tasks that are called, and asked for the least time of a call."""
import collections
import sys
import time

Task = collections.namedtuple("Task", "run reset")      # reset: None, or what comes before each question
clock = time.perf_counter


def warm(run, seconds):
    end = clock() + seconds
    for _ in range(3):
        run()
    while clock() < end:
        run()


def least(run, seconds):
    times = 1
    while True:
        start = clock()
        for _ in range(times):
            run()
        if clock() - start >= 20e-6:
            break
        times *= 2
    best, end = float("inf"), clock() + seconds
    while True:
        start = clock()
        for _ in range(times):
            run()
        stop = clock()
        best = min(best, (stop - start) / times)
        if 2 * stop - start > end:
            return 1e6 * best


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
