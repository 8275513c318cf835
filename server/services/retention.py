"""Forgetting: messages and speech older than the settings keep them are deleted, once an hour."""

from __future__ import annotations

from typing import Final

from server.clock import DAY_MS, Clock
from server.logs import log
from server.recent import Recent
from server.settings import Settings
from storage.messages import Messages
from storage.speech import SpeechHistory

EVERY_SECONDS: Final = 3600.0


async def purge(
    settings: Settings, messages: Messages, speech: SpeechHistory, recent: Recent, clock: Clock
) -> int:
    """Deletes what is past its time; the number of messages deleted, and of speeches.

    Speech is kept as long as what is said in lands: both were said in the open.
    """
    days, land_days = settings.message_retention_days
    deleted = 0
    if days:
        deleted += await messages.purge(clock.now() - days * DAY_MS, ("private", "group"))
    if land_days:
        deleted += await messages.purge(clock.now() - land_days * DAY_MS, ("land",))
    if deleted:
        recent.clear()  # some of them may be there
        log.info("messages_purged", count=deleted)
    spoken = await speech.purge(clock.now() - land_days * DAY_MS) if land_days else 0
    if spoken:
        log.info("speech_purged", count=spoken)
    return deleted + spoken
