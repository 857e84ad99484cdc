"""rotolive: live video-to-video synthesis.

The repository root is the package: `stream/` installs as `rotolive.stream`, and so on.
"""

__version__ = "0.1.0"
