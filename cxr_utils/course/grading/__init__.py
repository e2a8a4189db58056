"""How handed-in notebooks are graded: the learner's functions run walled in, and are judged from outside.

`submissions` finds and reads what was handed in, `plan` says which of its statements an answer needs, `inside` runs
them in a process behind the walls of `sandbox`, `wire` carries what the functions return, `judge` compares it where no
learner's code ever runs, and `table` writes the marks. `nbgrader` writes the lessons as nbgrader's source version.
"""
