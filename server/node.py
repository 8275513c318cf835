"""One node: every service, made once and handed what it needs of the others.

The only place where services meet. No I/O of its own; `server.app` opens what the node stands on
and serves it.
"""

from __future__ import annotations

from typing import Any

from server.broker import LocalBroker
from server.clock import Clock
from server.dispatch import Dispatcher, Table, chat_table, signal_table
from server.errors import BANNED, LOGGED_OUT, Close
from server.hub import Connection, Hub
from server.metrics import Metrics
from server.protocol import requests
from server.protocol.shapes import IceServersShape
from server.quotas import Quotas
from server.recent import Recent
from server.security import SecurityLog
from server.services.accounts import Accounts
from server.services.bans import Bans
from server.services.calls import Calls
from server.services.ice import ice_servers
from server.services.lands import Lands
from server.services.messages import Messages
from server.services.nearby import Nearby
from server.services.people import People
from server.services.presence import Presence
from server.services.proximity import Proximity
from server.services.renewal import Renewal
from server.services.resuming import Resuming
from server.services.rooms import Rooms
from server.services.sessions import Sessions
from server.services.signals import Signals
from server.services.speech import Speaking
from server.services.tokens import Claims, Tokens
from server.services.voice import Voice
from server.settings import Settings
from spatial.interest import Interest
from storage.store import Store


class Node:
    """What the handlers serve. `ready` is false before the start is complete and once stopping has begun."""

    def __init__(self, settings: Settings, store: Store, token_secret: bytes, clock: Clock) -> None:
        self.settings = settings
        self.store = store
        self.clock = clock
        self.ready = False
        self.requests_under_way = 0  # over REST
        self.security = SecurityLog(clock)
        self.quotas = Quotas(settings, clock, self.security)
        self.metrics = Metrics()
        delivered = self.metrics.deliveries.inc

        self.chat = Hub(delivered)
        self.signal = Hub(delivered)
        chat_broker = LocalBroker(self.chat.deliver)
        signal_broker = LocalBroker(self.signal.deliver)

        self.tokens = Tokens(settings, token_secret, clock)
        self.people = People(store.users)
        self.bans = Bans(store.bans, self.security)
        self.accounts = Accounts(
            settings,
            store.users,
            store.logins,
            self.people,
            self.tokens,
            self.bans,
            clock,
            self.security,
        )
        self.lands = Lands(settings, store.lands, clock)
        self.recent = Recent(settings.recent_bytes)
        self.sessions = Sessions(
            settings,
            store.sessions,
            store.messages,
            store.writer,
            self.people,
            self.lands,
            chat_broker,
            clock,
            self.recent,
        )
        self.rooms = Rooms(self.chat, chat_broker, self.sessions, self.people, store.writer)
        self.messages = Messages(
            store.messages,
            store.writer,
            self.sessions,
            self.rooms,
            self.people,
            chat_broker,
            clock,
            self.metrics,
            self.recent,
            store.deletions,
        )
        resuming = Resuming(
            self.rooms,
            self.messages,
            self.people,
            store.writer,
            store.deletions,
            store.speech,
            buffer_bytes=settings.buffer_bytes,
        )
        interest = Interest()
        self.proximity = Proximity(settings, self.lands, self.people, clock, interest)
        self.nearby = Nearby(settings, interest, self.people, clock, self.metrics)
        self.speaking = Speaking(
            store.speech,
            store.speech_writer,
            self.proximity,
            self.people,
            chat_broker,
            clock,
            self.metrics,
        )
        self.presence = Presence(
            settings, self.chat, chat_broker, self.people, self.rooms, self.proximity, clock
        )
        self.calls = Calls(
            settings,
            self.signal,
            signal_broker,
            self.chat,
            self.people,
            self.proximity,
            store.sessions,
            clock,
        )
        self.voice = Voice(settings, signal_broker, self.people, self.proximity, clock)
        signals = Signals(self.voice.relay, self.calls.relay)
        renewal = Renewal(self.tokens, self.accounts, clock)

        self.accounts.on_login_ended = self._close_login
        self.bans.close_sockets = self._close_banned
        self.lands.on_narrowed = self.rooms.narrow
        self.lands.on_deleted = self.rooms.close
        self.sessions.count_present = self.rooms.count
        self.sessions.on_members_changed = self.rooms.members_changed
        self.proximity.on_placed = self.presence.placed
        self.people.on_blocked = self._part
        self.calls.on_talking = self.voice.pause

        def dispatcher(table: Table, union: Any) -> Dispatcher:
            return Dispatcher(table, union, settings, self.metrics, clock, self.quotas)

        chat_rows = chat_table(
            self.rooms,
            resuming,
            self.sessions,
            self.messages,
            self.speaking,
            self.proximity,
            self.nearby,
            renewal,
        )
        signal_rows = signal_table(self.calls, self.voice, signals, renewal)
        self.chat_dispatcher = dispatcher(chat_rows, requests.ChatRequest)
        self.signal_dispatcher = dispatcher(signal_rows, requests.SignalRequest)
        self._measure()

    @property
    def busy(self) -> bool:
        """Whether anything that was asked for, over REST or a socket, has not had its answer."""
        dispatchers = (self.chat_dispatcher, self.signal_dispatcher)
        return bool(self.requests_under_way or any(each.under_way for each in dispatchers))

    async def load(self) -> None:
        """What is held in memory: every land, the logins that ended while their tokens live, and the bans."""
        await self.bans.load()
        await self.lands.load()
        self.tokens.load_ended(await self.store.logins.ended())
        self.store.observe = lambda operation, seconds: self.metrics.storage.labels(operation).observe(
            seconds
        )

    def ice_servers(self, user_id: str) -> IceServersShape:
        return ice_servers(self.settings, user_id, self.clock)

    async def erase_account(self, claims: Claims) -> None:
        """Lands stay without an owner, groups go on without the member, messages show no sender."""
        await self.accounts.end_every_login(claims)
        # An identity provider's logins are not known here: the sockets of the others end too.
        self._close_all(claims.user_id, LOGGED_OUT)
        await self.sessions.leave_groups(claims.user_id)
        await self.lands.disown(claims.user_id)
        await self.accounts.erase(claims)

    def chat_arrived(self, connection: Connection) -> None:
        """A chat connection is open, and its person known to `people`."""
        self.speaking.arrived(connection)
        self.presence.arrived(connection)

    def chat_departed(self, connection: Connection) -> None:
        """A chat connection is gone."""
        self.nearby.departed(connection)
        self.presence.departed(connection)

    def signal_departed(self, connection: Connection) -> None:
        """A signaling connection is gone."""
        self.calls.departed(connection)
        self.voice.departed(connection)

    def _part(self, user_id: str, other_id: str) -> None:
        """A user has blocked another: what goes on between them ends."""
        self.calls.part(user_id, other_id)
        self.voice.part(user_id, other_id)

    def _close_banned(self, user_id: str) -> int:
        return self._close_all(user_id, BANNED)

    def _close_all(self, user_id: str, close: Close) -> int:
        """How many sockets there were."""
        connections = [connection for hub in (self.chat, self.signal) for connection in hub.of_user(user_id)]
        for connection in connections:
            connection.close(close)
        return len(connections)

    def _close_login(self, login_id: str) -> None:
        self.chat.close_login(login_id, LOGGED_OUT)
        self.signal.close_login(login_id, LOGGED_OUT)

    def _measure(self) -> None:
        gauge = self.metrics.gauge
        gauge("chat_connections", "Open chat sockets", lambda: self.chat.connection_count)
        gauge("signal_connections", "Open signaling sockets", lambda: self.signal.connection_count)
        gauge("users", "Users with a chat socket", lambda: self.chat.user_count)
        gauge("rooms", "Rooms with somebody in them", lambda: self.chat.room_count)
        gauge("positions", "Users with a position", lambda: len(self.proximity))
        gauge("nearby_watches", "Connections that are told who is near", lambda: len(self.nearby))
        gauge("writer_pending", "Messages that wait for their commit", lambda: self.store.writer.pending)
        gauge("speech_pending", "Speech that waits for its commit", lambda: self.store.speech_writer.pending)
        gauge("outbox_bytes", "Bytes that wait for slow readers", self._backlog)
        gauge("recent_bytes", "Messages held in memory", lambda: self.recent.size)
        gauge("calls_ringing", "Calls that ring", lambda: self.calls.stats()["ringing"])
        gauge("calls_active", "Calls under way", lambda: self.calls.stats()["active"])
        gauge("voice_joined", "Users who have joined the voice in earshot", lambda: len(self.voice))
        gauge("voice_links", "Pairs of them who talk with each other", lambda: self.voice.link_count)
        gauge("ready", "1 while the node takes connections", lambda: float(self.ready))

    def _backlog(self) -> float:
        return sum(connection.backlog for hub in (self.chat, self.signal) for connection in hub)
