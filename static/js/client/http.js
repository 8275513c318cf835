// JSON over HTTP to one server: builds the request, reads the answer, and turns
// every failure into a HereaboutsError. Knows no endpoint and holds no token.

import { HereaboutsError } from './errors.js';

const TIMEOUT_MS = 15_000;

export class Http {
  /** @param {string} baseUrl  the API root, without a slash at the end: `https://host/api/v1` */
  constructor(baseUrl) {
    this.baseUrl = baseUrl;
  }

  /**
   * @param {string} method
   * @param {string} path  begins with a slash; ids in it already encoded
   * @param {{token?: string, body?: object, query?: Record<string, any>, timeout?: number}} [options]
   *   query values that are undefined are left out; `timeout` in milliseconds
   * @returns {Promise<any>} the body, or null for 204
   * @throws {HereaboutsError}
   */
  async send(method, path, { token, body, query, timeout = TIMEOUT_MS } = {}) {
    const headers = {};
    if (token) headers.Authorization = `Bearer ${token}`;
    if (body !== undefined) headers['Content-Type'] = 'application/json';

    let response, text;
    try {
      response = await fetch(this.baseUrl + path + queryString(query), {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(timeout),
        cache: 'no-store',
      });
      text = await response.text(); // which may be cut off, or late, as well
    } catch (cause) {
      const timedOut = cause.name === 'TimeoutError';
      throw new HereaboutsError(
        timedOut ? 'timeout' : 'network',
        timedOut ? 'The server took too long to answer' : 'The server cannot be reached',
        { cause },
      );
    }
    if (response.status === 204) return null;
    if (!response.ok) throw errorOf(response, text);
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new HereaboutsError('network', 'Somebody else than the server answered', { cause });
    }
  }
}

function queryString(query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return given.length ? `?${new URLSearchParams(given)}` : '';
}

function errorOf(response, text) {
  const { status } = response;
  const retryAfter = Number(response.headers.get('Retry-After')) || undefined;
  let error;
  try {
    ({ error } = JSON.parse(text));
  } catch {
    // A proxy in between answers in HTML; the status alone has to do.
  }
  if (!error?.code) {
    return new HereaboutsError(status >= 500 ? 'unavailable' : 'invalid_message', `HTTP ${status}`, { status, retryAfter });
  }
  return new HereaboutsError(error.code, error.message, { status, retryAfter: error.retry_after ?? retryAfter });
}
