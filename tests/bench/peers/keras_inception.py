"""The study's network in Keras on TensorFlow, as its authors wrote it, a peer of `leadsweep-worker bench`: prints records a
second of train_on_batch, predict (four batches) and predict_on_batch as JSON.
python keras_inception.py [--threads 2] [--batch 64] [--samples 750] [--steps 6]
"""
import argparse
import json
import os
import resource
import sys
import time

arguments = argparse.ArgumentParser()
for name, default in (("threads", 2), ("batch", 64), ("samples", 750), ("steps", 6)):
    arguments.add_argument(f"--{name}", type=int, default=default)
options = arguments.parse_args()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
try:
    import keras
    import numpy as np
    import tensorflow as tf
    from keras import layers
except ImportError as error:
    sys.exit(f"SKIPPED: {error.name} is not installed (pip install keras tensorflow-cpu)")

tf.config.threading.set_intra_op_parallelism_threads(options.threads)
tf.config.threading.set_inter_op_parallelism_threads(1)


def conv(x, filters, kernel):
    return layers.Conv1D(filters, kernel, padding="same", use_bias=False)(x)


def module(x):
    squeezed = conv(x, 32, 1)
    branches = [conv(squeezed, 32, kernel) for kernel in (40, 20, 10)]
    branches.append(conv(layers.MaxPool1D(3, 1, padding="same")(x), 32, 1))
    return layers.Activation("relu")(layers.BatchNormalization()(layers.Concatenate()(branches)))


inputs = x = source = keras.Input((options.samples, 12))
for depth in range(6):
    x = module(x)
    if depth % 3 == 2:
        shortcut = layers.BatchNormalization()(conv(source, 128, 1))
        x = source = layers.Activation("relu")(layers.Add()([x, shortcut]))
model = keras.Model(inputs, layers.Dense(30, "sigmoid")(layers.GlobalAveragePooling1D()(x)))
model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
records = np.random.randn(options.batch, options.samples, 12).astype("float32")
targets = np.random.randint(0, 2, (options.batch, 30)).astype("float32")


def speed(count, step):
    seconds = []
    for _ in range(options.steps + 2):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return count / sorted(seconds[2:])[options.steps // 2]


training = speed(options.batch, lambda: model.train_on_batch(records, targets))
on_batch = speed(options.batch, lambda: model.predict_on_batch(records))
many = np.tile(records, (4, 1, 1))
predict = speed(len(many), lambda: model.predict(many, batch_size=options.batch, verbose=0))
print(json.dumps({"program": f"Keras {keras.__version__} on TensorFlow {tf.__version__}", "training_records_per_s": training,
                  "inference_records_per_s": predict, "predict_on_batch_records_per_s": on_batch,
                  "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
