// An RTCPeerConnection and what its two ends say to each other, by the "perfect
// negotiation" pattern: either may offer at any time. What is sent over it, and
// for how long a way is looked for, is the business of its owner, a call.
//
// Source: https://www.w3.org/TR/webrtc/#perfect-negotiation-example
//
// Two things the pattern takes for granted do not hold here, as the signaling may
// be away for a while. What was said meanwhile is lost: whoever comes back says it
// again (`comeBack`), and whoever was there gives way (`giveWay`). And the other
// page may have been reloaded: then a connection in the place of the old one meets
// the new one at its other end.

/**
 * @typedef {object} LinkOwner
 * @property {(type: 'offer'|'answer'|'ice_candidate', fields: object) => void} send
 * @property {(event: RTCTrackEvent) => void} onTrack
 * @property {() => void} onState  `connection.connectionState` is different
 * @property {() => void} onReplaced  `connection` is a new one, over which nothing is sent or received yet
 * @property {() => void} onOffered  the time to `send` what has not been: it goes into the answer
 * @property {(error: Error) => void} onError
 */
export class PeerLink {
  #configuration;
  #polite;
  #owner;
  #makingOffer = false;
  #givingWay = false; // one's own offer may not have arrived
  #remoteIdentity = null; // the fingerprints of the other end, which are its own for as long as it lives
  #begun = false; // a first offer was answered
  #ways = new Map(); // what is sent, by what it is for: a transceiver, and its directions on and off

  /**
   * @param {RTCConfiguration} configuration
   * @param {boolean} polite  which of the two gives way when both offer at once; the other end says the opposite
   * @param {LinkOwner} owner
   */
  constructor(configuration, polite, owner) {
    this.#configuration = configuration;
    this.#polite = polite;
    this.#owner = owner;
    this.#connect();
  }

  /**
   * Sends this track from now on, in the place of the one before for the same use. The first of a use, and a change
   * between a track and none, negotiate; a track for another does not.
   * @param {string} use
   * @param {MediaStreamTrack|null} track
   * @param {MediaStream} stream  tells the other side which tracks belong together
   */
  async send(use, track, stream) {
    const way = this.#ways.get(use);
    if (way) {
      await way.transceiver.sender.replaceTrack(track);
      way.transceiver.direction = track ? way.on : way.off;
    } else if (track) {
      this.#ways.set(use, this.#add(track, stream));
    }
  }

  #add(track, stream) {
    const { connection } = this;
    // Later a way of one's own, there alone: where both add one at once and one of them withdraws its offer, the two
    // would share the other's, over which Chromium (156) then receives nothing.
    if (this.#begun) {
      return { transceiver: connection.addTransceiver(track, { direction: 'sendonly', streams: [stream] }), on: 'sendonly', off: 'inactive' };
    }
    const sender = connection.addTrack(track, stream);
    return { transceiver: connection.getTransceivers().find((one) => one.sender === sender), on: 'sendrecv', off: 'recvonly' };
  }

  /** Whether the other end has said anything yet. */
  get met() {
    return this.#remoteIdentity !== null;
  }

  /** Takes in what the other end says. To be called for one frame after the other. */
  async take({ type, sdp, candidate }) {
    if (type === 'offer') await this.#answer(sdp);
    else if (type === 'answer') await this.#answered(sdp);
    else await this.#addCandidate(candidate);
  }

  /** Looks for a way anew, with the candidates there are now. @param {RTCConfiguration} [configuration] */
  restart(configuration) {
    if (configuration) {
      this.#configuration = configuration;
      this.connection.setConfiguration(configuration); // the credentials of a relay do not last as long as a call may
    }
    this.connection.restartIce();
  }

  /** The signaling was away on this side and is back. */
  comeBack() {
    // An offer that was not heard would keep a new one waiting; one whose answer was lost is answered as before.
    if (this.connection.signalingState === 'have-local-offer') this.#sendOffer();
  }

  /** The signaling of the other side was away and is back: it offers, whatever was offered to it meanwhile. */
  giveWay() {
    this.#givingWay = this.connection.signalingState === 'have-local-offer';
  }

  close() {
    this.connection.close();
  }

  #connect() {
    const connection = new RTCPeerConnection(this.#configuration);
    /** @type {RTCPeerConnection} */
    this.connection = connection;
    this.#begun = false;
    this.#remoteIdentity = null;
    this.#ways.clear();
    connection.onicecandidate = ({ candidate }) => {
      this.#owner.send('ice_candidate', { candidate: candidate?.toJSON() ?? null });
    };
    connection.ontrack = (event) => this.#owner.onTrack(event);
    connection.onnegotiationneeded = () => this.#offer(connection).catch((error) => this.#owner.onError(error));
    connection.onconnectionstatechange = () => this.#owner.onState();
  }

  async #offer(connection) {
    try {
      this.#makingOffer = true;
      await connection.setLocalDescription();
      if (connection === this.connection) this.#sendOffer();
    } catch (error) {
      if (connection.signalingState !== 'closed') throw error; // its end may come at any moment
    } finally {
      this.#makingOffer = false;
    }
  }

  #sendOffer() {
    this.#owner.send('offer', { sdp: this.connection.localDescription.sdp });
  }

  async #answer(sdp) {
    const identity = fingerprints(sdp);
    const isNew = this.met && this.#remoteIdentity !== identity;
    const collision = this.#makingOffer || this.connection.signalingState !== 'stable';
    // One of the two must give way; which one does not matter as long as both agree.
    if (collision && !isNew && !this.#polite && !this.#givingWay) return;
    // With a first offer, all that was to be sent is withdrawn: that is begun anew, for the reason given in `#add`.
    if (isNew || (collision && !this.#begun)) {
      this.connection.close();
      this.#connect();
      this.#owner.onReplaced();
    }
    this.#givingWay = false;
    const { connection } = this;
    await connection.setRemoteDescription({ type: 'offer', sdp });
    this.#remoteIdentity = identity;
    this.#owner.onOffered();
    this.#begun = true;
    await connection.setLocalDescription();
    this.#owner.send('answer', { sdp: connection.localDescription.sdp });
  }

  async #answered(sdp) {
    // To an offer that was withdrawn meanwhile, or answered before.
    if (this.connection.signalingState !== 'have-local-offer') return;
    this.#givingWay = false;
    await this.connection.setRemoteDescription({ type: 'answer', sdp });
    this.#remoteIdentity = fingerprints(sdp);
    this.#begun = true;
  }

  async #addCandidate(candidate) {
    const remote = this.connection.remoteDescription;
    // Those of a description that was not taken, or that another has taken the place of, have no place to go.
    if (!remote || (candidate?.usernameFragment && !remote.sdp.includes(`a=ice-ufrag:${candidate.usernameFragment}`))) return;
    await this.connection.addIceCandidate(candidate ?? undefined);
  }
}

function fingerprints(sdp) {
  return [...new Set(sdp.match(/^a=fingerprint:.*$/gim))].sort().join();
}
