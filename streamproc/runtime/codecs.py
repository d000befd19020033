"""From the configuration to what reads events and what writes decisions."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from streamproc.codecs import (
    ArrowCodec,
    ArrowDecisions,
    AvroCodec,
    AvroDecisions,
    DecisionEncoder,
    Decoder,
    Decoders,
    FieldType,
    JsonCodec,
    JsonDecisionEncoder,
    JsonDecisions,
    JsonDecoder,
    JsonSchemaCodec,
    OneCodec,
    ProtobufCodec,
    ProtobufDecisions,
    TensorCodec,
    TensorDecoder,
    TopicCodecs,
    TopicDecoders,
)
from streamproc.config import PipelineConfig
from streamproc.connectors.registry import compile_proto
from streamproc.core import (
    ConfigError,
    ExternalError,
    ModelInfo,
    Problem,
    RecordError,
    TensorSpec,
)
from streamproc.engine import PythonFunction
from streamproc.runtime.decision_schemas import decision_schema_id

_NUMBERS = {"float16": "float32", "float32": "float32", "float64": "float64", "bool": "bool"}
"""Field types of a model's element types; whole numbers are named alike."""


def make_decoder(config: PipelineConfig, model: ModelInfo) -> Decoders:
    """What reads events.

    Raises:
        ConfigError: its package is not installed, or its fields cannot be known.
    """
    codec = config.codec
    if not isinstance(codec, TopicCodecs):
        return _decoder_of(codec, config, model)
    decoders = {topic: _decoder_of(one, config, model) for topic, one in codec.codecs.items()}
    return TopicDecoders(decoders, fill=math.nan if codec.fill is None else codec.fill)


def _decoder_of(codec: OneCodec, config: PipelineConfig, model: ModelInfo) -> Decoder:
    match codec:
        case JsonCodec():
            return JsonDecoder(codec)
        case TensorCodec():
            return TensorDecoder(codec)
        case AvroCodec() | ProtobufCodec() | JsonSchemaCodec():
            return _with_schema(codec)
        case ArrowCodec():
            try:
                from streamproc.codecs.arrow import ArrowDecoder  # noqa: PLC0415 - an extra
            except ImportError as error:
                raise _without_pyarrow("codec.arrow") from error
            fields = {name: FieldType.parse(text) for name, text in codec.fields.items()}
            return ArrowDecoder(codec, fields or named_fields(config, model))


def _with_schema(codec: AvroCodec | ProtobufCodec | JsonSchemaCodec) -> Decoder:
    name = {AvroCodec: "avro", ProtobufCodec: "protobuf"}.get(type(codec), "json_schema")
    key = f"codec.{name}"
    try:
        return _schema_decoder(codec)
    except ImportError as error:
        what = f"needs {error.name or 'a package'}: pip install 'streamproc[{name}]'"
        raise ConfigError(Problem(what, key)) from error
    except RecordError as error:
        raise ConfigError(Problem(error.detail, key)) from None
    except OSError as error:
        text = f"{error.filename} cannot be read: {error.strerror or error}"
        raise ConfigError(Problem(text, key)) from None
    except ExternalError as error:
        raise ConfigError(Problem(str(error), f"{key}.proto")) from None


def _schema_decoder(codec: AvroCodec | ProtobufCodec | JsonSchemaCodec) -> Decoder:
    # Their packages are extras, so they are imported only here.
    match codec:
        case AvroCodec():
            from streamproc.codecs.avro import AvroDecoder  # noqa: PLC0415

            file = codec.schema
            return AvroDecoder(codec, None if file is None else Path(file).read_text("utf-8"))
        case ProtobufCodec():
            from streamproc.codecs.protobuf import ProtobufDecoder  # noqa: PLC0415

            return ProtobufDecoder(codec, _descriptors(codec))
        case JsonSchemaCodec():
            from streamproc.codecs.json_schema import JsonSchemaDecoder  # noqa: PLC0415

            return JsonSchemaDecoder(codec)


def _descriptors(codec: ProtobufCodec) -> bytes | None:
    """A serialised ``FileDescriptorSet`` of the files that are named; None where there are none."""
    if codec.descriptor is not None:
        return Path(codec.descriptor).read_bytes()
    if codec.proto is None:
        return None
    file = Path(codec.proto)
    return compile_proto({file.name: file.read_text("utf-8")}, file.name, file.parent.resolve())


def make_encoder(config: PipelineConfig, model: ModelInfo) -> DecisionEncoder:
    """What writes decisions.

    Raises:
        ConfigError: its package is not installed.
    """
    match config.decisions:
        case JsonDecisions():
            return JsonDecisionEncoder(config.name, model)
        case AvroDecisions() | ProtobufDecisions() as decisions:
            return _with_schema_id(decisions, config, model)
        case ArrowDecisions() as decisions:
            try:
                from streamproc.codecs.arrow_decision import ArrowDecisionEncoder  # noqa: PLC0415 - an extra
            except ImportError as error:
                raise _without_pyarrow("decisions.arrow") from error
            return ArrowDecisionEncoder(decisions, config.name, model)


def _with_schema_id(
    decisions: AvroDecisions | ProtobufDecisions, config: PipelineConfig, model: ModelInfo
) -> DecisionEncoder:
    schema_id = decision_schema_id(config)
    name = "avro" if isinstance(decisions, AvroDecisions) else "protobuf"
    try:
        if isinstance(decisions, AvroDecisions):
            from streamproc.codecs.avro_decision import AvroDecisionEncoder  # noqa: PLC0415 - an extra

            return AvroDecisionEncoder(config.name, model, schema_id)
        from streamproc.codecs.protobuf_decision import ProtobufDecisionEncoder  # noqa: PLC0415

        return ProtobufDecisionEncoder(config.name, model, schema_id)
    except ImportError as error:
        what = f"needs {error.name or 'a package'}: pip install 'streamproc[{name}]'"
        raise ConfigError(Problem(what, f"decisions.{name}")) from error


def named_fields(config: PipelineConfig, model: ModelInfo) -> dict[str, FieldType]:
    """The fields that the pipeline names, with the types that its model takes.

    Raises:
        ConfigError: the model does not tell, or a function of the user takes what nobody names.
    """
    features = config.features
    if isinstance(features, PythonFunction) or not model.inputs:
        who = "a function" if isinstance(features, PythonFunction) else "a model that does not say"
        text = f"is needed: {who} takes fields whose types nobody knows; write fields: {{price: float64, ...}}"
        raise ConfigError(Problem(text, "codec.arrow.fields"))
    plain = [feature for feature in features if isinstance(feature, str)]
    if len(plain) < len(features):
        text = "is needed: operators take fields whose types nobody knows; write fields: {price: float64, ...}"
        raise ConfigError(Problem(text, "codec.arrow.fields"))
    fields = dict(_of_inputs(plain, model.inputs, config.model.inputs))
    if config.key is not None:
        fields.setdefault(config.key, FieldType("str"))
    for name in (config.event_time.field, config.deadline.field):
        if name is not None:
            fields.setdefault(name, FieldType("int64"))
    return fields


def _of_inputs(
    features: Sequence[str],
    inputs: tuple[TensorSpec, ...],
    names: Mapping[str, str],
) -> dict[str, FieldType]:
    """The types of the features, by the inputs that they make."""
    if len(inputs) > 1:
        return {names.get(i.name, i.name): _of_input(i) for i in inputs}
    (spec,) = inputs
    if len(features) == 1:
        return {features[0]: _of_input(spec)}
    return dict.fromkeys(features, FieldType(_NUMBERS.get(spec.dtype, spec.dtype)))


def _of_input(spec: TensorSpec) -> FieldType:
    shape = tuple(size for size in spec.shape if size is not None)
    if len(shape) < len(spec.shape):
        text = f"is needed: the model's input {spec.name!r} takes arrays of any size; say which"
        raise ConfigError(Problem(text, "codec.arrow.fields"))
    return FieldType(_NUMBERS.get(spec.dtype, spec.dtype), shape)


def _without_pyarrow(key: str) -> ConfigError:
    return ConfigError(Problem("needs pyarrow: pip install 'streamproc[arrow]'", key))
