package dev.hadal.op;

import java.util.List;

/** The rules that tests run, each kind in every variant. */
public final class UpdateRules {
    public static final List<UpdateOp> ELEMENTWISE = List.of(
            new Sgd(0, false),
            new Sgd(0.9f, false),
            new Sgd(0.9f, true),
            new RmsProp(0.99f, 1e-3f, 0, false),
            new RmsProp(0.9f, 1e-3f, 0.9f, true),
            new Adam(0.9f, 0.999f, 1e-8f, false),
            new Adam(0, 0.95f, 1e-3f, true),
            new NAdam(0.9f, 0.99f, 1e-3f, 0.004f),
            new Lion(0.9f, 0.99f));

    private UpdateRules() {}
}
