// One element over the whole screen, and back.

export function leaveFull(frame) {
  if (document.fullscreenElement) document.exitFullscreen();
  if (!document.body.classList.contains('bare')) frame.classList.remove('fill');
}

/** In, when that is allowed, or out. */
export async function full(frame, allowed) {
  if (document.fullscreenElement || frame.classList.contains('fill')) return leaveFull(frame);
  if (!allowed) return;
  try {
    await frame.requestFullscreen({ navigationUI: 'hide' });
  } catch { // an iPhone has no such call
    frame.classList.add('fill');
  }
}
