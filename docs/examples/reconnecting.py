"""Talks in one room and misses nothing: python -m docs.examples.reconnecting ORIGIN NAME PASSWORD ROOM_ID"""

import asyncio
import functools
import sys

from client import Hereabouts

note = functools.partial(print, file=sys.stderr)


async def main(origin, name, password, room):
    async with Hereabouts(origin) as hereabouts:
        chat = hereabouts.chat
        chat.on("state", lambda event: note("connection:", event["state"], event["retry_at"] or ""))
        chat.on("message", lambda m: print(m["seq"], m["sender_username"], m["content"], flush=True))
        chat.on("message_deleted", lambda event: note("deleted:", event["id"]))
        chat.on("room_lost", lambda event: note("lost:", event["room_id"], event["error"]))
        chat.on("outgoing", lambda mine: note(mine.state, mine.content, mine.error or ""))
        await hereabouts.auth.login(name, password)
        await chat.ready()
        await chat.join(room)
        last = None
        while line := await asyncio.to_thread(sys.stdin.readline):
            last = chat.send(room, line.strip())  # connected or not
        if last is not None:
            await last.settled()  # sent or failed, and so is all before it


asyncio.run(main(*sys.argv[1:]))
