// The page for worlds that engines send: finds their streams, plays one, edits it by its labels.

import { TOKEN } from './access.js';
import { Edits } from './edits.js';
import { fillStyles, markStyle } from './picker.js';
import { save, snapshot } from './recorder.js';
import { NO_WEBRTC } from './session.js';
import { say } from './toast.js';
import { watch } from './watch.js';
import { getJson, sendJson } from './whip.js';

const $ = (id) => document.getElementById(id);
const LOOK_MS = 1000;
const COMMANDS = ['rotolive engine panda3d', 'rotolive engine vizdoom'];

const app = { name: null, scene: null, asked: 0, stop: () => {}, wanted: new URLSearchParams(location.search).get('stream') };
const edits = new Edits($('subject'), $('target'), $('edits'), (wish) => ask(wish));

function setState(state, text) {
  document.body.dataset.state = state;
  $('status-text').textContent = text;
  const live = state === 'live';
  for (const id of ['style-section', 'edit-section', 'stats']) $(id).hidden = !live;
  document.querySelectorAll('[data-live]').forEach((button) => { button.disabled = !live; });
}

const scene = (name) => `api/sessions/${encodeURIComponent(name)}/scene`;

async function ask(wish) {
  app.asked += 1;
  try {
    show(await sendJson('PATCH', scene(app.name), wish));
  } catch (error) {
    say(error.message, true);
  }
  app.asked += 1;
}

// ---- which stream

async function look() {
  const sessions = (await getJson('api/sessions')).filter((session) => session.kind === 'engine');
  const names = sessions.map((session) => session.name);
  if (names.join() !== [...$('streams').options].map((option) => option.value).join()) listStreams(names);
  if (app.name && !names.includes(app.name)) leave(`${app.name} is gone.`);
  if (!app.name && names.length) enter(names.includes(app.wanted) ? app.wanted : names[0]);
  if (!app.name) return;
  const { asked } = app;
  const found = await getJson(scene(app.name));
  if (asked === app.asked) show(found); // else it may be from before our own change
}

function listStreams(names) {
  $('streams').replaceChildren(...names.map((name) => new Option(name, name)));
  $('streams').disabled = !names.length;
  if (!names.length) $('streams').add(new Option('none', ''));
}

function enter(name) {
  app.stop();
  app.name = $('streams').value = name;
  app.scene = null;
  const lost = (sentence) => say(sentence, true);
  const stops = [
    watch(name, $('output'), { playing: () => setState('live', 'Live'), lost }),
    watch(`${name}.seen`, $('seen'), { playing: () => {}, lost: () => {} }),
  ];
  app.stop = () => stops.forEach((stop) => stop());
}

function leave(sentence) {
  app.stop();
  app.stop = () => {};
  app.name = app.scene = null;
  setState('idle', 'Waiting for an engine');
  say(sentence);
}

// ---- what the server says of it

function show(found) {
  const first = app.scene === null;
  app.scene = found;
  if (first) {
    fillStyles($('styles'), found.model, found.styles, (style) => ask({ style }));
    edits.classes(found.classes);
    document.documentElement.style.setProperty('--aspect', `${found.width} / ${found.height}`);
  }
  markStyle($('styles'), found.style);
  edits.show(found);
  const { stats } = found;
  $('stats-line').textContent = `${stats.fps.toFixed(0)} fps · ${Math.round(stats.p50_ms)} ms`;
  const rows = [
    ['In the server, p50 / p95', `${stats.p50_ms.toFixed(1)} / ${stats.p95_ms.toFixed(1)} ms`],
    ...Object.entries(stats.stages).map(([hop, value]) => [`· ${hop}`, `${value.p50.toFixed(1)} ms`]),
    ['Frames that come', `${stats.in_fps.toFixed(0)} fps`],
    ['Skipped', String(stats.dropped)],
    ['Model', `${found.model}, ${found.width}×${found.height}, ${stats.runtime}`],
    ...(stats.about ? [['Runtime', stats.about]] : []),
  ];
  $('stats-list').replaceChildren(...rows.flatMap(([term, value]) => [
    Object.assign(document.createElement('dt'), { textContent: term }),
    Object.assign(document.createElement('dd'), { textContent: value }),
  ]));
}

// ---- controls

/** Where a click is in the picture, x and y in 0..1, or null beside it. */
function place(event) {
  const video = $('output');
  const box = video.getBoundingClientRect();
  const scale = Math.min(box.width / video.videoWidth, box.height / video.videoHeight);
  const x = (event.clientX - box.left - box.width / 2) / (video.videoWidth * scale) + 0.5;
  const y = (event.clientY - box.top - box.height / 2) / (video.videoHeight * scale) + 0.5;
  return x >= 0 && x < 1 && y >= 0 && y < 1 ? { x, y } : null;
}

$('output').onclick = async (event) => {
  const at = app.scene && place(event);
  if (!at) return;
  try {
    edits.choose(await getJson(`${scene(app.name)}/at?${new URLSearchParams(at)}`));
  } catch (error) {
    say(error.message, true);
  }
};

const actions = {
  snapshot: async () => say(`Saved ${save(await snapshot($('output')))}.`),
  reset: () => ask({ reset: true }),
  full: () => (document.fullscreenElement ? document.exitFullscreen() : $('frame').requestFullscreen()),
  link: async () => {
    const link = new URL(`view/${encodeURIComponent(app.name)}${TOKEN ? `#token=${encodeURIComponent(TOKEN)}` : ''}`, location.href);
    await navigator.clipboard.writeText(link.href);
    say('Link copied.');
  },
};
document.querySelectorAll('[data-do]').forEach((button) => { button.onclick = () => actions[button.dataset.do]()?.catch?.((error) => say(error.message, true)); });
$('streams').onchange = () => enter($('streams').value);
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || ['SELECT', 'INPUT'].includes(event.target.tagName) || !app.name) return;
  const action = { s: 'snapshot', r: 'reset', f: 'full' }[event.key];
  if (action) actions[action]();
  const style = Number(event.key) - 1;
  if (style >= 0 && style < (app.scene?.styles.length ?? 0)) ask({ style });
});

$('how').textContent = COMMANDS.join('\n');
setState('idle', 'Waiting for an engine');
if (window.RTCPeerConnection) {
  for (;;) {
    await look().then(() => { $('trouble').hidden = true; }, (error) => {
      $('trouble').textContent = error.message;
      $('trouble').hidden = false;
      if (app.name) leave(error.message);
    });
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
} else {
  $('trouble').textContent = NO_WEBRTC;
  $('trouble').hidden = false;
}
