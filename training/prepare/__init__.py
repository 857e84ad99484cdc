"""Your own videos, made into clips to train on."""
