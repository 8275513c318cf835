// The Hereabouts client library: one object for one person at one server.
//
// It holds no page and no view. `auth` is who is signed in, `api` the REST
// calls, `chat` and `signal` the two sockets, `voice` the voice in earshot. See README.md
// beside this file.

import { Api } from './api.js';
import { Auth } from './auth.js';
import { ChatSocket } from './chat.js';
import { Http } from './http.js';
import { SignalSocket } from './signal.js';
import { Voice } from './voice.js';

export { Call } from './call.js';
export { devices } from './devices.js';
export { canShareScreen, openMedia } from './media.js';
export { followSpeaker } from './speaker.js';
export { Emitter } from './emitter.js';
export { HereaboutsError } from './errors.js';

export class Hereabouts {
  /**
   * @param {{origin?: string, storage?: Storage}} [options]  the server's origin, the page's own
   *   if left out; where the refresh token is kept, localStorage if left out
   */
  constructor({ origin = location.origin, storage = localStorage } = {}) {
    const root = `${origin}/api/v1`;
    const sockets = root.replace(/^http/, 'ws');
    const http = new Http(root);
    this.auth = new Auth(http, storage);
    this.api = new Api(http, this.auth);
    this.chat = new ChatSocket(`${sockets}/ws/connect`, this.auth, this.api);
    this.signal = new SignalSocket(`${sockets}/webrtc/signal`, this.auth, this.api);
    this.voice = new Voice(this.signal, this.auth);
    this.auth.on('signed_in', () => this.#open());
    this.auth.on('logging_out', () => this.signal.close()); // while it still can say that a call and the voice are over
    this.auth.on('signed_out', () => this.#close());
  }

  /** @returns {import('./auth.js').User|null} who is signed in */
  get user() {
    return this.auth.user;
  }

  /** @returns {import('./call.js').Call|null} the call that rings or lasts now */
  get call() {
    return this.signal.call;
  }

  /** The network is back, or the user asks: waiting sockets try at once. */
  retryNow() {
    this.chat.retryNow();
    this.signal.retryNow();
  }

  #open() {
    this.chat.open();
    this.signal.open();
  }

  #close() {
    this.chat.close();
    this.signal.close();
  }
}
