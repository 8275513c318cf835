"""FastAPI under uvicorn, as one would write it: `send_json` to each in a loop. Prints its port."""

import json
import socket

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
everybody: set[WebSocket] = set()


@app.websocket("/")
async def chat(websocket: WebSocket) -> None:
    await websocket.accept()
    everybody.add(websocket)
    try:
        while True:
            message = json.loads(await websocket.receive_text())
            for other in list(everybody):
                await other.send_json(message)
    except WebSocketDisconnect:
        pass
    finally:
        everybody.discard(websocket)


listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
print(listening.getsockname()[1], flush=True)
config = uvicorn.Config(app, log_level="error", ws_per_message_deflate=False)
uvicorn.Server(config).run(sockets=[listening])
