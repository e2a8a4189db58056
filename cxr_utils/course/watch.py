"""Long work in a thread of its own: its memory, a clean end on Ctrl-C, and a line that says how far it is."""

import sys
import threading
import time
from collections.abc import Callable
from typing import TextIO

import psutil


class Watched:
    """Runs a function that starts processes, such as a kernel.

    Attributes:
        peak_bytes: the most memory that those processes held at once, as sampled at each tick.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self.peak_bytes = 0
        self._work = work
        self._error: BaseException | None = None
        self._others = set(psutil.Process().children(recursive=True))

    def run(self, tick: Callable[[], None], seconds: float = 0.5) -> None:
        """Run to the end.

        Args:
            tick: called in this thread every `seconds` while the work goes on.
            seconds: time between ticks.

        Raises:
            KeyboardInterrupt: on Ctrl-C, after every process that the work has started is gone.
            Exception: whatever the work raises.
        """
        thread = threading.Thread(target=self._catch, daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(seconds)
                self._sample()
                tick()
        except KeyboardInterrupt:
            while thread.is_alive():  # it may be about to start one more
                self._kill()
                thread.join(0.2)
            raise
        if self._error is not None:
            raise self._error

    def _catch(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: B036 handed to the main thread, which raises it
            self._error = error

    def _processes(self) -> set[psutil.Process]:
        return set(psutil.Process().children(recursive=True)) - self._others

    def _sample(self) -> None:
        total = 0
        for process in self._processes():
            try:
                total += process.memory_info().rss
            except psutil.Error:  # it has just ended
                continue
        self.peak_bytes = max(self.peak_bytes, total)

    def _kill(self) -> None:
        for process in self._processes():
            try:
                process.kill()
            except psutil.Error:  # it has just ended
                continue


class ProgressLine:
    """Rewritten in place on a terminal; off one, a line at the start and a line at the end.

    Example:
        >>> line = ProgressLine("02 leakage check", cells=23, stream=sys.stdout)
        02 leakage check          started
        >>> line.cell = 7
        >>> line.tick()
        >>> line.end("3/3 claims")
        02 leakage check          cell  7/23   00:00  3/3 claims
    """

    def __init__(self, label: str, cells: int, stream: TextIO | None = None) -> None:
        self.cell = 0
        self._label, self._cells = f"{label:24}", cells
        self._stream = stream or sys.stdout
        self._live = self._stream.isatty()
        self._start = time.perf_counter()
        if not self._live:
            self._print(f"{self._label}  started")

    @property
    def seconds(self) -> float:
        """Since the lesson started."""
        return time.perf_counter() - self._start

    def tick(self) -> None:
        """Show where the lesson is, on a terminal."""
        if self._live:
            print(f"\r{self._state()}\x1b[K", end="", file=self._stream, flush=True)

    def end(self, outcome: str) -> None:
        """The last form of the line."""
        self._print(f"\r{self._state()}  {outcome}\x1b[K" if self._live else f"{self._state()}  {outcome}")

    def _state(self) -> str:
        minutes, seconds = divmod(int(self.seconds), 60)
        return f"{self._label}  cell {self.cell:2d}/{self._cells:<2d}   {minutes:02d}:{seconds:02d}"

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)
