"""Puts what is said aloud in order, once each. Has no I/O.

Live speech, what a resume replays and pages of history meet here. Ids rise, as text, in the order in which speech is
told; nothing in one shows that another is missing, so all is held back until it is known what was missed.
ChatSocket feeds it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Speech = dict[str, Any]  # as in the contract


class SpeechLog:
    def __init__(self, deliver: Callable[[Speech], None]) -> None:
        self._deliver = deliver
        self._held: dict[str, Speech] | None = None  # by id, while it is not known what was missed
        # All up to this id was told, or was said before the login; None while that is not known.
        self.last: str | None = None

    def begin(self, id: str) -> None:
        """The server's word on where we are: of use to one who does not know it yet."""
        if self.last is None:
            self.last = id

    def hold(self) -> None:
        """A connection begins. What was held back comes again, with the resume."""
        self._held = {}

    def receive(self, speech: Speech) -> None:
        if self._held is None:
            self._pass(speech)
        else:
            self._held[speech["id"]] = speech

    def release(self) -> None:
        """Nothing is missing below what was taken in."""
        held, self._held = self._held or {}, None
        for _, speech in sorted(held.items()):
            self._pass(speech)

    def clear(self) -> None:
        self._held = None
        self.last = None

    def _pass(self, speech: Speech) -> None:
        if self.last is not None and speech["id"] > self.last:  # a listener may have signed out
            self.last = speech["id"]
            self._deliver(speech)
