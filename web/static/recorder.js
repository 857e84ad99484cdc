// Keeping what you see: a movie through MediaRecorder, a picture through a canvas.

const KINDS = ['video/mp4;codecs=avc1.42E01F', 'video/mp4', 'video/webm;codecs=vp9', 'video/webm;codecs=vp8', 'video/webm'];

export class Recorder {
  #recorder = null;

  get active() { return this.#recorder?.state === 'recording'; }
  get seconds() { return this.active ? (performance.now() - this.since) / 1000 : 0; }

  /** done(blob | null) once the recording ends, also when the stream itself ends. */
  start(stream, done) {
    const mimeType = KINDS.find((kind) => MediaRecorder.isTypeSupported(kind));
    const parts = [];
    const recorder = this.#recorder = new MediaRecorder(stream, { mimeType, videoBitsPerSecond: 6_000_000 });
    recorder.ondataavailable = ({ data }) => { if (data.size) parts.push(data); };
    recorder.onstop = () => done(parts.length ? new Blob(parts, { type: (recorder.mimeType || mimeType).split(';')[0] }) : null);
    recorder.start(1000);
    this.since = performance.now();
  }

  stop() { if (this.active) this.#recorder.stop(); }
}

/** PNG of the video's current frame, at its own size. */
export function snapshot(video) {
  const canvas = Object.assign(document.createElement('canvas'), { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext('2d').drawImage(video, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
}

/** Hand a blob to the browser's downloads; gives the file's name. */
export function save(blob) {
  const ending = { 'video/mp4': 'mp4', 'video/webm': 'webm', 'image/png': 'png' }[blob.type] ?? 'bin';
  const stamp = new Date().toISOString().slice(0, 19).replace('T', '-').replaceAll(':', '');
  const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(blob), download: `rotolive-${stamp}.${ending}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  return link.download;
}
