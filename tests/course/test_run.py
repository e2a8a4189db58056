"""The papermill sequence: parameters, failures, resuming, interrupting."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import nbformat
import psutil
import pytest
from bs4 import BeautifulSoup
from filelock import FileLock
from nbformat.v4 import new_code_cell, new_notebook, new_output
from toy_course import EXERCISE, LESSON, PARAMETERS, make_course, make_rays

from cxr_utils.course.build import build
from cxr_utils.course.lessons import find_lessons
from cxr_utils.course.page import html_page
from cxr_utils.course.record import Result, read_outputs, read_record, table, write_record
from cxr_utils.course.run import Settings, run
from cxr_utils.course.watch import AtWork, Board, side_by_side
from cxr_utils.errors import LessonError

WHERE = '\n# %%\nimport os\n\nprint("in", os.getcwd().split("/")[-1], os.environ.get("CXR_STRICT"))\n'
START = '\n# %%\nprint("✓ claim: a start")\n'
CLOSES = '\n# %%\nimport atexit\n\natexit.register(lambda: open("closed", "w").close())\n'
FAILS = PARAMETERS + EXERCISE + START + '\n# %%\nlimit = 1\nraise ValueError("too\\nlarge")\n'
SETTINGS = Settings("/data/nih", "full", 7)


def text_of(path):
    cells = nbformat.read(path, as_version=4).cells
    return "".join(o.text for cell in cells for o in cell.get("outputs", []) if o.get("name") == "stdout")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A course of three lessons, the second of which fails, run once."""
    root = make_course(
        tmp_path_factory.mktemp("course"), L01_one=LESSON + WHERE, L02_two=FAILS, L03_three=LESSON + CLOSES
    )
    folder = root / "runs" / SETTINGS.name
    return root, folder, run(find_lessons(root), SETTINGS, folder)


def test_a_lesson_gets_its_parameters_and_is_kept_as_notebook_and_page(finished):
    _, folder, results = finished
    text = text_of(folder / "01_one.ipynb")
    assert "headline: /data/nih full 7\n" in text
    assert "in solutions 1\n" in text
    assert "/data/nih full 7" in (folder / "01_one.html").read_text(encoding="utf-8")
    assert (results[0].error, results[0].claims) == (None, "1/1 (1 n/a)")
    assert results[0].headline == "/data/nih full 7"
    assert results[0].seconds > 0 and results[0].peak_mb > 10


def test_pictures_of_the_page_can_be_read_out():
    alt = 'Two "rays" & a box < 3 cm'
    pictures = [
        new_output("display_data", {"image/png": data}, metadata=about)
        for data, about in (("AAAA", {"image/png": {"alt": alt}}), ("BBBB", {}))
    ]
    page = BeautifulSoup(html_page(new_notebook(cells=[new_code_cell("draw()", outputs=pictures)])), "html.parser")
    described, other = page.find_all("img")
    assert (described["src"], described["alt"]) == ("data:image/png;base64,AAAA", alt)
    assert other["src"] == "data:image/png;base64,BBBB" and other["alt"] != alt


def test_a_failure_stops_only_its_lesson_and_is_named_in_three_lines(finished, capsys, tmp_path):
    root, folder, results = finished
    assert [result.error is None for result in results] == [True, False, True]
    assert results[1].error == "cell [5]: ValueError: too large" and results[1].claims == "1/1"
    assert sorted(path.name for path in folder.iterdir() if path.name[0] != ".") == [
        "01_one.html",
        "01_one.ipynb",
        "02_two.failed.ipynb",
        "03_three.html",
        "03_three.ipynb",
        "run.json",
    ]
    run(find_lessons(root)[1:2], SETTINGS, tmp_path)
    out = capsys.readouterr().out.splitlines()
    (line,) = [number for number, text in enumerate(out) if text.endswith("  failed")]
    assert out[line + 1 : line + 4] == [
        f"  lesson  02 two, kept as {tmp_path / '02_two.failed.ipynb'}",
        '  cell    [5] raise ValueError("too\\nlarge")',
        "  error   ValueError: too large",
    ]


def test_what_a_kernel_has_put_off_to_its_end_is_done(finished):
    assert (finished[0] / "solutions/closed").exists()


def test_run_json_is_the_table(finished):
    _, folder, results = finished
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert {key: record[key] for key in ("data", "profile", "seed", "origin")} == {
        "data": "/data/nih",
        "profile": "full",
        "seed": 7,
        "origin": "solutions",
    }
    assert [Result(**row) for row in record["lessons"]] == results


def test_resume_runs_what_has_not_finished_and_what_has_changed(tmp_path, capsys):
    root = make_course(tmp_path, L01_one=LESSON, L02_two=FAILS, L03_three=LESSON)
    folder = tmp_path / "out"
    run(find_lessons(root), SETTINGS, folder)
    (root / "solutions/02_two.py").write_text(LESSON, encoding="utf-8")
    (root / "solutions/03_three.py").write_text(LESSON.replace("toy lesson", "game"), encoding="utf-8")
    before = (folder / "01_one.ipynb").stat().st_mtime_ns
    capsys.readouterr()
    results = run(find_lessons(root), SETTINGS, folder, resume=True)
    out = capsys.readouterr().out
    assert "01 one                    finished before\n" in out and out.count("finished before") == 1
    assert (folder / "01_one.ipynb").stat().st_mtime_ns == before
    assert not (folder / "02_two.failed.ipynb").exists()
    assert [result.error for result in results] == [None, None, None]


def test_resume_takes_no_result_of_other_settings(finished, tmp_path, monkeypatch):
    root, folder, _ = finished
    known = read_record(folder / "run.json", json.loads((folder / "run.json").read_text()) | {"seed": 8})
    assert known == {}
    common = {"data": "phantom", "profile": "quick", "seed": 0, "origin": "solutions"}
    result = Result("01_one", "k", None, 1.0, 1, 1, 0, 0, "")
    write_record(tmp_path / "run.json", common, {"01_one": result})
    assert read_record(tmp_path / "run.json", common) == {"01_one": result}
    (tmp_path / "run.json").write_text('{"lessons": [')
    assert read_record(tmp_path / "run.json", common) == {}


def test_learners_copies_run_as_they_stand(tmp_path, monkeypatch):
    monkeypatch.delenv("CXR_STRICT", raising=False)
    root = make_course(tmp_path, L01_one=LESSON + WHERE)
    (lesson,) = find_lessons(root)
    build([lesson], lambda line: None)
    settings = Settings("phantom", origin="notebooks")
    run([lesson], settings, tmp_path / "blank")
    assert "blank 4\n" in text_of(tmp_path / "blank/01_one.ipynb")
    assert "in notebooks None\n" in text_of(tmp_path / "blank/01_one.ipynb")
    copy = lesson.learner.read_text(encoding="utf-8").replace("...  # your answer here", "return x + x")
    lesson.learner.write_text(copy, encoding="utf-8")
    (result,) = run([lesson], settings, tmp_path / "filled")
    assert "answered 4\n" in text_of(tmp_path / "filled/01_one.ipynb") and result.error is None
    assert lesson.learner.read_text(encoding="utf-8") == copy


def test_a_copy_that_a_hosted_notebook_saved_names_no_kernel_and_no_language(tmp_path):
    root = make_course(tmp_path, L01_one=LESSON, L02_two=LESSON)
    lessons = find_lessons(root)
    build(lessons, lambda line: None)
    saved = nbformat.read(lessons[0].learner, as_version=4)
    saved.metadata = nbformat.from_dict({"colab": {"provenance": []}})
    nbformat.write(saved, lessons[0].learner)
    results = run(lessons, Settings("phantom", origin="notebooks"), tmp_path / "out")
    assert [(result.lesson, result.error) for result in results] == [("01_one", None), ("02_two", None)]
    assert (tmp_path / "out" / "01_one.html").exists() and "blank 4\n" in text_of(tmp_path / "out" / "01_one.ipynb")


def test_a_dead_kernel_is_a_failure(tmp_path):
    text = PARAMETERS + EXERCISE + "\n# %%\nimport os\nos._exit(3)\n"
    (result,) = run(find_lessons(make_course(tmp_path, L01_dies=text)), SETTINGS, tmp_path / "{out}")
    assert result.error.startswith("cell [4]: DeadKernelError")
    assert (tmp_path / "{out}" / "01_dies.failed.ipynb").exists()


def test_missing_and_untagged_copies_and_a_busy_folder_are_refused(tmp_path):
    root = make_course(tmp_path, L01_one=LESSON)
    lessons = find_lessons(root)
    copies = Settings(origin="notebooks")
    with pytest.raises(LessonError, match="01_one.ipynb is missing.*cxr build"):
        run(lessons, copies, tmp_path / "out")
    lessons[0].learner.parent.mkdir()
    lessons[0].learner.write_text("{}")
    with pytest.raises(LessonError, match="01_one.ipynb cannot be read"):
        run(lessons, copies, tmp_path / "out")
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("data = 1")]), lessons[0].learner)
    with pytest.raises(LessonError, match='has 0 code cells with the tag "parameters"'):
        run(lessons, copies, tmp_path / "out")
    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out/.lock"), pytest.raises(LessonError, match="Another run is writing"):
        run(lessons, SETTINGS, tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(LessonError, match="cannot be written to"):
        run(lessons, SETTINGS, tmp_path / "file")


def waits_for(other, here, seconds=60):
    """A lesson that says that it is there, waits for another one, and then goes on."""
    return (
        PARAMETERS
        + EXERCISE
        + (
            f"\n# %%\nimport time\nfrom pathlib import Path\n\nPath({str(here)!r}).touch()\n"
            f"patience = {seconds} * 10\n"
            f"while not Path({str(other)!r}).exists() and patience:\n    patience -= 1\n    time.sleep(0.1)\n"
            "assert patience, 'alone'\n"
        )
    )


def test_lessons_at_once_overlap_and_each_has_its_own_memory(tmp_path):
    first, second, done = (tmp_path / name for name in ("first", "second", "done"))
    large = f"block = bytearray(b'x' * 300 * 2**20)\ntime.sleep(1.5)\nPath({str(done)!r}).touch()\n"
    lessons = {"L01_one": waits_for(done, first), "L02_two": waits_for(first, second) + large}
    results = run(find_lessons(make_course(tmp_path, **lessons)), SETTINGS, tmp_path / "out", jobs=2)
    assert [(result.lesson, result.error) for result in results] == [("01_one", None), ("02_two", None)]
    assert 20 < results[0].peak_mb < 300 < results[1].peak_mb


def test_one_fails_while_the_other_goes_on(tmp_path):
    gone = tmp_path / "out/02_two.failed.ipynb"
    lessons = {"L01_one": waits_for(gone, tmp_path / "here") + START, "L02_two": FAILS, "L03_three": LESSON}
    results = run(find_lessons(make_course(tmp_path, **lessons)), SETTINGS, tmp_path / "out", jobs=2)
    assert [result.error for result in results] == [None, "cell [5]: ValueError: too large", None]
    assert results[0].claims == "1/1"
    assert [row["lesson"] for row in json.loads((tmp_path / "out/run.json").read_text())["lessons"]] == [
        "01_one",
        "02_two",
        "03_three",
    ]


no_ctrl_c = pytest.mark.skipif(os.name == "nt", reason="no program can press Ctrl-C on Windows for another one alone")


@no_ctrl_c
@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_keeps_finished_lessons_and_leaves_no_kernel(tmp_path, jobs):
    here = [tmp_path / "one is there", tmp_path / "two is there"][:jobs]
    slow = {f"L0{5 + place}_slow": waits_for(tmp_path / "nobody", path) for place, path in enumerate(here)}
    # Side by side the last begins first.
    quick = {"L09_quick" if jobs > 1 else "L01_quick": LESSON}
    root = make_course(tmp_path, **slow, **quick)
    # Where tests run in the background Ctrl-C is ignored, and children inherit that.
    code = (
        "import signal as s; s.signal(s.SIGINT, s.default_int_handler)\n"
        "from cxr_utils.commands.program import main; main()"
    )
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    environment = os.environ | {"CXR_HOME": str(root)}
    command = [sys.executable, "-c", code, "run", "--data", str(make_rays(tmp_path / "rays")), "--jobs", str(jobs)]
    with subprocess.Popen(command, env=environment, **streams) as process:
        for line in process.stdout:
            if "05 slow" in line and "started" in line:
                break
        kernels = []  # one works, the other may still be starting: neither may survive
        while len(kernels) < jobs or not all(path.exists() for path in here[1:]):
            time.sleep(0.05)
            kernels = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)  # from a second press nothing follows
        assert not psutil.wait_procs(kernels, timeout=20)[1]
        rest = process.stdout.read()
        assert process.wait(30) == 130
    assert "Interrupted. Finished lessons are kept" in rest and "Traceback" not in rest
    assert rest.count("  interrupted\n") == jobs
    (name,) = (key[1:] for key in quick)
    folder = root / "runs/rays-quick-seed0"
    assert sorted(path.name for path in folder.iterdir() if path.name != ".lock") == [
        f"{name}.html",
        f"{name}.ipynb",
        "run.json",
    ]
    assert [row["lesson"] for row in json.loads((folder / "run.json").read_text())["lessons"]] == [name]


@no_ctrl_c
def test_a_second_ctrl_c_lets_no_process_slip_through():
    started = []

    def work():
        time.sleep(0.6)  # both have been pressed by now
        started.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))
        started[0].wait()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    for moment in (0.1, 0.3):
        threading.Timer(moment, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            side_by_side(["one"], 1, lambda item: work, lambda item, error: None, lambda: None)
    finally:
        signal.signal(signal.SIGINT, before)
    assert started and started[0].poll() is not None


def test_outputs_are_read_by_their_prefixes():
    texts = {
        "✓ claim: a\n✗ claim: b\nheadline: first\nx ✓ claim: no\n": "stdout",
        "✓ claim: not here\n": "stderr",
        "– claim: c (not applicable: d)\nheadline: last": "stdout",
    }
    outputs = [nbformat.v4.new_output("stream", name=name, text=text) for text, name in texts.items()]
    cell = nbformat.v4.new_code_cell(outputs=outputs)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("✓ claim: nor here"), cell])
    assert read_outputs(notebook) == (1, 1, 1, "last")


def test_table_adds_up():
    rows = [
        Result("01_first_look", "", None, 1.25, 9, 2, 0, 1, "AUC 0.80"),
        Result("02_next", "", "cell [3]: ValueError: no", 2.0, 9, 1, 1, 0, ""),
    ]
    lines = table(rows).splitlines()
    assert lines[1].split() == ["01", "first", "look", "1.2", "2/2", "(1", "n/a)", "AUC", "0.80"]
    assert lines[2].endswith("1/2           FAILED in cell [3]: ValueError: no")
    assert lines[3].split() == ["all", "3.2", "3/4", "(1", "n/a)"]


class Screen:
    """A stream that says whether it is a terminal, and shows what one would."""

    def __init__(self, terminal):
        self.text, self.terminal = "", terminal

    def isatty(self):
        return self.terminal

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def rows(self):
        rows, row, column = [""], 0, 0
        for part in re.findall(r"\x1b\[\d*[A-Z]|.|\r|\n", self.text):
            if part == "\x1b[K":
                rows[row] = rows[row][:column]
            elif part == "\x1b[J":
                rows[row:] = [rows[row][:column]]
            elif part[0] == "\x1b":
                assert part[-1] == "A" and row >= int(part[2:-1])
                row -= int(part[2:-1])
            elif part == "\r":
                column = 0
            elif part == "\n":
                row, column = row + 1, 0
                rows += [""] * (row == len(rows))
            else:
                rows[row] = rows[row][:column].ljust(column) + part + rows[row][column + 1 :]
                column += 1
        return rows


def test_a_line_counts_minutes(monkeypatch):
    moments = iter([100.0, 225.9])
    monkeypatch.setattr(time, "perf_counter", lambda: next(moments))
    assert str(AtWork("02 leakage check", 23)).split()[-1] == "02:05"


@pytest.fixture
def two_lessons(monkeypatch):
    monkeypatch.setattr(time, "perf_counter", lambda: 0.0)
    return AtWork("02 leakage check", 20), AtWork("03 class weighting", 40)


def test_on_a_terminal_each_lesson_has_its_line_and_what_has_ended_stays_above(two_lessons):
    (one, two), screen = two_lessons, Screen(True)
    board = Board(screen)
    for line in two_lessons:
        board.begin(line)
    one.cell, two.cell = 12, 1
    board.draw()
    assert screen.rows() == [
        "02 leakage check          cell 12/20   00:00",
        "03 class weighting        cell  1/40   00:00",
        "",
    ]
    two.cell = 9
    board.end(two, "failed", "  error   ValueError: no")
    one.cell = 13
    board.draw()
    below = ["03 class weighting        cell  9/40   00:00  failed", "  error   ValueError: no"]
    assert screen.rows() == [*below, "02 leakage check          cell 13/20   00:00", ""]
    board.begin(three := AtWork("04 next", 9))
    board.end(one, "3/3 claims")
    below += ["02 leakage check          cell 13/20   00:00  3/3 claims"]
    assert screen.rows() == [*below, "04 next                   cell  0/9    00:00", ""]
    screen.text += "^C"  # what the terminal itself writes
    board.stop()
    assert screen.rows() == [*below, "04 next                   cell  0/9    00:00  interrupted", ""]
    assert three.cell == 0


def test_a_line_never_wraps_on_a_narrow_terminal(two_lessons, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    screen = Screen(True)
    board = Board(screen)
    board.begin(two_lessons[0])
    board.draw()
    assert screen.rows() == ["02 leakage check          cel", ""]


def test_off_a_terminal_a_lesson_has_a_line_for_each_tenth_of_its_cells(two_lessons):
    (one, two), screen = two_lessons, Screen(False)
    board = Board(screen)
    for line in two_lessons:
        board.begin(line)
    for two.cell in range(41):
        board.draw()
        board.draw()
    one.cell = 9
    board.draw()
    board.end(two, "3/3 claims")
    board.stop()
    assert screen.text.splitlines() == [
        "02 leakage check          started",
        "03 class weighting        started",
        *(f"03 class weighting        cell {cell:2d}/40   00:00" for cell in range(4, 41, 4)),
        "02 leakage check          cell  9/20   00:00",
        "03 class weighting        cell 40/40   00:00  3/3 claims",
        "02 leakage check          cell  9/20   00:00  interrupted",
    ]
