"""Routes of `/auth` and `/users`: who one is, and who others are."""

from __future__ import annotations

from msgspec import UNSET

from handlers.rest import Call, Route
from server.errors import invalid, not_found
from server.protocol import rest, shapes
from server.services.tokens import TICKET_SECONDS
from server.views import me_shape, user_shape


async def register(call: Call) -> shapes.TokenPairShape:
    with call.node.accounts.queue("sign-ins"):
        return await call.node.accounts.register(call.body, call.address)


async def login(call: Call) -> shapes.TokenPairShape:
    with call.node.accounts.queue("sign-ins"):
        return await call.node.accounts.login(call.body, call.address)


async def refresh(call: Call) -> shapes.TokenPairShape:
    with call.node.accounts.queue("refreshes"):
        return await call.node.accounts.refresh(call.body, call.address)


async def logout(call: Call) -> None:
    assert call.claims is not None
    await call.node.accounts.log_out(call.claims, call.address)


async def change_password(call: Call) -> None:
    assert call.claims is not None
    with call.node.accounts.queue("sign-ins"):
        await call.node.accounts.change_password(call.claims, call.body, call.address)


async def erase_me(call: Call) -> None:
    assert call.claims is not None
    await call.node.erase_account(call.claims)
    call.node.security.tell("account_deleted", user_id=call.user_id, address=call.address)


async def me(call: Call) -> shapes.MeShape:
    return me_shape(await call.node.people.get(call.user_id))


async def update_me(call: Call) -> shapes.MeShape:
    body: rest.UpdateMe = call.body
    fields = {name: value for name in body.__struct_fields__ if (value := getattr(body, name)) is not UNSET}
    if not fields:
        return await me(call)
    return me_shape(await call.node.presence.update_me(call.user_id, fields))


async def ticket(call: Call) -> shapes.TicketShape:
    assert call.claims is not None
    return {"ticket": call.node.tokens.issue_ticket(call.claims), "expires_in": TICKET_SECONDS}


async def blocks(call: Call) -> shapes.BlocksShape:
    return {"users": [user_shape(user) for user in await call.node.people.blocks(call.user_id)]}


async def user(call: Call) -> shapes.UserShape:
    return user_shape(await call.node.people.get(call.path["user_id"]))


async def find_user(call: Call) -> shapes.UserShape:
    return user_shape(await call.node.people.find(call.query.username))


async def block(call: Call) -> None:
    if call.path["user_id"] == call.user_id:
        raise invalid("one cannot block oneself")
    await call.node.people.block(call.user_id, call.path["user_id"])


async def unblock(call: Call) -> None:
    await call.node.people.unblock(call.user_id, call.path["user_id"])


async def ice_servers(call: Call) -> shapes.IceServersShape:
    return call.node.ice_servers(call.user_id)


async def active_calls(call: Call) -> shapes.CallStatsShape:
    if not call.node.settings.statistics:
        raise not_found("route: the statistics are closed")
    return call.node.calls.stats()


ROUTES = [
    Route(
        "POST", "/auth/register", register, "Make an account and sign in", shapes.TokenPairShape, 201,
        token="none", body=rest.Register, errors=("not_found", "conflict"), sign_in=True,
    ),
    Route(
        "POST", "/auth/login", login, "Sign in", shapes.TokenPairShape,
        token="none", body=rest.Login, errors=("unauthorized", "forbidden", "not_found"), sign_in=True,
    ),
    Route(
        "POST", "/auth/refresh", refresh, "Trade a refresh token for a new pair", shapes.TokenPairShape,
        token="none", body=rest.Refresh, errors=("unauthorized", "forbidden", "not_found"),
    ),
    Route("POST", "/auth/logout", logout, "End this login and close its sockets", status=204),
    Route(
        "POST", "/auth/password", change_password, "Change the password; other logins end", status=204,
        body=rest.ChangePassword, errors=("forbidden", "not_found"), sign_in=True,
    ),
    Route("POST", "/auth/ticket", ticket, "A single-use ticket for a WebSocket URL", shapes.TicketShape),
    Route("GET", "/auth/me", me, "The caller", shapes.MeShape),
    Route("PATCH", "/auth/me", update_me, "Change what others see of the caller", shapes.MeShape, body=rest.UpdateMe),
    Route("DELETE", "/auth/me", erase_me, "Delete the account", status=204),
    Route("GET", "/auth/me/blocks", blocks, "Whom the caller has blocked", shapes.BlocksShape),
    Route("GET", "/users", find_user, "A user by exact name", shapes.UserShape, query=rest.FindUser, errors=("not_found",)),
    Route("GET", "/users/{user_id}", user, "A user", shapes.UserShape, errors=("not_found",)),
    Route("PUT", "/users/{user_id}/block", block, "Block a user", status=204, errors=("not_found",)),
    Route("DELETE", "/users/{user_id}/block", unblock, "Unblock a user", status=204, errors=("not_found",)),
    Route("GET", "/webrtc/ice-servers", ice_servers, "STUN and TURN servers for calls", shapes.IceServersShape),
    Route(
        "GET", "/webrtc/active-calls", active_calls, "How many calls there are", shapes.CallStatsShape,
        token="none", errors=("not_found",),
    ),
]  # fmt: skip
