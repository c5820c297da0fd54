package dev.hadal.onednn;

import dev.hadal.op.Activation;
import dev.hadal.op.Adam;
import dev.hadal.op.CrossEntropy;
import dev.hadal.op.Expand;
import dev.hadal.op.GroupNorm;
import dev.hadal.op.LayerNorm;
import dev.hadal.op.Lion;
import dev.hadal.op.LogSoftmax;
import dev.hadal.op.NAdam;
import dev.hadal.op.Norm;
import dev.hadal.op.OpSpecs;
import dev.hadal.op.Recurrent;
import dev.hadal.op.RmsNorm;
import dev.hadal.op.RmsProp;
import dev.hadal.op.Sgd;
import dev.hadal.op.Softmax;
import dev.hadal.op.Subject;
import java.util.Set;
import org.junit.jupiter.api.Tag;

@Tag("native")
class OneDnnOpsTest extends OpSpecs {
    private static final Set<Class<?>> NEED_LIBHADAL = Set.of(
            Norm.class,
            AdamW.class,
            Sgd.class,
            CrossEntropy.class,
            CrossEntropy.Backward.class,
    private static final Set<Class<?>> NEED_LIBHADAL =
            Set.of(Norm.class, Sgd.class, RmsProp.class, Adam.class, NAdam.class, Lion.class, CrossEntropy.class, CrossEntropy.Backward.class);
            Sgd.class,
            RmsProp.class,
            Adam.class,
            NAdam.class,
            Lion.class,
            CrossEntropy.class,
            CrossEntropy.Backward.class);

    private static final Set<Class<?>> RARE = Set.of(Expand.class, Expand.Backward.class);

    private static final Set<Class<?>> NOT_NATIVE = Set.of(
            LayerNorm.class,
            LayerNorm.Backward.class,
            RmsNorm.class,
            RmsNorm.Backward.class,
            GroupNorm.class,
            GroupNorm.Backward.class,
            Softmax.class,
            Softmax.Backward.class,
            LogSoftmax.class,
            LogSoftmax.Backward.class);

    private static final Set<Class<?>> RARE = Set.of(Expand.class, Expand.Backward.class);

    @Override
    protected Subject subject() {
        return Subject.of(new OneDnnBackend())
                .withThreads(1, 2)
                .mayDecline(
                        "recurrent kernels are to come",
                        c -> c.op() instanceof Recurrent || c.op() instanceof Recurrent.Backward)
                .mayDecline(
                        "libhadal is not built",
                        c -> !Library.get().hasHadal() && NEED_LIBHADAL.contains(c.op().getClass()))
                .mayDecline("rare, and left to Java", c -> RARE.contains(c.op().getClass()))
                .mayDecline("not yet native", c -> c.op() instanceof Activation || c.op() instanceof Activation.Backward);
    }
}
