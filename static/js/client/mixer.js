// The voices of others through Web Audio: each comes from its side, as loud as it is near, and tells how loud it
// is before that. One's own microphone is measured alike, and heard by nobody here.

import { followSpeaker } from './speaker.js';

const EASE_SECONDS = 0.07; // time constant: after the 200 ms that the contract asks for, 95 % of the way
const SAMPLES = 1024; // some 20 ms

export class Mixer extends AudioContext {
  #stopFollowing;

  /** Made while the browser still takes it for the user's doing; otherwise it stays silent until `resume()`. */
  constructor() {
    super({ latencyHint: 'interactive' });
    this.#stopFollowing = followSpeaker(this);
  }

  close() {
    this.#stopFollowing();
    return super.close();
  }

  /** @param {MediaStreamTrack} track @returns {Meter} */
  measure(track) {
    return new Meter(this, track);
  }

  /** @param {MediaStreamTrack} track @returns {Strip} silent until it is moved */
  play(track) {
    return new Strip(this, track);
  }
}

/** How loud a track is. */
class Meter {
  #analyser;
  #samples = new Float32Array(SAMPLES);

  constructor(context, track) {
    this.source = new MediaStreamAudioSourceNode(context, { mediaStream: new MediaStream([track]) });
    this.#analyser = new AnalyserNode(context, { fftSize: SAMPLES });
    this.source.connect(this.#analyser);
  }

  /** @returns {number} the root of the mean square just now: 0 for silence, 1 for as loud as can be */
  get level() {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    return Math.sqrt(this.#samples.reduce((sum, sample) => sum + sample * sample, 0) / SAMPLES);
  }

  close() {
    this.source.disconnect();
  }
}

/** One who is heard. */
export class Strip extends Meter {
  #element = new Audio();
  #gain;
  #panner;

  constructor(context, track) {
    super(context, track);
    // Chromium gives Web Audio nothing of a track from elsewhere that no element plays: https://crbug.com/933677
    Object.assign(this.#element, { muted: true, autoplay: true, srcObject: this.source.mediaStream });
    this.#gain = new GainNode(context, { gain: 0 });
    this.#panner = new StereoPannerNode(context);
    this.source.connect(this.#gain).connect(this.#panner).connect(context.destination);
  }

  /** @returns {number} as it sounds now, on its way to where it was moved */
  get gain() {
    return this.#gain.gain.value;
  }

  /** @returns {number} -1, left, to 1, right */
  get pan() {
    return this.#panner.pan.value;
  }

  /** Eased, so that nothing clicks. */
  move(gain, pan) {
    const { currentTime } = this.#gain.context;
    this.#gain.gain.setTargetAtTime(gain, currentTime, EASE_SECONDS);
    this.#panner.pan.setTargetAtTime(pan, currentTime, EASE_SECONDS);
  }

  close() {
    super.close();
    this.#panner.disconnect();
    this.#element.srcObject = null;
  }
}
