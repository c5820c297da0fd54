package dev.hadal.nn;

import dev.hadal.graph.Value;
import dev.hadal.op.Bias;
import dev.hadal.op.MatMul;
import dev.hadal.tensor.Shape;

/** y = x·Wᵀ + b, from [N,in] to [N,out], with W: [out,in] Kaiming-normal. */
public record Linear(int out, boolean bias) implements Layer {

    @Override
    public Value apply(Scope scope, Value x) {
        if (x.shape().rank() != 2) {
            throw scope.error("linear takes [N,features], but got " + x.type() + "; flatten() it first");
        }
        Shape shape = Shape.of(out, x.shape().get(1));
        Value y = new MatMul(false, true).of(x, scope.weight("weight", shape, Init.kaimingNormal()));
        return bias ? new Bias().of(y, scope.weight("bias", Shape.of(out), Init.zeros())) : y;
    }
}
