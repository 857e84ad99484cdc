"""The wire between engines and Rotolive: docs/wire.md in code. Needs numpy and msgspec only."""
