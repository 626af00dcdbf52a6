"""How a simulation ends when a rule does not hold."""

from __future__ import annotations


class Broken(Exception):
    """A rule was broken. rule: its name; the sentence says what happened."""

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(f"{rule}: {sentence}")
        self.rule = rule
        self.sentence = sentence
