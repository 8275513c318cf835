// How good the connection of a call is, from what the browser measures of it.

const INTERVAL_MS = 2_000;
const STALE_MS = 10_000; // what the other side reports of something that is sent no more
/**
 * Up to here it is good, and fair. ITU-T G.114 finds 150 ms one way unnoticed by most and 400 ms the limit: a round trip
 * is twice that. Concealment hides a few lost packets in a hundred of Opus; at ten in a hundred words get lost.
 */
const LIMITS = [
  { quality: 'good', loss: 0.03, roundTrip: 0.3 },
  { quality: 'fair', loss: 0.1, roundTrip: 0.8 },
];

/**
 * @typedef {{quality: 'good'|'fair'|'poor', loss: number, roundTrip: number|null, relayed: boolean}} Quality
 *   `loss` of the packets of either direction, 0 to 1, whichever is worse; `roundTrip` in seconds
 */

/**
 * Measures a connection every two seconds, from the second time on: what is lost shows as a difference.
 * @param {() => RTCPeerConnection} connection  as it is then
 * @param {(quality: Quality) => void} tell
 * @returns {() => void} stops it
 */
export function watchQuality(connection, tell) {
  let before = null;
  let stopped = false;
  const timer = setInterval(async () => {
    const peer = connection();
    const now = { peer, ...totals(await peer.getStats()) };
    if (stopped) return;
    if (before?.peer === peer) tell(compare(before, now));
    before = now;
  }, INTERVAL_MS);
  return () => {
    stopped = true;
    clearInterval(timer);
  };
}

/** @param {RTCStatsReport} report */
function totals(report) {
  const stats = [...report.values()];
  const of = (type) => stats.filter((one) => one.type === type);
  const sum = (type, field) => of(type).reduce((total, one) => total + (one[field] ?? 0), 0);
  const transport = of('transport').find(({ selectedCandidatePairId: id }) => id);
  const fresh = of('remote-inbound-rtp').filter(({ timestamp }) => transport?.timestamp - timestamp < STALE_MS);
  const pair = report.get(transport?.selectedCandidatePairId) ?? of('candidate-pair').find(({ nominated, state }) => nominated && state === 'succeeded');
  return {
    received: sum('inbound-rtp', 'packetsReceived'),
    lost: sum('inbound-rtp', 'packetsLost'),
    lostThere: Math.max(0, ...fresh.map(({ fractionLost }) => fractionLost ?? 0)),
    roundTrip: pair?.currentRoundTripTime ?? null,
    relayed: [pair?.localCandidateId, pair?.remoteCandidateId].some((id) => report.get(id)?.candidateType === 'relay'),
  };
}

/** @returns {Quality} */
function compare(before, now) {
  const received = now.received - before.received;
  const lost = Math.max(0, now.lost - before.lost); // packets that come late after all count backwards
  // Sound is sent all the time, silence too: where nothing arrives, everything was lost.
  const lostHere = received + lost > 0 ? lost / (received + lost) : 1;
  const loss = Math.max(lostHere, now.lostThere);
  const { roundTrip, relayed } = now;
  const limit = LIMITS.find((one) => loss <= one.loss && (roundTrip ?? 0) <= one.roundTrip);
  return { quality: limit?.quality ?? 'poor', loss, roundTrip, relayed };
}
