// Nothing but the picture of one session, for a browser source.

import { NO_WEBRTC } from './session.js';
import { watch } from './watch.js';

const name = decodeURIComponent(location.pathname.split('/').filter(Boolean).pop());
const note = document.getElementById('note');
const say = (text) => { note.textContent = text; };

if (window.RTCPeerConnection) watch(name, document.getElementById('output'), { playing: () => say(''), lost: say }, '../');
else say(NO_WEBRTC);
