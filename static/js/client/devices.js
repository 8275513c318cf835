// The microphones, cameras and speakers of this machine, and which of them this
// browser is to use. Opening them is media.js's business.
//
// A choice is kept by the device's id, which a browser makes up for this site
// alone. That of a device which is away is kept too: until it is back, the
// default stands in for it.

import { Emitter } from './emitter.js';

const KEYS = {
  audioinput: 'hereabouts.microphone',
  videoinput: 'hereabouts.camera',
  audiooutput: 'hereabouts.speaker',
};

/** Chromium's names for "whichever the system prefers", which is what no choice means anyway. */
const NO_DEVICE_OF_ITS_OWN = ['', 'default', 'communications'];

/**
 * Events: `changed`, when the lists are different; `chosen` {@link DeviceKind}, when another is to be used from now on.
 *
 * @typedef {keyof KEYS} DeviceKind  as in `MediaDeviceInfo.kind`
 */
class Devices extends Emitter {
  /** @type {MediaDeviceInfo[]} */
  #present = [];

  constructor() {
    super();
    // Without https there are none.
    navigator.mediaDevices?.addEventListener('devicechange', () => this.refresh());
  }

  /** Looks again which there are. Until the user has allowed a microphone or a camera, a browser names none of its kind. */
  async refresh() {
    this.#present = await navigator.mediaDevices?.enumerateDevices() ?? [];
    this.emit('changed');
  }

  /** @param {DeviceKind} kind @returns {MediaDeviceInfo[]} those that can be told apart, as of the last `refresh` */
  list(kind) {
    return this.#present.filter((device) => device.kind === kind && !NO_DEVICE_OF_ITS_OWN.includes(device.deviceId));
  }

  /** @param {DeviceKind} kind @returns {string} the id of the one to use; empty for the default */
  chosen(kind) {
    return localStorage.getItem(KEYS[kind]) ?? '';
  }

  /** @param {DeviceKind} kind @param {string} id  empty for the default */
  choose(kind, id) {
    if (id === this.chosen(kind)) return;
    localStorage.setItem(KEYS[kind], id);
    this.emit('chosen', kind);
  }
}

/** One for the page: the choice is the browser's, whoever is signed in. */
export const devices = new Devices();
