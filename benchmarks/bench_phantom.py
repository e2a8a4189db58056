"""How fast the phantom is made, and in how much memory. Run: python benchmarks/bench_phantom.py [--repeats 3]

Measured from the command to the files on disk, with two processes, beside the limits that issue 3 sets. The default
set of 1,400 images of 256 pixels is made several times and the median counts; the rest once. Memory is the highest sum
over all processes of the command, with pages that they share counted once (Linux only); asking for it twenty times a
second costs time itself, so it has runs of its own. Cost per image is the processor time of the images between two
counts, so that starting the processes does not enter; it is taken at 64 pixels, to go up to 20,000. Measure on an idle
machine: the processor time per image, printed beside, tells how idle it was.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

IMAGES_PER_SECOND = 60.0
DEFAULT_SECONDS = 30.0
MEMORY = 1e9  # bytes
FLAT = 1.25  # the dearest image may cost this times the cheapest
WORKERS = 2


def processes(first: int) -> list[int]:
    """Process numbers of a program and of all that it has started."""
    try:
        started = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    except OSError:
        return []
    return [first, *(number for child in started for number in processes(int(child)))]


def memory_of(program: int) -> int:
    """Bytes held by a program and its children, shared pages counted once."""
    total = 0
    for number in processes(program):
        try:
            lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
        except OSError:  # it has ended since
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def make(images: int, size: int, watch: bool = False) -> tuple[float, float, int]:
    """Make a cohort by the command: wall seconds, processor seconds and, if watched, highest memory in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "cxr_utils.phantom.cohort", f"{folder}/cohort"]
        command += [f"--images={images}", f"--size={size}", f"--workers={WORKERS}"]
        before, started, highest = os.times(), time.perf_counter(), 0
        program = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while watch and program.poll() is None:
            highest = max(highest, memory_of(program.pid))
            time.sleep(0.05)
        program.wait()
        seconds, after = time.perf_counter() - started, os.times()
        made = len(list(Path(folder, "cohort", "images").glob("*.png")))
    if program.returncode or made != images:
        raise SystemExit(f"The command made {made} of {images} images and ended with {program.returncode}.")
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, spent, highest


def show(name: str, value: str, limit: str, met: bool) -> bool:
    """One line of the result; returns whether the limit was kept."""
    print(f"{name:<44}{value:>14}   {limit:<16}{'met' if met else 'MISSED'}", flush=True)
    return met


def speed(repeats: int) -> list[bool]:
    """The default set, several times; then memory for fewer and for more images of the same size."""
    runs = [make(1400, 256) for _ in range(repeats)]
    seconds, spent, _ = (statistics.median(values) for values in zip(*runs, strict=True))
    print(f"1,400 images of 256 pixels: {seconds:.1f} s, {1000 * spent / 1400:.1f} ms of a processor an image")
    rate = 1400 / seconds
    quick, soon = rate >= IMAGES_PER_SECOND, seconds < DEFAULT_SECONDS
    met = [show("images a second at 256 pixels", f"{rate:.1f}", f"at least {IMAGES_PER_SECOND:g}", quick)]
    met.append(show("the default set, seconds", f"{seconds:.1f}", f"under {DEFAULT_SECONDS:g}", soon))
    memory = {images: make(images, 256, watch=True)[2] for images in (100, 1400, 5000)}
    if not any(memory.values()):
        print("Memory is measured on Linux only.")
        return met
    for images, held in memory.items():
        met.append(
            show(f"memory for {images:,} images, MB", f"{held / 1e6:.0f}", f"under {MEMORY / 1e6:g}", held < MEMORY)
        )
    return met


def flat(counts: tuple[int, ...]) -> bool:
    """Cost of the images between two counts, at 64 pixels, in processor time.

    The counts are gone through upwards and down again, and the two runs of each averaged: a machine that gets faster or
    slower on the way would otherwise look like a slope.
    """
    up = [make(images, 64)[1] for images in counts]
    down = [make(images, 64)[1] for images in counts[-2::-1]][::-1] + up[-1:]
    seconds = [(first + second) / 2 for first, second in zip(up, down, strict=True)]
    costs = []
    for number in range(1, len(counts)):
        more = counts[number] - counts[number - 1]
        costs.append(1000 * (seconds[number] - seconds[number - 1]) / more)
        print(f"image {counts[number - 1]:,} to {counts[number]:,} of 64 pixels: {costs[-1]:.2f} ms each", flush=True)
    ratio = max(costs) / min(costs)
    return show("dearest image over cheapest", f"{ratio:.2f}", f"at most {FLAT:g}", ratio <= FLAT)


def main() -> int:
    """Measure and print; returns 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--counts", type=int, nargs="+", default=(100, 1000, 5000, 20_000))
    asked = parser.parse_args()
    met = speed(asked.repeats)
    met.append(flat(tuple(asked.counts)))
    return 0 if all(met) else 1


if __name__ == "__main__":
    raise SystemExit(main())
