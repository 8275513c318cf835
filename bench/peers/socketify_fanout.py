"""socketify (uWebSockets): everybody subscribes to one topic, each message is published to it. Prints its port."""

import socket

from socketify import App, CompressOptions, OpCode

with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]

app = App()
app.ws(
    "/*",
    {
        "compression": CompressOptions.DISABLED,
        "max_payload_length": 65536,
        "max_backpressure": 64 * 1024 * 1024,
        "idle_timeout": 120,
        "open": lambda ws: ws.subscribe("all"),
        # To its own topic a socket does not publish to itself: the app does.
        "message": lambda ws, message, opcode: app.publish("all", message, OpCode.TEXT),
    },
)
app.listen({"port": port, "host": "127.0.0.1"}, lambda config: print(port, flush=True))
app.run()
