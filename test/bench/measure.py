"""Runs commands in turn, several rounds, and prints per command the medians of CPU, wall time and peak memory.

Input, on stdin: {"rounds": N, "commands": [{"argv": [...], "cwd": "...", "env": {...}, "stdin": "...", "before": [...]}]}.
Interleaving the commands makes their ratios hold on a machine whose speed drifts.
"""

import json
import os
import statistics
import subprocess
import sys
import time


def once(command):
    """One run: CPU seconds of the process and its children, wall seconds, peak memory in MiB, exit status."""
    if "before" in command:
        subprocess.run(command["before"], cwd=command["cwd"], env=command["env"], check=True, stdout=subprocess.DEVNULL)
    stdin = open(command["stdin"], "rb") if "stdin" in command else subprocess.DEVNULL
    start = time.perf_counter()
    process = subprocess.Popen(
        command["argv"],
        cwd=command["cwd"],
        env=command["env"],
        stdin=stdin,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    stderr = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) != command.get("expect", 0):
        sys.exit(f"{command['argv']} ended with {os.waitstatus_to_exitcode(status)}: {stderr.decode(errors='replace')}")
    return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024


job = json.load(sys.stdin)
for command in job["commands"]:
    if job.get("warm", True):
        once(command)
runs = [[] for _ in job["commands"]]
for _ in range(job["rounds"]):
    for index, command in enumerate(job["commands"]):
        runs[index].append(once(command))
print(
    json.dumps(
        [
            {
                "cpu": statistics.median(run[0] for run in rows),
                "wall": statistics.median(run[1] for run in rows),
                "memory": max(run[2] for run in rows),
            }
            for rows in runs
        ]
    )
)
