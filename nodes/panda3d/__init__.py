"""A city rendered by Panda3D, to be driven through."""
