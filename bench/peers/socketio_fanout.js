// socket.io: `io.emit`, over WebSockets alone. Prints its port.
const { createServer } = require("http");
const { Server } = require("socket.io");
const http = createServer();
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false });
io.on("connection", (socket) => socket.on("m", (message) => io.emit("m", message)));
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
