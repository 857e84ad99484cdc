// Where the picture comes from: a camera, a file of yours, or the bundled clip.

const CLIP = 'static/clip.webm';
const SIZE = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 }, facingMode: 'user' };

const CAMERA_TROUBLE = {
  NotAllowedError: 'The camera was refused. Allow it for this page in the address bar, then press Start camera again.',
  SecurityError: 'The camera is blocked for this page by the browser or by its settings.',
  NotFoundError: 'No camera was found. Plug one in, or use a video file.',
  OverconstrainedError: 'No camera here can give a usable picture. Use a video file instead.',
  NotReadableError: 'The camera is in use by another program. Close that program, then try again.',
  AbortError: 'The camera stopped while it was starting. Try again.',
};

/** A sentence for a person, not a stack trace. */
export class Trouble extends Error {}

export const clipExists = async () => {
  try { return (await fetch(CLIP, { method: 'HEAD' })).ok; } catch { return false; }
};

/** kind: camera, file or clip. Gives {kind, stream, track, mirror, stop()}; throws Trouble. */
export async function openSource(kind, file) {
  if (kind === 'camera') return openCamera();
  if (kind === 'clip') return openMovie('clip', CLIP, 'The sample clip could not be played.');
  const url = URL.createObjectURL(file);
  try {
    return await openMovie('file', url, `This browser cannot play “${file.name}”. Try an MP4 (H.264) or a WebM file.`, () => URL.revokeObjectURL(url));
  } catch (error) {
    URL.revokeObjectURL(url);
    throw error;
  }
}

async function openCamera() {
  if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) {
    throw new Trouble('Browsers give the camera only to https pages and to localhost. Open this page as http://localhost, or put https in front of the server. A video file works here too.');
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: SIZE, audio: false });
  } catch (error) {
    throw new Trouble(CAMERA_TROUBLE[error.name] ?? `The camera could not be opened (${error.name}).`);
  }
  return { kind: 'camera', stream, track: stream.getVideoTracks()[0], mirror: true, stop: () => stop(stream) };
}

async function openMovie(kind, url, sentence, done = () => {}) {
  const video = Object.assign(document.createElement('video'), { muted: true, loop: true, playsInline: true, src: url });
  try {
    await video.play();
  } catch {
    throw new Trouble(sentence);
  }
  if (!video.videoWidth) throw new Trouble('That file has sound but no picture.');
  const stream = video.captureStream?.() ?? video.mozCaptureStream?.() ?? drawn(video);
  const track = await firstVideoTrack(stream);
  if (!track) throw new Trouble(sentence);
  for (const sound of stream.getAudioTracks()) sound.stop();
  return {
    kind, track, stream: new MediaStream([track]), mirror: false,
    stop: () => { stop(stream); video.pause(); video.removeAttribute('src'); video.load(); done(); },
  };
}

// Safari has no captureStream on a video: copy its frames through a canvas.
function drawn(video) {
  const canvas = document.createElement('canvas');
  const scale = Math.min(1, 640 / video.videoWidth);
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  const context = canvas.getContext('2d');
  const copy = () => {
    if (!video.hasAttribute('src')) return;
    context.drawImage(video, 0, 0, canvas.width, canvas.height);
    video.requestVideoFrameCallback(copy);
  };
  copy();
  return canvas.captureStream(30);
}

async function firstVideoTrack(stream) {
  if (!stream.getVideoTracks().length) {
    await new Promise((resolve) => { stream.onaddtrack = resolve; setTimeout(resolve, 3000); });
  }
  return stream.getVideoTracks()[0];
}

const stop = (stream) => { for (const track of stream.getTracks()) track.stop(); };
