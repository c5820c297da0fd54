package dev.hadal.op;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestInstance;

/**
 * Every op's spec, on one backend. A backend's module runs them all with a class of a few lines:
 *
 * <pre>{@code
 * class FooOpsTest extends OpSpecs {
 *     @Override
 *     protected Subject subject() {
 *         return Subject.of(new FooBackend()).withThreads(1, 2).mayDecline("nothing to do", Subject.Case::empty);
 *     }
 * }
 * }</pre>
 */
@Tag("variant")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class OpSpecs {
    private final Bench bench = new Bench(subject());

    /** The backend, and what it may decline; asked once. */
    protected abstract Subject subject();

    final Tally tally() {
        return bench.tally();
    }

    /** What this run has seen: the backend's row of the op × backend table. */
    @AfterAll
    void print() {
        System.out.println("op specs on " + bench.subject() + "\n" + bench.tally());
        System.out.println(bench.tally().matrix(bench.subject().toString()));
    }

    @Nested
    class Seam extends BackendSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class Convolutions extends ConvolutionSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class Chains extends FusedSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class MatMuls extends MatMulSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class SparseMatMuls extends SparseMatMulSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class BatchNorms extends BatchNormSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class GroupNorms extends GroupNormSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class Softmaxes extends SoftmaxSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class Activations extends ActivationSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class Arithmetics extends ArithmeticSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class Reductions extends ReduceSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class WeightedSums extends WeightedSumSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class Biases extends BiasSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class GlobalAveragePools extends GlobalAveragePoolSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class ConvolutionTransposes extends ConvolutionTransposeSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class Dropouts extends DropoutSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class Pools extends PoolSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class Reshapes extends ReshapeSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class Moves extends MoveSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class Gathers extends GatherSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class MixedOps extends MixedSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class QuantizedOps extends QuantizedSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class FakeQuantizes extends FakeQuantizeSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class Casts extends CastSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class Resizes extends ResizeSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class Expansions extends ExpandSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class Distances extends DistanceSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class CrossEntropies extends CrossEntropySpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class Recurrents extends RecurrentSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class Attentions extends AttentionSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class Updates extends UpdateSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class TensorUpdates extends TensorUpdateSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }

    @Nested
    class Networks extends NetworkSpec {
        @Override
        Bench bench() {
            return bench;
        }
    }
}
