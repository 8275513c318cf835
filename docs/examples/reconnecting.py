"""Talks in one room and misses nothing: python client.py http://localhost:8000 NAME PASSWORD ROOM_ID"""

import asyncio
import contextlib
import json
import random
import re
import sys
import uuid
from urllib.request import Request, urlopen

import websockets

origin, name, password, room = sys.argv[1:]
seen, unacked, joined = (
    None,
    {},
    None,
)  # the last seq shown; requests by client_id; the socket once in the room


def call(path, body=None, token=""):
    data = json.dumps(body).encode() if body else None
    return json.load(urlopen(Request(f"{origin}/api/v1{path}", data, {"Authorization": f"Bearer {token}"})))


def show(message):
    global seen
    if message["seq"] > seen:  # what was paged can come by the socket too
        seen = message["seq"]
        print(seen, message.get("sender_username"), message.get("content", "(deleted)"), flush=True)


async def listen(socket, token):
    global joined, seen
    await socket.send(json.dumps({"type": "join_room", "room_id": room}))
    async for frame in socket:
        event = json.loads(frame)
        if event["type"] == "joined_room":
            seen, joined = event["last_seq"] if seen is None else seen, socket
            while missed := call(f"/chat/sessions/{room}/messages?after={seen}", token=token)["messages"]:
                for message in missed:
                    show(message)
            for request in unacked.values():
                await socket.send(json.dumps(request))
        elif event["type"] == "message" and event["room_id"] == room and joined:
            show(event)
        elif event["type"] == "message_ack":
            unacked.pop(event["client_id"], None)
        elif event["type"] == "error":
            print(event["code"], event["message"], file=sys.stderr)


async def say():
    while line := await asyncio.to_thread(sys.stdin.readline):
        request = {
            "type": "send_message",
            "room_id": room,
            "content": line.strip(),
            "client_id": uuid.uuid4().hex,
        }
        unacked[request["client_id"]] = request  # sent again after a lost connection, until acknowledged
        with contextlib.suppress(websockets.ConnectionClosed):
            if joined:
                await joined.send(json.dumps(request))


async def main():
    global joined
    speaking = asyncio.create_task(say())
    while True:
        wait = random.uniform(1, 3)
        try:
            token = call("/auth/login", {"username": name, "password": password})["access_token"]
            url = f"{origin.replace('http', 'ws', 1)}/api/v1/ws/connect"
            async with websockets.connect(
                url, additional_headers={"Authorization": f"Bearer {token}"}
            ) as socket:
                await listen(socket, token)
        except websockets.ConnectionClosed as closed:
            if told := re.search(r"retry_after=([\d.]+)", closed.reason):
                wait = float(told[1])
        except OSError as error:  # nobody there, or a refusal over HTTP
            print(error, file=sys.stderr)
        joined = None
        await asyncio.sleep(wait)


asyncio.run(main())
