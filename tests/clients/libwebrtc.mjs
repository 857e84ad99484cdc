// Google's libwebrtc, the one in Chromium, bound to node by @roamhq/wrtc; see client.mjs.

import wrtc from "@roamhq/wrtc";
import { fail, main, show } from "./client.mjs";

const [WIDTH, HEIGHT, FPS] = [320, 240, 30];
const RED = [82, 90, 240];

async function publish() {
  const pc = new wrtc.RTCPeerConnection();
  const source = new wrtc.nonstandard.RTCVideoSource();
  pc.addTransceiver(source.createTrack(), { direction: "sendonly" });
  setInterval(() => source.onFrame(picture()), 1000 / FPS);
  return negotiate(pc);
}

async function play() {
  const pc = new wrtc.RTCPeerConnection();
  const { receiver } = pc.addTransceiver("video", { direction: "recvonly" });
  const sink = new wrtc.nonstandard.RTCVideoSink(receiver.track);
  sink.onframe = ({ frame }) => show(frame);
  return negotiate(pc);
}

async function negotiate(pc) {
  pc.onconnectionstatechange = () =>
    pc.connectionState === "failed" && fail("the connection failed");
  await pc.setLocalDescription(await pc.createOffer());
  while (pc.iceGatheringState !== "complete")
    await new Promise((resolve) => (pc.onicegatheringstatechange = resolve));
  const accept = (sdp) => pc.setRemoteDescription({ type: "answer", sdp });
  return { offer: pc.localDescription.sdp, accept };
}

function picture() {
  const luma = WIDTH * HEIGHT;
  const data = new Uint8ClampedArray(luma * 1.5).fill(RED[0]);
  data.fill(RED[1], luma, luma * 1.25).fill(RED[2], luma * 1.25);
  return { width: WIDTH, height: HEIGHT, data };
}

await main({ publish, play });
