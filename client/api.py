"""The REST calls of the contract, one method each, with the caller's token.

Nothing is kept here: answers are handed on as the server gave them. A token that the server refuses is
replaced once, silently. Every method raises HereaboutsError.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from client.auth import Auth
from client.errors import HereaboutsError
from client.http import Http

Json = dict[str, Any]


def _id(id: str) -> str:
    return quote(id, safe="")


class Api:
    def __init__(self, http: Http, auth: Auth) -> None:
        self._http = http
        self._auth = auth

    # People

    async def me(self) -> Json:
        """The user, `invisible` and `share_location`."""
        return await self._object("GET", "/auth/me")

    async def update_me(self, **changes: Any) -> Json:
        """`display_name`, `invisible`, `share_location`."""
        return await self._object("PATCH", "/auth/me", body=changes)

    async def change_password(self, old: str, password: str) -> None:
        """Other logins of this user end. `unauthorized` or `forbidden` if `old` is wrong."""
        await self._call("POST", "/auth/password", body={"old": old, "new": password})

    async def user(self, user_id: str) -> Json:
        return await self._object("GET", f"/users/{_id(user_id)}")

    async def user_named(self, username: str) -> Json:
        """Exact, whatever the case."""
        return await self._object("GET", "/users", query={"username": username})

    async def block(self, user_id: str) -> None:
        await self._call("PUT", f"/users/{_id(user_id)}/block")

    async def unblock(self, user_id: str) -> None:
        await self._call("DELETE", f"/users/{_id(user_id)}/block")

    async def blocks(self) -> Json:
        """`{users}`."""
        return await self._object("GET", "/auth/me/blocks")

    async def online_users(self, cursor: str | None = None) -> Json:
        """`{count, users, next_cursor?}`."""
        return await self._object("GET", "/ws/online-users", query={"cursor": cursor})

    # Sessions and messages

    async def sessions(self, cursor: str | None = None) -> Json:
        """One page, the latest first: `{sessions, next_cursor?}`."""
        return await self._object("GET", "/chat/sessions", query={"cursor": cursor})

    async def all_sessions(self) -> list[Json]:
        """Every page of `sessions()`."""
        page = await self.sessions()
        found: list[Json] = page["sessions"]
        while "next_cursor" in page:
            page = await self.sessions(page["next_cursor"])
            found += page["sessions"]
        return found

    async def session(self, session_id: str) -> Json:
        return await self._object("GET", f"/chat/sessions/{_id(session_id)}")

    async def create_session(self, participant_ids: Sequence[str], name: str | None = None) -> Json:
        """With one other person and no name, the one private session of the two; else a new group.

        The caller is implied.
        """
        body: Json = {"participant_ids": list(participant_ids)} | ({} if name is None else {"name": name})
        return await self._object("POST", "/chat/sessions", body=body)

    async def rename_group(self, session_id: str, name: str) -> Json:
        return await self._object("PATCH", f"/chat/sessions/{_id(session_id)}", body={"name": name})

    async def add_members(self, session_id: str, user_ids: Sequence[str]) -> Any:
        body = {"user_ids": list(user_ids)}
        return await self._call("POST", f"/chat/sessions/{_id(session_id)}/members", body=body)

    async def remove_member(self, session_id: str, user_id: str) -> None:
        """Oneself: leaves the group."""
        await self._call("DELETE", f"/chat/sessions/{_id(session_id)}/members/{_id(user_id)}")

    async def messages(
        self, room_id: str, *, before: int | None = None, after: int | None = None, limit: int | None = None
    ) -> Json:
        """`{messages, next_before?, next_after?}`: with `after` oldest first, else newest first.

        `before` and `after` exclude themselves and each other; `limit` is 1 to 200.
        """
        query = {"before": before, "after": after, "limit": limit}
        return await self._object("GET", f"/chat/sessions/{_id(room_id)}/messages", query=query)

    async def delete_message(self, room_id: str, message_id: str) -> None:
        """`forbidden` for somebody else's."""
        await self._call("DELETE", f"/chat/sessions/{_id(room_id)}/messages/{_id(message_id)}")

    async def speech(self, *, before: str | None = None, limit: int | None = None) -> Json:
        """`{speech, next_before?}`: what one said or heard aloud, newest first, 200 at most."""
        return await self._object("GET", "/chat/speech", query={"before": before, "limit": limit})

    # Lands

    async def lands(self, **area: Any) -> Json:
        """`{lands}` in `x0, y0, x1, y1` or around `x, y, radius`; `world_id`."""
        return await self._object("GET", "/lands", query=area)

    async def land(self, land_id: str) -> Json:
        return await self._object("GET", f"/lands/{_id(land_id)}")

    async def claim_land(
        self, name: str, x: float, y: float, width: float, height: float, **more: Any
    ) -> Json:
        """`more`: `world_id`, `access` (open, invited), `invited_ids`. `conflict` when it overlaps another."""
        body = {"name": name, "x": x, "y": y, "width": width, "height": height, **more}
        return await self._object("POST", "/lands", body=body)

    async def update_land(self, land_id: str, **changes: Any) -> Json:
        return await self._object("PATCH", f"/lands/{_id(land_id)}", body=changes)

    async def delete_land(self, land_id: str) -> None:
        """Ends its room too."""
        await self._call("DELETE", f"/lands/{_id(land_id)}")

    # Calls

    async def ice_servers(self) -> Json:
        """`{ice_servers}`."""
        return await self._object("GET", "/webrtc/ice-servers")

    async def _object(self, method: str, path: str, **options: Any) -> Json:
        answer: Json = await self._call(method, path, **options)
        return answer

    async def _call(self, method: str, path: str, **options: Any) -> Any:
        token = await self._auth.token()
        try:
            return await self._http.send(method, path, token=token, **options)
        except HereaboutsError as error:
            if error.status != 401 or self._auth.user is None:
                raise
        self._auth.discard_token(token)
        return await self._http.send(method, path, token=await self._auth.token(), **options)
