// The REST calls of the contract, one method each, with the caller's token.
//
// Nothing is kept here: answers are handed on as the server gave them. A token
// that the server refuses is replaced once, silently.

/**
 * @typedef {import('./auth.js').User} User
 * @typedef {{id: string, world_id: string, name: string, x: number, y: number, width: number,
 *   height: number, owner_id: string, access: 'open'|'invited', invited_ids?: string[]}} Land
 *   coordinates in world units; `invited_ids` for its owner alone
 * @typedef {{id: string, room_id: string, seq: number, sender_id: string, sender_username: string,
 *   content: string, created_at: string, client_id?: string, deleted?: boolean}} Message
 *   `deleted` messages have an id, a room and a seq only
 * @typedef {{id: string, sender_id: string|null, sender_username: string|null, content: string, x?: number, y?: number,
 *   created_at: string}} Speech  without `x` and `y` where the place is not shared
 * @typedef {{id: string, kind: 'land'|'private'|'group', name?: string, members?: User[],
 *   member_count?: number, last_message?: Message, last_seq: number, read_seq: number,
 *   unread: number}} Session
 */

const id = encodeURIComponent;

export class Api {
  #http;
  #auth;

  /**
   * @param {import('./http.js').Http} http
   * @param {import('./auth.js').Auth} auth
   */
  constructor(http, auth) {
    this.#http = http;
    this.#auth = auth;
  }

  // People

  /** @returns {Promise<User & {invisible: boolean, share_location: boolean}>} */
  me() { return this.#call('GET', '/auth/me'); }

  /** @param {{display_name?: string, invisible?: boolean, share_location?: boolean}} changes */
  updateMe(changes) { return this.#call('PATCH', '/auth/me', { body: changes }); }

  /** Other logins of this user end. @throws `unauthorized` or `forbidden` if `old` is wrong */
  changePassword(old, password) { return this.#call('POST', '/auth/password', { body: { old, new: password } }); }

  /** @returns {Promise<User>} @throws `not_found` */
  user(userId) { return this.#call('GET', `/users/${id(userId)}`); }

  /** Exact, whatever the case. @returns {Promise<User>} @throws `not_found` */
  userNamed(username) { return this.#call('GET', '/users', { query: { username } }); }

  block(userId) { return this.#call('PUT', `/users/${id(userId)}/block`); }

  unblock(userId) { return this.#call('DELETE', `/users/${id(userId)}/block`); }

  /** @returns {Promise<{users: User[]}>} */
  blocks() { return this.#call('GET', '/auth/me/blocks'); }

  /** @returns {Promise<{count: number, users: object[], next_cursor?: string}>} */
  onlineUsers(cursor) { return this.#call('GET', '/ws/online-users', { query: { cursor } }); }

  // Sessions and messages

  /** One page, the latest first. @returns {Promise<{sessions: Session[], next_cursor?: string}>} */
  sessions(cursor) { return this.#call('GET', '/chat/sessions', { query: { cursor } }); }

  /** Every page of `sessions()`. @returns {Promise<Session[]>} */
  async allSessions() {
    const all = [];
    let cursor;
    do {
      const page = await this.sessions(cursor);
      all.push(...page.sessions);
      cursor = page.next_cursor;
    } while (cursor);
    return all;
  }

  /** @returns {Promise<Session>} */
  session(sessionId) { return this.#call('GET', `/chat/sessions/${id(sessionId)}`); }

  /**
   * With one other person and no name, the one private session of the two; else a new group.
   * @param {string[]} participantIds  the caller is implied
   * @param {string} [name]
   * @returns {Promise<Session>}
   */
  createSession(participantIds, name) {
    return this.#call('POST', '/chat/sessions', { body: { participant_ids: participantIds, name } });
  }

  renameGroup(sessionId, name) { return this.#call('PATCH', `/chat/sessions/${id(sessionId)}`, { body: { name } }); }

  addMembers(sessionId, userIds) {
    return this.#call('POST', `/chat/sessions/${id(sessionId)}/members`, { body: { user_ids: userIds } });
  }

  /** Oneself: leaves the group. */
  removeMember(sessionId, userId) {
    return this.#call('DELETE', `/chat/sessions/${id(sessionId)}/members/${id(userId)}`);
  }

  /**
   * @param {string} roomId
   * @param {{before?: number, after?: number, limit?: number}} [page]  `before`: newest first;
   *   `after`: oldest first; not both. `limit` 1 to 200
   * @returns {Promise<{messages: Message[], next_before?: number, next_after?: number}>}
   */
  messages(roomId, page) { return this.#call('GET', `/chat/sessions/${id(roomId)}/messages`, { query: page }); }

  /** @throws `forbidden` for somebody else's */
  deleteMessage(roomId, messageId) {
    return this.#call('DELETE', `/chat/sessions/${id(roomId)}/messages/${id(messageId)}`);
  }

  /**
   * @param {{before?: string, limit?: number}} [page]  `limit` 1 to 200
   * @returns {Promise<{speech: Speech[], next_before?: string}>}  what one said or heard aloud, newest first
   */
  speech(page) { return this.#call('GET', '/chat/speech', { query: page }); }

  // Lands

  /**
   * @param {{world_id?: string, x0?: number, y0?: number, x1?: number, y1?: number}
   *   | {world_id?: string, x: number, y: number, radius?: number}} area
   * @returns {Promise<{lands: Land[]}>}
   */
  lands(area) { return this.#call('GET', '/lands', { query: area }); }

  /** @returns {Promise<Land>} */
  land(landId) { return this.#call('GET', `/lands/${id(landId)}`); }

  /**
   * @param {{name: string, x: number, y: number, width: number, height: number,
   *   world_id?: string, access?: 'open'|'invited', invited_ids?: string[]}} land  sides of 1 to 1,000
   * @returns {Promise<Land>}
   * @throws `conflict` when it overlaps another, `forbidden` over one's number of lands
   */
  claimLand(land) { return this.#call('POST', '/lands', { body: land }); }

  updateLand(landId, changes) { return this.#call('PATCH', `/lands/${id(landId)}`, { body: changes }); }

  /** Ends its room too. */
  deleteLand(landId) { return this.#call('DELETE', `/lands/${id(landId)}`); }

  // Calls

  /** @returns {Promise<{ice_servers: RTCIceServer[]}>} */
  iceServers() { return this.#call('GET', '/webrtc/ice-servers'); }

  async #call(method, path, options) {
    try {
      return await this.#http.send(method, path, { ...options, token: await this.#auth.token() });
    } catch (error) {
      if (error.status !== 401 || !this.#auth.user) throw error;
    }
    this.#auth.discardToken();
    return this.#http.send(method, path, { ...options, token: await this.#auth.token() });
  }
}
