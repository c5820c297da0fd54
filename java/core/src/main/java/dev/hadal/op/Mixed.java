package dev.hadal.op;

import dev.hadal.graph.Fused;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * An op in mixed precision: any of its f32 operands may be bf16 instead, and is widened, which is exact; the op is
 * computed in f32; those f32 results that are to be bf16 are rounded. So every op has a form in bf16, and none has to
 * know of it. A graph is differentiated first, and has its ops mixed then; these have no gradient.
 *
 * @param op what is computed, on f32 and i32
 * @param results the type of each result's elements
 */
public record Mixed(Op op, List<DType> results) implements Op {

    public Mixed {
        results = List.copyOf(results);
        if (op instanceof Mixed || op instanceof Leaf) {
            throw new IllegalArgumentException(op + " cannot be computed in mixed precision; an op on f32 can");
        }
    }

    /** What is computed, of any op: its own op if it is mixed, else itself. */
    public static Op inner(Op op) {
        return op instanceof Mixed mixed ? mixed.op : op;
    }

    /**
     * The same as a chain of mixed ops: what leads from one op to the next stays f32. For whoever computes a chain op by op.
     *
     * @param in the types of the chain's operands
     * @param results the types of its results
     */
    public static Fused apart(Fused chain, List<Type> in, List<Type> results) {
        if (!anyBf16(in) && !anyBf16(results)) {
            return chain;
        }
        List<Fused.Part> parts = new ArrayList<>();
        int[] given = {0};
        chain.through(in, (op, types) -> {
            boolean last = parts.size() + 1 == chain.parts().size();
            List<Type> out = op.infer(types.stream().map(Mixed::widened).toList());
            if (chain.keep() || last) {
                out = results.subList(given[0], given[0] + out.size());
                given[0] += out.size();
            }
            boolean mixed = anyBf16(types) || anyBf16(out);
            Op part = mixed ? new Mixed(op, out.stream().map(Type::dtype).toList()) : op;
            Fused.Part before = chain.parts().get(parts.size());
            parts.add(new Fused.Part(part, before.operands(), before.at()));
            return out;
        });
        return new Fused(parts, chain.keep());
    }

    private static boolean anyBf16(List<Type> types) {
        for (Type type : types) {
            if (isBf16(type)) {
                return true;
            }
        }
        return false;
    }

    private static boolean isBf16(Type type) {
        return type.dtype() == DType.BF16;
    }

    /** The type with f32 in the place of bf16. */
    public static Type widened(Type type) {
        return isBf16(type) ? Type.f32(type.shape()) : type;
    }

    @Override
    public String name() {
        return op.name();
    }

    @Override
    public List<Type> infer(List<Type> in) {
        List<Type> wide = op.infer(in.stream().map(Mixed::widened).toList());
        Require.that(wide.size() == results.size(), "%s has results %s, which cannot be %s", name(), wide, results);
        List<Type> out = new ArrayList<>();
        for (int i = 0; i < results.size(); i++) {
            DType computed = wide.get(i).dtype();
            DType wanted = results.get(i);
            Require.that(
                    wanted == computed || (wanted == DType.BF16 && computed == DType.F32),
                    "%s: result %d is %s, which cannot be rounded to %s",
                    name(),
                    i,
                    wide.get(i),
                    wanted);
            out.add(new Type(wanted, wide.get(i).shape()));
        }
        return out;
    }

    @Override
    public List<@Nullable Value> gradient(Node node, List<@Nullable Value> dy) {
        throw new IllegalStateException(
                node + ": " + name() + " in mixed precision has no gradient; differentiate the graph first");
    }

    /** Such as {@code matmul→bf16}. */
    @Override
    public String toString() {
        return results.stream()
                .map(dtype -> dtype.name().toLowerCase(Locale.ROOT))
                .collect(Collectors.joining(",", op + "→", ""));
    }
}
