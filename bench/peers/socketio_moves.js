// socket.io: one room a land, every move to the others in it, over WebSockets alone. Prints its port.
// Not `volatile`: that drops moves that come while a socket is being written to.
const { createServer } = require("http");
const { Server } = require("socket.io");
const http = createServer();
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false });
io.on("connection", (socket) => {
  socket.join("land");
  socket.on("move", ({ x, y }) => socket.to("land").emit("moved", { user_id: socket.id, x, y }));
});
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
