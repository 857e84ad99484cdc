"""A game to try it with: Doom, played by a bot."""

from .engine import VizDoom

__all__ = ["VizDoom"]
