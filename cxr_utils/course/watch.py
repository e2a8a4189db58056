"""Lessons at work side by side: a line each that says how far it is, its kernel's memory, a clean end on Ctrl-C."""

import contextlib
import queue
import shutil
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TextIO, TypeVar

import psutil
from jupyter_client import AsyncKernelManager
from traitlets import Float

T = TypeVar("T")


class AtWork:
    """A lesson at work: the line that says how far it is, and what its kernel holds.

    Attributes:
        cell: how many cells have started.
        kernel: the kernel's process, once there is one.
        peak_bytes: the most memory that the kernel and what it has started held at once, as sampled.

    Example:
        >>> line = AtWork("02 leakage check", cells=23)
        >>> line.cell = 7
        >>> print(line)
        02 leakage check          cell  7/23   00:00
    """

    def __init__(self, label: str, cells: int) -> None:
        self.cell = self.peak_bytes = 0
        self.kernel: psutil.Process | None = None
        self.label, self._cells = f"{label:24}", cells
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since the lesson started."""
        return time.perf_counter() - self._start

    @property
    def tenths(self) -> int:
        """How many tenths of the cells have started."""
        return 10 * self.cell // self._cells

    def __str__(self) -> str:
        minutes, seconds = divmod(int(self.seconds), 60)
        return f"{self.label}  cell {self.cell:2d}/{self._cells:<2d}   {minutes:02d}:{seconds:02d}"

    def sample(self) -> None:
        """Look at the memory."""
        with contextlib.suppress(psutil.Error):  # it has just ended
            if self.kernel is not None:
                family = [self.kernel, *self.kernel.children(recursive=True)]
                self.peak_bytes = max(self.peak_bytes, sum(process.memory_info().rss for process in family))

    def manager(self) -> type[AsyncKernelManager]:
        """The manager of this lesson's kernel: it tells which of all processes that is."""
        line = self

        class Manager(AsyncKernelManager):
            # A kernel cleans up at once; half of this later it may still be unloading TensorFlow, and is ended.
            shutdown_wait_time = Float(1.0)

            async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
                await super().start_kernel(**options)
                provisioner: Any = self.provisioner
                line.kernel = psutil.Process(provisioner.pid)

        return Manager


class Board:
    """A line each of the lessons at work: redrawn in place on a terminal; off one, a line for each tenth of the cells.

    Example:
        >>> board, line = Board(sys.stdout), AtWork("02 leakage check", cells=20)
        >>> board.begin(line)
        02 leakage check          started
        >>> line.cell = 7
        >>> board.draw(); board.draw()
        02 leakage check          cell  7/20   00:00
        >>> board.end(line, "3/3 claims")
        02 leakage check          cell  7/20   00:00  3/3 claims
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._live = self._stream.isatty()
        self._said: dict[AtWork, int] = {}
        self._drawn = 0

    def begin(self, line: AtWork) -> None:
        """Show one more."""
        self._said[line] = 0
        self._write(*() if self._live else [f"{line.label}  started"])

    def draw(self) -> None:
        """Show how far all are."""
        further = [line for line, said in self._said.items() if line.tenths > said]
        self._said |= {line: line.tenths for line in further}
        self._write(*() if self._live else further)

    def end(self, line: AtWork, outcome: str, *more: str) -> None:
        """Leave the last form of a line, and lines that belong to it; those of the others move down."""
        del self._said[line]
        self._write(f"{line}  {outcome}", *more)

    def stop(self) -> None:
        """End all lines: they were interrupted."""
        for line in list(self._said):
            self.end(line, "interrupted")

    def _write(self, *lines: object) -> None:
        text = "".join(f"{line}\n" for line in lines)
        if self._live:
            width = shutil.get_terminal_size().columns - 1  # a line that wraps would be two to go up
            rows = [*map(str, lines), *(str(line)[:width] for line in self._said)]
            up = f"\x1b[{self._drawn}A" if self._drawn else ""
            text = f"\r{up}" + "".join(f"{row}\x1b[K\n" for row in rows) + "\x1b[J"
            self._drawn = len(self._said)
        self._stream.write(text)
        self._stream.flush()


def side_by_side(
    items: Sequence[T],
    jobs: int,
    begin: Callable[[T], Callable[[], None]],
    end: Callable[[T, Exception | None], None],
    tick: Callable[[], None],
) -> None:
    """Work on several items at once, in threads; begin and end each in this one.

    Args:
        items: in the order in which they begin.
        jobs: how many at once.
        begin: gives the work on an item, which may start processes.
        end: is told what the work raised.
        tick: called twice a second.

    Raises:
        KeyboardInterrupt: on Ctrl-C, after every process that the work has started is gone.
    """
    others = set(psutil.Process().children(recursive=True))
    ended: queue.SimpleQueue[tuple[T, BaseException | None]] = queue.SimpleQueue()
    threads: list[threading.Thread] = []

    def work(item: T, task: Callable[[], None]) -> None:
        error: BaseException | None = None
        try:
            task()
        except BaseException as problem:  # noqa: B036 handed to the main thread
            error = problem
        ended.put((item, error))

    try:
        for done in range(len(items)):
            for item in items[len(threads) : done + jobs]:
                threads.append(threading.Thread(target=work, args=(item, begin(item)), daemon=True))
                threads[-1].start()
            item, error = _next(ended, tick)
            if error is not None and not isinstance(error, Exception):
                raise error
            end(item, error)
    except BaseException:
        while any(thread.is_alive() for thread in threads):  # it may be about to start one more process
            with contextlib.suppress(KeyboardInterrupt):  # a second one: this ends without it
                for process in set(psutil.Process().children(recursive=True)) - others:
                    with contextlib.suppress(psutil.Error):  # it has just ended
                        process.kill()
                time.sleep(0.2)
        raise


def _next(ended: "queue.SimpleQueue[T]", tick: Callable[[], None]) -> T:
    while True:
        tick()
        with contextlib.suppress(queue.Empty):
            return ended.get(timeout=0.5)
