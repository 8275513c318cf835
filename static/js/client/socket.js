// A WebSocket that stays: authenticates, reconnects, renews its token before it
// expires, and pairs requests with answers by `ref`. What the frames mean is
// the business of its subclasses, ChatSocket and SignalSocket.

import { askedRetryDelay, fullJitter } from './backoff.js';
import { Emitter } from './emitter.js';
import { HereaboutsError } from './errors.js';

const REQUEST_TIMEOUT_MS = 10_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;
const FLOOD_PAUSE_MS = 10_000;
const CHECK_MS = 3_000;
/** The contract's: a larger frame would close the connection, and again each time that it is sent. */
const MOST_FRAME_BYTES = 64 * 1024;
const utf8 = new TextEncoder();

/** Close codes of the contract that decide what happens next. */
const CLOSE_TOKEN = 4001;
const CLOSE_LOGGED_OUT = 4003;
const BANNED = 'this account is banned'; // the reason of that close, where it is so
const CLOSE_FLOODING = 4029;

/**
 * @typedef {'closed'|'connecting'|'open'|'waiting'} SocketState
 *
 * Events: `state {state, retryAt?}` (`retryAt` in local milliseconds, while waiting), and every
 * frame of the server under its own `type`, `connected` and `error` included.
 */
export class ReconnectingSocket extends Emitter {
  #url;
  #auth;
  #socket = null;
  #connecting = null; // whatever is the one attempt under way; null once there is a socket, or none is wanted
  #attempt = 0;
  #lastRef = 0;
  #pending = new Map(); // ref → {answered(frame, error) → whether that was all, reject, timer?}
  #retryTimer = null;
  #handshakeTimer = null;
  #renewTimer = null;
  #heartbeat = null;
  #heardAt = 0; // local milliseconds

  /**
   * @param {string} url  `ws:` or `wss:`
   * @param {import('./auth.js').Auth} auth
   */
  constructor(url, auth) {
    super();
    this.#url = url;
    this.#auth = auth;
    /** @type {SocketState} */
    this.state = 'closed';
    /** When the next attempt begins, while `waiting`. */
    this.retryAt = null;
    /** The code that the last connection closed with, 1012 for a server that restarts. */
    this.closeCode = null;
  }

  /** Connects, and keeps connecting until `close()` or the end of the login. */
  open() {
    if (this.state === 'closed') this.#connect();
  }

  /** Closes for good; requests under way fail with `closed`. */
  close() {
    this.#drop();
    this.#attempt = 0;
    this.#setState('closed');
  }

  /** Tries at once instead of at the end of the wait: the network is back, or the user asks. */
  retryNow() {
    if (this.state === 'waiting') this.#connect();
  }

  /** Gives up a connection that no longer answers, and makes another. */
  restart() {
    if (this.state !== 'open') return;
    this.#drop();
    this.#connect();
  }

  /** The network may have gone from under the connection: gives it up unless something is heard of it soon. */
  check() {
    const socket = this.#socket;
    const askedAt = Date.now();
    if (!this.notify('ping')) return this.retryNow();
    setTimeout(() => this.#socket === socket && this.#heardAt < askedAt && this.restart(), CHECK_MS);
  }

  /**
   * @param {string} type
   * @param {object} [fields]
   * @returns {Promise<any>} the frame that answers
   * @throws {HereaboutsError} the server's code, `timeout` after 10 s, `closed`, or `too_large` for what no frame holds
   */
  request(type, fields) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(ref);
        reject(new HereaboutsError('timeout', `No answer to ${type}`));
      }, REQUEST_TIMEOUT_MS);
      const answered = (frame, error) => {
        if (error) reject(error);
        else resolve(frame);
        return true;
      };
      const ref = this.#ask(type, fields, { answered, reject, timer });
    });
  }

  /**
   * A request about several things, which is answered for each of them, a refusal (`error` with `room_id`) included.
   * It may take as long as it takes while the connection lives, which the heartbeat sees to.
   * @param {string} type
   * @param {object} fields
   * @param {number} left  how many answers there will be
   * @param {(answer: object, error: HereaboutsError|null) => void} each  told in the order of arrival
   * @returns {Promise<void>} once all have an answer
   * @throws {HereaboutsError} `closed`, or the refusal of the request, or of what was left of it
   */
  requestEach(type, fields, left, each) {
    return new Promise((resolve, reject) => {
      const answered = (frame, error) => {
        if (error && frame.room_id === undefined) {
          reject(error);
          return true;
        }
        each(frame, error);
        left -= 1;
        if (left === 0) resolve();
        return left === 0;
      };
      this.#ask(type, fields, { answered, reject });
    });
  }

  /**
   * Sends what has no answer.
   * @returns {boolean} false when there is no connection: it was not sent
   */
  notify(type, fields) {
    if (this.state !== 'open') return false;
    this.#send({ type, ...fields });
    return true;
  }

  #send(frame) {
    this.#socket.send(JSON.stringify(frame));
  }

  /** @returns {string} the `ref` that pairs the request with what answers it */
  #ask(type, fields, pending) {
    const ref = String(++this.#lastRef);
    const text = JSON.stringify({ type, ...fields, ref });
    const refused = this.#refusal(text);
    if (refused) {
      clearTimeout(pending.timer);
      pending.reject(refused);
    } else {
      this.#pending.set(ref, pending);
      this.#socket.send(text);
    }
    return ref;
  }

  #refusal(text) {
    if (this.state !== 'open') return new HereaboutsError('closed', 'Not connected');
    if (utf8.encode(text).length > MOST_FRAME_BYTES) return new HereaboutsError('too_large', 'Too much for one message');
    return null;
  }

  async #connect() {
    clearTimeout(this.#retryTimer);
    // Whatever happens while the token is fetched, one attempt alone goes on: the last.
    const connecting = {};
    this.#connecting = connecting;
    this.#setState('connecting');
    let token;
    try {
      token = await this.#auth.token();
    } catch (error) {
      if (this.#connecting !== connecting) return;
      if (error.code === 'unauthorized') this.close();
      else this.#wait((error.retryAfter ?? 0) * 1000 + fullJitter(this.#attempt++));
      return;
    }
    if (this.#connecting !== connecting) return;
    this.#connecting = null;

    const socket = new WebSocket(this.#url, ['bearer', token]);
    this.#socket = socket;
    // The server says `connected` first; until then the socket is of no use.
    this.#handshakeTimer = setTimeout(() => this.#closed(), HANDSHAKE_TIMEOUT_MS);
    // A socket that another one has taken the place of, or that was given up, says nothing any more.
    socket.onmessage = ({ data }) => this.#socket === socket && this.#receive(JSON.parse(data));
    socket.onclose = ({ code, reason }) => this.#socket === socket && this.#closed(code, reason);
  }

  /** Hands a frame on; a subclass may put some of them in order first. */
  deliver(frame) {
    this.emit(frame.type, frame);
  }

  #receive(frame) {
    this.#heardAt = Date.now();
    if (frame.type === 'connected') {
      this.#opened(frame);
      if (this.state !== 'open') return; // a listener to `state` has closed it
    }
    const pending = this.#pending.get(frame.ref);
    if (pending) {
      const error = frame.type === 'error' ? errorOf(frame) : null;
      if (pending.answered(frame, error)) {
        this.#pending.delete(frame.ref);
        clearTimeout(pending.timer);
      }
      if (error) return; // told to who asked, and to nobody else
    }
    this.deliver(frame);
  }

  #opened({ heartbeat_seconds: seconds }) {
    clearTimeout(this.#handshakeTimer);
    this.#heartbeat = setInterval(() => this.#checkAlive(seconds * 1000), seconds * 1000);
    this.#attempt = 0;
    this.#scheduleRenewal();
    this.#setState('open');
  }

  /** A page cannot see WebSocket pings, so a connection that died silently shows only by asking. */
  async #checkAlive(intervalMs) {
    const silent = () => Date.now() - this.#heardAt >= intervalMs;
    if (!silent()) return;
    try {
      await this.request('ping');
    } catch (error) {
      // The answer may stand behind a long resume, which is a sign of life too.
      if (error.code === 'timeout' && silent()) this.restart();
    }
  }

  #closed(code, reason) {
    // What follows fails for the same reason: only a connection that was there says why it went.
    if (this.state === 'open') this.closeCode = code;
    this.#drop();
    if (code === CLOSE_LOGGED_OUT) {
      this.#setState('closed');
      this.#auth.end(reason === BANNED ? 'banned' : 'ended');
      return;
    }
    if (code === CLOSE_TOKEN) this.#auth.discardToken();
    const pause = code === CLOSE_FLOODING ? FLOOD_PAUSE_MS : 0;
    this.#wait(pause + (askedRetryDelay(code, reason) ?? fullJitter(this.#attempt++)));
  }

  #wait(delay) {
    this.retryAt = Date.now() + delay;
    this.#retryTimer = setTimeout(() => this.#connect(), delay);
    this.#setState('waiting');
  }

  #drop() {
    this.#connecting = null;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#handshakeTimer);
    clearTimeout(this.#renewTimer);
    clearInterval(this.#heartbeat);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject, timer } of pending) {
      clearTimeout(timer);
      reject(new HereaboutsError('closed', 'The connection went away'));
    }
  }

  #scheduleRenewal() {
    clearTimeout(this.#renewTimer);
    this.#renewTimer = setTimeout(() => this.#renew(), Math.max(0, this.#auth.renewAt - Date.now()));
  }

  async #renew() {
    try {
      await this.request('renew_token', { access_token: await this.#auth.token() });
      this.#scheduleRenewal();
    } catch (error) {
      // Nothing is lost: the server closes with 4001 when the old token ends, and
      // reconnecting starts with a new one. Until then, try again.
      if (!error.transient) console.warn('token renewal refused:', error.message);
      if (this.state !== 'open') return;
      clearTimeout(this.#renewTimer); // a newer connection may have set it
      this.#renewTimer = setTimeout(() => this.#renew(), REQUEST_TIMEOUT_MS);
    }
  }

  #setState(state) {
    if (state !== 'waiting') this.retryAt = null;
    this.state = state;
    this.emit('state', { state, retryAt: this.retryAt });
  }
}

function errorOf({ code, message, retry_after: retryAfter }) {
  return new HereaboutsError(code, message, { retryAfter });
}
