// When to try again: full jitter, or what the server asked for.
//
// Full jitter is a random wait between nothing and an exponentially growing
// ceiling; it spreads a crowd of clients best.
// Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/

const BASE_MS = 500;
const CEILING_MS = 30_000;

/**
 * @param {number} attempt  0 for the first retry
 * @param {() => number} [random]  in [0, 1)
 * @returns {number} milliseconds
 */
export function fullJitter(attempt, random = Math.random) {
  return random() * Math.min(CEILING_MS, BASE_MS * 2 ** attempt);
}

/**
 * The wait that a server going away asks for: close codes 1012 and 1013 carry
 * `retry_after=<seconds>`, different for each client.
 * @param {number} code
 * @param {string} reason
 * @returns {number|null} milliseconds, or null when it asks for none
 */
export function askedRetryDelay(code, reason) {
  if (code !== 1012 && code !== 1013) return null;
  const match = /retry_after=(\d+(?:\.\d+)?)/.exec(reason);
  return match ? Number(match[1]) * 1000 : null;
}
