"""The command line."""


def main() -> None:
    """Run the `rotolive` command."""
    raise SystemExit("not ready")


if __name__ == "__main__":
    main()
