"""Routes of `/chat`, `/lands` and `/ws`: sessions, messages, lands, who is there."""

from __future__ import annotations

from handlers.rest import Call, Reply, Route
from server.clock import DAY_MS
from server.errors import not_found
from server.protocol import rest, shapes
from server.views import land_shape


async def sessions(call: Call) -> shapes.SessionsShape:
    return await call.node.sessions.page(call.user_id, call.query)


async def create_session(call: Call) -> Reply:
    session, created = await call.node.sessions.create(call.user_id, call.body)
    return Reply(201 if created else 200, session)


async def session(call: Call) -> shapes.SessionShape:
    found = await call.node.sessions.require(call.user_id, call.path["session_id"])
    return await call.node.sessions.shape(call.user_id, found)


async def rename_session(call: Call) -> shapes.SessionShape:
    return await call.node.sessions.rename(call.user_id, call.path["session_id"], call.body)


async def add_members(call: Call) -> shapes.SessionShape:
    return await call.node.sessions.add_members(call.user_id, call.path["session_id"], call.body)


async def remove_member(call: Call) -> None:
    await call.node.sessions.remove_member(call.user_id, call.path["session_id"], call.path["user_id"])


async def history(call: Call) -> shapes.HistoryShape:
    return await call.node.messages.history(call.user_id, call.path["session_id"], call.query)


async def post_message(call: Call) -> Reply:
    message, created = await call.node.messages.post(call.user_id, call.path["session_id"], call.body)
    return Reply(201 if created else 200, message)


async def delete_message(call: Call) -> None:
    await call.node.messages.delete(call.user_id, call.path["session_id"], call.path["message_id"])


async def heard_speech(call: Call) -> shapes.HeardShape:
    return await call.node.speaking.history(call.user_id, call.query)


async def participants(call: Call) -> shapes.ParticipantsShape:
    user_id = call.claims.user_id if call.claims else None
    return await call.node.proximity.participants(user_id, call.path["land_id"], call.query)


async def land_session(call: Call) -> Reply:
    opened, created = await call.node.sessions.open_land(call.user_id, call.path["land_id"])
    return Reply(201 if created else 200, opened)


async def online_users(call: Call) -> shapes.OnlineShape:
    return call.node.presence.online(call.claims.user_id if call.claims else None, call.query)


async def chat_stats(call: Call) -> shapes.ChatStatsShape:
    _check_open(call)
    now = call.node.clock.now()
    messages, today = await call.node.store.messages.counts(now - now % DAY_MS)
    return {"sessions": await call.node.store.sessions.count(), "messages": messages, "messages_today": today}


async def socket_stats(call: Call) -> shapes.SocketStatsShape:
    _check_open(call)
    chat = call.node.chat
    # Less those who are invisible: beside the count of who is online, the difference would give them away.
    hidden = {user: mine for user in call.node.people.invisible if (mine := chat.of_user(user))}
    entered = {room for mine in hidden.values() for connection in mine for room in connection.rooms}
    return {
        "connections": chat.connection_count - sum(map(len, hidden.values())),
        "users": chat.user_count - len(hidden),
        "rooms": chat.room_count - sum(not call.node.rooms.count(room) for room in entered),
    }


def _check_open(call: Call) -> None:
    if not call.node.settings.statistics:
        raise not_found("route: the statistics are closed")


async def lands(call: Call) -> shapes.LandsShape:
    return {"lands": [land_shape(land, call.user_id) for land in call.node.lands.search(call.query)]}


async def land(call: Call) -> shapes.LandShape:
    return land_shape(call.node.lands.get(call.path["land_id"]), call.user_id)


async def create_land(call: Call) -> shapes.LandShape:
    return land_shape(await call.node.lands.create(call.user_id, call.body), call.user_id)


async def update_land(call: Call) -> shapes.LandShape:
    return land_shape(
        await call.node.lands.update(call.user_id, call.path["land_id"], call.body), call.user_id
    )


async def delete_land(call: Call) -> None:
    await call.node.lands.delete(call.user_id, call.path["land_id"])


SESSION = "/chat/sessions/{session_id}"

ROUTES = [
    Route(
        "GET", "/chat/sessions", sessions, "The caller's sessions, the latest first, 50 a page",
        shapes.SessionsShape, query=rest.Page,
    ),
    Route(
        "POST", "/chat/sessions", create_session, "Open a private session, or make a group", shapes.SessionShape, 201,
        also=(200,), body=rest.CreateSession, errors=("forbidden", "not_found"),
    ),
    Route("GET", SESSION, session, "A session", shapes.SessionShape, errors=("not_found",)),
    Route(
        "PATCH", SESSION, rename_session, "Rename a group", shapes.SessionShape,
        body=rest.RenameSession, errors=("forbidden", "not_found"),
    ),
    Route(
        "POST", f"{SESSION}/members", add_members, "Add people to a group", shapes.SessionShape,
        body=rest.AddMembers, errors=("forbidden", "not_found", "conflict"),
    ),
    Route(
        "DELETE", f"{SESSION}/members/{{user_id}}", remove_member, "Leave a group, or remove somebody from one's own",
        status=204, errors=("forbidden", "not_found"),
    ),
    Route(
        "GET", f"{SESSION}/messages", history, "Messages, newest first; with after, oldest first",
        shapes.HistoryShape, query=rest.History, errors=("not_found",),
    ),
    Route(
        "POST", f"{SESSION}/messages", post_message, "Send a message; 200 repeats what the same client_id made",
        shapes.MessageShape | shapes.DeletedShape, 201, also=(200,),
        body=rest.PostMessage, errors=("forbidden", "not_found"),
    ),
    Route(
        "DELETE", f"{SESSION}/messages/{{message_id}}", delete_message, "Delete an own message",
        status=204, errors=("forbidden", "not_found"),
    ),
    Route(
        "GET", "/chat/speech", heard_speech, "What the caller said or heard aloud, newest first",
        shapes.HeardShape, query=rest.HeardSpeech,
    ),
    Route(
        "GET", "/chat/land/{land_id}/participants", participants, "Who is in or near a land; without a token, how many",
        shapes.ParticipantsShape, token="optional", query=rest.Around, errors=("not_found",),
    ),
    Route(
        "POST", "/chat/land/{land_id}/session", land_session, "A land's session", shapes.SessionShape, 201,
        also=(200,), errors=("not_found",),
    ),
    Route(
        "GET", "/chat/stats", chat_stats, "How much is stored", shapes.ChatStatsShape,
        token="none", errors=("not_found",),
    ),
    Route(
        "GET", "/ws/stats", socket_stats, "How many are connected", shapes.SocketStatsShape,
        token="none", errors=("not_found",),
    ),
    Route(
        "GET", "/ws/online-users", online_users, "Who is online; without a token, how many",
        shapes.OnlineShape, token="optional", query=rest.Page,
    ),
    Route("GET", "/lands", lands, "Lands in a box or a circle", shapes.LandsShape, query=rest.FindLands),
    Route(
        "POST", "/lands", create_land, "Claim a land", shapes.LandShape, 201,
        body=rest.CreateLand, errors=("conflict",),
    ),
    Route("GET", "/lands/{land_id}", land, "A land", shapes.LandShape, errors=("not_found",)),
    Route(
        "PATCH", "/lands/{land_id}", update_land, "Change an own land", shapes.LandShape,
        body=rest.UpdateLand, errors=("forbidden", "not_found", "conflict"),
    ),
    Route(
        "DELETE", "/lands/{land_id}", delete_land, "Delete an own land, its room and what was said there",
        status=204, errors=("forbidden", "not_found"),
    ),
]  # fmt: skip
