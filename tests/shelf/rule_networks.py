"""Small networks, one per layer or operation that channels pass, for the rules to prove themselves on."""

import keras
import numpy as np
from keras import layers as L
from keras import ops

NETWORKS = {}
INEXACT = ("layernorm", "groupnorm", "mha")  # these normalise or attend over channels


def case(build):
    NETWORKS[build.__name__] = build
    return build


def head(i, x):
    return keras.Model(i, L.Dense(5)(L.GlobalAveragePooling2D()(x)))


def image(c=3, s=12):
    return keras.Input((s, s, c))


def conv(x, f, **k):
    return L.Conv2D(f, 3, padding="same", **k)(x)


@case
def grouped():
    i = image()
    x = conv(i, 16, activation="relu")
    x = L.Conv2D(24, 3, groups=4, padding="same")(x)
    x = L.ReLU()(x)
    return head(i, conv(x, 8))


@case
def grouped_depthwise_like():
    i = image()
    x = conv(i, 16, activation="relu")
    x = L.Conv2D(32, 3, groups=16, padding="same")(x)
    return head(i, conv(L.ReLU()(x), 8))


@case
def depthwise_mult2():
    i = image()
    x = conv(i, 8, activation="relu")
    x = L.DepthwiseConv2D(3, depth_multiplier=2)(x)
    return head(i, conv(L.ReLU()(x), 8))


@case
def shuffle():
    i = image()
    x = conv(i, 16, activation="relu")
    x = L.Reshape((12, 12, 4, 4))(x)
    x = L.Permute((1, 2, 4, 3))(x)
    x = L.Reshape((12, 12, 16))(x)
    return head(i, conv(x, 8))


@case
def shuffle_ops():
    i = image()
    x = conv(i, 16, activation="relu")
    x = ops.reshape(x, (-1, 12, 12, 2, 8))
    x = ops.transpose(x, (0, 1, 2, 4, 3))
    x = ops.reshape(x, (-1, 12, 12, 16))
    return head(i, conv(x, 8))


@case
def split_ops():
    i = image()
    x = conv(i, 16, activation="relu")
    a, b = ops.split(x, 2, axis=-1)
    a = conv(a, 6)
    b = conv(b, 5)
    return head(i, ops.concatenate([b, a], axis=-1))


@case
def split_swap():
    i = image()
    x = conv(i, 16, activation="relu")
    a, b = ops.split(x, [6], axis=-1)
    x = L.Concatenate()([b, a])
    return head(i, conv(x, 8))


@case
def slices():
    i = image()
    x = conv(i, 16, activation="relu")
    a = x[..., :8]
    b = x[..., 8:]
    return head(i, conv(a + b, 8))


@case
def slice_spatial():
    i = image()
    x = conv(i, 16, activation="relu")
    x = x[:, 1:-1, ::2, 4:12]
    return head(i, conv(x, 8))


@case
def strided_slice():
    i = image()
    x = conv(i, 16, activation="relu")
    y = x[..., ::2]
    return head(i, conv(conv(y, 8), 8))


@case
def operators():
    i = image()
    x = conv(i, 16)
    x = ops.relu(x * 2 + 1)
    x = x - 0.1
    return head(i, conv(x / 3, 8))


@case
def const_array():
    i = image()
    x = conv(i, 16)
    x = ops.relu(x * np.linspace(0.5, 1, 16).astype("float32") + np.linspace(0.1, 0.2, 16).astype("float32"))
    return head(i, conv(x, 8))


@case
def pads():
    i = image()
    x = conv(i, 8, activation="relu")
    y = ops.pad(x, [[0, 0], [0, 0], [0, 0], [4, 4]])
    z = conv(x, 16)
    return head(i, conv(L.Add()([y, z]), 8))


@case
def means():
    i = image()
    x = conv(i, 8, activation="relu")
    m = ops.mean(x, axis=(1, 2), keepdims=True)
    return head(i, conv(x * m, 8))


@case
def mean_channels():
    i = image()
    x = conv(i, 8, activation="relu")
    m = ops.mean(x, axis=-1, keepdims=True)
    return head(i, conv(conv(x, 9) * m, 8))


@case
def gate_one():
    i = image()
    x = conv(i, 8, activation="relu")
    g = L.Conv2D(1, 1, activation="sigmoid")(x)
    return head(i, conv(L.Multiply()([x, g]), 8))


@case
def unit_softmax():
    i = image()
    x = conv(i, 8)
    x = L.Softmax()(x)
    x = conv(x, 8)
    x = L.UnitNormalization()(x)
    return head(i, conv(conv(x, 6), 8))


@case
def instance_norm():
    i = image()
    x = conv(i, 8)
    x = L.GroupNormalization(8)(x)
    return head(i, conv(L.ReLU()(x), 8))


@case
def transposed():
    i = image()
    x = conv(i, 8, activation="relu")
    x = L.Conv2DTranspose(12, 3, strides=2, activation="relu")(x)
    return head(i, conv(x, 8))


@case
def repeat_rnn():
    i = image()
    x = conv(i, 8, activation="relu")
    x = L.Reshape((144, 8))(x)
    x = L.MaxPooling1D(12)(x)
    x = L.LSTM(6, return_sequences=True)(x)
    x = L.Bidirectional(L.GRU(5))(x)
    return keras.Model(i, L.Dense(3)(x))


@case
def gru_cnn():
    i = keras.Input((20, 4))
    x = L.Conv1D(12, 3, activation="relu")(i)
    x = L.Bidirectional(L.GRU(5))(x)
    return keras.Model(i, L.Dense(3)(x))


@case
def simple_rnn():
    i = keras.Input((20, 4))
    x = L.Conv1D(12, 3, activation="relu")(i)
    x = L.SimpleRNN(5)(x)
    return keras.Model(i, L.Dense(3)(x))


@case
def timedist():
    i = keras.Input((5, 10, 10, 3))
    x = L.TimeDistributed(L.Conv2D(8, 3, activation="relu"))(i)
    x = L.TimeDistributed(L.BatchNormalization())(x)
    x = L.TimeDistributed(L.Flatten())(x)
    x = L.TimeDistributed(L.Dense(12, activation="relu"))(x)
    x = L.LSTM(4)(x)
    return keras.Model(i, L.Dense(3)(x))


@case
def spectral():
    i = image()
    x = L.SpectralNormalization(L.Conv2D(8, 3, activation="relu"))(i)
    return head(i, conv(x, 8))


@case
def aug():
    i = image()
    x = L.RandomFlip()(i)
    x = L.Resizing(10, 10)(x)
    x = conv(x, 8, activation="relu")
    x = L.GaussianNoise(0.1)(x)
    x = L.SpatialDropout2D(0.1)(x)
    x = L.Resizing(8, 8)(x)
    return head(i, conv(x, 8))


@case
def crop_up():
    i = image()
    x = conv(i, 8, activation="relu")
    x = L.Cropping2D(1)(x)
    x = L.UpSampling2D()(x)
    x = L.ZeroPadding2D(1)(x)
    return head(i, conv(x, 8))


@case
def repeatvec():
    i = image()
    x = conv(i, 8, activation="relu")
    x = L.GlobalAveragePooling2D()(x)
    x = L.RepeatVector(5)(x)
    x = L.Conv1D(6, 3, activation="relu")(x)
    return keras.Model(i, L.Dense(3)(L.Flatten()(x)))


@case
def nested_twice():
    inner_in = keras.Input((None, None, 3))
    inner = keras.Model(inner_in, L.ReLU()(conv(L.ReLU()(conv(inner_in, 8)), 6)), name="inner")
    a, b = image(), image(3, 20)
    x = L.GlobalAveragePooling2D()(inner(a))
    y = L.GlobalAveragePooling2D()(inner(b))
    return keras.Model([a, b], L.Dense(3)(L.Concatenate()([x, y])))


@case
def nested_deep():
    i0 = keras.Input((12, 12, 8))
    m0 = keras.Model(i0, conv(i0, 8, activation="relu"), name="m0")
    i1 = keras.Input((12, 12, 3))
    m1 = keras.Model(i1, m0(m0(conv(i1, 8))), name="m1")
    i = image()
    return head(i, conv(m1(i), 7))


@case
def seq_in_func():
    s = keras.Sequential([L.Conv2D(8, 3, padding="same"), L.ReLU(), L.Conv2D(6, 3)])
    i = image()
    return head(i, conv(L.ReLU()(s(i)), 7))


@case
def flip_stack():
    i = image()
    x = conv(i, 8, activation="relu")
    x = ops.flip(x, axis=-1)
    y = ops.flip(x, axis=1)
    z = ops.stack([x, y], axis=1)
    z = ops.max(z, axis=1)
    return head(i, conv(z, 7))


@case
def lambda_ok():
    i = image()
    x = conv(i, 8)
    x = L.Lambda(lambda t: t * 2.0)(x)
    return head(i, conv(L.ReLU()(x), 7))


@case
def concat_input():
    i = image()
    x = conv(i, 8, activation="relu")
    x = L.Concatenate()([i, x])
    x = conv(x, 9, activation="relu")
    x = L.Concatenate()([x, i])
    return keras.Model(i, L.Dense(3)(L.Flatten()(x)))


@case
def channels_transposed():
    i = image()
    x = conv(i, 8, activation="relu")
    x = ops.transpose(x, (0, 3, 1, 2))
    x = L.Flatten()(x)
    return keras.Model(i, L.Dense(3)(x))


@case
def dict_io():
    a = keras.Input((12, 12, 3), name="a")
    b = keras.Input((12, 12, 3), name="b")
    x = L.Concatenate()([conv(a, 5, activation="relu"), conv(b, 6, activation="relu")])
    x = conv(x, 7, activation="relu")
    return keras.Model([a, b], {"p": L.Dense(3)(L.GlobalAveragePooling2D()(x)), "q": [L.Conv2D(1, 1)(x)]})


@case
def average_max_sub():
    i = image()
    a, b, c = conv(i, 8), conv(i, 8), conv(i, 8)
    x = L.Average()([a, b])
    x = L.Maximum()([x, c])
    y = L.Minimum()([a, c])
    x = L.Subtract()([x, y])
    return head(i, conv(L.ReLU()(x), 6))


@case
def wide_add():
    i = image()
    a = conv(i, 4, activation="relu")
    b = conv(i, 6, activation="relu")
    c = conv(i, 10, activation="relu")
    x = L.Add()([L.Concatenate()([a, b]), c])
    return head(i, conv(x, 6))


@case
def roll_ops():
    i = image()
    x = conv(i, 8, activation="relu")
    x = ops.roll(x, 1, axis=1)
    y = ops.roll(x, 2, axis=-1)
    return head(i, conv(L.Concatenate()([conv(x, 4), conv(y, 4)]), 6))


@case
def depth_to_space():
    i = image()
    x = conv(i, 8, activation="relu")
    x = ops.nn.depth_to_space(x, 2)
    return head(i, conv(conv(x, 6), 6))


@case
def dot_layer():
    i = keras.Input((20,))
    a = L.Dense(8, activation="relu")(i)
    b = L.Dense(8, activation="relu")(i)
    d = L.Dot(1)([a, b])
    x = L.Concatenate()([L.Dense(7, activation="relu")(i), d])
    return keras.Model(i, L.Dense(3)(x))


@case
def einsum_dense():
    i = keras.Input((20,))
    a = L.Dense(8, activation="relu")(i)
    x = L.EinsumDense("ab,bc->ac", output_shape=6)(a)
    x = L.Dense(7)(x)
    return keras.Model(i, L.Dense(3)(x))


@case
def einsum_along_steps():
    i = keras.Input((5, 4))
    x = L.EinsumDense("abc,cd->abd", output_shape=(None, 8), bias_axes="d", activation="relu")(i)
    x = L.EinsumDense("...x,xy->...y", output_shape=6, bias_axes="y")(x)
    return keras.Model(i, L.Dense(3)(L.GlobalAveragePooling1D()(x)))


@case
def einsum_heads():
    i = keras.Input((5, 4))
    x = L.Dense(8)(L.Dense(6)(i))
    x = L.EinsumDense("abc,cde->abde", output_shape=(5, 2, 3))(x)
    return keras.Model(i, L.Dense(3)(L.Flatten()(x)))


@case
def einsum_positions():
    i = keras.Input((5, 4))
    x = L.Dense(8)(L.Dense(6)(i))
    x = L.EinsumDense("abc,bd->adc", output_shape=(3, 8))(x)
    return keras.Model(i, L.Dense(3)(L.Flatten()(x)))


@case
def attention():
    i = keras.Input((5, 4))
    x = L.Dense(8)(L.Dense(6)(i))
    x = L.Add()([L.Attention()([x, x]), L.AdditiveAttention()([x, x])])
    return keras.Model(i, L.Dense(3)(L.Flatten()(x)))


@case
def dense4d_broadcast():
    i = image()
    x = conv(i, 8, activation="relu")
    d = L.Dense(8)(L.GlobalAveragePooling2D()(x))
    y = L.Add()([conv(x, 8), L.Reshape((1, 1, 8))(d)])
    return head(i, conv(L.ReLU()(y), 6))


@case
def separable1d():
    i = keras.Input((20, 4))
    x = L.SeparableConv1D(8, 3, activation="relu")(i)
    x = L.DepthwiseConv1D(3)(x)
    x = L.Conv1DTranspose(6, 3, strides=2)(x)
    x = L.AveragePooling1D(2)(x)
    return keras.Model(i, L.Dense(3)(L.Flatten()(x)))


@case
def upcrop3d():
    i = keras.Input((6, 6, 6, 2))
    x = L.Conv3D(6, 3, padding="same", activation="relu")(i)
    x = L.Conv3DTranspose(5, 2, strides=2)(x)
    x = L.UpSampling3D()(x)
    x = L.Cropping3D(1)(x)
    x = L.ZeroPadding3D(1)(x)
    return keras.Model(i, L.Dense(3)(L.GlobalAveragePooling3D()(x)))


@case
def nested_in_chain():
    inner = keras.Sequential([keras.Input((12, 12, 8)), L.Conv2D(9, 3, padding="same"), L.ReLU()])
    i = image()
    x = conv(i, 8, activation="relu")
    y = inner(x)
    return head(i, conv(y, 6))


@case
def nested_two_inputs():
    a, b = keras.Input((12, 12, 8)), keras.Input((12, 12, 5))
    m = keras.Model([a, b], [L.ReLU()(conv(L.Concatenate()([a, b]), 6)), conv(b, 4)])
    i = image()
    x, y = m([conv(i, 8, activation="relu"), conv(i, 5, activation="relu")])
    return head(i, conv(L.Concatenate()([x, y]), 6))


@case
def shared_twice_diff():
    i = image()
    c = L.Conv2D(8, 3, padding="same", activation="relu")
    x = conv(i, 8, activation="relu")
    y = c(x)
    z = c(y)
    return head(i, conv(z, 6))


@case
def grouped1d3d():
    i = keras.Input((20, 4))
    x = L.Conv1D(8, 3, activation="relu")(i)
    x = L.Conv1D(16, 3, groups=4, activation="relu")(x)
    return keras.Model(i, L.Dense(3)(L.Flatten()(L.Conv1D(5, 3)(x))))


@case
def layernorm():
    i = image()
    x = conv(i, 8)
    x = L.LayerNormalization()(x)
    return head(i, conv(L.ReLU()(x), 6))


@case
def groupnorm():
    i = image()
    x = conv(i, 16)
    x = L.GroupNormalization(4)(x)
    return head(i, conv(L.ReLU()(x), 6))


@case
def mha():
    i = keras.Input((10, 6))
    x = L.Dense(12)(i)
    y = L.MultiHeadAttention(2, 4)(x, x)
    x = L.Add()([x, y])
    x = L.LayerNormalization()(x)
    return keras.Model(i, L.Dense(3)(L.GlobalAveragePooling1D()(x)))


@case
def mixed():
    p = keras.dtype_policies.DTypePolicy("mixed_float16")
    i = image()
    x = L.ReLU(dtype=p)(L.Conv2D(8, 3, dtype=p)(i))
    return head(i, L.Conv2D(6, 3, dtype=p)(x))
