"""A picture's edges as a condition: any plain video can train such a model."""
