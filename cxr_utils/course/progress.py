"""The one line that a running lesson has on the screen."""

import sys
import time
from typing import TextIO


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
