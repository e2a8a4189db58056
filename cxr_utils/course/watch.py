"""Work in a thread of its own, watched from the main one: a clock, its memory, and a clean end on Ctrl-C."""

import threading
from collections.abc import Callable

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
