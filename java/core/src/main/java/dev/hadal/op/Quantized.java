package dev.hadal.op;

import dev.hadal.graph.Leaf;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * An op, or a chain of ops, on quantized values: operands that are s8 or u8 stand for real numbers, the op is computed of
 * those, and those f32 results that are to be s8 or u8 are quantized. So every op has a form in 8 bits, and none has to
 * know of it. Kernels that compute with the integers themselves agree with that within one step of the result's scale.
 * There is no gradient.
 *
 * @param op what is computed, on f32 and i32
 * @param operands what each operand's integers stand for; {@link Quantization#NONE} for one that is not quantized
 * @param results the same of each result
 */
public record Quantized(Op op, List<Quantization> operands, List<Quantization> results) implements Op {

    public Quantized {
        operands = List.copyOf(operands);
        results = List.copyOf(results);
        if (op instanceof Quantized
                || op instanceof Mixed
                || op instanceof Quantize
                || op instanceof Dequantize
                || op instanceof Leaf) {
            throw new IllegalArgumentException(op + " cannot be computed on quantized values; an op on f32 can");
        }
    }

    /** What is computed, of any op: its own op if it is quantized, else itself. */
    public static Op inner(Op op) {
        return op instanceof Quantized quantized ? quantized.op : op;
    }

    @Override
    public String name() {
        return op.name();
    }

    /** The types that the op itself takes: f32 in the place of s8 and u8. */
    public List<Type> widened(List<Type> in) {
        List<Type> wide = new ArrayList<>();
        for (int i = 0; i < in.size(); i++) {
            Quantization q = i < operands.size() ? operands.get(i) : Quantization.NONE;
            wide.add(q.quantizes() ? Type.f32(in.get(i).shape()) : in.get(i));
        }
        return wide;
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.that(
                in.size() == operands.size(),
                "%s is quantized for %d operands, but got %d operands",
                name(),
                operands.size(),
                in.size());
        for (int i = 0; i < in.size(); i++) {
            Quantization q = operands.get(i);
            Type type = in.get(i);
            boolean fits =
                    q.quantizes() ? type.dtype() == q.dtype() : !type.dtype().isByte();
            Require.that(fits, "%s: operand %d must be %s, but is %s", name(), i, lower(q), type);
            q.check(name() + ": operand " + i, type.shape());
        }
        List<Type> wide = op.infer(widened(in));
        Require.that(
                wide.size() == results.size(),
                "%s has results %s, but is quantized for %d",
                name(),
                wide,
                results.size());
        List<Type> out = new ArrayList<>();
        for (int i = 0; i < results.size(); i++) {
            Quantization q = results.get(i);
            Type type = wide.get(i);
            Require.that(
                    !q.quantizes() || type.dtype() == DType.F32,
                    "%s: result %d is %s, which cannot be quantized",
                    name(),
                    i,
                    type);
            q.check(name() + ": result " + i, type.shape());
            out.add(q.narrowed(type));
        }
        return out;
    }

    /** What brings each operand to f32; empty where it is not quantized. */
    public List<Optional<Op>> before() {
        return operands.stream()
                .map(q -> q.quantizes() ? Optional.<Op>of(new Dequantize(q)) : Optional.<Op>empty())
                .toList();
    }

    /** What brings each result to 8 bits; empty where it is not quantized. */
    public List<Optional<Op>> after() {
        return results.stream()
                .map(q -> q.quantizes() ? Optional.<Op>of(new Quantize(q)) : Optional.<Op>empty())
                .toList();
    }

    /** An op that knows nothing of quantization, on operands whose integers stand for themselves. */
    public static Quantized plain(Op op, List<Type> in, List<Type> out) {
        return new Quantized(Mixed.inner(op), identities(in), identities(out));
    }

    private static List<Quantization> identities(List<Type> types) {
        return types.stream()
                .map(t -> t.dtype().isByte() ? Quantization.identity(t.dtype()) : Quantization.NONE)
                .toList();
    }

    private static String lower(Quantization q) {
        return q.dtype().name().toLowerCase(Locale.ROOT);
    }

    private static String text(List<Quantization> all) {
        return all.stream().map(Quantized::lower).collect(Collectors.joining(","));
    }

    /** From what to what, such as {@code u8,s8,f32→u8}. */
    public String types() {
        return text(operands) + "→" + text(results);
    }

    @Override
    public String toString() {
        return op + " " + types();
    }
}
