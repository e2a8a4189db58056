"""The process behind the walls: it runs a learner's statements and calls the functions when it is asked to.

It never learns a verdict beforehand and cannot give one: the cases come one by one, only what a function returned goes
out, and it is compared outside.
"""

import base64
import builtins
import contextlib
import ctypes
import json
import os
import pickle
import struct
import sys
import types
from importlib import import_module
from typing import Any, BinaryIO, Never

_RECURSIVE, _READ_ONLY, _HERE = 0x8000, 1, -100
_MOUNT_SETATTR = 442  # the call's number on every processor
_DROP_FROM_BOUND, _NO_NEW_PRIVILEGES = 24, 38
CODE = "from cxr_utils.course.grading.inside import {}; {}()"


def enter() -> None:
    """Make all folders but the working one read-only, give every privilege up, and go on as `main`.

    It runs in namespaces of its own, which `unshare` has made. The working folder gets a file system that is gone when
    the process is; so is what seems to be written into the course's data, as where a lesson opens its data set.

    Raises:
        OSError: the system does not do this.
    """
    libc, folder = ctypes.CDLL(None, use_errno=True), os.getcwd()
    read_only = struct.pack("QQQQ", _READ_ONLY, 0, 0, 0)
    done = libc.syscall(_MOUNT_SETATTR, _HERE, b"/", _RECURSIVE, read_only, len(read_only))
    if done or libc.mount(b"tmpfs", folder.encode(), b"tmpfs", 6, b"size=256m,mode=700"):
        raise OSError(ctypes.get_errno(), "folders cannot be made read-only")
    for number, shared in enumerate(os.environ["CXR_LAYERED"].split(os.pathsep)):  # one that fails stays read-only
        upper, work = (os.path.join(folder, f".{kind}{number}") for kind in ("upper", "work"))
        os.makedirs(upper)
        os.makedirs(work)
        options = f"lowerdir={shared},upperdir={upper},workdir={work},userxattr"
        libc.mount(b"overlay", shared.encode(), b"overlay", 0, options.encode())
    for capability in range(64):
        if libc.prctl(_DROP_FROM_BOUND, capability, 0, 0, 0):
            break
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    os.setsid()  # a signal to its own group would end the one who waits outside, and this one at no certain time
    os.chdir(folder)
    os.execv(sys.executable, [sys.executable, "-c", CODE.format("main", "main")])


class _Line:
    """The way to the judge: what was standard input and output, which learners' code no longer meets under these."""

    def __init__(self) -> None:
        self._in, self._out = self._moved(0, "rb"), self._moved(1, "wb")
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)

    @staticmethod
    def _moved(number: int, mode: str) -> BinaryIO:
        return os.fdopen(os.dup(number), mode)  # type: ignore[return-value]

    def say(self, **message: Any) -> None:
        self._out.write(json.dumps(message).encode() + b"\n")
        self._out.flush()

    def hear(self) -> dict:
        line = self._in.readline()
        if not line:  # the judge has gone
            os._exit(0)
        return json.loads(line)


def main() -> None:
    """Do one job: run its statements and let its answers be judged. Ends the process."""
    line = _Line()
    job = line.hear()
    _limit(**job["limits"])
    from cxr_utils.course.grading.plan import Cell, plan

    made = plan([Cell(*cell) for cell in job["cells"]], job["course"], job["exercises"])
    for name, why in made.lost.items():
        line.say(kind="lost", name=name, why=why)
    for remark in made.remarks:
        line.say(kind="remark", text=remark)
    builtins.input = _no_input
    builtins.display = _show_nothing  # type: ignore[attr-defined]
    for name in job["exercises"]:  # a check hands out the course's version
        setattr(import_module("cxr_utils.checks"), name, _no_check)
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    for number, step in enumerate(made.steps):
        if step.check:
            _offer(line, step.check, module.__dict__, job["judged"])
        elif number not in job["skipped"]:
            _run(line, number, step, module.__dict__)
    line.say(kind="end")
    os._exit(0)  # whatever threads the learner's code has left


def _limit(seconds: float = 20, memory: int = 2000, output: int = 10) -> None:
    """Limits that the system itself holds; the judge watches the same from outside, and sees all processes."""
    with contextlib.suppress(AttributeError, OSError):
        os.nice(19)  # a storm of forks leaves the judge its share of the processor
    with contextlib.suppress(ImportError):  # on Windows there are none
        import resource

        for what, most in (
            (resource.RLIMIT_DATA, 2 * memory * 2**20),  # what is taken bit by bit, the judge sees before
            (resource.RLIMIT_FSIZE, 10 * output * 2**20),
            (resource.RLIMIT_CPU, int(60 + 20 * seconds)),  # should the judge be killed
            (resource.RLIMIT_CORE, 0),
        ):
            with contextlib.suppress(ValueError, OSError):  # there is a lower one already
                resource.setrlimit(what, (most, most))


def _no_input(*_: object) -> Never:
    raise RuntimeError("input() waits for somebody to type, and nobody is there when notebooks are graded")


def _show_nothing(*_: object, **__: object) -> None:
    """What notebooks call `display`: nobody looks."""


def _no_check(*_: object) -> Never:
    raise RuntimeError("a check cannot be called by what it checks")


def _run(line: _Line, number: int, step: Any, names: dict) -> None:
    import ast

    from cxr_utils.course.grading.wire import words_of

    if step.own:
        line.say(kind="step", number=number, cell=step.cell.number, line=step.line)
    try:
        exec(compile(ast.Module([step.node], []), f"code cell {step.cell.number}", "exec"), names)
    except BaseException as error:  # noqa: B036 a cell that raises SystemExit does not end a notebook either
        if step.needed:
            where = f"code cell {step.cell.number}" if step.cell.number else "a cell of the lesson"
            line.say(kind="remark", text=f"{where}, `{step.line}` raised {type(error).__name__}: {words_of(error)}")


def _offer(line: _Line, name: str, names: dict, judged: dict[str, bool]) -> None:
    """Let an answer be judged, unless it has been; then put the course's version in the place of a wrong one."""
    right = judged.get(name)
    if right is None:
        right = _answer_calls(line, name, names)
    if not right:
        import cxr_utils.checks as checks
        from cxr_utils.checks.exercise import EXERCISES

        vars(checks).pop(name)
        getattr(checks, name)  # reads the file that fills EXERCISES
        setattr(checks, name, _no_check)
        names[name] = EXERCISES[name].own


def _answer_calls(line: _Line, name: str, names: dict) -> bool:
    from cxr_utils.checks.exercise import is_blank

    if name not in names:
        line.say(kind="lost", name=name, why=f"`{name}` was not defined: its cell failed")
        return False
    line.say(kind="answer", name=name, blank=is_blank(names[name]))
    while True:
        asked = line.hear()
        if "right" in asked:
            return asked["right"]
        arguments, named = pickle.loads(base64.b64decode(asked["call"]))
        line.say(**_result(names[name], arguments, named))


def _result(function: Any, arguments: tuple, named: dict) -> dict:
    import warnings

    from cxr_utils.course.grading.wire import encode, words_of

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = function(*arguments, **named)
    except BaseException as error:  # noqa: B036 whatever a learner's function raises is its result
        return {"kind": "raised", "name": type(error).__name__, "text": words_of(error)}
    try:
        return {"kind": "result", "value": encode(value)}
    except Exception as error:  # a learner's object may fail in any way when it is looked at
        return {"kind": "raised", "name": "TypeError", "text": f"what it returned cannot be read: {error}"[:2000]}
