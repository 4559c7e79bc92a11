"""Click-through models: frozen configs whose `build` gives the network after the tables."""

from training.models.dcn import DCN
from training.models.deepfm import DeepFM
from training.models.dlrm import DLRM
from training.models.dnn import DNN
from training.models.layers import Inputs, Shape
from training.models.wide_deep import WideDeep

ModelConfig = DNN | DLRM | DCN | DeepFM | WideDeep

__all__ = ["DCN", "DLRM", "DNN", "DeepFM", "Inputs", "ModelConfig", "Shape", "WideDeep"]
