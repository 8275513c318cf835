// Talks in one room: const say = await talk('http://localhost:8000', 'ann', 'correct horse', roomId, show);
export async function talk(origin, username, password, roomId, show) {
  const api = `${origin}/api/v1`;
  const answer = await fetch(`${api}/auth/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ username, password }),
  });
  const login = await answer.json();
  if (!answer.ok) throw new Error(login.error.message);

  // A browser cannot set headers here; as a subprotocol the token stays out of the URL, and so out of logs.
  const socket = new WebSocket(`${api.replace('http', 'ws')}/ws/connect`, ['bearer', login.access_token]);
  const send = (request) => socket.send(JSON.stringify(request));
  const say = (content) => send({ type: 'send_message', room_id: roomId, content, client_id: crypto.randomUUID() });

  return new Promise((resolve, reject) => {
    socket.onopen = () => send({ type: 'join_room', room_id: roomId });
    socket.onclose = ({ code, reason }) => reject(new Error(`closed with ${code}: ${reason}`));
    socket.onmessage = ({ data }) => {
      const event = JSON.parse(data);
      if (event.type === 'joined_room') resolve(say);
      if (event.type === 'message') show(event);
      if (event.type === 'error') reject(new Error(`${event.code}: ${event.message}`));
    };
  });
}
