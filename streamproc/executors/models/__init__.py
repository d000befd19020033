"""Model files: what they must be before anything reads them as a model, and the manifest that says which they are."""

from streamproc.executors.models.files import ModelFiles, Rules, look_at
from streamproc.executors.models.manifest import MANIFEST_NAME, Manifest, write_manifest

__all__ = ["MANIFEST_NAME", "Manifest", "ModelFiles", "Rules", "look_at", "write_manifest"]
