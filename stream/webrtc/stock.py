"""A plain aiortc echo server, as its examples are written: what the bench compares with."""

import argparse

import av
import uvicorn
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from av import VideoFrame
from fastapi import FastAPI, Request
from fastapi.responses import Response

from .ice import allow_loopback


class EchoTrack(MediaStreamTrack):
    """Returns each frame by way of an array, scaled to 256x256."""

    kind = "video"

    def __init__(self, source: MediaStreamTrack) -> None:
        super().__init__()
        self._source = source

    async def recv(self) -> VideoFrame:
        frame = await self._source.recv()
        assert isinstance(frame, VideoFrame)
        x = (frame.width - frame.height) // 2
        rgb = frame.to_ndarray(format="rgb24")
        square = rgb[:, max(0, x) : max(0, x) + frame.height].copy()
        square[:16, :384] = 0
        echo = av.VideoFrame.from_ndarray(square, format="rgb24").reformat(256, 256)
        picture = echo.to_ndarray(format="rgb24")
        picture[:8, :192] = rgb[:8, :192]  # the bar code of the frame's number
        answer = VideoFrame.from_ndarray(picture, format="rgb24")
        answer.pts, answer.time_base = frame.pts, frame.time_base
        return answer


def create_app() -> FastAPI:
    """Serve /whip/stock and nothing else."""
    app = FastAPI()
    peers: set[RTCPeerConnection] = set()

    @app.post("/whip/stock")
    async def publish(request: Request) -> Response:
        offer = (await request.body()).decode()
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peers.add(pc)
        pc.on("track", lambda track: pc.addTrack(EchoTrack(track)))
        await pc.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await pc.setLocalDescription(await pc.createAnswer())
        return Response(pc.localDescription.sdp, 201, {"Location": "/"})

    return app


def main() -> None:
    """Serve on a port of the loopback interface."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, required=True)
    allow_loopback()
    port = parser.parse_args().port
    uvicorn.run(create_app(), host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    main()
