"""GStreamer's webrtcbin as a client; runs with the system's Python, where its bindings are.

python3 gstreamer.py check                             exits with 0 where everything is installed
python3 gstreamer.py publish|play URL TOKEN VP8|H264   connects; hangs up when its input ends

A player prints a line for each frame: "frame", and Y, U, V of its middle.
"""

import sys
import threading
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urljoin

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

TIMEOUT_S = 60
NEEDED = ("webrtcbin", "nicesink", "dtlsenc", "srtpenc", "vp8enc", "rtpvp8pay", "openh264enc")
CAPS = "application/x-rtp,media=video,clock-rate=90000,payload=96,encoding-name="
CODECS = {"VP8": "VP8", "H264": "H264"}
ENCODERS = {
    "VP8": "vp8enc deadline=1 keyframe-max-dist=30 ! rtpvp8pay",
    "H264": "openh264enc gop-size=30 ! rtph264pay config-interval=-1 aggregate-mode=zero-latency",
}
DECODERS = {
    "VP8": "rtpvp8depay ! vp8dec",
    "H264": "rtph264depay ! h264parse ! openh264dec",
}
PUBLISH = """
    webrtcbin name=rtc bundle-policy=max-bundle
    videotestsrc is-live=true pattern=red ! video/x-raw,width=320,height=240,framerate=30/1
    ! {encoder} ! {caps} ! rtc.
"""
PLAY = "pipeline. ( webrtcbin name=rtc bundle-policy=max-bundle )"
SHOW = """
    {decoder} ! videoconvert ! video/x-raw,format=I420
    ! fakesink name=sink sync=false signal-handoffs=true
"""


class Client:
    """Offers when its pipeline plays, and takes the answer."""

    def __init__(self, role: str, url: str, token: str, codec: str) -> None:
        self.url = url
        self.token = token
        self.codec = codec
        self.resource = ""
        caps = CAPS + CODECS[codec]
        publishing = role == "publish"
        pipeline = PUBLISH.format(encoder=ENCODERS[codec], caps=caps)
        self.pipeline = Gst.parse_launch(pipeline if publishing else PLAY)
        self.rtc = self.pipeline.get_by_name("rtc")
        if publishing:
            self.rtc.emit("get-transceiver", 0).set_property("direction", _direction("SENDONLY"))
        else:
            self.rtc.connect("pad-added", self._show)
            self.rtc.emit("add-transceiver", _direction("RECVONLY"), Gst.Caps.from_string(caps))
        self.rtc.connect("notify::ice-gathering-state", self._gathered)
        self.rtc.connect("on-negotiation-needed", self._negotiate)
        self.pipeline.set_state(Gst.State.PLAYING)

    def hang_up(self) -> None:
        self._request("DELETE", urljoin(self.url, self.resource))
        self.pipeline.set_state(Gst.State.NULL)

    def _negotiate(self, rtc: Any) -> None:
        rtc.emit("create-offer", None, Gst.Promise.new_with_change_func(self._offered))

    def _offered(self, promise: Any) -> None:
        reply = promise.get_reply()  # owns the offer
        self.rtc.emit("set-local-description", reply.get_value("offer"), Gst.Promise.new())

    def _gathered(self, rtc: Any, _: Any) -> None:
        if rtc.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            GLib.idle_add(self._exchange)

    def _exchange(self) -> None:
        offer = self.rtc.get_property("local-description").sdp.as_text()
        reply = self._request("POST", self.url, offer.encode())
        self.resource = reply.headers["location"]
        _, sdp = GstSdp.SDPMessage.new_from_text(reply.read().decode())
        kind = GstWebRTC.WebRTCSDPType.ANSWER
        answer = GstWebRTC.WebRTCSessionDescription.new(kind, sdp)
        self.rtc.emit("set-remote-description", answer, Gst.Promise.new())

    def _request(self, method: str, url: str, body: bytes | None = None) -> Any:
        headers = {"Content-Type": "application/sdp", "Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(url, body, headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            return opener.open(request, timeout=10)
        except urllib.error.HTTPError as error:
            sys.exit(f"{error.code} {error.read().decode()}")

    def _show(self, _: Any, pad: Any) -> None:
        description = SHOW.format(decoder=DECODERS[self.codec])
        decoder = Gst.parse_bin_from_description(description, True)
        decoder.get_by_name("sink").connect("handoff", show)
        self.pipeline.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))


def show(_: Any, buffer: Any, pad: Any) -> None:
    """Print a decoded frame's line."""
    size = pad.get_current_caps().get_structure(0)
    width, height = (size.get_int(name).value for name in ("width", "height"))
    _, data = buffer.map(Gst.MapFlags.READ)
    luma, chroma = width * height, width * height // 4
    at = luma + height // 4 * (width // 2) + width // 4
    middle = (data.data[i] for i in (height // 2 * width + width // 2, at, at + chroma))
    print("frame", *middle, flush=True)
    buffer.unmap(data)


def check() -> None:
    """Exit with the names of the elements that are missing."""
    missing = [name for name in NEEDED if Gst.ElementFactory.find(name) is None]
    sys.exit(f"GStreamer has no {', '.join(missing)}" if missing else 0)


def main(role: str, *arguments: str) -> None:
    Gst.init(None)
    if role == "check":
        check()
    loop = GLib.MainLoop()
    GLib.timeout_add_seconds(TIMEOUT_S, sys.exit, "it took too long")
    client = Client(role, *arguments)
    threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()), daemon=True).start()
    loop.run()
    client.hang_up()


def _direction(name: str) -> Any:
    return getattr(GstWebRTC.WebRTCRTPTransceiverDirection, name)


if __name__ == "__main__":
    main(*sys.argv[1:])
