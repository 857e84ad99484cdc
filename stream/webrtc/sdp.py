"""Looks at an offer before aiortc does, and says in a sentence what is wrong with it."""

from aiortc.sdp import SessionDescription

from ...model.errors import InputError

MAX_SDP_BYTES = 64 * 1024


def check_offer(sdp: str, kind: str) -> None:
    """Raise InputError unless this is an offer (RFC 8866) with video that can be returned."""
    if kind != "offer":
        raise InputError(f'the session description is of type "{kind}"; an "offer" is expected')
    if len(sdp) > MAX_SDP_BYTES:
        raise InputError(f"the offer has {len(sdp)} characters; at most {MAX_SDP_BYTES} are taken")
    description = _parse(sdp)
    videos = [media for media in description.media if media.kind == "video" and media.port]
    if not videos:
        raise NoVideo("the offer has no video; add a camera track before making the offer")
    if videos[0].direction != "sendrecv":
        raise NoVideo(
            f'the offer\'s video is "{videos[0].direction}"; it must be "sendrecv": '
            "the painted video comes back on the same line"
        )
    if not any(codec.name.upper() in ("VP8", "H264") for codec in videos[0].rtp.codecs):
        raise NoVideo("the offer has neither VP8 nor H264; one of them is needed")


class NoVideo(InputError):
    """An offer that is well-formed but has no video to work with."""


def _parse(sdp: str) -> SessionDescription:
    if not sdp.lstrip().startswith("v=0"):
        raise InputError("the offer is not SDP: it does not begin with v=0")
    try:
        return SessionDescription.parse(sdp)
    except Exception as error:  # the parser lets any error of a malformed line through
        raise InputError(f"the offer is not valid SDP: {error or type(error).__name__}") from error
