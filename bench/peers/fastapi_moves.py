"""FastAPI under uvicorn, as one writes it first: every move to everybody in the land, one after the other. Prints its port."""

import json
import socket
import uuid

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
everybody: set[WebSocket] = set()


@app.websocket("/")
async def land(websocket: WebSocket) -> None:
    await websocket.accept()
    user_id = uuid.uuid4().hex
    await websocket.send_json({"type": "connected", "user_id": user_id})
    everybody.add(websocket)
    try:
        while True:
            move = json.loads(await websocket.receive_text())
            moved = {"type": "moved", "user_id": user_id, "x": move["x"], "y": move["y"]}
            for other in list(everybody):
                if other is not websocket:
                    await other.send_json(moved)
    except WebSocketDisconnect:
        pass
    finally:
        everybody.discard(websocket)


listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
print(listening.getsockname()[1], flush=True)
config = uvicorn.Config(app, log_level="error", ws_per_message_deflate=False)
uvicorn.Server(config).run(sockets=[listening])
