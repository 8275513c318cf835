"""Talks in one room: python client.py http://localhost:8000 NAME PASSWORD ROOM_ID"""

import json
import sys
import threading
import uuid
from urllib.request import Request, urlopen

from websockets.sync.client import connect

origin, name, password, room = sys.argv[1:]
body = json.dumps({"username": name, "password": password}).encode()
token = json.load(urlopen(Request(f"{origin}/api/v1/auth/login", body)))["access_token"]
url = origin.replace("http", "ws", 1) + "/api/v1/ws/connect"


def listen(socket):
    for event in map(json.loads, socket):
        if event["type"] == "message":
            print(event["seq"], event["sender_username"], event["content"], flush=True)
        elif event["type"] == "error":
            print(event["code"], event["message"], file=sys.stderr)


with connect(url, additional_headers={"Authorization": f"Bearer {token}"}) as socket:
    socket.send(json.dumps({"type": "join_room", "room_id": room}))
    threading.Thread(target=listen, args=[socket], daemon=True).start()
    for line in sys.stdin:
        message = {"type": "send_message", "room_id": room, "content": line.strip()}
        socket.send(json.dumps({**message, "client_id": uuid.uuid4().hex}))
