// Where sound comes out: the speaker that the user has chosen, while it is there.

import { devices } from './devices.js';

/** What a device that goes away at this moment, or an output that ends, makes of the change: the next look is right again. */
const PASSING = ['NotFoundError', 'AbortError', 'InvalidStateError'];

/**
 * @param {HTMLMediaElement|AudioContext} output  to go with the choice; in a browser that knows none it stays where it is
 * @returns {() => void} stops it
 */
export function followSpeaker(output) {
  const choose = async () => {
    const id = devices.used('audiooutput');
    if (!output.setSinkId || output.sinkId === id) return;
    try {
      await output.setSinkId(id);
    } catch (error) {
      if (!PASSING.includes(error.name)) throw error;
    }
  };
  choose();
  const stop = devices.on('changed', choose);
  devices.refresh(); // before a microphone is opened nobody may have looked yet
  return stop;
}
