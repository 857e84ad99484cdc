// Nothing but the picture of one session, for a browser source: plays it over WHEP, comes back by itself.

import { withToken } from './access.js';
import { NO_WEBRTC, gathered, lowLatency } from './session.js';
import { iceServers, postOffer } from './whip.js';

const AGAIN_MS = 2000;
const STILL_MS = 8000;

const name = decodeURIComponent(location.pathname.split('/').filter(Boolean).pop());
const video = document.getElementById('output');
const note = document.getElementById('note');

async function play() {
  const endpoint = `../whep/${encodeURIComponent(name)}`;
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
    note.textContent = '';
    await ended(pc);
  } finally {
    removeEventListener('pagehide', leave);
    leave();
    pc.close();
  }
}

/** Resolves when the connection is gone, or no picture has come for long (a hidden page shows none). */
function ended(pc) {
  return new Promise((resolve) => {
    let last, over = false;
    const touch = () => { last = performance.now(); };
    const seen = () => { touch(); if (!over) video.requestVideoFrameCallback?.(seen); };
    seen();
    document.addEventListener('visibilitychange', touch);
    const timer = setInterval(() => {
      const still = video.requestVideoFrameCallback && !document.hidden && performance.now() - last > STILL_MS;
      if (!still && !['failed', 'closed'].includes(pc.connectionState)) return;
      over = true;
      document.removeEventListener('visibilitychange', touch);
      clearInterval(timer);
      resolve();
    }, 500);
  });
}

if (!window.RTCPeerConnection) note.textContent = NO_WEBRTC;
while (window.RTCPeerConnection) {
  await play().catch((error) => {
    note.textContent = error.message;
  });
  await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
}
