// How fast and how late: what the browser measures and what the server reports, in one place.

const WINDOW_MS = 2000;

const quantile = (values, q) => {
  if (!values.length) return 0;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
};

export class Stats {
  frames = 0;
  server = null;
  #times = [];
  #last = {};
  #means = { encode: 0, decode: 0, buffer: 0 };
  #sent = '';
  #loss = 0;
  #decoded = 0;
  #seen = performance.now();

  /** Counts frames of the output as they are presented; first(): on the first of each stream. */
  constructor(video, first) {
    const seen = (now, frame) => {
      this.frames += 1;
      this.#times.push(now);
      while (this.#times[0] < now - WINDOW_MS) this.#times.shift();
      first(frame);
      video.requestVideoFrameCallback(seen);
    };
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(seen);
    else video.addEventListener('timeupdate', () => { this.frames += 1; first(); });
  }

  restart() {
    this.#times = [];
    this.#last = {};
    this.server = null;
    this.frames = 0;
    this.#decoded = 0;
    this.touch();
  }

  /** How long no picture has come back, in ms; samples tell, since a covered video presents none. */
  get silence() { return performance.now() - this.#seen; }

  /** Count the silence from now on. */
  touch() { this.#seen = performance.now(); }

  /** Once a second: the mean of each browser stage since the last call, in ms. */
  async sample(session) {
    if (!session?.pc || session.pc.connectionState === 'closed') return;
    for (const report of (await session.pc.getStats()).values()) {
      if (report.kind !== 'video') continue;
      if (report.type === 'outbound-rtp') {
        this.#mean('encode', report.totalEncodeTime, report.framesEncoded);
        this.#sent = report.frameWidth ? `${report.frameWidth}×${report.frameHeight}` : '';
      }
      if (report.type === 'inbound-rtp') {
        if (report.framesDecoded !== this.#decoded) this.touch();
        this.#decoded = report.framesDecoded ?? null;
        this.#mean('decode', report.totalDecodeTime, report.framesDecoded);
        this.#mean('buffer', report.jitterBufferDelay, report.jitterBufferEmittedCount);
        this.#loss = report.packetsLost ?? 0;
        this.inFps = report.framesPerSecond ?? 0;
      }
    }
  }

  #mean(name, seconds = 0, count = 0) {
    const before = this.#last[name] ?? { seconds: 0, count: 0 };
    if (count > before.count) this.#means[name] = (1000 * (seconds - before.seconds)) / (count - before.count);
    this.#last[name] = { seconds, count };
  }

  get fps() {
    const now = performance.now();
    const recent = this.#times.filter((t) => t > now - WINDOW_MS);
    if (recent.length < 2) return document.hidden ? this.inFps ?? 0 : 0;
    return (1000 * (recent.length - 1)) / (recent.at(-1) - recent[0]);
  }

  /** Everything, in ms, frames and frames per second. */
  now(session) {
    const { encode, decode, buffer } = this.#means;
    const rtts = session?.rtts ?? [];
    const browser = encode + decode + buffer;
    const total = (server, rtt) => (server > 0 && rtts.length ? server + rtt + browser : null);
    const { p50_ms = 0, p95_ms = 0, dropped = 0, in_fps = 0, runtime = '', about = '', encoding = '', stages = {} } = this.server ?? {};
    return {
      frames: this.frames, fps: this.fps, in_fps, dropped, runtime, about, encoding, stages, lost: this.#loss, sent: this.#sent,
      server_p50_ms: p50_ms, server_p95_ms: p95_ms, rtt_ms: quantile(rtts, 0.5),
      encode_ms: encode, decode_ms: decode, buffer_ms: buffer,
      p50_ms: total(p50_ms, quantile(rtts, 0.5)), p95_ms: total(p95_ms, quantile(rtts, 0.95)),
    };
  }
}

const LATENCY = 'From your camera’s frame to the painted one, camera and screen excluded: '
  + 'encoding here + network there and back + time in the server + jitter buffer + decoding here. '
  + 'Server time and network are medians (p50) or 95th percentiles (p95); the rest are means of the last second.';
const ms = (value) => (value == null ? '–' : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`);

/** Rows [label, value, how it is computed] for the overlay. */
export function rows(all, info) {
  return [
    ['Latency p50', ms(all.p50_ms), LATENCY],
    ['Latency p95', ms(all.p95_ms), LATENCY],
    ['Server p50 / p95', `${ms(all.server_p50_ms)} / ${ms(all.server_p95_ms)}`, 'From a received frame to its painted answer, in the server.'],
    ...Object.entries(all.stages).map(([name, value]) => [`· ${name}`, typeof value === 'number' ? ms(value) : `${ms(value.p50_ms ?? value.p50)}`, 'Median time of this stage in the server.']),
    ['Network', ms(all.rtt_ms), 'Median round trip of the pings on the control channel.'],
    ['Encode / decode', `${ms(all.encode_ms)} / ${ms(all.decode_ms)}`, 'Mean time per frame in this browser.'],
    ['Jitter buffer', ms(all.buffer_ms), 'Mean time a received frame waits before decoding.'],
    ['Sent', [all.sent, all.in_fps ? `${all.in_fps.toFixed(0)} fps` : ''].filter(Boolean).join(' at ') || '–', 'What this browser sends, and how many frames a second reach the renderer.'],
    ...(all.encoding ? [['Encoding', all.encoding, 'What is sent back is encoded smaller than it should be.']] : []),
    ['Dropped', String(all.dropped), 'Frames the server skipped so that latency does not grow.'],
    ['Runtime', all.runtime || info.runtime || '–', 'What runs the model.'],
    ...(all.about ? [['· more', all.about, 'What is being built to take its place, and why others are not used.']] : []),
    ['Model', info.model ? `${info.model}${info.width ? `, ${info.width}×${info.height}` : ''}` : '–', 'The model in use and the size of its picture.'],
  ];
}

/** Fill a <dl> with rows. */
export function showRows(box, list) {
  if (box.children.length !== 2 * list.length) {
    box.replaceChildren(...list.flatMap(() => [document.createElement('dt'), document.createElement('dd')]));
  }
  list.forEach(([label, value, how], i) => {
    Object.assign(box.children[2 * i], { textContent: label, title: how });
    box.children[2 * i + 1].textContent = value;
  });
}

export const line = (all) => [`${all.fps.toFixed(0)} fps`, all.p50_ms == null ? '' : `${Math.round(all.p50_ms)} ms`].filter(Boolean).join(' · ');
