"""How lessons are made and run: sources, derived notebooks, the papermill sequence.

`lessons` knows where things are, `derive` turns a source into two notebooks, `build` executes and saves
them, `run` executes the sequence for an instructor, `grading` marks what learners hand in. Lessons themselves
import nothing from here.
"""
