"""A minimal event emitter: what the sockets and the login of this client speak.

A listener that raises is logged and keeps neither the other listeners from hearing the event nor the
connection from going on.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any

log = logging.getLogger("hereabouts.client")

Listener = Callable[[Any], Any]


class Emitter:
    def __init__(self) -> None:
        self._listeners: dict[str, list[Listener]] = {}
        self._tasks: set[asyncio.Future[Any]] = set()  # the loop itself holds tasks weakly

    def on(self, type: str, listener: Listener) -> Callable[[], None]:
        """Returns a function that stops listening.

        A coroutine function runs as a task of its own: the next event does not wait for it.
        """
        listeners = self._listeners.setdefault(type, [])
        listeners.append(listener)

        def stop() -> None:
            if listener in listeners:
                listeners.remove(listener)

        return stop

    def emit(self, type: str, detail: Any) -> None:
        # A copy, so that a listener may stop listening while the event is being told.
        for listener in tuple(self._listeners.get(type, ())):
            try:
                outcome = listener(detail)
            except Exception:
                log.exception("a listener to %r raised", type)
                continue
            if inspect.isawaitable(outcome):
                task = asyncio.ensure_future(outcome)
                self._tasks.add(task)
                task.add_done_callback(lambda done, type=type: self._finished(done, type))  # type: ignore[misc]

    def _finished(self, task: asyncio.Future[Any], type: str) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a listener to %r raised", type, exc_info=error)
