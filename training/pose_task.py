"""Rebuild model/weights/pose_lite.task from public packages, both Apache-2.0.

    npm pack @mediapipe/pose@0.5.1675469404     has package/pose_landmark_lite.tflite
    pip download --no-deps mediapipe==0.10.21   has modules/pose_detection/pose_detection.tflite
    python -m rotolive.training.pose_task pose_detection.tflite pose_landmark_lite.tflite OUT.task

A task file is a stored zip of two models, each with TensorFlow Lite metadata that says how to
normalise its input picture.
"""

import sys
import zipfile
from pathlib import Path
from typing import Any

import flatbuffers
from mediapipe.tasks.metadata import metadata_schema_py_generated as metadata
from mediapipe.tasks.metadata import schema_py_generated as schema

RANGES = {"pose_detector.tflite": (127.5, 127.5), "pose_landmarks_detector.tflite": (0.0, 255.0)}
"""Mean and deviation of each model's input in 0..255: the detector takes -1..1, the other 0..1."""


def with_metadata(model: bytes, mean: float, deviation: float) -> bytes:
    """Append a TFLITE_METADATA buffer to a model."""
    tree: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    buffer = schema.BufferT()
    buffer.data = list(_describe(tree.subgraphs[0], mean, deviation))
    tree.buffers.append(buffer)
    entry: Any = schema.MetadataT()
    entry.name, entry.buffer = b"TFLITE_METADATA", len(tree.buffers) - 1
    kept = [m for m in tree.metadata or [] if m.name != b"TFLITE_METADATA"]
    tree.metadata = [*kept, entry]
    builder = flatbuffers.Builder(len(model) + 4096)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _describe(graph: Any, mean: float, deviation: float) -> bytes:
    options = metadata.NormalizationOptionsT()
    options.mean, options.std = [mean], [deviation]
    unit = metadata.ProcessUnitT()
    unit.optionsType = metadata.ProcessUnitOptions.NormalizationOptions
    unit.options = options
    properties = metadata.ImagePropertiesT()
    properties.colorSpace = metadata.ColorSpaceType.RGB
    content = metadata.ContentT()
    content.contentPropertiesType = metadata.ContentProperties.ImageProperties
    content.contentProperties = properties
    image = metadata.TensorMetadataT()
    image.name, image.content, image.processUnits = "image", content, [unit]
    image.stats = metadata.StatsT()
    image.stats.max, image.stats.min = [1.0], [0.0]
    signature = metadata.SubGraphMetadataT()
    signature.inputTensorMetadata = [image]
    signature.outputTensorMetadata = [_named(graph.tensors[i].name) for i in graph.outputs]
    model = metadata.ModelMetadataT()
    model.name, model.subgraphMetadata = "pose", [signature]
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"M001")
    return bytes(builder.Output())


def _named(name: bytes) -> Any:
    tensor = metadata.TensorMetadataT()
    tensor.name = name.decode()
    return tensor


def build(detector: Path, landmarks: Path, out: Path) -> None:
    """Write the task file."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for path, (name, (mean, deviation)) in zip(
            (detector, landmarks), RANGES.items(), strict=True
        ):
            archive.writestr(name, with_metadata(path.read_bytes(), mean, deviation))


if __name__ == "__main__":
    build(*(Path(argument) for argument in sys.argv[1:4]))
