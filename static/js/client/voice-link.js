// The link of the voice with one other person: a peer connection with the sound of both, made and mended. Roles are
// fixed: the initiator alone makes offers, so that two never cross.

import { Talking } from './talking.js';

/** How often the initiator looks whether the link needs mending: what was said may have been lost on its way. */
const MEND_MS = 4_000;

/**
 * @typedef {object} Means  what all links of a voice share
 * @property {import('./signal.js').SignalSocket} signal
 * @property {import('./mixer.js').Mixer} mixer
 * @property {MediaStreamTrack} microphone
 * @property {() => Promise<RTCConfiguration>} configure  asked for each attempt: TURN credentials end
 * @property {() => void} changed
 */
export class VoiceLink {
  #means;
  #sender = null;
  #talking = new Talking();
  #mending;
  #closed = false;
  #work; // frames are handled one after the other, once there is a connection for them

  /**
   * @param {{user_id: string, call_id: string, initiator: boolean, muted: boolean}} peer  of `voice_peers`
   * @param {Means} means
   */
  constructor({ user_id: userId, call_id: id, initiator, muted }, means) {
    this.#means = means;
    this.id = id;
    this.userId = userId;
    this.initiator = initiator;
    /** Whether the other has turned their microphone off. */
    this.muted = muted;
    /** How loud and from where, as last told; `sound.gain` and `sound.pan` are on their way there. */
    this.gain = 0;
    this.pan = 0;
    /** @type {RTCPeerConnection|null} */
    this.peer = null;
    /** @type {import('./mixer.js').Strip|null} once their sound is there */
    this.sound = null;
    this.#work = this.#begin().catch((error) => this.#refused(error));
    if (initiator) this.#mending = setInterval(() => this.#mend(), MEND_MS);
  }

  get connected() {
    return this.peer?.connectionState === 'connected';
  }

  /** Takes in a frame of the signaling socket about this link. */
  handle(frame) {
    this.#do(() => this.#process(frame));
  }

  /** Looks for the way to the other side anew, while sound goes on where it still finds one. */
  restart() {
    if (!this.initiator) return;
    this.#do(async () => {
      // One that is out already, or its answer, is lost: the same again, with the candidates found since.
      if (this.peer.signalingState === 'have-local-offer') return this.#tell('offer');
      this.peer.setConfiguration(await this.#means.configure());
      this.peer.restartIce();
    });
  }

  /** @param {number} gain @param {number} pan  of `voice_gains` */
  move(gain, pan) {
    Object.assign(this, { gain, pan });
    this.sound?.move(gain, pan);
  }

  /** @param {MediaStreamTrack} track  in place of the one of before */
  useMicrophone(track) {
    this.#sender?.replaceTrack(track);
  }

  /** @param {number} at  milliseconds @returns {boolean} whether they talk */
  listen(at) {
    return this.sound !== null && this.#talking.hear(this.sound.level, at) && !this.muted;
  }

  close() {
    this.#closed = true;
    clearInterval(this.#mending);
    this.peer?.close();
    this.sound?.close();
  }

  async #begin() {
    const configuration = await this.#means.configure();
    if (this.#closed) return;
    const peer = new RTCPeerConnection(configuration);
    this.peer = peer;
    peer.onicecandidate = ({ candidate }) => this.#notify('ice_candidate', { candidate: candidate?.toJSON() ?? null });
    peer.ontrack = ({ track }) => this.#hear(track);
    peer.onconnectionstatechange = () => this.#means.changed();
    if (!this.initiator) return;
    peer.onnegotiationneeded = () => this.#do(() => this.#describe('offer'));
    this.#send();
  }

  #do(act) {
    this.#work = this.#work
      .then(() => (this.#closed || !this.peer ? undefined : act()))
      .catch((error) => this.#refused(error));
  }

  /** What another page says may be of no use; that is no reason for this one to fail. */
  #refused(error) {
    if (!this.#closed) console.info('voice: not taken in:', error.message);
  }

  async #process({ type, sdp, candidate }) {
    const { peer } = this;
    if (type === 'ice_candidate') return peer.addIceCandidate(candidate ?? undefined);
    if (type === 'answer' && peer.signalingState !== 'have-local-offer') return undefined; // to an offer that was told twice
    if ((type === 'offer') === this.initiator) return undefined;
    if (type === 'offer' && this.#sender) peer.setConfiguration(await this.#means.configure()); // another attempt
    await peer.setRemoteDescription({ type, sdp });
    if (type === 'answer') return undefined;
    this.#send();
    return this.#describe('answer');
  }

  async #describe(type) {
    await this.peer.setLocalDescription();
    this.#tell(type);
  }

  #tell(type) {
    this.#notify(type, { sdp: this.peer.localDescription.sdp });
  }

  #notify(type, fields) {
    this.#means.signal.notify(type, { call_id: this.id, ...fields });
  }

  #send() {
    this.#sender ??= this.peer.addTrack(this.#means.microphone);
  }

  #hear(track) {
    if (track.kind !== 'audio' || this.sound) return;
    this.sound = this.#means.mixer.play(track);
    this.sound.move(this.gain, this.pan);
  }

  #mend() {
    if (!this.peer) return;
    const { signalingState, connectionState } = this.peer;
    if (signalingState === 'have-local-offer' || ['disconnected', 'failed'].includes(connectionState)) this.restart();
  }
}
