// The voice in earshot as the page tells of it: how it stands with somebody, and how in words.

import { inWords } from './words.js';

/** @typedef {'heard'|'talking'|'muted'} VoiceMark  of somebody with whom one is connected */

/**
 * @param {import('../client/index.js').Voice} voice
 * @param {string} userId
 * @returns {VoiceMark|null} null for one who is not connected
 */
export function voiceOf(voice, userId) {
  const link = voice.linkWith(userId);
  if (!link?.connected) return null;
  if (link.muted) return 'muted';
  return voice.talking.has(userId) ? 'talking' : 'heard';
}

const MICROPHONE = {
  NotAllowedError: 'The microphone is not allowed here. Allow it beside this page’s address, then switch on again.',
  NotFoundError: 'No microphone was found. Plug one in, then switch on again.',
};

/**
 * How it stands, and with whom.
 * @param {import('../client/index.js').Hereabouts} hereabouts
 * @returns {string}
 */
export function voiceInWords({ voice, signal, user }) {
  if (voice.error) return ending(voice.error);
  if (voice.state === 'off') return '';
  if (signal.state !== 'open') return 'Reconnecting…';
  if (voice.state === 'joining') return 'One moment…';
  if (voice.paused) return 'Paused during the call';
  if (user.invisible || user.share_location === false) return 'Nobody hears you while you are hidden';
  const hearing = voice.links.filter(({ connected }) => connected).length;
  if (!hearing) return voice.muted ? 'You are muted' : 'Nobody near is listening yet';
  const people = hearing === 1 ? '1 person' : `${hearing} people`;
  if (voice.muted) return `Muted for ${people}`;
  return hearing === 1 ? '1 person hears you' : `${hearing} people hear you`;
}

function ending(error) {
  if (error.code === 'taken_over') return 'You talk on another device now';
  return MICROPHONE[error.cause?.name] ?? inWords(error);
}
