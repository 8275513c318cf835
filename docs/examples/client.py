"""Talks in one room: python client.py http://localhost:8000 NAME PASSWORD ROOM_ID"""

import asyncio
import json
import sys
import uuid
from urllib.request import Request, urlopen

import websockets

origin, name, password, room = sys.argv[1:]


async def say(socket):
    while line := await asyncio.to_thread(sys.stdin.readline):
        message = {"type": "send_message", "room_id": room, "content": line.strip()}
        await socket.send(json.dumps({**message, "client_id": uuid.uuid4().hex}))


async def main():
    body = json.dumps({"username": name, "password": password}).encode()
    token = json.load(urlopen(Request(f"{origin}/api/v1/auth/login", body)))["access_token"]
    url = origin.replace("http", "ws", 1) + "/api/v1/ws/connect"
    async with websockets.connect(url, additional_headers={"Authorization": f"Bearer {token}"}) as socket:
        await socket.send(json.dumps({"type": "join_room", "room_id": room}))
        speaking = asyncio.create_task(say(socket))
        async for frame in socket:
            event = json.loads(frame)
            if event["type"] == "message":
                print(event["seq"], event["sender_username"], event["content"], flush=True)
            elif event["type"] == "error":
                print(event["code"], event["message"], file=sys.stderr)


asyncio.run(main())
