"""Writes keras_inception.safetensors beside this file: weights of the study's network as its authors write it in Keras
(depth 6, kernels 40/20/10, shortcuts after modules 3 and 6; 8 filters and 8 bottleneck channels to keep the file small), in
Keras' own layouts and under Keras' layer names, after some training so that BatchNorm's statistics are not its defaults;
records and Keras' outputs. Needs keras, tensorflow, safetensors. Run from anywhere: python make_keras_reference.py
"""
import os
import pathlib

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
import keras
import numpy as np
from keras import layers
from safetensors.numpy import save_file

FILTERS = BOTTLENECK = 8
CLASSES, LEADS, SAMPLES, RECORDS = 30, 12, 150, 4
keras.utils.set_random_seed(7)


def conv(x, filters, kernel, name):
    return layers.Conv1D(filters, kernel, padding="same", use_bias=False, name=name)(x)


def module(x, depth):
    squeezed = conv(x, BOTTLENECK, 1, f"{depth}.bottleneck")
    branches = [conv(squeezed, FILTERS, kernel, f"{depth}.conv{i}") for i, kernel in enumerate((40, 20, 10))]
    branches.append(conv(layers.MaxPool1D(3, 1, padding="same")(x), FILTERS, 1, f"{depth}.pool_conv"))
    joined = layers.Concatenate()(branches)
    return layers.Activation("relu")(layers.BatchNormalization(name=f"{depth}.norm")(joined))


inputs = x = source = keras.Input((SAMPLES, LEADS))
for depth in range(6):
    x = module(x, depth)
    if depth % 3 == 2:
        shortcut = conv(source, 4 * FILTERS, 1, f"{depth // 3}.shortcut_conv")
        shortcut = layers.BatchNormalization(name=f"{depth // 3}.shortcut_norm")(shortcut)
        x = source = layers.Activation("relu")(layers.Add()([x, shortcut]))
model = keras.Model(inputs, layers.Dense(CLASSES, "sigmoid", name="head")(layers.GlobalAveragePooling1D()(x)))
model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")

rng = np.random.default_rng(7)
training = rng.normal(0, 1, (64, SAMPLES, LEADS)).astype("float32")
targets = (rng.random((64, CLASSES)) < 0.2).astype("float32")
model.fit(training, targets, batch_size=16, epochs=15, verbose=0)

records = rng.normal(0, 1, (RECORDS, SAMPLES, LEADS)).astype("float32")
arrays = {"records": records, "outputs": model.predict(records, verbose=0)}
for layer in model.layers:
    for weight in layer.weights:
        arrays[f"{layer.name}/{weight.name}"] = np.asarray(weight.value)
print({name: array.shape for name, array in arrays.items()})
save_file(arrays, str(pathlib.Path(__file__).parent / "keras_inception.safetensors"))
