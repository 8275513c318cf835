// The voice in earshot: the microphone, a link with each of those whom the server names, and what is heard of them.
// Buttons and marks are the page's.

import { fullJitter } from './backoff.js';
import { devices } from './devices.js';
import { Emitter } from './emitter.js';
import { HereaboutsError } from './errors.js';
import { openMicrophone } from './media.js';
import { Mixer } from './mixer.js';
import { Talking } from './talking.js';
import { VoiceLink } from './voice-link.js';

const LISTEN_MS = 100;

/**
 * Events: `change`, whenever anything that a view shows is different; `talking`, when somebody begins or ends to talk.
 */
export class Voice extends Emitter {
  #signal;
  #auth;
  #means = null; // of the links, from `join` to the end
  #meter = null; // of one's own microphone
  #ownTalking = new Talking();
  #links = new Map(); // by `call_id`
  #gains = new Map(); // user_id → [gain, pan]: may be told before the link that it goes with
  #listening = null;
  #work = Promise.resolve(); // joining and leaving, one after the other

  /**
   * @param {import('./signal.js').SignalSocket} signal
   * @param {import('./auth.js').Auth} auth
   */
  constructor(signal, auth) {
    super();
    this.#signal = signal;
    this.#auth = auth;
    /** @type {'off'|'joining'|'on'} */
    this.state = 'off';
    this.muted = false;
    /** @type {HereaboutsError|null} why it is off, where that was not one's own wish; `taken_over` by another device */
    this.error = null;
    /** @type {Set<string>} ids of those who talk now, oneself included */
    this.talking = new Set();
    signal.on('voice_peers', (frame) => this.#means && this.#changeLinks(frame));
    signal.on('voice_gains', ({ gains }) => this.#means && this.#move(gains));
    signal.on('voice_muted', (frame) => this.#peerMuted(frame));
    for (const type of ['offer', 'answer', 'ice_candidate']) {
      signal.on(type, (frame) => this.#links.get(frame.call_id)?.handle(frame));
    }
    signal.on('connected', () => this.#links.forEach((link) => link.restart()));
    signal.on('state', ({ state }) => (state === 'closed' ? this.#end() : this.emit('change')));
    signal.on('call', () => this.#means && this.emit('change'));
    devices.on('chosen', (kind) => kind === 'audioinput' && this.state === 'on' && this.#changeMicrophone());
  }

  /** @returns {VoiceLink[]} with those who are near and have joined; `connected` are those who hear one */
  get links() {
    return [...this.#links.values()];
  }

  /** @returns {VoiceLink|null} */
  linkWith(userId) {
    return this.links.find((link) => link.userId === userId) ?? null;
  }

  /** Whether a call has the word: the server connects the voice again after it. */
  get paused() {
    return ['connecting', 'active', 'reconnecting'].includes(this.#signal.call?.state);
  }

  /** Whether others can be heard. Without a click on the page a browser may not allow that, until `resume()` in one. */
  get audible() {
    return this.#means?.mixer.state === 'running';
  }

  /** @returns {MediaStreamTrack|null} the microphone, while it is open */
  get microphone() {
    return this.#means?.microphone ?? null;
  }

  /**
   * Opens the microphone and talks with those within earshot. To be called in a click. What goes wrong ends it, with an `error`.
   * @returns {Promise<void>} once that is so, or it has ended
   */
  join() {
    if (this.#means) return this.#work;
    const means = {
      signal: this.#signal,
      mixer: new Mixer(),
      microphone: null,
      configure: () => this.#configure(means),
      changed: () => this.emit('change'),
    };
    means.mixer.onstatechange = () => this.emit('change');
    Object.assign(this, { error: null, muted: false });
    this.#means = means;
    this.#setState('joining');
    return this.#queue(() => this.#join(means));
  }

  /** @returns {Promise<void>} once the server knows; the microphone is released at once */
  leave() {
    this.#end();
    return this.#work;
  }

  /** Sends silence, and tells the others. */
  setMuted(muted) {
    if (this.state !== 'on') return;
    this.muted = muted;
    this.#means.microphone.enabled = !muted;
    this.emit('change');
    this.#signal.muteVoice(muted).catch((error) => {
      if (!error.transient) reportError(error); // else it is told with the next connection
    });
  }

  /** To be called in a click, where it is not `audible`. */
  resume() {
    return this.#means?.mixer.resume();
  }

  async #join(means) {
    try {
      for (const step of [
        () => this.#connected(),
        () => this.#signal.configuration(), // before the microphone: whether there is a way at all
        () => this.#openMicrophone(means),
        () => this.#signal.joinVoice(),
      ]) {
        await step();
        if (this.#means !== means) return;
      }
      this.#listening = setInterval(() => this.#listen(), LISTEN_MS);
      this.#setState('on');
    } catch (error) {
      if (!(error instanceof HereaboutsError)) reportError(error);
      if (this.#means === means) this.#end(error);
    }
  }

  #connected() {
    if (this.#signal.state === 'open') return undefined;
    return new Promise((connected) => {
      const stop = this.#signal.on('connected', () => connected(stop()));
    });
  }

  #queue(act) {
    this.#work = this.#work.then(act);
    return this.#work;
  }

  async #openMicrophone(means) {
    const track = await openMicrophone();
    if (this.#means !== means) return track.stop();
    means.microphone?.stop();
    this.#meter?.close();
    track.enabled = !this.muted;
    track.onended = () => this.#changeMicrophone(); // unplugged, or taken away
    means.microphone = track;
    this.#meter = means.mixer.measure(track);
    for (const link of this.links) link.useMicrophone(track);
    return undefined;
  }

  /** To the one that is chosen, or is there, now. */
  async #changeMicrophone() {
    const means = this.#means;
    try {
      await this.#openMicrophone(means);
    } catch (error) {
      if (this.#means === means) this.#end(error);
    }
  }

  /** @returns {Promise<RTCConfiguration>} as soon as the server says; never one that shows an address which is to stay hidden */
  async #configure(means) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#signal.configuration();
      } catch (error) {
        if (!error.transient && this.#means === means) this.#end(error);
        if (this.#means !== means) throw error;
      }
      await new Promise((over) => setTimeout(over, fullJitter(attempt)));
    }
  }

  #changeLinks({ connect, disconnect, taken_over: takenOver }) {
    for (const id of disconnect) {
      this.#links.get(id)?.close();
      this.#links.delete(id);
    }
    for (const peer of connect) {
      const link = new VoiceLink(peer, this.#means);
      this.#links.set(link.id, link);
      link.move(...this.#gains.get(link.userId) ?? [0, 0]);
    }
    if (takenOver) this.#end(new HereaboutsError('taken_over', 'Another device of yours has the voice now'));
    else this.emit('change');
  }

  #move(gains) {
    for (const [userId, gain, pan] of gains) {
      this.#gains.set(userId, [gain, pan]);
      this.linkWith(userId)?.move(gain, pan);
    }
  }

  #peerMuted({ user_id: userId, muted }) {
    const link = this.linkWith(userId);
    if (!link) return;
    link.muted = muted;
    this.emit('change');
  }

  #listen() {
    const now = performance.now();
    const heard = this.links.filter((link) => link.listen(now)).map(({ userId }) => userId);
    const own = this.#ownTalking.hear(this.#meter.level, now) && !this.muted && !this.paused;
    this.#setTalking(own ? [this.#auth.user.id, ...heard] : heard);
  }

  #setTalking(ids) {
    if (ids.length === this.talking.size && ids.every((id) => this.talking.has(id))) return;
    this.talking = new Set(ids);
    this.emit('talking');
  }

  #end(error = null) {
    const means = this.#means;
    if (!means) return;
    this.#means = null;
    clearInterval(this.#listening);
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    this.#gains.clear();
    this.#meter?.close();
    this.#meter = null;
    means.microphone?.stop();
    means.mixer.close();
    this.#setTalking([]);
    this.error = error;
    this.#queue(() => this.#leave());
    this.#setState('off');
  }

  async #leave() {
    try {
      await this.#signal.leaveVoice();
    } catch (error) {
      if (!error.transient) reportError(error); // else it ends by itself, with the connection that is away
    }
  }

  #setState(state) {
    this.state = state;
    this.emit('change');
  }
}
