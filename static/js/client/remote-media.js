// What one side of a call receives. A screen comes in a stream of its own, without
// sound; that is how it is told from the camera.

export class RemoteMedia {
  #changed;

  /** @param {() => void} changed */
  constructor(changed) {
    this.#changed = changed;
    /** Sound and camera. */
    this.stream = new MediaStream();
    this.screen = new MediaStream();
  }

  get cameraOn() {
    return hasPicture(this.stream);
  }

  get screenOn() {
    return hasPicture(this.screen);
  }

  /** @param {RTCTrackEvent} event */
  add({ track, streams }) {
    const isScreen = track.kind === 'video' && streams.length > 0 && !streams[0].getAudioTracks().length;
    // The same way may have carried the other before.
    (isScreen ? this.stream : this.screen).removeTrack(track);
    (isScreen ? this.screen : this.stream).addTrack(track);
    for (const type of ['mute', 'unmute', 'ended']) track.addEventListener(type, this.#changed);
    this.#changed();
  }

  /** Those of a connection that is gone. */
  clear() {
    for (const stream of [this.stream, this.screen]) {
      for (const track of stream.getTracks()) stream.removeTrack(track);
    }
    this.#changed();
  }
}

function hasPicture(stream) {
  return stream.getVideoTracks().some((track) => !track.muted && track.readyState === 'live');
}
