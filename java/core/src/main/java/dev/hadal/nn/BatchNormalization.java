package dev.hadal.nn;

import dev.hadal.graph.Value;
import dev.hadal.op.BatchNorm;
import dev.hadal.tensor.Shape;

/** Batch normalization along the channels of [N,C,…], with learned scale and bias and running statistics. */
public record BatchNormalization(float epsilon, float momentum) implements Layer {

    @Override
    public Value apply(Scope scope, Value x) {
        if (x.shape().rank() < 2) {
            throw scope.error("batch norm takes [N,C,…], but got " + x.type());
        }
        Shape channels = Shape.of(x.shape().get(1));
        return new BatchNorm(epsilon, momentum)
                .of(
                        x,
                        scope.weight("weight", channels, Init.ones()),
                        scope.weight("bias", channels, Init.zeros()),
                        scope.state("running_mean", channels, Init.zeros()),
                        scope.state("running_var", channels, Init.ones()));
    }
}
