"""Reading and writing video, audio and latent bundles."""
