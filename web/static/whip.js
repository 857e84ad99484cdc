// Requests to the server: offers by WHIP and WHEP, and what may go wrong with them.

import { withToken } from './access.js';

/** gone: nobody answered at all. status: what the server answered, else 0. */
export class ServerError extends Error {
  constructor(message, { gone = false, status = 0 } = {}) {
    super(message);
    Object.assign(this, { gone, status });
  }
}

/** Where an offer is taken: the STUN and TURN servers to gather candidates with, from its Link headers. */
export async function iceServers(endpoint) {
  const reply = await ask(endpoint, { method: 'OPTIONS' });
  const links = (reply.headers.get('link') ?? '').split(/,\s*(?=<)/).filter((link) => /rel="ice-server"/.test(link));
  return links.map((link) => {
    const value = (name) => link.match(new RegExp(`${name}="([^"]*)"`))?.[1];
    return { urls: link.match(/<([^>]*)>/)[1], username: value('username'), credential: value('credential') };
  });
}

/** Post an offer; the resource is what to DELETE when it is over. */
export async function postOffer(endpoint, sdp) {
  const reply = await ask(endpoint, { method: 'POST', headers: { 'content-type': 'application/sdp' }, body: sdp });
  return { answer: await reply.text(), resource: new URL(reply.headers.get('location'), reply.url).href };
}

export async function getJson(path) { return (await ask(path, {})).json(); }

export async function sendJson(method, path, body) {
  const headers = { 'content-type': 'application/json' };
  return (await ask(path, { method, headers, body: JSON.stringify(body) })).json();
}

async function ask(endpoint, { headers, ...rest }) {
  let reply;
  try {
    reply = await fetch(endpoint, { ...rest, headers: withToken(headers), signal: AbortSignal.timeout(30_000) });
  } catch {
    throw new ServerError('The server does not answer. Is it still running?', { gone: true });
  }
  if (reply.ok) return reply;
  const { error } = await reply.json().catch(() => ({}));
  throw new ServerError(error ?? `The server answered with an error (${reply.status}).`, {
    status: reply.status, gone: reply.status === 502 || reply.status === 504,
  });
}
