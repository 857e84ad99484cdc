"""WebRTC in and out, over aiortc."""
