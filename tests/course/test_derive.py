"""From a source to its two notebooks."""

import json

import nbformat
import pytest
from jupyter_server.services.contents.largefilemanager import LargeFileManager
from jupytext.sync_contentsmanager import build_sync_jupytext_contents_manager_class
from toy_course import EXERCISE, HEADER, LESSON, PARAMETERS, make_course

from cxr_utils.course.derive import learner_notebook, solution_notebook, to_text
from cxr_utils.course.lessons import find_lessons
from cxr_utils.errors import LessonError

NAME = "02_toy"


def run_cell(notebook, number):
    names = {}
    exec(notebook.cells[number].source, names)
    return names


def test_solution_keeps_the_answer_and_loses_the_markers():
    notebook = solution_notebook(LESSON, NAME)
    assert run_cell(notebook, 2)["double"](21) == 42
    assert "SOLUTION" not in to_text(notebook)


def test_learner_copy_returns_nothing_and_holds_no_answer():
    notebook = learner_notebook(LESSON, NAME)
    assert run_cell(notebook, 2)["double"](21) is None
    assert "your answer here" in notebook.cells[2].source
    assert "2 * x" not in to_text(notebook)


def test_copies_differ_in_the_exercise_only():
    solution, learner = solution_notebook(LESSON, NAME), learner_notebook(LESSON, NAME)
    different = [n for n, (a, b) in enumerate(zip(solution.cells, learner.cells, strict=True)) if a != b]
    assert different == [2]


def test_what_answers_is_folded_for_learners_and_plumbing_for_all():
    text = PARAMETERS + EXERCISE + '\n# %% tags=["answer"]\n42\n\n# %% tags=["plumbing", "answer"]\n43\n'
    solution, learner = solution_notebook(text, NAME), learner_notebook(text, NAME)
    nbformat.validate(learner)
    folds = [[cell.metadata.get("jupyter") for cell in notebook.cells[1:]] for notebook in (solution, learner)]
    assert folds[0] == [None, None, {"source_hidden": True}]
    assert folds[1] == [None, {"outputs_hidden": True}, {"source_hidden": True, "outputs_hidden": True}]


def test_answers_may_be_nested_and_several_in_a_function():
    text = PARAMETERS + (
        "\n# %%\ndef total(values):\n"
        "    ### BEGIN SOLUTION\n    result = 0\n    ### END SOLUTION\n"
        "    for value in values:\n        ### BEGIN SOLUTION\n        result += value\n        ### END SOLUTION\n"
        "    ### BEGIN SOLUTION\n    return result\n    ### END SOLUTION\n"
    )
    assert run_cell(solution_notebook(text, NAME), 1)["total"]([1, 2, 3]) == 6
    learner = learner_notebook(text, NAME)
    assert learner.cells[1].source.splitlines()[3] == "        ...  # your answer here"
    assert run_cell(learner, 1)["total"]([1, 2, 3]) is None


def test_what_counts_is_whether_the_innermost_function_returns_a_value():
    text = PARAMETERS + (
        "\n# %%\ndef outer():\n    def inner(x):\n        if x is None:\n            return\n"
        "        ### BEGIN SOLUTION\n        return 2 * x\n        ### END SOLUTION\n\n    return inner\n"
    )
    assert run_cell(solution_notebook(text, NAME), 1)["outer"]()(21) == 42
    assert run_cell(learner_notebook(text, NAME), 1)["outer"]()(21) is None


def test_notebooks_are_valid_and_the_same_on_every_machine():
    notebook = learner_notebook(LESSON, NAME)
    nbformat.validate(notebook)
    assert to_text(notebook) == to_text(learner_notebook(LESSON, NAME))
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    assert notebook.cells[1].metadata == {"tags": ["parameters"]}
    content = json.loads(to_text(notebook))
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 5)
    assert content["metadata"] == {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }


def test_other_text_may_change_without_touching_the_rest():
    before, after = learner_notebook(LESSON, NAME), learner_notebook(LESSON.replace("toy lesson", "game"), NAME)
    assert [a == b for a, b in zip(before.cells, after.cells, strict=True)] == [False] + [True] * 5


WRONG = {
    "no exercise": (PARAMETERS, "solutions/02_toy.py has no exercise"),
    "no end": (PARAMETERS + EXERCISE.replace("### END SOLUTION", ""), "line 9: .* has no end"),
    "no beginning": (PARAMETERS + EXERCISE.replace("### BEGIN SOLUTION", ""), "line 11: .* without a beginning"),
    "two beginnings": (PARAMETERS + EXERCISE.replace("### END", "### BEGIN"), "line 9: .* has no end"),
    "end in another cell": (PARAMETERS + EXERCISE.replace("    ### END", "# %%\n    ### END"), "line 9: .* no end"),
    "mistyped": (PARAMETERS + EXERCISE.replace("### BEGIN", "## BEGIN"), "line 9: '## BEGIN SOLUTION' is no marker"),
    "mistyped end": (PARAMETERS + EXERCISE + "# END SOLUTION\n", "line 12: '# END SOLUTION' is no marker"),
    "parameters in words": (
        '# %% [markdown] tags=["parameters"]\n# seed\n' + EXERCISE,
        "has 0 code cells with the tag",
    ),
    "outside": (PARAMETERS + "\n# %%\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION\n", "line 7: .* outside a function"),
    "other block": (PARAMETERS + EXERCISE.replace("    ### END", "### END"), "line 11: .* is not indented like"),
    "returns anyway": (PARAMETERS + EXERCISE + "    return 0\n", r"line 9: double\(\) returns a value even"),
    "no Python": (PARAMETERS + EXERCISE + "    %time\n", "line 9: .* no valid Python"),
    "no parameters": (EXERCISE.lstrip(), 'has 0 code cells with the tag "parameters"'),
    "parameters twice": (PARAMETERS + "\n" + PARAMETERS + EXERCISE, 'has 2 code cells with the tag "parameters"'),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("derive", [solution_notebook, learner_notebook])
def test_wrong_sources_are_refused_by_file_and_line(derive, text, message):
    with pytest.raises(LessonError, match=message):
        derive(text, NAME)


def test_a_source_saved_from_jupyterlab_is_the_same_text(tmp_path):
    """Through the server's own contents manager, with what a Lab session leaves in a notebook."""
    source = find_lessons(make_course(tmp_path, L01_toy=HEADER + LESSON))[0].source
    manager = build_sync_jupytext_contents_manager_class(LargeFileManager)(root_dir=str(tmp_path))
    model = manager.get("solutions/01_toy.py", type="notebook", content=True)
    model["content"]["metadata"]["language_info"] = {"name": "python", "version": "3.13.1"}
    for number, cell in enumerate(model["content"]["cells"]):
        cell["metadata"] |= {"trusted": True, "collapsed": False, "execution": {"shell.execute_reply": "now"}}
        if cell["cell_type"] == "code":
            cell["execution_count"] = number
            cell["outputs"] = [nbformat.v4.new_output("stream", text="seen\n")]
    manager.save(model, "solutions/01_toy.py")
    assert source.read_text(encoding="utf-8") == HEADER + LESSON
    assert not source.with_suffix(".ipynb").exists()


def test_the_header_makes_no_cell():
    assert to_text(solution_notebook(HEADER + LESSON, NAME)) == to_text(solution_notebook(LESSON, NAME))
