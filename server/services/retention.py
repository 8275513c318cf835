"""Forgetting: messages older than the settings keep them are deleted, once an hour."""

from __future__ import annotations

from typing import Final

from server.clock import DAY_MS, Clock
from server.logs import log
from server.recent import Recent
from server.settings import Settings
from storage.messages import Messages

EVERY_SECONDS: Final = 3600.0


async def purge(settings: Settings, messages: Messages, recent: Recent, clock: Clock) -> int:
    """Deletes what is past its time; the number of messages deleted."""
    days, land_days = settings.message_retention_days
    deleted = 0
    if days:
        deleted += await messages.purge(clock.now() - days * DAY_MS, ("private", "group"))
    if land_days:
        deleted += await messages.purge(clock.now() - land_days * DAY_MS, ("land",))
    if deleted:
        recent.clear()  # some of them may be there
        log.info("messages_purged", count=deleted)
    return deleted
