// The user's microphone and camera, with refusals said in words.

import { HereaboutsError } from './errors.js';

/**
 * @param {'audio'|'video'} type
 * @returns {Promise<MediaStream>} for a video call on a device without a camera, sound alone
 * @throws {HereaboutsError} `media`
 */
export async function openMedia(type) {
  if (type === 'audio') return open({ audio: true });
  try {
    return await open({ audio: true, video: true });
  } catch (error) {
    // No camera, or one in use elsewhere, should not stand in the way of talking.
    console.info('video call without a camera:', error.message);
    return open({ audio: true });
  }
}

/** @returns {Promise<MediaStreamTrack>} @throws {HereaboutsError} `media` */
export async function openCamera() {
  const stream = await open({ video: true });
  return stream.getVideoTracks()[0];
}

async function open(constraints) {
  if (!navigator.mediaDevices) {
    throw new HereaboutsError('media', 'Calls need a secure connection (https)');
  }
  try {
    return await navigator.mediaDevices.getUserMedia(constraints);
  } catch (cause) {
    const device = constraints.video ? (constraints.audio ? 'microphone or camera' : 'camera') : 'microphone';
    const message = cause.name === 'NotAllowedError'
      ? `The use of the ${device} was not allowed`
      : `No ${device} was found, or it is in use`;
    throw new HereaboutsError('media', message, { cause });
  }
}
