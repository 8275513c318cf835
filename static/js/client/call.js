// One call between two people: its states from dialing to its end, and what the
// parts of it have to do with one another. What is sent is local-media.js's, the
// connection peer-link.js's. Ringing tones and video elements are the page's.

import { watchQuality } from './call-quality.js';
import { Emitter } from './emitter.js';
import { HereaboutsError } from './errors.js';
import { LocalMedia } from './local-media.js';
import { watchNetwork } from './network.js';
import { PeerLink } from './peer-link.js';
import { RemoteMedia } from './remote-media.js';
import { WaySearch } from './way-search.js';

/**
 * @typedef {'dialing'|'ringing'|'connecting'|'active'|'reconnecting'|'ended'} CallState
 *
 * Events: `change`, whenever anything that a view shows is different; `trouble` {use, error?} of {@link LocalMedia}.
 */
export class Call extends Emitter {
  #signal;
  #configure;
  #configuration; // of the peer connection, once it is known
  #selfId;
  #answered; // the server has it for active
  #work = Promise.resolve(); // frames are handled one after the other
  #link = null;
  #sending = false; // the local tracks are given to the link
  #otherAway = false;
  #local = new LocalMedia();
  #remote = new RemoteMedia(() => this.emit('change'));
  #search;
  #stopWatching = [];

  /**
   * @param {import('./signal.js').SignalSocket} signal
   * @param {() => Promise<RTCConfiguration>} configure
   * @param {{id?: string, direction: 'incoming'|'outgoing', type: 'audio'|'video', relayOnly: boolean,
   *   selfId: string, remoteUser: {id: string, username: string}, answered?: boolean, startedAt?: number|null}} call
   */
  constructor(signal, configure, call) {
    super();
    this.#signal = signal;
    this.#configure = configure;
    this.#selfId = call.selfId;
    this.#answered = call.answered ?? false;
    this.id = call.id ?? null;
    this.direction = call.direction;
    this.type = call.type;
    this.relayOnly = call.relayOnly;
    this.remoteUser = call.remoteUser;
    /** @type {CallState} */
    this.state = this.#answered ? 'reconnecting' : this.direction === 'incoming' ? 'ringing' : 'dialing';
    /** The contract's reason, an error code (`busy`, `offline`, `media`, `no_relay`…), or `no_route`, once `ended`. */
    this.endReason = null;
    /** @type {HereaboutsError|null} why it could not be, when that was an error */
    this.error = null;
    /** When the two were first connected, in local milliseconds. */
    this.startedAt = call.startedAt ?? null;
    /** @type {import('./call-quality.js').Quality|null} once it is measured */
    this.quality = null;
    this.#search = new WaySearch({
      first: this.direction === 'outgoing',
      restart: () => this.#startAnew(),
      giveUp: () => this.#giveUp(),
    });
    this.#local.on('track', (change) => this.#localChanged(change).catch((error) => this.#fail(error)));
    this.#local.on('trouble', (trouble) => this.emit('trouble', trouble));
  }

  /** @returns {number} whole seconds since the two were connected */
  get seconds() {
    return this.startedAt === null ? 0 : Math.floor(((this.endedAt ?? Date.now()) - this.startedAt) / 1000);
  }

  /** @returns {RTCPeerConnection|null} the one there is now: another takes its place when the other page is reloaded */
  get peer() {
    return this.#link?.connection ?? null;
  }

  /** Whether there is something here that a reload would lose. */
  get lasts() {
    return this.id !== null && this.state !== 'ended' && (this.#answered || this.direction === 'outgoing');
  }

  /** One's own microphone and camera, and screen. */
  get localStream() { return this.#local.stream; }
  get localScreen() { return this.#local.screen; }

  /** The other side's sound and camera, and screen. */
  get remoteStream() { return this.#remote.stream; }
  get remoteScreen() { return this.#remote.screen; }

  get microphoneOn() { return this.#local.microphoneOn; }
  get cameraOn() { return this.#local.has('camera'); }
  get screenOn() { return this.#local.has('screen'); }

  /** Whether there is a picture of the other side to show, and whether it shows a screen. */
  get remoteCameraOn() { return this.#remote.cameraOn; }
  get remoteScreenOn() { return this.#remote.screenOn; }

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
      if (this.state === 'ended') this.#signal.endCall(callId);
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
      if (this.state !== 'ended') await this.#signal.request('call_accept', { call_id: this.id });
    } catch (error) {
      this.#fail(error);
    }
  }

  reject() {
    this.#signal.endCall(this.id, 'call_reject');
    this.#end('rejected');
  }

  hangUp() {
    if (this.id) this.#signal.endCall(this.id);
    this.#end(this.startedAt === null && this.direction === 'outgoing' ? 'cancelled' : 'hangup');
  }

  /** @param {boolean} on */
  setMicrophone(on) {
    this.#local.microphoneOn = on;
    this.emit('change');
  }

  /** @param {boolean} on @throws {HereaboutsError} `media` */
  async setCamera(on) {
    await this.#set('camera', on);
  }

  /** On asks the user which, who may also stop it by the browser's own button. @param {boolean} on @throws {HereaboutsError} `media` */
  async setScreen(on) {
    await this.#set('screen', on);
  }

  async #set(use, on) {
    if (on) await this.#local.turnOn(use);
    else this.#local.turnOff(use);
  }

  /** Takes in a frame of the signaling socket about this call. */
  handle(frame) {
    this.#work = this.#work.then(() => this.#process(frame)).catch((error) => this.#fail(error));
  }

  /** After a reload: takes the call up where the page before has left it. Called by SignalSocket. */
  async resume({ microphoneOn, cameraOn }) {
    try {
      this.#configuration = await this.#configure();
      await this.#openMedia(cameraOn ? 'video' : 'audio');
      this.setMicrophone(microphoneOn);
      if (this.state !== 'ended') await this.rejoin();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The signaling connection is back: takes the call up again where the server still holds it. */
  async rejoin() {
    if (!this.lasts || !this.#configuration) return;
    try {
      await this.#signal.request('call_rejoin', { call_id: this.id });
    } catch (error) {
      if (error.code !== 'closed') this.#end('disconnected');
      return;
    }
    if (this.state === 'ended') return;
    if (!this.#answered) return this.#setState('ringing');
    if (this.#link) {
      this.#link.comeBack();
      this.#restart();
    } else {
      this.#start();
      this.#sendAll();
    }
    this.#settle();
  }

  /** The signaling connection has come or gone. */
  signalChanged() {
    if (this.#link) this.#settle();
  }

  async #process(frame) {
    if (this.state === 'ended') return;
    switch (frame.type) {
      case 'call_started': return this.#started();
      case 'call_rejected': return this.#end('rejected');
      case 'call_ended': return this.#ended(frame.reason);
      case 'peer_reconnecting': return this.#otherLeft();
      case 'peer_reconnected': return this.#otherCameBack();
      case 'offer':
        this.#otherAway = false;
        if (!this.#link) this.#start(); // who came back offers, whoever called
        return this.#link.take(frame);
      case 'answer':
      case 'ice_candidate': return this.#link?.take(frame);
    }
  }

  /** Before ringing or answering: nobody should be in a call that then has no way, or no voice. */
  async #prepare() {
    this.#configuration = await this.#configure();
    if (this.state !== 'ended') await this.#openMedia(this.type);
  }

  async #openMedia(type) {
    await this.#local.open(type);
    if (this.state === 'ended') return this.#local.close();
    this.emit('change');
  }

  #started() {
    if (this.#link) return;
    this.#start();
    if (this.direction === 'outgoing') this.#sendAll();
  }

  #start() {
    this.#answered = true;
    this.#link = new PeerLink(this.#configuration, this.#selfId < this.remoteUser.id, {
      send: (type, fields) => this.#signal.notify(type, { call_id: this.id, ...fields }),
      onTrack: (event) => this.#remote.add(event),
      onState: () => this.#connectionChanged(),
      onReplaced: () => this.#otherIsNew(),
      onOffered: () => this.#sendAll(),
      onError: (error) => this.#fail(error),
    });
    this.#stopWatching = [
      watchQuality(() => this.peer, (quality) => this.#measured(quality)),
      watchNetwork(() => this.#networkChanged()),
    ];
    this.#search.begin();
    this.#settle();
  }

  #sendAll() {
    if (this.#sending) return;
    this.#sending = true;
    for (const [use, track, stream] of this.#local.sent) this.#link.send(use, track, stream);
  }

  async #localChanged({ use, track }) {
    this.emit('change');
    if (this.#sending) await this.#link.send(use, track, this.#local.streamOf(use));
  }

  #otherIsNew() {
    this.#sending = false;
    this.#remote.clear();
    this.#search.begin();
  }

  #otherLeft() {
    this.#otherAway = true;
    this.#settle();
  }

  #otherCameBack() {
    this.#otherAway = false;
    this.#link?.giveWay();
    // It may not know yet that it was answered: then it waits, and not for long.
    if (this.#link && !this.#link.met) this.#sendAll();
    this.#settle();
  }

  #measured(quality) {
    this.quality = quality;
    this.emit('change');
  }

  #networkChanged() {
    this.#signal.check();
    this.#restart();
  }

  #connectionChanged() {
    const { connectionState } = this.peer;
    if (connectionState === 'connected') {
      this.startedAt ??= Date.now();
      this.#search.found();
    } else if (connectionState === 'disconnected' || connectionState === 'failed') {
      this.#search.lost();
    }
    this.#settle();
  }

  #startAnew() {
    // Where there is no way for media, there may be none for signaling either, and nobody has noticed yet.
    this.#signal.check();
    if (!this.#otherAway) this.#restart();
  }

  async #restart() {
    let configuration;
    try {
      configuration = await this.#configure();
    } catch (error) {
      console.info('the relay of before has to do:', error.message);
    }
    if (this.state !== 'ended') this.#link.restart(configuration);
  }

  #giveUp() {
    if (this.state === 'ended') return;
    this.#signal.endCall(this.id);
    this.#end('no_route');
  }

  #ended(reason) {
    // The other side found no way here, as was about to be found out.
    this.#end(reason === 'hangup' && this.#search.nearEnd ? 'no_route' : reason);
  }

  #fail(error) {
    if (this.state === 'ended') return;
    if (!(error instanceof HereaboutsError)) reportError(error);
    if (this.id) this.#signal.endCall(this.id);
    this.error = error;
    this.#end(error.code ?? 'failed');
  }

  #end(reason) {
    if (this.state === 'ended') return;
    this.#search.found();
    for (const stop of this.#stopWatching) stop();
    this.endedAt = Date.now();
    this.endReason = reason;
    this.#local.close();
    this.#link?.close();
    this.#setState('ended');
  }

  /** The state of a call that was answered. */
  #settle() {
    if (this.state === 'ended') return;
    const connected = this.peer.connectionState === 'connected' && !this.#otherAway && this.#signal.state === 'open';
    this.#setState(connected ? 'active' : this.startedAt === null ? 'connecting' : 'reconnecting');
  }

  #setState(state) {
    this.state = state;
    this.emit('change');
  }
}
