"""Speech: what is said aloud, to everyone within earshot at that moment, and read again by those alone.

Who hears it is decided when the request is served and stored with it; the writer commits it and calls back in
the order of the ids, and there it goes out. Replaying what was missed is `resuming`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from server.broker import Broker, ToUsers
from server.clock import Clock, rfc3339
from server.errors import ApiError
from server.hub import Connection
from server.ids import new_id
from server.metrics import Metrics
from server.protocol import requests, rest
from server.protocol.shapes import HeardShape
from server.views import heard_shape, speech_shape
from storage.records import Speech
from storage.speech import SpeechHistory, Spoken
from storage.speech_writer import SpeechWriter

if TYPE_CHECKING:
    from server.services.people import People
    from server.services.proximity import Proximity


class Speaking:
    """`say`, and what one has said and heard."""

    def __init__(
        self,
        stored: SpeechHistory,
        writer: SpeechWriter,
        proximity: Proximity,
        people: People,
        broker: Broker,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._stored = stored
        self._writer = writer
        self._proximity = proximity
        self._people = people
        self._broker = broker
        self._clock = clock
        self._counted = metrics.tally(metrics.speech)

    def arrived(self, connection: Connection) -> None:
        """To be called when a connection is attached: from now on it gets what its user hears."""
        connection.hears_after = self._writer.told

    def say(
        self, connection: Connection, request: requests.Say
    ) -> asyncio.Future[Spoken] | Coroutine[Any, Any, None]:
        """Submits; the future is done once it is acknowledged."""
        user_id = connection.user_id
        audience = self._proximity.audience(user_id)
        if audience is None:
            return self._say_nowhere(connection, request)
        listeners, place = audience
        listeners.add(user_id)
        speech = Speech(
            new_id(),
            user_id,
            tuple(sorted(listeners)),  # by distance it would tell who was nearer
            request.content,
            place,
            self._clock.now(),
            request.client_id,
        )
        username = self._people.name(user_id)  # now: who spoke may be gone when it is written
        future = self._writer.submit(speech, lambda written: self._tell(written, username))

        def acknowledge(done: asyncio.Future[Spoken]) -> None:
            if not done.cancelled() and not done.exception():
                self._acknowledge(connection, request, done.result())
            # else the dispatcher, which holds the same future, tells the client

        future.add_done_callback(acknowledge)
        return future

    async def _say_nowhere(self, connection: Connection, request: requests.Say) -> None:
        """A position goes with the last connection: what is sent again after that may be stored already."""
        said = request.client_id and await self._writer.find(connection.user_id, request.client_id)
        if not said:
            raise ApiError("not_joined", "say where you are first: nobody hears one who is nowhere")
        self._acknowledge(connection, request, said)

    def _acknowledge(self, connection: Connection, request: requests.Say, said: Spoken) -> None:
        event = {
            "type": "speech_ack",
            "client_id": request.client_id,
            "id": said.id,
            "created_at": rfc3339(said.created_at),
        }
        connection.answer(event, request.ref)

    def _tell(self, speech: Speech, username: str) -> None:
        self._counted.count += 1
        event = {"type": "speech", **speech_shape(speech, speech.sender_id, username)}
        self._broker.publish(ToUsers(speech.listeners), event)

    async def history(self, user_id: str, query: rest.HeardSpeech) -> HeardShape:
        """A page of what this user said or heard, newest first."""
        page = await self._stored.page(user_id, before=query.before, limit=query.limit + 1)
        more = len(page) > query.limit
        page = page[: query.limit]
        senders = await self._people.known({speech.sender_id for speech in page})
        answer: HeardShape = {
            "speech": [heard_shape(speech, senders) for speech in page if speech.content is not None]
        }
        if more:
            answer["next_before"] = page[-1].id
        return answer
