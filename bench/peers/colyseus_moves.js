// Colyseus: a land is a room, its state holds everybody, patches go out ten times a second. Prints its port.
// With `views`, everybody's StateView holds those within 10 units (until beyond 11), found by a grid each tick.
const { createServer } = require("http");
const { Room, Server } = require("@colyseus/core");
const { Encoder, MapSchema, StateView, schema } = require("@colyseus/schema");
const { WebSocketTransport } = require("@colyseus/ws-transport");

const VIEWS = process.argv[2] === "views";
const TICK = 100;
const RADIUS = 10;
const OUT = 11;
Encoder.BUFFER_SIZE = 1 << 20; // the whole state of thousands, as its own warning asks for

const Player = schema({ x: "float32", y: "float32" });
const State = schema({ players: VIEWS ? { map: Player, view: true } : { map: Player } });

class Land extends Room {
  patchRate = TICK;
  seatReservationTimeout = 120; // seats are reserved for all before the first comes

  onCreate() {
    this.state = new State();
    this.onMessage("move", (client, { x, y }) => {
      const { player } = client.userData;
      player.x = x;
      player.y = y;
    });
    if (VIEWS) this.setSimulationInterval(() => this.look(), TICK);
  }

  onJoin(client) {
    const player = new Player().assign({ x: 0, y: 0 });
    client.userData = { player, seen: new Set() };
    if (VIEWS) client.view = new StateView();
    this.state.players.set(client.sessionId, player);
  }

  onLeave(client) {
    for (const other of this.clients) if (other.userData.seen.delete(client.userData.player)) other.view.remove(client.userData.player);
    this.state.players.delete(client.sessionId);
  }

  look() {
    const cells = new Map();
    for (const { userData } of this.clients) {
      const { player } = userData;
      const cell = Math.floor(player.x / OUT) * 65536 + Math.floor(player.y / OUT);
      const there = cells.get(cell);
      if (there) there.push(player);
      else cells.set(cell, [player]);
    }
    for (const { userData, view } of this.clients) {
      const { player, seen } = userData;
      const away = (other) => Math.max(Math.abs(other.x - player.x), Math.abs(other.y - player.y));
      for (const other of seen)
        if (away(other) > OUT) {
          seen.delete(other);
          view.remove(other);
        }
      const column = Math.floor(player.x / OUT);
      const row = Math.floor(player.y / OUT);
      for (let x = column - 1; x <= column + 1; x++)
        for (let y = row - 1; y <= row + 1; y++)
          for (const other of cells.get(x * 65536 + y) ?? [])
            if (other !== player && !seen.has(other) && away(other) <= RADIUS) {
              seen.add(other);
              view.add(other);
            }
    }
  }
}

const server = createServer();
const game = new Server({ transport: new WebSocketTransport({ server }), greet: false });
game.define("land", Land);
game.listen(0, "127.0.0.1").then(() => console.log(server.address().port));
