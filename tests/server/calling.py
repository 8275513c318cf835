"""Steps of the tests of calls: two people on the signaling socket, a call that rings, one that is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.harness import Person, Server, Socket

NewServer = Callable[..., Server]

CANDIDATE = {
    "candidate": "candidate:1 1 udp 2113937151 192.0.2.7 50000 typ host",
    "sdpMid": "0",
    "sdpMLineIndex": 0,
    "usernameFragment": "abcd",
}


async def ring(hers: Socket, his: Socket, callee: Person, call_type: str = "audio") -> str:
    """A call that rings at `his`; its id."""
    answer = await hers.ask("call_initiated", type="call_initiate", callee_id=callee.id, call_type=call_type)
    await his.next("incoming_call", call_id=answer["call_id"])
    return str(answer["call_id"])


async def talk(hers: Socket, his: Socket, callee: Person, call_type: str = "audio") -> str:
    """A call that is answered; its id."""
    call_id = await ring(hers, his, callee, call_type)
    await his.ask("call_started", type="call_accept", call_id=call_id)
    await hers.next("call_accepted")
    await hers.next("call_started")
    return call_id


async def pair(server: Server) -> tuple[Person, Person, Socket, Socket]:
    ann, bob = await server.person(), await server.person()
    return ann, bob, await ann.signal(), await bob.signal()


def ended(call_id: str, reason: str, seconds: float = 0.0) -> dict[str, Any]:
    return {"type": "call_ended", "call_id": call_id, "reason": reason, "duration_seconds": seconds}


async def counts(server: Server) -> tuple[int, int]:
    status, answer = await server.call("GET", "/webrtc/active-calls")
    assert status == 200 and set(answer) == {"ringing", "active"}
    return answer["ringing"], answer["active"]
