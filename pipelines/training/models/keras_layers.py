"""Keras layers of our own, registered by name so that a saved model holds no code. Import late: this needs Keras."""

from functools import lru_cache
from typing import Any


def attention_pooling() -> Any:
    """A layer that pools a sequence by attention: [batch, steps, units] to [batch, units]."""
    return attention_pooling_class()()


@lru_cache(maxsize=1)
def attention_pooling_class() -> Any:
    """The class AttentionPooling: sequence [batch, steps, units] to its weighted sum over steps [batch, units].

    e_t = tanh(h_t · w + b_t), a = softmax over t, output = Σ a_t h_t; w [units], b one bias per step [steps].
    Parameters: units + steps. Source: the attention layer of "A Study on Speech Emotion Recognition using Neural
    Networks".
    """
    from keras import layers, ops, saving

    @saving.register_keras_serializable(package="workbench")
    class AttentionPooling(layers.Layer):  # type: ignore[misc]
        def build(self, input_shape: Any) -> None:
            self.w = self.add_weight(shape=(input_shape[-1], 1), initializer="glorot_uniform", name="w")
            self.b = self.add_weight(shape=(input_shape[1], 1), initializer="zeros", name="b")

        def call(self, inputs: Any) -> Any:
            weights = ops.softmax(ops.tanh(ops.matmul(inputs, self.w) + self.b), axis=1)
            return ops.sum(inputs * weights, axis=1)

        def compute_output_shape(self, input_shape: Any) -> Any:
            return (input_shape[0], input_shape[-1])

    return AttentionPooling
