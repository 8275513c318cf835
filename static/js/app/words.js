// What the page says: errors, call endings, times and distances in plain words.

const ERRORS = {
  network: 'The server cannot be reached. Check your connection and try again.',
  timeout: 'The server took too long to answer. Try again.',
  closed: 'Not connected right now. Try again in a moment.',
  unavailable: 'The server cannot do that right now. Try again in a moment.',
  not_found: 'That is not there any more.',
  not_joined: 'Step into this land first.',
  forbidden: 'You are not allowed to do that.',
  busy: 'There is already a call.',
  no_relay: 'Your address is to stay hidden, but this server has no relay (TURN) for calls. See “Hide my address” in the settings.',
};

/** @param {{code: string, message: string, retryAfter?: number, retry_after?: number}} error */
export function inWords({ code, message, retryAfter, retry_after: seconds = retryAfter }) {
  if (code === 'rate_limited') return `That was a bit fast. Try again in ${Math.ceil(seconds ?? 5)} s.`;
  return ERRORS[code] ?? plain(message);
}

/** A server's words without the name of the field, which is a developer's: as a sentence. */
function plain(message) {
  const text = message.replace(/ \(field `[^`]*`\)$/, '');
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? '' : '.'}`;
}

/** @param {import('../client/index.js').Call} call  ended @param {string} name of the other */
export function callEnding({ endReason, direction, error, relayOnly, startedAt, seconds }, name) {
  switch (endReason) {
    case 'no_route':
      if (startedAt !== null) return `The way to ${name} was lost after ${duration(seconds)}, and no other was found`;
      if (relayOnly) return `No way to ${name} was found through the relay, the only one while “Hide my address” is on`;
      return `No direct way to ${name} was found. Where networks are closed, the server’s operator needs to set up a TURN server.`;
    case 'hangup': return startedAt === null
      ? `The call with ${name} ended before you were connected`
      : `Call with ${name} ended after ${duration(seconds)}`;
    case 'cancelled': return direction === 'incoming' ? `Missed call from ${name}` : 'Call cancelled';
    case 'rejected': return direction === 'incoming' ? `You declined ${name}’s call` : `${name} declined`;
    case 'no_answer': return direction === 'incoming' ? `Missed call from ${name}` : `${name} did not answer`;
    case 'answered_elsewhere': return 'Answered on another device';
    case 'disconnected': return 'The call was lost';
    case 'server_shutdown': return 'The server is restarting; the call ended';
    case 'busy': return `${name} is in another call`;
    case 'offline': return `${name} cannot be reached right now`;
    default: return error ? inWords(error) : 'The call ended';
  }
}

/** @param {{call: import('../client/index.js').Call, use: 'microphone'|'camera', error?: {code: string, message: string}}} trouble */
export function deviceTrouble({ call, use, error }) {
  const [track] = use === 'microphone' ? call.localStream.getAudioTracks() : call.localStream.getVideoTracks();
  if (error) return track ? inWords(error) : `Your ${use} is off now. ${inWords(error)}`;
  return `Your ${use} went away. In use now: ${track.label}`;
}

/** @param {number} seconds @returns {string} `3:07`, `1:02:07` */
export function duration(seconds) {
  const pad = (value) => String(value).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  return hours ? `${hours}:${pad(minutes)}:${pad(seconds % 60)}` : `${minutes}:${pad(seconds % 60)}`;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const fullDate = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' });

/** @param {string} iso */
export function timeOfDay(iso) {
  return clock.format(new Date(iso));
}

/** @param {string} iso @returns {string} `Today`, `Yesterday`, `Monday 3 March`, `3 March 2024` */
export function dayName(iso) {
  const date = new Date(iso);
  const now = new Date();
  const midnight = (day) => new Date(day.getFullYear(), day.getMonth(), day.getDate());
  const daysAgo = Math.round((midnight(now) - midnight(date)) / 86_400_000);
  if (daysAgo === 0) return 'Today';
  if (daysAgo === 1) return 'Yesterday';
  return (date.getFullYear() === now.getFullYear() ? weekday : fullDate).format(date);
}

/** @param {string} iso @returns {string} for lists: the time today, the day before that */
export function shortTime(iso) {
  const day = dayName(iso);
  if (day === 'Today') return timeOfDay(iso);
  if (day === 'Yesterday') return day;
  return new Date(iso).toLocaleDateString(undefined, { day: 'numeric', month: 'short' });
}

/** @param {number} distance in world units */
export function steps(distance) {
  const count = Math.round(distance);
  return count < 1 ? 'right here' : `${count} ${count === 1 ? 'step' : 'steps'} away`;
}

/** @param {string[]} names @param {string} one  verb for one @param {string} many  verb for more */
export function together(names, one, many) {
  if (names.length === 1) return `${names[0]} ${one}`;
  if (names.length === 2) return `${names[0]} and ${names[1]} ${many}`;
  return `${names[0]} and ${names.length - 1} others ${many}`;
}
