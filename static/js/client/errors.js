// The one error type of the client library.
//
// Everything that can go wrong, whether the server said so or the network did,
// arrives as a HereaboutsError with a `code` to branch on and a `message` in words.

/**
 * @typedef {'invalid_message'|'unauthorized'|'forbidden'|'not_found'|'conflict'|'too_large'
 *   |'rate_limited'|'unavailable'|'not_joined'|'busy'|'offline'} ServerCode  said by the server
 * @typedef {'network'|'timeout'|'closed'|'media'|'no_relay'} ClientCode  found out here: no answer at
 *   all, none in time, the connection went away first, no microphone or camera, no TURN server for a call by relay alone
 */

export class HereaboutsError extends Error {
  /**
   * @param {ServerCode|ClientCode} code
   * @param {string} message
   * @param {{status?: number, retryAfter?: number, cause?: unknown}} [details]
   *   `status` is the HTTP status, `retryAfter` is in seconds
   */
  constructor(code, message, { status, retryAfter, cause } = {}) {
    super(message, { cause });
    this.name = 'HereaboutsError';
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter;
  }

  /** @returns {boolean} whether the same request may succeed later, unchanged */
  get transient() {
    return ['network', 'timeout', 'closed', 'rate_limited', 'unavailable'].includes(this.code);
  }
}
