// libdatachannel, on which OBS publishes, bound to node by node-datachannel; see client.mjs.
//
// It has no codecs: a publisher sends the H264 of FILE (a base64 access unit a line, IDR first)
// over and over, audio being its first m-line as with OBS; a player counts the markers of RTP.

import { readFileSync } from "node:fs";
import rtc from "node-datachannel";
import { fail, main } from "./client.mjs";

const [VIDEO_SSRC, AUDIO_SSRC, FPS, CLOCK_RATE] = [42, 43, 30, 90_000];
const MARKER = 0x80;
const kept = []; // what the binding would otherwise lose to the garbage collector

async function publish(file) {
  const pc = new rtc.PeerConnection("publisher", { iceServers: [] });
  const audio = new rtc.Audio("0", "SendOnly");
  audio.addOpusCodec(111);
  audio.addSSRC(AUDIO_SSRC, "rotolive", "stream", "audio");
  const video = new rtc.Video("1", "SendOnly");
  video.addH264Codec(96);
  video.addSSRC(VIDEO_SSRC, "rotolive", "stream", "video");
  kept.push(pc.addTrack(audio));
  send(pc.addTrack(video), readFileSync(file, "utf8").trim().split("\n"));
  return negotiate(pc);
}

function send(track, lines) {
  const units = lines.map((line) => Buffer.from(line, "base64"));
  const config = new rtc.RtpPacketizationConfig(VIDEO_SSRC, "rotolive", 96, CLOCK_RATE);
  const packetizer = new rtc.H264RtpPacketizer("StartSequence", config);
  packetizer.addToChain(new rtc.RtcpSrReporter(config));
  packetizer.addToChain(new rtc.RtcpNackResponder());
  track.setMediaHandler(packetizer);
  let sent = 0;
  setInterval(() => {
    if (!track.isOpen()) return;
    config.timestamp += CLOCK_RATE / FPS;
    track.sendMessageBinary(units[sent++ % units.length]);
  }, 1000 / FPS);
}

async function play() {
  const pc = new rtc.PeerConnection("player", { iceServers: [] });
  const video = new rtc.Video("0", "RecvOnly");
  video.addH264Codec(96);
  const track = pc.addTrack(video);
  track.setMediaHandler(new rtc.RtcpReceivingSession());
  track.onMessage((packet) => packet[1] & MARKER && console.log("frame"));
  kept.push(track);
  return negotiate(pc);
}

async function negotiate(pc) {
  kept.push(pc);
  pc.onStateChange((state) => state === "failed" && fail("the connection failed"));
  await new Promise((resolve) => {
    pc.onGatheringStateChange((state) => state === "complete" && resolve());
    pc.setLocalDescription("offer");
  });
  const accept = (sdp) => pc.setRemoteDescription(sdp, "answer");
  return { offer: pc.localDescription().sdp, accept };
}

await main({ publish, play });
