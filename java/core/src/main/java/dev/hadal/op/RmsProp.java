package dev.hadal.op;

import java.util.ArrayList;
import java.util.List;

/**
 * RMSprop (Tieleman and Hinton 2012), centred by the mean gradient if so wanted (Graves 2013), as PyTorch defines it.
 *
 * <pre>
 *   v ← α·v + (1−α)·d²
 *   a = √v + ε             or, centred:  c ← α·c + (1−α)·d,  a = √max(v − c², 0) + ε
 *   s = d / a              or, with momentum:  m ← μ·m + d / a,  s = m
 * </pre>
 *
 * One pass.
 */
public record RmsProp(float alpha, float epsilon, float momentum, boolean centred) implements UpdateOp {

    public RmsProp {
        if (!(0 <= alpha && alpha < 1 && epsilon > 0 && 0 <= momentum && momentum < 1)) {
            throw new IllegalArgumentException("RMSprop needs alpha and momentum in [0, 1) and epsilon > 0, got alpha "
                    + alpha + ", momentum " + momentum + " and epsilon " + epsilon);
        }
    }

    @Override
    public String name() {
        return "rmsprop";
    }

    @Override
    public List<String> moments() {
        List<String> moments = new ArrayList<>(List.of("v"));
        if (centred) {
            moments.add("c");
        }
        if (momentum > 0) {
            moments.add("m");
        }
        return moments;
    }

    @Override
    public String toString() {
        return "rmsprop[α " + alpha + ", ε " + epsilon + ", momentum " + momentum + (centred ? ", centred]" : "]");
    }
}
