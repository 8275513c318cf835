// The user's microphone, camera and screen, with refusals said in words. The
// only place that opens them, so that the choice in devices.js holds everywhere.

import { devices } from './devices.js';
import { HereaboutsError } from './errors.js';

/**
 * @param {'audio'|'video'} type
 * @returns {Promise<MediaStream>} for a video call on a device without a camera, sound alone
 * @throws {HereaboutsError} `media`
 */
export async function openMedia(type) {
  if (type === 'audio') return open({ audio: chosen('audioinput') });
  try {
    return await open({ audio: chosen('audioinput'), video: chosen('videoinput') });
  } catch (error) {
    // No camera, or one in use elsewhere, should not stand in the way of talking.
    console.info('video call without a camera:', error.message);
    return open({ audio: chosen('audioinput') });
  }
}

/** @returns {Promise<MediaStreamTrack>} @throws {HereaboutsError} `media` */
export async function openMicrophone() {
  const stream = await open({ audio: chosen('audioinput') });
  return stream.getAudioTracks()[0];
}

/** @returns {Promise<MediaStreamTrack>} @throws {HereaboutsError} `media` */
export async function openCamera() {
  const stream = await open({ video: chosen('videoinput') });
  return stream.getVideoTracks()[0];
}

/** Whether this browser can show a screen to others; those of phones cannot. */
export const canShareScreen = Boolean(navigator.mediaDevices?.getDisplayMedia);

/**
 * The user picks a screen, a window or a tab.
 * @returns {Promise<MediaStreamTrack|null>} null where the user has thought better of it
 * @throws {HereaboutsError} `media`
 */
export async function openScreen() {
  try {
    const stream = await navigator.mediaDevices.getDisplayMedia({ video: true, audio: false });
    const [track] = stream.getVideoTracks();
    track.contentHint = 'detail'; // of letters sharpness counts for more than smoothness
    return track;
  } catch (cause) {
    if (cause.name === 'NotAllowedError') return null;
    throw new HereaboutsError('media', 'The screen could not be shared', { cause });
  }
}

/** Of a kind of device the chosen one, or whichever the browser prefers. */
function chosen(kind) {
  const id = devices.chosen(kind);
  return id ? { deviceId: { exact: id } } : true;
}

/**
 * With `exact` first: where a device is only `ideal`, Chromium (156) may open the default although it is there. One that is
 * away should not stand in the way; which of the two it is, no browser tells.
 */
async function openChosen(constraints) {
  try {
    return await navigator.mediaDevices.getUserMedia(constraints);
  } catch (error) {
    if (error.name !== 'OverconstrainedError') throw error;
    const ideally = Object.entries(constraints).map(([kind, { deviceId }]) => [kind, deviceId ? { deviceId: { ideal: deviceId.exact } } : true]);
    return navigator.mediaDevices.getUserMedia(Object.fromEntries(ideally));
  }
}

async function open(constraints) {
  if (!navigator.mediaDevices) {
    throw new HereaboutsError('media', 'Calls need a secure connection (https)');
  }
  try {
    const stream = await openChosen(constraints);
    devices.refresh(); // their names are told from now on
    return stream;
  } catch (cause) {
    const device = constraints.video ? (constraints.audio ? 'microphone or camera' : 'camera') : 'microphone';
    const message = cause.name === 'NotAllowedError'
      ? `The use of the ${device} was not allowed`
      : `No ${device} was found, or it is in use`;
    throw new HereaboutsError('media', message, { cause });
  }
}
