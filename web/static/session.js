// One connection to the renderer: our picture out, the painted picture back, control messages beside them.

import { withToken } from './access.js';
import { iceServers, postOffer } from './whip.js';

const GATHER_MS = 500;
const CONNECT_MS = 12_000;
const PING_MS = 1000;
const PINGS_MISSED = 4;
const FAREWELL_MS = 10_000;
const START_KBPS = 1500, LEAST_KBPS = 600, MOST_KBPS = 2500;
const LONG_SIDE = 640;

export const NO_WEBRTC = 'This browser has no WebRTC, which carries the picture. Use a current Chrome, Edge, Firefox or Safari, and check that no extension or policy turns WebRTC off.';

/** What may mean another network. */
export const NETWORK = [[globalThis, 'online'], [navigator.connection, 'change']];

/** resource: the address of what was opened, known to us only. */
export class Session {
  resource = null;
  rtts = [];
  #missed = 0;
  #closed = false;
  #timers = [];

  /** on: {open(), track(stream), message(object), lost(sentence)} */
  constructor(on) {
    this.on = on;
    for (const [target, event] of NETWORK) target?.addEventListener(event, this.#doubt);
  }

  get alive() { return !this.#closed && this.channel?.readyState === 'open'; }

  /**
   * name: the one it had before, so that who watches by it goes on. resume: a resource to go on with
   * over this connection, its memory and viewers and all.
   */
  async open({ track, model, style, mirror, name, resume }) {
    const endpoint = `whip/${encodeURIComponent(model)}`;
    const pc = this.pc = new RTCPeerConnection({ iceServers: await iceServers(endpoint), bundlePolicy: 'max-bundle' });
    this.#watch(pc);
    track.contentHint = 'motion';
    const transceiver = pc.addTransceiver(track, { direction: 'sendrecv', sendEncodings: [encoding(track)] });
    this.sender = transceiver.sender;
    preferVp8(transceiver);
    this.#openChannel(pc);
    await pc.setLocalDescription();
    await gathered(pc);
    const query = new URLSearchParams(resume
      ? { resume: resume.split('/').pop() } : { style, mirror, ...(name && { session: name }) });
    const { answer, resource } = await postOffer(`${endpoint}?${query}`, pc.localDescription.sdp);
    this.resource = resource;
    if (this.#closed) { forget(resource); return; }
    await pc.setRemoteDescription({ type: 'answer', sdp: startFast(answer) });
    await keepResolution(this.sender);
    for (const receiver of pc.getReceivers()) lowLatency(receiver);
    this.#timers.push(setTimeout(() => {
      if (!this.alive) this.#lose('The video connection did not open. A firewall or VPN may be blocking UDP to the server.');
    }, CONNECT_MS));
  }

  /** Another source on the same connection. */
  async replace(track) {
    track.contentHint = 'motion';
    await this.sender.replaceTrack(track);
    const parameters = this.sender.getParameters();
    if (parameters.encodings?.length) Object.assign(parameters.encodings[0], encoding(track));
    await this.sender.setParameters(parameters).catch(() => {});
  }

  send(message) { if (this.alive) this.channel.send(JSON.stringify(message)); }

  close() {
    if (this.#closed) return;
    this.#end();
    forget(this.resource);
    this.pc?.close();
  }

  /** End here, but leave what was opened to another connection. A goodbye now would end that, too. */
  handOver() {
    this.#end();
    setTimeout(() => this.pc?.close(), FAREWELL_MS);
    return this.resource;
  }

  #end() {
    this.#closed = true;
    this.#timers.forEach(clearTimeout);
    for (const [target, event] of NETWORK) target?.removeEventListener(event, this.#doubt);
  }

  #lose(sentence) { if (!this.#closed) this.on.lost(sentence); }

  /** The network may have changed: the next pong decides. */
  #doubt = () => {
    if (!this.alive) return;
    this.#missed = Math.max(this.#missed, PINGS_MISSED - 1);
    this.#ping();
  };

  #watch(pc) {
    pc.ontrack = ({ track, receiver }) => {
      lowLatency(receiver);
      this.on.track(new MediaStream([track]));
    };
    pc.onconnectionstatechange = () => {
      if (pc.connectionState === 'disconnected') this.#doubt();
      if (pc.connectionState === 'failed') this.#lose('The connection to the server was lost.');
    };
  }

  #openChannel(pc) {
    const channel = this.channel = pc.createDataChannel('control', { ordered: true });
    channel.onopen = () => { this.on.open(); this.#timers.push(setInterval(() => this.#ping(), PING_MS)); this.#ping(); };
    channel.onclose = () => this.#lose('The server closed the connection.');
    channel.onmessage = ({ data }) => {
      let message;
      try { message = JSON.parse(data); } catch { return; }
      this.#missed = 0;
      if (message.type === 'pong') this.rtts = [...this.rtts, performance.now() - message.t].slice(-20);
      else this.on.message(message);
    };
  }

  #ping() {
    if (this.#missed++ >= PINGS_MISSED) this.#lose('The server stopped answering.');
    else this.send({ type: 'ping', t: performance.now() });
  }
}

/** End what was opened, at its address. */
export function forget(resource) {
  if (resource) fetch(resource, { method: 'DELETE', keepalive: true, headers: withToken() }).catch(() => {});
}

export function gathered(pc) {
  return new Promise((resolve) => {
    const check = () => { if (pc.iceGatheringState === 'complete') resolve(); };
    pc.addEventListener('icegatheringstatechange', check);
    setTimeout(resolve, GATHER_MS);
    check();
  });
}

// A 4K file is shrunk here: the renderer works at a few hundred pixels.
function encoding(track) {
  const { width = LONG_SIDE, height = 0 } = track.getSettings();
  return { maxBitrate: MOST_KBPS * 1000, scaleResolutionDownBy: Math.max(1, Math.max(width, height) / LONG_SIDE) };
}

function preferVp8(transceiver) {
  const codecs = RTCRtpReceiver.getCapabilities?.('video')?.codecs;
  if (!codecs || !transceiver.setCodecPreferences) return;
  const first = (codec) => (codec.mimeType.toLowerCase() === 'video/vp8' ? 0 : 1);
  transceiver.setCodecPreferences([...codecs].sort((a, b) => first(a) - first(b)));
}

async function keepResolution(sender) {
  const parameters = sender.getParameters();
  parameters.degradationPreference = 'maintain-resolution';
  await sender.setParameters(parameters).catch(() => {});
}

export function lowLatency(receiver) {
  if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = 0;
  if ('playoutDelayHint' in receiver) receiver.playoutDelayHint = 0;
}

/** Without this Chromium begins at 320x240 and climbs for seconds. */
export function startFast(sdp) {
  const hint = `x-google-start-bitrate=${START_KBPS};x-google-min-bitrate=${LEAST_KBPS};x-google-max-bitrate=${MOST_KBPS}`;
  for (const [, type] of sdp.matchAll(/^a=rtpmap:(\d+) VP8\/90000\r?$/gm)) {
    const format = new RegExp(`^(a=fmtp:${type} [^\\r\\n]*)`, 'm');
    sdp = format.test(sdp)
      ? sdp.replace(format, `$1;${hint}`)
      : sdp.replace(new RegExp(`^(a=rtpmap:${type} VP8/90000)`, 'm'), `$1\r\na=fmtp:${type} ${hint}`);
  }
  return sdp;
}
