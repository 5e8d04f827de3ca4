"""The table at the end, and the file of a run with all its samples and what machine it was."""

import json
import os
import platform
import re
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from bench.results import number

HEADINGS = (
    "row",
    "metric",
    "measured (min–max)",
    "against",
    "(min–max)",
    "ratio",
    "target",
    "stretch goal",
    "reached",
)
# For metrics: how they stand in the table.
METRIC_NAMES = {
    "cpu_per_million": "CPU s per million",
    "postgres_cpu_per_million": "PostgreSQL, CPU s per million",
    "per_second": "per second",
}


def cell(summary):
    """median (min–max)."""
    if summary is None:
        return ""
    if summary.low == summary.high:
        return number(summary.median)
    return f"{number(summary.median)} ({number(summary.low)}–{number(summary.high)})"


def line(result):
    target = result.target
    return (
        result.title,
        METRIC_NAMES.get(result.metric, result.metric.replace("_", " ")),
        cell(result.subject),
        result.reference_name,
        cell(result.reference),
        "" if result.ratio is None else f"{result.ratio.median:.2f}×",
        target.text(target.reach, result.unit),
        target.text(target.stretch, result.unit),
        result.verdict + (" (noisy)" if result.noise else ""),
    )


def table(results):
    """The results as a table that is also Markdown."""
    lines = [HEADINGS, *(line(result) for result in results)]
    widths = [max(len(one[column]) for one in lines) for column in range(len(HEADINGS))]
    rows = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(one, widths, strict=True)) + " |" for one in lines
    ]
    rows.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(rows)


def notes(results):
    """What is to be known about rows: which were noisy, and why."""
    return "\n".join(f"noisy: {result.title} ({result.metric}): {result.noise}" for result in results if result.noise)


def first_line(*command):
    """What a program says of its version."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().split("\n")[0]


def machine(folder, postgres_program):
    """What the numbers depend on."""
    cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    filesystem = first_line("stat", "--file-system", "--format=%T", str(folder))
    return {
        "cpu": cpu.group(1) if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "filesystem": filesystem,
        "load_average_before": os.getloadavg()[0],
        "postgres": first_line(str(postgres_program), "--version"),
        "redis": first_line("redis-server", "--version"),
        "commit": first_line("git", "rev-parse", "--short", "HEAD"),
    }


def machine_line(facts):
    return (
        f"{facts['cpu']}, {facts['cores']} cores, {facts['memory_bytes'] / 2**30:.0f} GiB, Linux {facts['kernel']}, "
        f"{facts['filesystem']}; {facts['postgres']}; {facts['redis']}; commit {facts['commit']}"
    )


def save(folder, facts, options, results, samples, series):
    """Writes one run into a file of its own, and says which."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(timezone.utc)
    path = folder / f"{now:%Y%m%dT%H%M%SZ}.json"
    content = {
        "at": now.isoformat(timespec="seconds"),
        "machine": facts,
        "options": options,
        "results": [result.as_json() for result in results],
        "samples": samples,
        "series": series,
    }
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
