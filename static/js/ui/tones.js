// Ringing, made rather than played: two soft notes, repeated until stopped.

import { followSpeaker } from '../client/index.js';

const PATTERNS = {
  incoming: { notes: [659.3, 880], every: 2.2, volume: 0.12 },
  outgoing: { notes: [440], every: 3.2, volume: 0.05 },
};
const NOTE_SECONDS = 0.55;
const NOTE_GAP = 0.22;

/**
 * @param {keyof PATTERNS} kind
 * @returns {() => void} stops it
 */
export function ring(kind) {
  const { notes, every, volume } = PATTERNS[kind];
  const context = new AudioContext();
  const stopFollowing = followSpeaker(context);
  const play = () => notes.forEach((pitch, index) => note(context, pitch, context.currentTime + index * NOTE_GAP, volume));
  play();
  const timer = setInterval(play, every * 1000);
  return () => {
    clearInterval(timer);
    stopFollowing();
    context.close();
  };
}

function note(context, pitch, at, volume) {
  const oscillator = new OscillatorNode(context, { type: 'sine', frequency: pitch });
  const gain = new GainNode(context, { gain: 0 });
  gain.gain.setValueAtTime(0, at);
  gain.gain.linearRampToValueAtTime(volume, at + 0.03);
  gain.gain.exponentialRampToValueAtTime(0.0001, at + NOTE_SECONDS);
  oscillator.connect(gain).connect(context.destination);
  oscillator.start(at);
  oscillator.stop(at + NOTE_SECONDS);
}
