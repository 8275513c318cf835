"""Structured logs: one line an event, with the request's or connection's id bound to it.

What is never logged: tokens, tickets, passwords, keys, message bodies, positions, query strings.
Libraries log through the standard `logging`; both end in one handler.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog


class _Logger(structlog.stdlib.BoundLogger):
    """For whom a line that nobody wants to read costs nothing: there are two for each connection."""

    def debug(self, event: str | None = None, *args: Any, **kw: Any) -> Any:
        return super().debug(event, *args, **kw) if self._logger.isEnabledFor(logging.DEBUG) else None


log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("hereabouts")
# For `server.security` alone.
security: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("hereabouts.security")


def configure(format: str, level: str) -> None:
    """Sends structlog's and the standard library's lines to standard error in one format."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=_Logger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("hereabouts.security").setLevel(logging.INFO)
    # The driver logs each topology change and command at info and debug: an operator's noise.
    logging.getLogger("pymongo").setLevel(logging.WARNING)
