// Plays one session over WHEP in a video element and comes back by itself.

import { withToken } from './access.js';
import { NETWORK, gathered, lowLatency } from './session.js';
import { iceServers, postOffer } from './whip.js';

const AGAIN_MS = 2000;
const STILL_MS = 8000, UNSURE_MS = 1500;

/** root: where the API is, seen from the page. on: {playing(), lost(sentence)}. Returns what stops it. */
export function watch(name, video, on, root = '') {
  let over = false;
  let stop = () => {};
  const stopped = new Promise((resolve) => { stop = () => { over = true; resolve(); }; });
  (async () => {
    while (!over) {
      await play(name, video, on, root, stopped).catch((error) => { if (!over) on.lost(error.message); });
      await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, AGAIN_MS))]);
    }
    video.srcObject = null;
  })();
  return stop;
}

async function play(name, video, on, root, stopped) {
  const endpoint = `${root}whep/${encodeURIComponent(name)}`;
  const pc = new RTCPeerConnection({ iceServers: await iceServers(endpoint), bundlePolicy: 'max-bundle' });
  let resource = null;
  const leave = () => { if (resource) fetch(resource, { method: 'DELETE', keepalive: true, headers: withToken() }).catch(() => {}); resource = null; };
  addEventListener('pagehide', leave, { once: true });
  try {
    const { receiver } = pc.addTransceiver('video', { direction: 'recvonly' });
    lowLatency(receiver);
    pc.ontrack = ({ track }) => { video.srcObject = new MediaStream([track]); };
    await pc.setLocalDescription();
    await gathered(pc);
    let answer;
    ({ answer, resource } = await postOffer(endpoint, pc.localDescription.sdp));
    await pc.setRemoteDescription({ type: 'answer', sdp: answer });
    on.playing();
    await Promise.race([ended(pc, video), stopped]);
  } finally {
    removeEventListener('pagehide', leave);
    leave();
    pc.close();
  }
}

/**
 * Resolves when the connection is gone, or no picture has come for long (a hidden page shows none);
 * for less long when the connection is in doubt, or the network may be another.
 */
function ended(pc, video) {
  return new Promise((resolve) => {
    let last, over = false, doubt = null;
    const touch = () => { last = performance.now(); doubt = null; };
    const unsure = () => { doubt ??= performance.now(); };
    for (const [target, event] of NETWORK) target?.addEventListener(event, unsure);
    const seen = () => { touch(); if (!over) video.requestVideoFrameCallback?.(seen); };
    seen();
    document.addEventListener('visibilitychange', touch);
    const timer = setInterval(() => {
      const sees = video.requestVideoFrameCallback && !document.hidden, now = performance.now();
      if (pc.connectionState === 'disconnected') unsure();
      const still = sees && (now - last > STILL_MS || (doubt && now - doubt > UNSURE_MS));
      if (!still && !['failed', 'closed'].includes(pc.connectionState)) return;
      over = true;
      for (const [target, event] of NETWORK) target?.removeEventListener(event, unsure);
      document.removeEventListener('visibilitychange', touch);
      clearInterval(timer);
      resolve();
    }, 500);
  });
}
