"""MLServer's runtime for one ONNX file: it ships none. Runs in MLServer's own environment, not in the tests'."""

import onnxruntime
from mlserver import MLModel  # type: ignore[import-not-found,unused-ignore]
from mlserver.codecs import NumpyCodec  # type: ignore[import-not-found,unused-ignore]
from mlserver.types import (  # type: ignore[import-not-found,unused-ignore]
    InferenceRequest,
    InferenceResponse,
    MetadataTensor,
)


class Onnx(MLModel):
    """Answers what onnxruntime gives."""

    async def load(self) -> bool:
        self.session = onnxruntime.InferenceSession(self.settings.parameters.uri)
        self.settings.platform = "onnxruntime"
        self.inputs = [_described(tensor) for tensor in self.session.get_inputs()]
        self.outputs = [_described(tensor) for tensor in self.session.get_outputs()]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        given = {one.name: self.decode(one, default_codec=NumpyCodec) for one in payload.inputs}
        names = [output.name for output in self.session.get_outputs()]
        made = self.session.run(names, given)
        return InferenceResponse(
            model_name=self.name,
            id=payload.id,
            outputs=[
                NumpyCodec.encode_output(name, array)
                for name, array in zip(names, made, strict=True)
            ],
        )


def _described(tensor: object) -> MetadataTensor:
    shape = [size if isinstance(size, int) else -1 for size in tensor.shape]
    return MetadataTensor(name=tensor.name, datatype="FP32", shape=shape)
