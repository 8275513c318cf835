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
 * @property {() => void} onReplaced  the other end is a new one, so `connection` is too: nothing is sent or received yet
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
  #senders = new Map(); // by what they are for

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
    const sender = this.#senders.get(use);
    if (sender) {
      await sender.replaceTrack(track);
      const transceiver = this.connection.getTransceivers().find((one) => one.sender === sender);
      if (transceiver) transceiver.direction = track ? 'sendrecv' : 'recvonly';
    } else if (track) {
      this.#senders.set(use, this.connection.addTrack(track, stream));
    }
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
    this.#senders.clear();
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
    if (this.#remoteIdentity !== null && this.#remoteIdentity !== identity) {
      this.connection.close();
      this.#connect();
      this.#remoteIdentity = null;
      this.#owner.onReplaced();
    } else {
      const collision = this.#makingOffer || this.connection.signalingState !== 'stable';
      // One of the two must give way; which one does not matter as long as both agree.
      if (collision && !this.#polite && !this.#givingWay) return;
    }
    this.#givingWay = false;
    const { connection } = this;
    await connection.setRemoteDescription({ type: 'offer', sdp });
    this.#remoteIdentity = identity;
    this.#owner.onOffered();
    await connection.setLocalDescription();
    this.#owner.send('answer', { sdp: connection.localDescription.sdp });
  }

  async #answered(sdp) {
    // To an offer that was withdrawn meanwhile, or answered before.
    if (this.connection.signalingState !== 'have-local-offer') return;
    this.#givingWay = false;
    await this.connection.setRemoteDescription({ type: 'answer', sdp });
    this.#remoteIdentity = fingerprints(sdp);
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
