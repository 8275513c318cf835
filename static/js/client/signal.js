// The signaling socket: rings, answers, and carries what a call's two ends say
// to each other. Holds the one call that a user may have at a time.

import { Call } from './call.js';
import { HereaboutsError } from './errors.js';
import { ReconnectingSocket } from './socket.js';

const CALL_FRAMES = [
  'call_rejected', 'call_ended', 'peer_reconnecting', 'peer_reconnected', 'offer', 'answer', 'ice_candidate',
];

/**
 * Events beside those of ReconnectingSocket and the frames of the contract:
 * - `incoming` {@link Call}, it rings here
 * - `call` {@link Call}, the current one changed; when it `ended`, `signal.call` is null already
 */
export class SignalSocket extends ReconnectingSocket {
  #api;
  #selfId = null;

  /**
   * @param {string} url
   * @param {import('./auth.js').Auth} auth
   * @param {import('./api.js').Api} api
   */
  constructor(url, auth, api) {
    super(url, auth);
    this.#api = api;
    /** @type {Call|null} */
    this.call = null;
    /**
     * Whether calls go by way of the server's relay (TURN) alone: the other side then learns the relay's address
     * in place of one's own. For the calls that begin from then on.
     */
    this.relayOnly = false;
    this.on('connected', (frame) => this.#connected(frame));
    this.on('incoming_call', (frame) => this.#incoming(frame));
    this.on('call_started', (frame) => this.#started(frame));
    for (const type of CALL_FRAMES) this.on(type, (frame) => this.#route(frame));
  }

  /** Ends a call under way too. */
  close() {
    this.call?.hangUp();
    super.close();
  }

  /**
   * Calls somebody, or answers them if they ring already; how it goes is told by the call's
   * `change` and by `call`.
   * @param {{id: string, username: string}} user
   * @param {'audio'|'video'} type
   * @returns {Call}
   * @throws {HereaboutsError} `busy` while another call lasts
   */
  startCall(user, type) {
    if (this.call?.direction === 'incoming' && this.call.remoteUser.id === user.id) {
      this.call.accept();
      return this.call;
    }
    if (this.call) throw new HereaboutsError('busy', 'There is a call already');
    const call = this.#hold({ direction: 'outgoing', type, remoteUser: user });
    call.dial();
    return call;
  }

  /** @returns {Promise<boolean>} whether the server names a relay: without one, `relayOnly` leaves no call possible */
  async hasRelay() {
    return namesRelay((await this.#api.iceServers()).ice_servers);
  }

  #connected({ user_id: userId }) {
    this.#selfId = userId;
    this.call?.rejoin();
  }

  #incoming({ call_id: id, call_type: type, caller_id: callerId, caller_username: username }) {
    // Told again to a connection that opens while the phone rings; and when the two call each
    // other, the server joins both calls into one, which `call_started` then names.
    if (this.call) return;
    this.emit('incoming', this.#hold({ id, direction: 'incoming', type, remoteUser: { id: callerId, username } }));
  }

  #started(frame) {
    if (this.call && !this.call.id && this.call.remoteUser.id === frame.peer_id) this.call.id = frame.call_id;
    this.#route(frame);
  }

  #route(frame) {
    if (this.call && this.call.id === frame.call_id) this.call.handle(frame);
  }

  #hold(description) {
    const { relayOnly } = this;
    const call = new Call(this, () => this.#configuration(relayOnly), { ...description, relayOnly, selfId: this.#selfId });
    this.call = call;
    call.on('change', () => {
      if (this.call !== call) return;
      if (call.state === 'ended') this.call = null;
      this.emit('call', call);
    });
    this.emit('call', call);
    return call;
  }

  /** @returns {Promise<RTCConfiguration>} @throws {HereaboutsError} `no_relay` */
  async #configuration(relayOnly) {
    const { ice_servers: iceServers } = await this.#api.iceServers();
    if (!relayOnly) return { iceServers };
    // Found out before anything rings: with this policy and no relay, the two would look for each other in vain.
    if (!namesRelay(iceServers)) throw new HereaboutsError('no_relay', 'The server has no relay (TURN) to hide an address behind');
    return { iceServers, iceTransportPolicy: 'relay' };
  }
}

function namesRelay(iceServers) {
  return iceServers.some(({ urls }) => [urls].flat().some((url) => /^turns?:/.test(url)));
}
