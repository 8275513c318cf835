// A campfire on the client library alone: sit down, see who else is there, say something, hear the others.
// Read it from the top; there is no more to it. What else the library can do: static/js/client/README.md.

import { Hereabouts } from '../js/client/index.js';

const WORLD = 'campfire'; // any name makes a world of its own
const SEAT = 4; // units from the fire, which is at 0, 0: earshot is 10, so that everybody hears everybody

const [state, people, log, arrive, speak] = ['state', 'people', 'log', 'arrive', 'speak'].map((id) => document.getElementById(id));
const { auth, chat } = new Hereabouts({ storage: sessionStorage }); // a tab is a person; without it, a browser is
const angle = Math.random() * 2 * Math.PI;
const seat = { x: SEAT * Math.cos(angle), y: SEAT * Math.sin(angle) };

// 1. Who you are. Signing in opens the connection, and from then on it comes back by itself.
arrive.addEventListener('submit', async (event) => {
  event.preventDefault();
  const username = arrive.elements.name.value;
  try {
    const password = crypto.getRandomValues(new Uint32Array(8)).join('-'); // a guest's: nobody will know it
    await auth.register({ username, password });
  } catch (error) {
    state.textContent = error.code === 'conflict' ? 'Somebody already goes by that name' : error.message;
    return;
  }
  [arrive.hidden, speak.hidden] = [true, false];
  speak.elements.words.focus();
});

// 2. Where you are. The server forgets it with the connection, so it is said after each `synced`.
chat.on('synced', () => chat.updateLocation({ ...seat, world_id: WORLD }));
let away = 'Connecting…';
chat.on('state', ({ state: now }) => {
  if (now === 'open') away = 'The connection was lost. Coming back…';
  state.textContent = now === 'open' ? 'Everybody in this ring hears you' : away;
});

// 3. Who is near: `chat.nearby` is kept up to date, and these two tell when it has changed.
chat.watchNearby(10);
chat.on('nearby_snapshot', draw);
chat.on('nearby_update', draw);
auth.on('signed_in', draw);

function draw() {
  const others = [...chat.nearby.values()].map(({ user_id: id, ...other }) => ({ id, ...other }));
  people.replaceChildren(...[{ ...auth.user, ...seat }, ...others].map(({ id, username, x, y }) => {
    const figure = Object.assign(document.createElement('li'), { id: `person-${id}`, textContent: username });
    figure.style.setProperty('--x', x); // the style sheet knows how large a unit is
    figure.style.setProperty('--y', y);
    figure.classList.toggle('me', id === auth.user.id);
    return figure;
  }));
}

// 4. What is said: by you and by those who hear you, once and in order, whatever the network did.
speak.addEventListener('submit', (event) => {
  event.preventDefault();
  chat.say(speak.elements.words.value);
  speak.reset();
});
chat.on('speech', ({ sender_id: id, sender_username: name, content }) => {
  const [line, who] = [document.createElement('p'), document.createElement('b')];
  who.textContent = name;
  line.append(who, ' ', content); // as text: what others write never becomes markup
  log.append(line);
  log.scrollTop = log.scrollHeight;
  document.getElementById(`person-${id}`)?.animate([{ scale: 1.25 }, {}], 600);
});
