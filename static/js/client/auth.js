// Who is signed in: registers, logs in and out, and keeps a fresh access token.
//
// The access token lives in memory only. The refresh token lives in the given
// storage, because it must survive a reload; it works once, so that refreshing
// is serialised within the page and, through Web Locks, between tabs.

import { Emitter } from './emitter.js';
import { HereaboutsError } from './errors.js';

const REFRESH_KEY = 'hereabouts.refresh_token';
const REFRESH_LOCK = 'hereabouts.refresh';

/** The part of a token's life after which a new one is fetched. */
export const RENEW_AFTER = 0.8;

/**
 * A refresh token that was used counts as stolen after 10 s, and its answer may have been lost: so it is asked
 * again in time, and not waited for as long as for anything else.
 */
const REFRESH_TRIES = 3;
const REFRESH_TIMEOUT_MS = 3_000;

/**
 * @typedef {{id: string, username: string, display_name: string}} User
 *
 * Events: `signed_in {user}`, `signed_out {reason}`; a reason is `'logout'`,
 * `'expired'`, `'ended'` (elsewhere), `'banned'` or `'deleted'`.
 */
export class Auth extends Emitter {
  #http;
  #storage;
  #access = null; // {token, issuedAt, expiresAt}, in local milliseconds
  #refreshing = null;
  #leaving = null; // the reason, while the user signs out

  /**
   * @param {import('./http.js').Http} http
   * @param {Storage} storage
   */
  constructor(http, storage) {
    super();
    this.#http = http;
    this.#storage = storage;
    /** @type {User & {invisible?: boolean, share_location?: boolean} | null} */
    this.user = null;
  }

  /** @returns {boolean} whether a login from an earlier visit may be taken up again */
  get canRestore() {
    return this.#storage.getItem(REFRESH_KEY) !== null;
  }

  /**
   * @param {{username: string, password: string, display_name?: string}} account
   * @returns {Promise<User>}
   * @throws {HereaboutsError} `conflict` if the name is taken, `invalid_message`
   */
  async register(account) {
    return this.#begin(await this.#http.send('POST', '/auth/register', { body: account }));
  }

  /**
   * @param {{username: string, password: string}} credentials
   * @returns {Promise<User>}
   * @throws {HereaboutsError} `unauthorized`, or `forbidden` to the banned
   */
  async login(credentials) {
    return this.#begin(await this.#http.send('POST', '/auth/login', { body: credentials }));
  }

  /**
   * Takes up the login kept in storage.
   * @returns {Promise<User|null>} null when there is none, or it has ended
   * @throws {HereaboutsError} `network` and the like: the login is kept, try again
   */
  async restore() {
    if (!this.canRestore) return null;
    try {
      await this.#refresh();
    } catch (error) {
      if (['unauthorized', 'forbidden'].includes(error.code)) return null;
      throw error;
    }
    this.user = await this.#http.send('GET', '/auth/me', { token: this.#access.token });
    this.emit('signed_in', { user: this.user });
    return this.user;
  }

  /**
   * @returns {Promise<string>} an access token with a good part of its life left
   * @throws {HereaboutsError} `unauthorized` when nobody is signed in any more
   */
  async token() {
    if (Date.now() >= this.renewAt) await this.#refresh();
    return this.#access.token;
  }

  /** @returns {number} when to fetch the next token, in local milliseconds since the epoch; 0 if there is none now */
  get renewAt() {
    if (!this.#access) return 0;
    const { issuedAt, expiresAt } = this.#access;
    return issuedAt + RENEW_AFTER * (expiresAt - issuedAt);
  }

  /** Says that the server refused the token, so that the next `token()` fetches another. */
  discardToken() {
    this.#access = null;
  }

  /** Ends this login, here and at the server; `logging_out` is told first. @throws {HereaboutsError} signed out here all the same */
  async logout() {
    this.#leaving = 'logout';
    this.emit('logging_out');
    try {
      await this.#http.send('POST', '/auth/logout', { token: await this.token() });
    } finally {
      // Even unreachable, a log-out must leave no token behind on this device.
      this.end('logout');
      this.#leaving = null;
    }
  }

  /** Deletes the account. @throws {HereaboutsError} it is still there, and signed in */
  async deleteAccount() {
    this.#leaving = 'deleted';
    try {
      await this.#http.send('DELETE', '/auth/me', { token: await this.token() });
      this.end('deleted');
    } finally {
      this.#leaving = null;
    }
  }

  /** Forgets the login on this device. @param {string} cause  unless the user is leaving: then that is the reason */
  end(cause) {
    if (!this.user && !this.canRestore) return;
    const reason = this.#leaving ?? cause; // the sockets may close before the answer comes
    this.#access = null;
    this.user = null;
    this.#storage.removeItem(REFRESH_KEY);
    this.emit('signed_out', { reason });
  }

  #begin({ user, ...pair }) {
    this.#keep(pair);
    this.user = user;
    this.emit('signed_in', { user });
    return user;
  }

  #keep({ access_token, expires_in, refresh_token }) {
    const issuedAt = Date.now();
    this.#access = { token: access_token, issuedAt, expiresAt: issuedAt + expires_in * 1000 };
    this.#storage.setItem(REFRESH_KEY, refresh_token);
  }

  #refresh() {
    this.#refreshing ??= this.#rotate().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  async #exchange(refreshToken) {
    const options = { body: { refresh_token: refreshToken }, timeout: REFRESH_TIMEOUT_MS };
    for (let tries = 1; ; tries++) {
      try {
        return await this.#http.send('POST', '/auth/refresh', options);
      } catch (error) {
        if (error.code !== 'timeout' || tries === REFRESH_TRIES) throw error;
      }
    }
  }

  #rotate() {
    const rotate = async () => {
      // Read inside the lock: another tab may have just put a newer token there.
      const refreshToken = this.#storage.getItem(REFRESH_KEY);
      if (refreshToken === null) {
        this.end('ended');
        throw new HereaboutsError('unauthorized', 'Nobody is signed in');
      }
      try {
        this.#keep(await this.#exchange(refreshToken));
      } catch (error) {
        if (error.code === 'unauthorized') this.end('expired');
        if (error.code === 'forbidden') this.end('banned'); // nothing else is forbidden here
        throw error;
      }
    };
    return navigator.locks ? navigator.locks.request(REFRESH_LOCK, rotate) : rotate();
  }
}
