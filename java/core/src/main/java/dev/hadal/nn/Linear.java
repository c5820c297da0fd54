package dev.hadal.nn;

import dev.hadal.graph.Value;
import dev.hadal.op.Bias;
import dev.hadal.op.MatMul;
import dev.hadal.op.Reshape;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.List;

/**
 * y = x·Wᵀ + b, from [N,…,in] to [N,…,out], with W: [out,in].
 *
 * @param init how W begins: Kaiming-normal if nothing else is said
 */
public record Linear(int out, boolean bias, Init init) implements Layer {

    public Linear(int out, boolean bias) {
        this(out, bias, Init.kaimingNormal());
    }

    /** With other weights to begin with. */
    public Linear init(Init weights) {
        return new Linear(out, bias, weights);
    }

    @Override
    public Value apply(Scope scope, Value x) {
        Shape shape = x.shape();
        int last = shape.rank() - 1;
        if (last < 1) {
            throw scope.error("linear takes [N,…,features], but got " + x.type());
        }
        int in = shape.get(last);
        Value rows = last == 1 ? x : new Reshape(List.of(-1, in)).of(x);
        Value y = new MatMul(false, true).of(rows, scope.weight("weight", Shape.of(out, in), init));
        if (bias) {
            y = new Bias().of(y, scope.weight("bias", Shape.of(out), Init.zeros()));
        }
        // With -1 for the batch, whose size a network leaves open.
        List<Integer> dims = new ArrayList<>(shape.with(last, out).dims());
        dims.set(0, -1);
        return last == 1 ? y : new Reshape(dims).of(y);
    }
}
