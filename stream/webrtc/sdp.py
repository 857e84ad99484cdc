"""Looks at an offer before aiortc does, and says in a sentence what is wrong with it."""

import re

from aiortc.sdp import SessionDescription

from ...model.errors import InputError

MAX_SDP_BYTES = 64 * 1024
ANSWERS = {
    True: {"sendonly": "recvonly", "sendrecv": "sendrecv"},
    False: {"recvonly": "sendonly", "sendrecv": "sendonly"},
}
"""Whether somebody publishes: the directions that may be offered, and what we answer."""


def check_offer(sdp: str, *, publishing: bool) -> str:
    """Return the direction that our side's video takes in answer to an offer (RFC 8866).

    Who publishes offers "sendonly", or "sendrecv" to get the painted video back on the same line;
    who plays offers "recvonly". Raises InputError.
    """
    if len(sdp) > MAX_SDP_BYTES:
        raise InputError(f"the offer has {len(sdp)} characters; at most {MAX_SDP_BYTES} are taken")
    description = _parse(sdp)
    videos = [media for media in description.media if media.kind == "video" and media.port]
    if not videos:
        raise NoVideo("the offer has no video; add a camera track before making the offer")
    ours = ANSWERS[publishing].get(videos[0].direction or "sendrecv")
    if ours is None:
        known = " or ".join(f'"{name}"' for name in ANSWERS[publishing])
        what = "publish" if publishing else "play"
        raise NoVideo(f'the offer\'s video is "{videos[0].direction}"; to {what}, offer {known}')
    if not any(codec.name.upper() in ("VP8", "H264") for codec in videos[0].rtp.codecs):
        raise NoVideo("the offer has neither VP8 nor H264; one of them is needed")
    return ours


def as_dtls_server(sdp: str) -> str:
    """Let the other side begin DTLS: aiortc's client greets with ECDSA suites only, and peers
    with an RSA certificate (GStreamer, libdatachannel) would find no cipher in common."""
    return sdp.replace("a=setup:actpass", "a=setup:active")


def with_one_fingerprint(sdp: str) -> str:
    """Keep sha-256 only, as browsers do: libdatachannel may begin DTLS before it has read which
    other one to expect, and then refuses our certificate."""
    return re.sub(r"a=fingerprint:sha-(?:384|512) .*\r\n", "", sdp)


def with_packetization_mode(sdp: str) -> str:
    """Say for H264 without parameters what everybody does (RFC 6184, 8.1): FU-A, mode 1.

    webrtcbin leaves them out of offers that it makes before it knows its stream.
    """
    for line, kind in re.findall(r"(a=rtpmap:(\d+) H264/90000\r?\n)", sdp):
        if f"a=fmtp:{kind} " not in sdp:
            sdp = sdp.replace(line, f"{line}a=fmtp:{kind} packetization-mode=1\r\n")
    return sdp


class NoVideo(InputError):
    """An offer that is well-formed but has no video to work with."""


def _parse(sdp: str) -> SessionDescription:
    if not sdp.lstrip().startswith("v=0"):
        raise InputError("the offer is not SDP: it does not begin with v=0")
    try:
        return SessionDescription.parse(sdp)
    except Exception as error:  # the parser lets any error of a malformed line through
        raise InputError(f"the offer is not valid SDP: {error or type(error).__name__}") from error
