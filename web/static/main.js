// The page: one state machine (idle, connecting, live, reconnecting, error) and the controls around it.

import { TOKEN } from './access.js';
import { full, leaveFull } from './fullscreen.js';
import { Skeleton } from './overlay.js';
import { fillStyles, markStyle, thumbnail } from './picker.js';
import { Recorder, save, snapshot } from './recorder.js';
import { NO_WEBRTC, Session, forget } from './session.js';
import { Trouble, clipExists, openSource } from './sources.js';
import { Stats, line, rows, showRows } from './stats.js';
import { say } from './toast.js';
import { getJson } from './whip.js';

const $ = (id) => document.getElementById(id);
const all = (selector) => [...document.querySelectorAll(selector)];
const query = new URLSearchParams(location.search);
const BACKOFF_MS = [400, 800, 1500, 3000, 5000];
const SLOW_MS = 8000;
const SILENT_MS = 5000;
const STATUS = { idle: 'Ready', connecting: 'Connecting', live: 'Live', reconnecting: 'Reconnecting', error: 'Stopped' };

const app = {
  state: 'idle', turn: 0, tries: 0, source: null, session: null, resume: null, name: null, info: {}, styles: [],
  style: Number(query.get('style')) || 0, mirror: true, overlay: true,
};
const recorder = new Recorder();
const skeleton = new Skeleton($('skeleton'));
const stats = new Stats($('output'), firstFrame);

// ---- states and messages

function setState(state) {
  app.state = state;
  document.body.dataset.state = state;
  $('status-text').textContent = STATUS[state];
  const waiting = state === 'connecting' || state === 'reconnecting';
  $('wait').hidden = !waiting;
  $('stats').hidden = state !== 'live';
  all('[data-live]').forEach((button) => { button.disabled = state !== 'live'; });
  all('[data-running]').forEach((button) => { button.disabled = !waiting && state !== 'live'; });
}

function wait(text) { $('wait-text').textContent = text; }

function trouble(text) {
  $('trouble').textContent = text ?? '';
  $('trouble').hidden = !text;
}

function fail(error) {
  const text = error.message || String(error);
  if (app.state === 'live' && error instanceof Trouble) return say(text, true);
  stop();
  setState('error');
  trouble(text);
}

// ---- starting, stopping, coming back

async function start(kind, file) {
  if (!window.RTCPeerConnection) return fail(new Trouble(NO_WEBRTC));
  if (kind === 'file' && !file) return $('file').click();
  const turn = ++app.turn;
  const running = app.session?.alive && app.state === 'live';
  if (!running) {
    dropSession();
    trouble();
    setState('connecting');
    wait(kind === 'camera' ? 'Waiting for the camera. Your browser may ask for permission.' : 'Opening the file …');
  }
  let source;
  try {
    source = await openSource(kind, file);
  } catch (error) {
    if (turn === app.turn) fail(error);
    return;
  }
  if (turn !== app.turn) return source.stop();
  useSource(source);
  if (!running || !app.session?.alive) return connect(turn);
  await app.session.replace(source.track);
  app.session.send({ type: 'mirror', on: app.mirror });
  app.session.send({ type: 'reset' });
}

function useSource(source) {
  app.source?.stop();
  app.source = source;
  source.track.onended = () => {
    if (source === app.source) fail(new Error(source.kind === 'camera' ? 'The camera was disconnected or taken away.' : 'The file stopped playing.'));
  };
  source.track.onmute = () => {
    if (source === app.source && source.kind === 'camera') say('The camera sends no picture. Is it covered, or used elsewhere?', true);
  };
  $('input').srcObject = source.stream;
  $('preview').classList.add('playing');
  skeleton.clear();
  setMirror(source.mirror);
  markSource(source.kind);
}

async function connect(turn) {
  dropSession();
  stats.restart();
  wait(app.state === 'reconnecting' ? $('wait-text').textContent : 'Connecting to the renderer …');
  const session = app.session = new Session({
    track: (stream) => { $('output').srcObject = stream; },
    open: () => {
      if (app.state === 'connecting') wait('Waiting for the first painted frame …');
      session.send({ type: 'overlay', on: app.overlay });
      session.send({ type: 'mirror', on: app.mirror });
      session.send({ type: 'style', index: app.style });
    },
    message: (message) => { if (session === app.session) heard(message); },
    lost: (sentence) => { if (session === app.session) retry(sentence); },
  });
  try {
    await meet();
    if (session !== app.session) return;
    const { source, style, mirror, info, name, resume } = app;
    await session.open({ track: source.track, model: info.model, style, mirror, name, resume });
  } catch (error) {
    session.close();
    if (session !== app.session) return;
    if (app.resume && !error.gone) { // it has ended
      app.resume = null;
      return connect(turn);
    }
    if (error.status === 422) app.style = 0; // another model answers now
    if (error.gone || error.status === 404) app.info = {}; // another model may answer now
    if (error.gone || app.state === 'reconnecting') retry(error.message);
    else fail(error);
    return;
  }
  setTimeout(() => {
    if (turn === app.turn && app.state === 'connecting') wait('The model is still warming up. The first start can take a while.');
  }, SLOW_MS);
}

/** Connect again, and go on with what there was. */
async function retry(sentence) {
  const { turn } = app;
  recorder.stop();
  app.resume = app.session?.handOver() ?? app.resume;
  app.session = null;
  skeleton.clear();
  setState('reconnecting');
  wait(`${sentence} Trying again; it goes on by itself when the server is back.`);
  await new Promise((resolve) => setTimeout(resolve, BACKOFF_MS[Math.min(app.tries++, BACKOFF_MS.length - 1)]));
  if (turn === app.turn) connect(turn);
}

function firstFrame() {
  if (app.state !== 'connecting' && app.state !== 'reconnecting') return;
  if (!app.session?.alive) return;
  if (app.state === 'reconnecting') say('Connected again.');
  app.tries = 0;
  app.resume = null;
  const { videoWidth: width, videoHeight: height } = $('output');
  document.documentElement.style.setProperty('--aspect', `${width} / ${height}`);
  setState('live');
  refresh();
}

function dropSession() {
  const session = app.session;
  app.session = null;
  session?.close();
}

function stop() {
  app.turn += 1;
  app.tries = 0;
  forget(app.resume);
  app.name = app.resume = null;
  recorder.stop();
  dropSession();
  const source = app.source;
  app.source = null;
  source?.stop();
  $('input').srcObject = $('output').srcObject = null;
  $('preview').classList.remove('playing');
  skeleton.clear();
  markSource(null);
  leaveFull($('frame'));
  trouble();
  setState('idle');
}

// ---- what the server says

function heard(message) {
  switch (message.type) {
    case 'ready': app.name = message.name; return learn(message);
    case 'stats':
      if (message.encoding && message.encoding !== stats.server?.encoding) say(`Less is sent: ${message.encoding}.`);
      stats.server = message;
      return;
    case 'pose': if (app.overlay) skeleton.draw(message); return;
    case 'error': return say(message.error, true);
    case 'ok': if (message.of === 'reset') say('Painted afresh.'); return;
  }
}

function learn({ model, styles, runtime, width, height }) {
  const known = app.info.model === model && app.styles.join('\n') === styles.join('\n');
  app.info = { model, runtime, width, height };
  app.styles = styles;
  if (!(app.style < styles.length)) app.style = 0;
  if (!known) {
    fillStyles($('styles'), model, styles, setStyle);
    showArt(thumbnail(model, app.style));
  }
  $('style-section').hidden = styles.length < 2;
  markStyle($('styles'), app.style);
}

function showArt(url) {
  const art = $('art');
  art.onload = () => { art.hidden = false; };
  art.onerror = () => { art.hidden = true; };
  art.src = url;
}

async function meet() {
  for (let tries = 0; !app.info.model; tries += 1) {
    try {
      const [first] = await getJson('api/models');
      if (first) learn({ ...first, model: first.name, styles: first.styles.map(({ name }) => name) });
      return;
    } catch (error) {
      if (!error.gone) throw error;
      if (!tries) say('The server does not answer yet.', true);
      await new Promise((resolve) => setTimeout(resolve, BACKOFF_MS[Math.min(tries, 4)]));
    }
  }
}

// ---- controls

function setMirror(on) {
  app.mirror = on;
  $('preview').classList.toggle('mirrored', on);
  all('[data-do=mirror]').forEach((button) => button.setAttribute('aria-checked', String(on)));
  app.session?.send({ type: 'mirror', on });
}

function setOverlay(on) {
  app.overlay = on;
  all('[data-do=overlay]').forEach((button) => button.setAttribute('aria-checked', String(on)));
  app.session?.send({ type: 'overlay', on });
  skeleton.clear();
}

function setStyle(index) {
  if (!(index < app.styles.length) || index === app.style) return;
  app.style = index;
  markStyle($('styles'), index);
  app.session?.send({ type: 'style', index });
  say(`Style: ${app.styles[index]}`);
}

function markSource(kind) {
  all('.sources [data-source]').forEach((button) => button.setAttribute('aria-pressed', String(button.dataset.source === kind)));
}

function record() {
  if (app.state !== 'live') return;
  if (recorder.active) return recorder.stop();
  if (!window.MediaRecorder) return say('This browser cannot record.', true);
  try {
    recorder.start($('output').srcObject, (blob) => { showRecording(); say(blob ? `Saved ${save(blob)}` : 'Nothing was recorded.', !blob); });
  } catch {
    say('This browser cannot record the picture.', true);
  }
  showRecording();
}

function showRecording() {
  $('rec').hidden = !recorder.active;
  const [button] = all('[data-do=record]');
  button.classList.toggle('on', recorder.active);
  button.querySelector('span').textContent = recorder.active ? 'Stop recording' : 'Record';
  const seconds = Math.floor(recorder.seconds);
  $('rec-time').textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

async function takeSnapshot() {
  if (app.state !== 'live') return;
  const blob = await snapshot($('output'));
  say(blob ? `Saved ${save(blob)}` : 'The picture could not be saved.', !blob);
}

async function copyLink() {
  if (!app.session?.alive) return;
  const link = new URL(`view/${app.name}${TOKEN ? `#token=${encodeURIComponent(TOKEN)}` : ''}`, location.href).href;
  try {
    await navigator.clipboard.writeText(link);
    say('Copied. The link shows this picture alone, in a browser or in OBS.');
  } catch { // only https pages and localhost may write to the clipboard
    prompt('This link shows the picture alone, in a browser or in OBS:', link);
  }
}

const actions = {
  record, stop, snapshot: takeSnapshot, link: copyLink,
  full: () => full($('frame'), app.state === 'live'),
  reset: () => app.session?.send({ type: 'reset' }),
  mirror: () => setMirror(!app.mirror),
  overlay: () => setOverlay(!app.overlay),
};
const keys = { m: 'mirror', r: 'reset', o: 'overlay', f: 'full', s: 'snapshot', v: 'record' };

document.addEventListener('click', ({ target }) => {
  const button = target.closest?.('[data-do], [data-source]');
  if (!button) return;
  if (button.dataset.source) start(button.dataset.source);
  else actions[button.dataset.do]();
});

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.target.matches?.('input, textarea, select')) return;
  const key = event.key.toLowerCase();
  if (key === 'escape') return leaveFull($('frame'));
  if (keys[key]) actions[keys[key]]();
  else if (key >= '1' && key <= '9') setStyle(Number(key) - 1);
  else return;
  event.preventDefault();
});

$('file').addEventListener('change', ({ target }) => {
  if (target.files[0]) start('file', target.files[0]);
  target.value = '';
});
document.addEventListener('dragover', (event) => { event.preventDefault(); document.body.classList.add('dropping'); });
document.addEventListener('dragleave', (event) => { if (!event.relatedTarget) document.body.classList.remove('dropping'); });
document.addEventListener('drop', (event) => {
  event.preventDefault();
  document.body.classList.remove('dropping');
  const [file] = event.dataTransfer.files;
  if (file) start('file', file);
});

$('input').addEventListener('resize', ({ target }) => {
  if (target.videoWidth) $('preview').style.aspectRatio = `${target.videoWidth} / ${target.videoHeight}`;
  skeleton.clear();
});
window.addEventListener('pagehide', () => { if (app.state !== 'error') stop(); });
window.addEventListener('beforeunload', (event) => { if (recorder.active) event.preventDefault(); });
document.addEventListener('visibilitychange', () => stats.touch());

// ---- once a second

async function refresh() {
  if (app.state !== 'live') return;
  await stats.sample(app.session);
  const now = stats.now(app.session);
  $('stats-line').textContent = line(now);
  if ($('stats').open) showRows($('stats-list'), rows(now, app.info));
  if (recorder.active) showRecording();
  watchOver();
}

/** A connection that stays open but brings no picture is given up. */
function watchOver() {
  if (document.hidden || app.source?.track.muted) stats.touch();
  else if (app.state === 'live' && stats.silence > SILENT_MS) {
    dropSession();
    retry('No picture comes back.');
  }
}

setInterval(refresh, 1000);
$('stats').addEventListener('toggle', refresh);

// ---- begin

window.rotolive = {
  get state() { return app.state; },
  get session() { return app.session?.resource ?? null; },
  get skeletons() { return skeleton.drawn; },
  stats: () => ({ ...stats.now(app.session), ...app.info, style: app.style, mirror: app.mirror, overlay: app.overlay }),
  start, stop,
};

setState('idle');
setOverlay(true);
if (!window.RTCPeerConnection) fail(new Trouble(NO_WEBRTC));
meet().catch(fail);
clipExists().then((there) => {
  all('[data-clip]').forEach((element) => { element.hidden = !there; });
  if (there && query.get('source') === 'clip' && app.state === 'idle') start('clip');
});
// ?view=bare shows the picture alone, for OBS and other programs that take a web page.
if (query.get('view') === 'bare') {
  document.body.classList.add('bare');
  $('frame').classList.add('fill');
}
if (query.get('source') === 'camera') start('camera');
