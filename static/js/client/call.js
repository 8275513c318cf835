// One call between two people: its states from dialing to its end, and the
// RTCPeerConnection under it. Ringing tones and video elements are the page's.
//
// Negotiation follows the "perfect negotiation" pattern, so that either side
// may renegotiate at any time; only the first offer is the caller's by rule.
// Source: https://www.w3.org/TR/webrtc/#perfect-negotiation-example

import { Emitter } from './emitter.js';
import { HereaboutsError } from './errors.js';
import { openCamera, openMedia } from './media.js';

/** How long the two may look for a way to each other, at first and after each loss. */
const CONNECT_MS = 20_000;
/** Before ICE starts anew: what failed may be only the first candidates, with the one that works still on its way. */
const RESTART_MS = 2_000;
const SAME_TIME_MS = 3_000; // both sides give up at the same time, roughly

/**
 * @typedef {'dialing'|'ringing'|'connecting'|'active'|'reconnecting'|'ended'} CallState
 *
 * Events: `change`, whenever anything that a view shows is different.
 */
export class Call extends Emitter {
  #signal;
  #configure;
  #configuration; // of the peer connection, once it is known
  #selfId;
  #work = Promise.resolve(); // frames are handled one after the other
  #makingOffer = false;
  #ignoredOffer = false;
  #tracksAdded = false;
  #searchingSince = null; // local milliseconds, while there is no way to the other side
  #searchTimer = null;
  #restartTimer = null;

  /**
   * @param {import('./signal.js').SignalSocket} signal
   * @param {() => Promise<RTCConfiguration>} configure
   * @param {{id?: string, direction: 'incoming'|'outgoing', type: 'audio'|'video', relayOnly: boolean,
   *   selfId: string, remoteUser: {id: string, username: string}}} call
   */
  constructor(signal, configure, { id = null, direction, type, relayOnly, selfId, remoteUser }) {
    super();
    this.#signal = signal;
    this.#configure = configure;
    this.#selfId = selfId;
    this.id = id;
    this.direction = direction;
    this.type = type;
    this.relayOnly = relayOnly;
    this.remoteUser = remoteUser;
    /** @type {CallState} */
    this.state = direction === 'incoming' ? 'ringing' : 'dialing';
    /** The contract's reason, an error code (`busy`, `offline`, `media`, `no_relay`…), or `no_route`, once `ended`. */
    this.endReason = null;
    /** @type {HereaboutsError|null} why it could not be, when that was an error */
    this.error = null;
    /** When the two were first connected, in local milliseconds. */
    this.startedAt = null;
    this.localStream = new MediaStream();
    this.remoteStream = new MediaStream();
    /** @type {RTCPeerConnection|null} */
    this.peer = null;
  }

  /** @returns {number} whole seconds since the two were connected */
  get seconds() {
    return this.startedAt === null ? 0 : Math.floor(((this.endedAt ?? Date.now()) - this.startedAt) / 1000);
  }

  get microphoneOn() {
    return this.localStream.getAudioTracks().some((track) => track.enabled);
  }

  get cameraOn() {
    return this.localStream.getVideoTracks().length > 0;
  }

  /** Whether there is a picture of the other side to show. */
  get remoteCameraOn() {
    return this.remoteStream.getVideoTracks().some((track) => !track.muted && track.readyState === 'live');
  }

  /** Rings the other side. Called by SignalSocket; what goes wrong ends the call with a reason. */
  async dial() {
    try {
      await this.#prepare();
      if (this.state === 'ended') return;
      const { call_id: callId } = await this.#signal.request('call_initiate', {
        callee_id: this.remoteUser.id,
        call_type: this.type,
      });
      this.id ??= callId;
      if (this.state === 'ended') this.#signal.notify('call_hangup', { call_id: callId });
      else if (this.state === 'dialing') this.#setState('ringing');
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Answers an incoming call. What goes wrong ends the call with a reason. */
  async accept() {
    if (this.direction !== 'incoming' || this.state !== 'ringing') return;
    this.#setState('connecting');
    try {
      await this.#prepare();
      if (this.state !== 'ended') this.#signal.notify('call_accept', { call_id: this.id });
    } catch (error) {
      this.#signal.notify('call_reject', { call_id: this.id });
      this.#fail(error);
    }
  }

  reject() {
    this.#signal.notify('call_reject', { call_id: this.id });
    this.#end('rejected');
  }

  hangUp() {
    if (this.id) this.#signal.notify('call_hangup', { call_id: this.id });
    this.#end(this.startedAt === null && this.direction === 'outgoing' ? 'cancelled' : 'hangup');
  }

  /** @param {boolean} on */
  setMicrophone(on) {
    for (const track of this.localStream.getAudioTracks()) track.enabled = on;
    this.emit('change');
  }

  /**
   * Off releases the camera rather than sending black, so that its light goes out.
   * @param {boolean} on
   * @throws {HereaboutsError} `media`
   */
  async setCamera(on) {
    const transceiver = this.peer?.getTransceivers().find(({ receiver }) => receiver.track.kind === 'video');
    if (!on) {
      for (const track of this.localStream.getVideoTracks()) {
        track.stop();
        this.localStream.removeTrack(track);
      }
      await transceiver?.sender.replaceTrack(null);
      if (transceiver) transceiver.direction = 'recvonly';
    } else if (!this.cameraOn) {
      const track = await openCamera();
      if (this.state === 'ended') return track.stop();
      this.localStream.addTrack(track);
      if (transceiver) {
        await transceiver.sender.replaceTrack(track);
        transceiver.direction = 'sendrecv';
      } else {
        this.peer?.addTrack(track, this.localStream);
      }
    }
    this.emit('change');
  }

  /** Takes in a frame of the signaling socket about this call. */
  handle(frame) {
    this.#work = this.#work.then(() => this.#process(frame)).catch((error) => this.#fail(error));
  }

  /** The signaling connection is back: takes the call up again where the server still holds it. */
  async rejoin() {
    if (!this.id || (this.direction === 'incoming' && this.state === 'ringing')) return;
    try {
      await this.#signal.request('call_rejoin', { call_id: this.id });
      this.peer?.restartIce();
    } catch (error) {
      if (error.code !== 'closed') this.#end('disconnected');
    }
  }

  async #process(frame) {
    if (this.state === 'ended') return;
    switch (frame.type) {
      case 'call_started': return this.#start();
      case 'call_rejected': return this.#end('rejected');
      case 'call_ended': return this.#end(this.#gaveUpToo(frame.reason) ? 'no_route' : frame.reason);
      case 'peer_reconnecting': return this.#setState('reconnecting');
      case 'peer_reconnected': return this.#restart();
      case 'offer': return this.#answer(frame.sdp);
      case 'answer': return this.peer.setRemoteDescription({ type: 'answer', sdp: frame.sdp });
      case 'ice_candidate': return this.#addCandidate(frame.candidate);
    }
  }

  /** Before ringing or answering: nobody should be in a call that then has no way, or no voice. */
  async #prepare() {
    this.#configuration = await this.#configure();
    if (this.state !== 'ended') await this.#openMedia();
  }

  async #openMedia() {
    const stream = await openMedia(this.type);
    if (this.state === 'ended') return stream.getTracks().forEach((track) => track.stop());
    for (const track of stream.getTracks()) this.localStream.addTrack(track);
    this.emit('change');
  }

  #start() {
    this.#setState('connecting');
    this.#search();
    const peer = new RTCPeerConnection(this.#configuration);
    this.peer = peer;
    peer.onicecandidate = ({ candidate }) => {
      this.#signal.notify('ice_candidate', { call_id: this.id, candidate: candidate?.toJSON() ?? null });
    };
    peer.ontrack = ({ track }) => this.#addRemoteTrack(track);
    peer.onnegotiationneeded = () => this.#offer().catch((error) => this.#fail(error));
    peer.onconnectionstatechange = () => this.#connectionChanged();
    if (this.direction === 'outgoing') this.#addLocalTracks();
  }

  #addLocalTracks() {
    if (this.#tracksAdded) return;
    this.#tracksAdded = true;
    for (const track of this.localStream.getTracks()) this.peer.addTrack(track, this.localStream);
  }

  #addRemoteTrack(track) {
    this.remoteStream.addTrack(track);
    for (const type of ['mute', 'unmute', 'ended']) track.addEventListener(type, () => this.emit('change'));
    this.emit('change');
  }

  async #offer() {
    try {
      this.#makingOffer = true;
      await this.peer.setLocalDescription();
      this.#signal.notify('offer', { call_id: this.id, sdp: this.peer.localDescription.sdp });
    } finally {
      this.#makingOffer = false;
    }
  }

  async #answer(sdp) {
    const { peer } = this;
    const collision = this.#makingOffer || peer.signalingState !== 'stable';
    // One of the two must give way; which one does not matter as long as both agree.
    const polite = this.#selfId < this.remoteUser.id;
    this.#ignoredOffer = collision && !polite;
    if (this.#ignoredOffer) return;
    await peer.setRemoteDescription({ type: 'offer', sdp });
    this.#addLocalTracks();
    await peer.setLocalDescription();
    this.#signal.notify('answer', { call_id: this.id, sdp: peer.localDescription.sdp });
  }

  async #addCandidate(candidate) {
    try {
      await this.peer.addIceCandidate(candidate ?? undefined);
    } catch (error) {
      // Candidates of an offer that was ignored have no place to go.
      if (!this.#ignoredOffer) console.warn('candidate not added:', error.message);
    }
  }

  #connectionChanged() {
    switch (this.peer.connectionState) {
      case 'connected':
        this.startedAt ??= Date.now();
        this.#found();
        return this.#setState('active');
      case 'disconnected':
        this.#search();
        return this.#setState('reconnecting');
      case 'failed':
        this.#search();
        this.#restartTimer ??= setTimeout(() => this.#startAnew(), RESTART_MS);
        return this.#setState(this.startedAt === null ? 'connecting' : 'reconnecting');
    }
  }

  /** Looks for a way to the other side, for a time. */
  #search() {
    this.#searchingSince ??= Date.now();
    this.#searchTimer ??= setTimeout(() => this.#giveUp(), CONNECT_MS);
  }

  #found() {
    clearTimeout(this.#searchTimer);
    this.#searchTimer = null;
    this.#searchingSince = null;
  }

  #startAnew() {
    this.#restartTimer = null;
    if (this.peer.connectionState === 'failed') this.#restart();
  }

  #giveUp() {
    if (this.state === 'ended') return;
    this.#signal.notify('call_hangup', { call_id: this.id });
    this.#end('no_route');
  }

  /** @returns {boolean} whether the other side hung up since it found no way here, as was about to be found out */
  #gaveUpToo(reason) {
    return reason === 'hangup' && this.#searchingSince !== null
      && Date.now() - this.#searchingSince > CONNECT_MS - SAME_TIME_MS;
  }

  #restart() {
    // Media may have gone on flowing while only the signaling was away.
    this.#setState(this.peer?.connectionState === 'connected' ? 'active' : 'reconnecting');
    // One side is enough, and both would collide.
    if (this.direction === 'outgoing') this.peer?.restartIce();
  }

  #fail(error) {
    if (this.state === 'ended') return;
    if (!(error instanceof HereaboutsError)) reportError(error);
    if (this.id) this.#signal.notify('call_hangup', { call_id: this.id });
    this.error = error;
    this.#end(error.code ?? 'failed');
  }

  #end(reason) {
    if (this.state === 'ended') return;
    clearTimeout(this.#searchTimer);
    clearTimeout(this.#restartTimer);
    this.endedAt = Date.now();
    this.endReason = reason;
    for (const track of this.localStream.getTracks()) track.stop();
    this.peer?.close();
    this.#setState('ended');
  }

  #setState(state) {
    this.state = state;
    this.emit('change');
  }
}
