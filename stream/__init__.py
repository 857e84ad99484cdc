"""The live path: sources, sessions, the renderer thread, transports."""
