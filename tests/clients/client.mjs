// What the node clients share: their command line, and the HTTP side of WHIP and WHEP.
//
//   node CLIENT.mjs check                          exits with 0 where everything is installed
//   node CLIENT.mjs publish|play URL TOKEN [FILE]  connects; hangs up when its input ends
//
// A player prints a line for each frame: "frame", and Y, U, V of its middle where it decodes.

const TIMEOUT_MS = 60_000;

/** Run the role that the command line names; it returns its offer, and how to accept an answer. */
export async function main(roles) {
  const [role, url, token, file] = process.argv.slice(2);
  if (role === "check") process.exit(0);
  setTimeout(() => fail("it took too long"), TIMEOUT_MS);
  process.on("unhandledRejection", fail);
  const { offer, accept } = await roles[role](file);
  const authorization = `Bearer ${token}`;
  const headers = { "content-type": "application/sdp", authorization };
  const reply = await fetch(url, { method: "POST", body: offer, headers });
  const answer = await reply.text();
  if (reply.status !== 201) fail(`${reply.status} ${answer}`);
  await accept(answer);
  process.stdin.on("end", async () => {
    const resource = new URL(reply.headers.get("location"), url);
    const ended = await fetch(resource, { method: "DELETE", headers: { authorization } });
    process.exit(ended.ok ? 0 : 1);
  });
  process.stdin.resume();
}

/** Print a decoded frame's line; data: planar YUV 4:2:0 without padding. */
export function show({ width, height, data }) {
  const middle = (w, h) => (h >> 1) * w + (w >> 1);
  const chroma = (width >> 1) * (height >> 1);
  const at = width * height + middle(width >> 1, height >> 1);
  console.log("frame", data[middle(width, height)], data[at], data[at + chroma]);
}

/** Say why, and end. */
export function fail(why) {
  console.error(why);
  process.exit(1);
}
