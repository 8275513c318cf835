// The signaling socket: rings, answers, joins the voice in earshot, and carries
// what two ends say to each other. Holds the one call that a user may have at a
// time, and the links of the voice, whose media is voice.js's business.

import { Call } from './call.js';
import { HereaboutsError } from './errors.js';
import { keepCall, takeKeptCall } from './kept-call.js';
import { ReconnectingSocket } from './socket.js';

const CALL_FRAMES = [
  'call_rejected', 'call_ended', 'peer_reconnecting', 'peer_reconnected', 'offer', 'answer', 'ice_candidate',
];

/**
 * Events beside those of ReconnectingSocket and the frames of the contract:
 * - `incoming` {@link Call}, it rings here
 * - `resumed` {@link Call}, the one that the page was in before it was reloaded
 * - `trouble` {call, use, error?} of {@link Call}
 * - `call` {@link Call}, the current one changed; when it `ended`, `signal.call` is null already
 * - `voice_peers` tells what is new to this object alone: also after a reconnect, each link comes once and ends once
 */
export class SignalSocket extends ReconnectingSocket {
  #api;
  #selfId = null;
  #muted = false;
  #begins = false; // the voice is being joined: what it finds there is not this object's
  #over = new Set(); // ids of calls that have ended here, of which the server may not know yet

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
     * Whether calls and voice go by way of the server's relay (TURN) alone: the other side then learns the relay's
     * address in place of one's own. For the calls and the links of the voice that begin from then on.
     */
    this.relayOnly = false;
    /** @type {Map<string, {user_id: string, call_id: string, initiator: boolean}>|null} the links by `call_id`; null where voice is not joined */
    this.voice = null;
    this.on('connected', (frame) => this.#connected(frame));
    this.on('state', () => this.call?.signalChanged());
    globalThis.addEventListener('pagehide', () => this.#pageEnds());
    this.on('incoming_call', (frame) => this.#incoming(frame));
    this.on('call_started', (frame) => this.#started(frame));
    for (const type of CALL_FRAMES) this.on(type, (frame) => this.#route(frame));
  }

  /** Ends a call under way, and the voice, too. */
  close() {
    this.call?.hangUp();
    this.#quitVoice();
    super.close();
    this.voice = null;
    this.#over.clear();
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

  /**
   * Called by Call: tells the server that a call has ended here, with the next connection if there is none now.
   * @param {string} id
   * @param {'call_hangup'|'call_reject'} [type]
   */
  async endCall(id, type = 'call_hangup') {
    this.#over.add(id);
    try {
      await this.request(type, { call_id: id });
    } catch (error) {
      if (error.transient) return;
    }
    this.#over.delete(id); // a refusal too says that there is no such call any more
  }

  /**
   * Talks with those within earshot, of whom `voice_peers` tells: for each link a connection of the page's own, whose
   * descriptions and candidates go by `notify('offer', { call_id, sdp })` and so on. Links that another device, or this page
   * before it was reloaded, has left are made anew.
   */
  async joinVoice() {
    if (this.voice) return;
    this.voice = new Map();
    this.#muted = false;
    this.#begins = true;
    try {
      if ((await this.request('voice_join')).connect.length) {
        await this.request('voice_leave');
        await this.request('voice_join');
      }
    } catch (error) {
      this.voice = null;
      throw error;
    } finally {
      this.#begins = false;
    }
  }

  /** `voice_peers` tells of the end of each link. */
  async leaveVoice() {
    if (!this.voice) return;
    try {
      await this.request('voice_leave');
    } finally { // without a connection it ends by itself
      this.voice = null;
    }
  }

  /** Tells the others, if need be with the next connection; to send no sound is the page's part. */
  async muteVoice(muted) {
    this.#muted = muted;
    await this.request('voice_mute', { muted });
  }

  deliver(frame) {
    if (frame.type !== 'voice_peers') return super.deliver(frame);
    const news = this.#newsOfVoice(frame);
    if (news.connect.length || news.disconnect.length || news.taken_over) super.deliver(news);
  }

  /** Of an answer, which has all links there are, or of an event: what this object does not know yet. */
  #newsOfVoice(frame) {
    const known = this.voice ?? new Map();
    const isAnswer = frame.ref !== undefined;
    const listed = isAnswer && this.#begins ? [] : frame.connect;
    const ids = new Set(listed.map((peer) => peer.call_id));
    const ended = isAnswer ? [...known.keys()].filter((id) => !ids.has(id)) : frame.disconnect.filter((id) => known.has(id));
    const begun = listed.filter((peer) => !known.has(peer.call_id));
    for (const id of ended) known.delete(id);
    for (const peer of begun) known.set(peer.call_id, peer);
    if (frame.taken_over) this.voice = null;
    return { ...frame, connect: begun, disconnect: ended };
  }

  async #rejoinVoice() {
    if (!this.voice || this.#begins) return;
    try {
      await this.request('voice_join');
      await this.request('voice_mute', { muted: this.#muted }); // forgotten of one who was away too long, or changed since
    } catch (error) {
      console.info('the voice is not joined again, until the next connection:', error.message);
    }
  }

  /** @returns {Promise<boolean>} whether the server names a relay: without one, `relayOnly` leaves no call possible */
  async hasRelay() {
    return namesRelay((await this.#api.iceServers()).ice_servers);
  }

  /** A call outlives a reload; the voice does not, and the others should not take it for a connection that was lost. */
  #pageEnds() {
    keepCall(this.call, this.#selfId);
    this.#quitVoice();
  }

  #quitVoice() {
    if (this.voice) this.notify('voice_leave');
  }

  #connected({ user_id: userId }) {
    this.#selfId = userId;
    for (const id of this.#over) this.endCall(id);
    if (this.call) this.call.rejoin();
    else this.#resume(takeKeptCall(userId));
    this.#rejoinVoice();
  }

  #resume(kept) {
    if (!kept) return;
    const call = this.#hold(kept);
    this.emit('resumed', call);
    call.resume(kept);
  }

  #incoming({ call_id: id, call_type: type, caller_id: callerId, caller_username: username }) {
    // Told again to a connection that opens while the phone rings; and when the two call each
    // other, the server joins both calls into one, which `call_started` then names.
    if (this.call || this.#over.has(id)) return;
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
    const { relayOnly = this.relayOnly } = description;
    const call = new Call(this, () => this.configuration(relayOnly), { ...description, relayOnly, selfId: this.#selfId });
    this.call = call;
    call.on('change', () => {
      if (this.call !== call) return;
      if (call.state === 'ended') this.call = null;
      this.emit('call', call);
    });
    call.on('trouble', (trouble) => this.emit('trouble', { call, ...trouble }));
    this.emit('call', call);
    return call;
  }

  /** @returns {Promise<RTCConfiguration>} of a connection with somebody @throws {HereaboutsError} `no_relay` */
  async configuration(relayOnly = this.relayOnly) {
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
