"""The answer to a question that a lesson asks before a cell is run: folded away until somebody opens it."""

from dataclasses import dataclass
from html import escape

from ..errors import first_missing


@dataclass(frozen=True)
class Answer:
    """A text that Jupyter shows folded, with the word "Answer" to open it by."""

    text: str

    def __repr__(self) -> str:
        return f"Answer: {self.text}"

    def _repr_html_(self) -> str:
        return f"<details><summary>Answer</summary>{escape(self.text)}</details>"


def answer(text: str, **figures: object) -> Answer:
    """The answer to "predict before you run", which a learner opens after making a guess.

    Args:
        text: the answer in words, with a replacement field for each figure, as in `str.format`.
        figures: the run's own figures. Where one of them is `Missing`, its reason is shown instead.

    Example:
        >>> answer("Nearly always: {share:.0%} of the images do not show it.", share=0.97)
        Answer: Nearly always: 97% of the images do not show it.
    """
    missing = first_missing(figures)
    return Answer(text.format(**figures) if missing is None else missing.reason)
