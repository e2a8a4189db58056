"""Walls around a process: time, memory and output are limited.

Where the system can do it, it has no network, writes nowhere but into a folder of its own, and neither sees nor
outlives anything else.
"""

import base64
import json
import os
import pickle
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from cxr_utils import cache
from cxr_utils.course.grading.inside import CODE
from cxr_utils.course.grading.wire import decode, raised

_ALONE = ("unshare", "--map-root-user", "--mount", "--net", "--pid", "--ipc", "--fork", "--kill-child")
_KEPT = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "VIRTUAL_ENV", "KERAS_BACKEND", "LD_LIBRARY_PATH", "CXR_HOME")
_LONGEST = 8 * 2**20  # bytes of one message
_MOST_PROCESSES = 40
_TO_BEGIN = 60  # seconds: before the first message nothing of the learner's runs, and imports may wait for a disk
_ALTOGETHER = 15  # so many steps' time has a notebook, whatever it says of its steps
_NOT_OURS = "returned too much, or wrote where only the grader's own words go"
_PROBE = """
def tried(path, port, process):
    import os, socket

    def can(what, *given):
        try:
            what(*given)
        except Exception:
            return False
        return True

    def reach(process):
        if os.name == "posix":
            os.kill(process, 0)
        else:  # there signal 0 is Ctrl-C; a handle with the right to end it (1) does nothing
            import ctypes
            assert ctypes.windll.kernel32.OpenProcess(1, False, process)

    return [can(socket.create_connection, ("127.0.0.1", port), 1), can(os.remove, path), can(reach, process)]
"""


@dataclass(frozen=True)
class Limits:
    """What a submission may use.

    Attributes:
        seconds: for one step: a statement, or a call by a check. Waiting for a busy processor does not count.
        memory: MB, of the process and what it has started.
        output: MB that it may print, and that a file may hold.
    """

    seconds: float = 20
    memory: int = 2000
    output: int = 10


@dataclass(frozen=True)
class Walls:
    """What keeps a learner's code apart from the rest; each was tried before it is said.

    Attributes:
        command: what stands before the command of the process.
        network, files, processes: whether it cannot reach the network, change files, or signal other processes.
    """

    command: tuple[str, ...] = ()
    network: bool = False
    files: bool = False
    processes: bool = False

    def __str__(self) -> str:
        told = {
            "network off": (self.network, "network NOT off"),
            "files of others read-only": (self.files, "files NOT protected"),
            "other processes out of reach": (self.processes, "other processes NOT out of reach"),
        }
        return ", ".join(good if held else bad for good, (held, bad) in told.items())


class Stopped(BaseException):  # no Exception, so that nothing takes it for what a learner's function raised
    """The process was ended, or has ended by itself."""


class Sandbox:
    """A process behind walls that is spoken to in lines of JSON.

    Args:
        walls: what is there, see `find_walls`.
        limits: what it may use.
    """

    def __init__(self, walls: Walls, limits: Limits) -> None:
        self._limits, self._printed, self._command, self._begun = limits, 0, walls.command, False
        self._spent, self._total, self._used, self._at = 0.0, 0.0, 0.0, time.monotonic()
        self._family: set[psutil.Process] = set()  # all that were seen, so that none outlives this one
        self._folder = Path(tempfile.mkdtemp(prefix="cxr-grade-"))
        enter = CODE.format(*["enter" if walls.files else "main"] * 2)
        self._process = subprocess.Popen(
            [*walls.command, sys.executable, "-c", enter],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            cwd=self._folder, env=_environment(self._folder), start_new_session=True,
        )  # fmt: skip
        self._ended = False
        self._lines: queue.Queue[bytes] = queue.Queue(4)  # who floods it waits, and fills no memory here
        self._outbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        for task in (self._listen, self._drain, self._speak):
            threading.Thread(target=task, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended = True
        self._end()
        self._outbox.put(b"")
        with suppress(queue.Empty):
            while True:
                self._lines.get_nowait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        shutil.rmtree(self._folder, ignore_errors=True)

    def say(self, **message: Any) -> None:
        """Send a message; one to a process that does not listen is lost."""
        self._outbox.put(json.dumps(message).encode() + b"\n")

    def hear(self) -> dict:
        """The next message.

        Raises:
            Stopped: there is none, for the reason that it names.
        """
        self._spent = 0.0
        while True:
            if time.monotonic() - self._at > 0.1:
                self._watch()
            with suppress(queue.Empty):
                return self._read(self._lines.get(timeout=0.1))

    def call(self, *given: Any, **named: Any) -> Any:
        """Let the process call the function whose turn it is.

        Raises:
            Stopped: nothing came back that can be read.
            Exception: what the function raised.
        """
        self.say(call=base64.b64encode(pickle.dumps((given, named))).decode())
        message = self.hear()
        try:
            if message["kind"] == "raised":
                error = raised(str(message["name"]), str(message["text"]))
            else:
                return decode(message["value"])
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, MemoryError):
            raise Stopped(_NOT_OURS) from None
        raise error

    def _read(self, line: bytes) -> dict:
        if not line:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(2)
            if self._printed > self._limits.output * 2**20:
                raise Stopped(f"printed more than {self._limits.output} MB")
            raise Stopped(f"ended the process of the notebook ({_told(self._process.returncode)})")
        try:
            message = json.loads(line) if line.endswith(b"\n") else None
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            raise Stopped(_NOT_OURS)
        self._begun = True
        return message

    def _watch(self) -> None:
        """Look at output, time, memory and processes."""
        if self._printed > self._limits.output * 2**20:
            raise Stopped(f"printed more than {self._limits.output} MB")
        try:
            root = psutil.Process(self._process.pid)
            family = [root, *root.children(recursive=True)]
        except psutil.Error:  # it has just ended
            return
        self._family |= set(family)
        seen = [_look_at(one) for one in family]
        self._count_time(sum(one[0] for one in seen), any(one[2] for one in seen))
        step = self._limits.seconds if self._begun else max(self._limits.seconds, _TO_BEGIN)
        for spent, most in ((self._spent, step), (self._total, _ALTOGETHER * self._limits.seconds)):
            if spent > most:
                raise Stopped(f"ran longer than {most:g} seconds")
        if len(family) > _MOST_PROCESSES:
            raise Stopped(f"started more than {_MOST_PROCESSES} processes")
        if sum(one[1] for one in seen) > self._limits.memory * 2**20:
            raise Stopped(f"took more than {self._limits.memory} MB of memory")

    def _count_time(self, used: float, waits: bool) -> None:
        """Add the seconds since the last look, but for those in which it waited for a processor that others had."""
        now = time.monotonic()
        seconds = min(max(0.0, used - self._used), now - self._at) if waits else now - self._at
        self._spent, self._total = self._spent + seconds, self._total + seconds
        self._at, self._used = now, used

    def _end(self) -> None:
        """End all of them. A storm of forks is stopped at one blow, before anybody looks how large it is."""
        if os.name == "posix":  # behind walls all die with the first, else they hold still
            self._signal_group(signal.SIGKILL if self._command else signal.SIGSTOP)
        with suppress(psutil.Error):
            root = psutil.Process(self._process.pid)
            self._family |= {root, *root.children(recursive=True)}
        for one in self._family:
            with suppress(psutil.Error):
                one.kill()
        if os.name == "posix":
            self._signal_group(signal.SIGKILL)
        self._process.wait()

    def _signal_group(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _listen(self) -> None:
        assert self._process.stdout
        with suppress(OSError, ValueError):  # it was closed
            while not self._ended and (line := self._process.stdout.readline(_LONGEST)):
                self._lines.put(line)
        self._lines.put(b"")

    def _speak(self) -> None:
        assert self._process.stdin
        with suppress(OSError, ValueError):  # it has ended
            while line := self._outbox.get():
                self._process.stdin.write(line)
                self._process.stdin.flush()

    def _drain(self) -> None:
        assert self._process.stderr
        with suppress(OSError, ValueError):
            while piece := os.read(self._process.stderr.fileno(), 2**16):
                if self._printed <= self._limits.output * 2**20:  # what is more waits in the pipe, and so does it
                    self._printed += len(piece)
                else:
                    return


def _look_at(process: psutil.Process) -> tuple[float, int, bool]:
    """Seconds that it has computed, bytes that it holds, whether it computes or would; of one that is gone, none."""
    try:
        with process.oneshot():
            return sum(process.cpu_times()[:2]), process.memory_info().rss, process.status() == psutil.STATUS_RUNNING
    except psutil.Error:
        return 0.0, 0, False


def find_walls() -> Walls:
    """The best walls that this system can build, each tried by a program that wants to get through."""
    commands: list[tuple[str, ...]] = [(*_ALONE, "--mount-proc"), _ALONE] if shutil.which(_ALONE[0]) else []
    for command in commands:
        with suppress(Stopped):
            return _tried(Walls(command, files=True))
    return _tried(Walls())


def _tried(walls: Walls) -> Walls:
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.create_server(("127.0.0.1", 0)) as server,
        Sandbox(walls, Limits()) as inside,
    ):
        victim = Path(folder) / "a file of somebody else"
        victim.touch()
        inside.say(cells=[[1, _PROBE, "tried"]], course=[], exercises=["tried"], judged={}, skipped=[], limits={})
        while inside.hear()["kind"] != "answer":
            pass
        network, files, processes = inside.call(str(victim), server.getsockname()[1], os.getpid())
        return Walls(walls.command, not network, not files and victim.exists(), not processes)


def _told(status: int | None) -> str:
    if status is None:
        return "or closed the grader's channel"
    if status < 0 or status > 128:
        number = -status if status < 0 else status - 128
        with suppress(ValueError):
            return f"signal {signal.Signals(number).name}"
    return f"exit status {status}"


def _environment(folder: Path) -> dict[str, str]:
    """What the process knows of ours: nothing that is not needed, so that no password is handed to a learner's code."""
    own = {name: os.environ[name] for name in _KEPT if name in os.environ}
    where = {name: str(folder) for name in ("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP", "MPLCONFIGDIR")}
    data = {(cache.home() / name).resolve() for name in ("data", "data/phantom")} | {cache.root()}
    layered = [one for one in sorted(data) if one.is_dir() and not data & {*one.parents}]
    package = str(Path(__file__).resolve().parents[3])
    return own | where | {
        "PYTHONPATH": os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])]),
        "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
        "CXR_CACHE": str(cache.root()), "CXR_LAYERED": os.pathsep.join(map(str, layered)),
        "MPLBACKEND": "Agg", "TQDM_DISABLE": "1", "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3",
    }  # fmt: skip
