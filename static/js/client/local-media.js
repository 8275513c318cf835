// What one side of a call sends: microphone, camera and screen, each on or off,
// and each the device that the user has chosen, also when the choice changes or
// the device is unplugged meanwhile. How it gets to the other side is the call's.

import { devices } from './devices.js';
import { Emitter } from './emitter.js';
import { openCamera, openMedia, openMicrophone, openScreen } from './media.js';

const DEVICE_OF = { microphone: 'audioinput', camera: 'videoinput' };
const OPEN = { microphone: openMicrophone, camera: openCamera, screen: openScreen };

/**
 * Events:
 * - `track` {use, track}: what is to be sent for a use from now on, null for nothing; also told by the objects' properties
 * - `trouble` {use, error?}: its device went away. Without an error the default has taken its place
 *
 * @typedef {'microphone'|'camera'|'screen'} Use
 */
export class LocalMedia extends Emitter {
  #tracks = { microphone: null, camera: null, screen: null };
  #closed = false;
  #stopListening;

  constructor() {
    super();
    /** Microphone and camera. */
    this.stream = new MediaStream();
    this.screen = new MediaStream();
    this.#stopListening = devices.on('chosen', (kind) => this.#chosen(kind));
  }

  /** @returns {[Use, MediaStreamTrack, MediaStream][]} what is sent now */
  get sent() {
    return Object.entries(this.#tracks).filter(([, track]) => track).map(([use, track]) => [use, track, this.streamOf(use)]);
  }

  /** @param {Use} use @returns {boolean} */
  has(use) {
    return this.#tracks[use] !== null;
  }

  streamOf(use) {
    return use === 'screen' ? this.screen : this.stream;
  }

  get microphoneOn() {
    return this.#tracks.microphone?.enabled ?? false;
  }

  /** Off sends silence: the microphone stays open, so that nothing of the first word is lost. */
  set microphoneOn(on) {
    if (this.#tracks.microphone) this.#tracks.microphone.enabled = on;
  }

  /** @param {'audio'|'video'} type @throws {HereaboutsError} `media` */
  async open(type) {
    const stream = await openMedia(type);
    this.#set('microphone', stream.getAudioTracks()[0] ?? null);
    this.#set('camera', stream.getVideoTracks()[0] ?? null);
  }

  /** @param {'camera'|'screen'} use @throws {HereaboutsError} `media` */
  async turnOn(use) {
    if (!this.has(use)) this.#set(use, await OPEN[use]());
  }

  /** Releases it rather than sending black, so that the camera's light goes out. */
  turnOff(use) {
    this.#set(use, null);
  }

  close() {
    this.#closed = true;
    this.#stopListening();
    for (const [, track] of this.sent) track.stop();
  }

  /** Puts a track, or none, in the place of the one before. */
  #set(use, track) {
    if (this.#closed) return track?.stop();
    const stream = this.streamOf(use);
    const before = this.#tracks[use];
    if (before === track) return;
    if (before) {
      before.stop();
      stream.removeTrack(before);
      if (track && use === 'microphone') track.enabled = before.enabled; // whoever is muted stays so
    }
    this.#tracks[use] = track;
    if (track) {
      stream.addTrack(track);
      // Told when the device is gone or taken away, not when it is turned off here.
      track.addEventListener('ended', () => this.#tracks[use] === track && this.#ended(use));
    }
    this.emit('track', { use, track });
  }

  async #chosen(kind) {
    const use = Object.keys(DEVICE_OF).find((one) => DEVICE_OF[one] === kind);
    if (!use || !this.has(use)) return;
    if (use === 'camera') this.#tracks.camera.stop(); // a phone opens one at a time
    await this.#reopen(use, false);
  }

  async #ended(use) {
    if (use === 'screen') this.turnOff('screen'); // by the browser's own button
    else await this.#reopen(use, true);
  }

  async #reopen(use, lost) {
    try {
      const track = await OPEN[use]();
      // Turned off meanwhile.
      if (!this.has(use)) return track.stop();
      this.#set(use, track);
      if (lost) this.emit('trouble', { use });
    } catch (error) {
      if (use === 'camera' || lost) this.turnOff(use);
      this.emit('trouble', { use, error });
    }
  }
}
