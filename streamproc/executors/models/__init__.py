"""Model files: what they must be before anything reads them as a model, and the manifest that says which they are."""

from streamproc.executors.models.files import ModelFiles, Rules, look_at
from streamproc.executors.models.manifest import MANIFEST_NAME, Manifest, write_manifest
from streamproc.executors.models.signature import SIGNATURE_NAME, Signature

__all__ = [
    "MANIFEST_NAME",
    "SIGNATURE_NAME",
    "Manifest",
    "ModelFiles",
    "Rules",
    "Signature",
    "look_at",
    "write_manifest",
]
