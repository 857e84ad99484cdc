// Nothing but the picture of one session, for a browser source: plays it over WHEP, comes back by itself.

const AGAIN_MS = 2000;
const GATHER_MS = 500;
const STILL_MS = 8000;

const name = decodeURIComponent(location.pathname.split('/').filter(Boolean).pop());
const video = document.getElementById('output');
const note = document.getElementById('note');

async function play() {
  const pc = new RTCPeerConnection({ iceServers: [], bundlePolicy: 'max-bundle' });
  let resource = null;
  const leave = () => { if (resource) fetch(resource, { method: 'DELETE', keepalive: true }).catch(() => {}); resource = null; };
  addEventListener('pagehide', leave, { once: true });
  try {
    const { receiver } = pc.addTransceiver('video', { direction: 'recvonly' });
    if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = 0;
    pc.ontrack = ({ track }) => { video.srcObject = new MediaStream([track]); };
    await pc.setLocalDescription();
    await gathered(pc);
    const reply = await fetch(`../whep/${encodeURIComponent(name)}`, {
      method: 'POST', headers: { 'content-type': 'application/sdp' }, body: pc.localDescription.sdp,
    });
    if (!reply.ok) throw new Error((await reply.json().catch(() => ({}))).error ?? `The server answered ${reply.status}.`);
    resource = reply.headers.get('location');
    await pc.setRemoteDescription({ type: 'answer', sdp: await reply.text() });
    note.textContent = '';
    await ended(pc);
  } finally {
    removeEventListener('pagehide', leave);
    leave();
    pc.close();
  }
}

function gathered(pc) {
  return new Promise((resolve) => {
    const check = () => { if (pc.iceGatheringState === 'complete') resolve(); };
    pc.addEventListener('icegatheringstatechange', check);
    setTimeout(resolve, GATHER_MS);
    check();
  });
}

/** Resolves when the connection is gone, or no picture has come for long. */
function ended(pc) {
  return new Promise((resolve) => {
    let last = performance.now();
    const seen = () => { last = performance.now(); video.requestVideoFrameCallback?.(seen); };
    video.requestVideoFrameCallback?.(seen);
    const timer = setInterval(() => {
      const still = video.requestVideoFrameCallback && performance.now() - last > STILL_MS;
      if (!still && !['failed', 'closed'].includes(pc.connectionState)) return;
      clearInterval(timer);
      resolve();
    }, 500);
  });
}

for (;;) {
  await play().catch((error) => { note.textContent = error instanceof TypeError ? 'The server does not answer.' : error.message; });
  await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
}
